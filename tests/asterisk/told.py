"""Readings as short texts, so that a table of cases can be read."""

from __future__ import annotations

from collections.abc import Mapping

from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import Listener, PortRange, Reading, Trunk, WarningKind

Files = Mapping[str, bytes | str]
UDP = "[udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n"
"""A transport, where a case is not about transports."""
OPEN = "sip 0.0.0.0 5060/udp v4"
"""What it opens."""


def pjsip(text: str, **more: str) -> Reading:
    """Read a pjsip.conf; others by their names without ``.conf``."""
    return reading_of({"pjsip.conf": text} | {f"{name}.conf": each for name, each in more.items()})


def sockets(reading: Reading) -> set[str]:
    """What listens: ``sip 0.0.0.0 5060/udp v4``; a question mark says that it is not certain."""
    return set(map(_socket, reading.listeners))


def _socket(each: Listener) -> str:
    families = "".join(map(str, sorted(each.families)))
    doubt = "" if each.certain else " ?"
    hidden = "" if each.exposed else " hidden"
    return f"{each.use} {each.bind} {each.port}/{each.protocol} v{families}{hidden}{doubt}"


def peers(reading: Reading) -> set[str]:
    """Who the trunks are: ``h.example srv``, ``192.0.2.1 5061``, ``10.0.0.0/8 any``."""
    return set(map(_peer, reading.trunks))


def _peer(each: Trunk) -> str:
    port = "srv" if each.srv else "any" if each.port is None else str(each.port)
    use = "" if each.use.value == "sip" else f" {each.use}"
    left_out = f" without {','.join(each.left_out)}" if each.left_out else ""
    return f"{each.host} {port}{use}{left_out}"


def ports(each: PortRange | None) -> str:
    """Return a range: ``10000-20001``."""
    return "" if each is None else f"{each.first}-{each.last}"


def warned(reading: Reading) -> set[WarningKind]:
    """Return the kinds of warnings."""
    return {each.kind for each in reading.warnings}


def unseen(reading: Reading) -> set[WarningKind]:
    """Return the kinds of what cannot be seen."""
    return {each.kind for each in reading.unseen}
