"""What the rules say of the Asterisk on this host: ``[asterisk]``."""

from __future__ import annotations

from geofence.model.frozen import dataclass

DIRECTORY = "/etc/asterisk"

SIP, RTP, IAX, WEB = "sip", "rtp", "iax", "web"
"""The services for ports of Asterisk that the rules do not fence."""
DERIVED_SERVICES = (SIP, RTP, IAX, WEB)


@dataclass(frozen=True, slots=True)
class Following:
    """Whether, and which, configuration the fence follows."""

    enabled: bool = False
    """``follow``."""
    directory: str = DIRECTORY
    ignored: tuple[str, ...] = ()
    """Names of derived exceptions that are not allowed."""
    cli: str = ""
    """Path of the program that asks a running Asterisk; empty: wherever it usually is."""
