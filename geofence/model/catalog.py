"""What the catalogue says of an exception: who it is, and where its addresses come from."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from geofence.model.frozen import dataclass


class EntryKind(StrEnum):
    """The ``kind`` key: what an entry of the catalogue is."""

    TRUNK = "trunk"
    """A provider of SIP trunks."""
    PUSH = "push"
    """A push service of softphones."""


class Media(StrEnum):
    """The ``media`` key: where the RTP of a signalling entry comes from."""

    LISTED = "listed"
    """From the addresses of another entry of its group."""
    SAME = "same"
    """From its own addresses."""
    UNPUBLISHED = "unpublished"
    """From addresses that are not published: only answers to this host's packets pass."""
    NONE = "none"
    """It sends none."""


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """What the catalogue says of an exception, beside its addresses."""

    kind: EntryKind | None = None
    """None: it is not part of the catalogue."""
    page: str = ""
    """The page with its addresses."""
    read: date | None = None
    """When that page was last read."""
    published: bool = False
    """Whether the vendor itself publishes them."""
    media: Media | None = None
    """None: not known."""
    trunk_hosts: tuple[str, ...] = ()
    """Names by which a trunk of it is recognised: ``sip.provider.example``, or
    ``*.pstn.provider.example`` for all names below that one."""
