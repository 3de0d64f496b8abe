"""What the PBX's sockets are given, and what it tries to send, seen without asking it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from geofence.lab.host import Host
from geofence.model.prefixes import Family
from tests.sipstack.addresses import Endpoint, family_of

_BUFFER = 32 * 1024 * 1024
_SO_RCVBUFFORCE = 33
"""``asm-generic/socket.h``; Python has no name for it."""
_LARGEST = 65535

_TABLE = """\
table inet tap {{
    chain out {{
        type filter hook output priority -400;
{rules}
    }}
}}
"""
"""Before conntrack and before any fence. It asks for no state, so conntrack is none the busier."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A packet that passed all of the PBX's netfilter on its way in."""

    source: Endpoint
    port: int
    transport: int
    """IP protocol number."""
    payload: bytes


class Ear(AbstractContextManager["Ear"]):
    """Raw sockets on the PBX: they get a copy of all that is delivered there (raw(7))."""

    def __init__(self, pbx: Host, family: Family) -> None:
        self._family = family
        self._sockets = {
            protocol: pbx.socket(family.socket_family, socket.SOCK_RAW, protocol)
            for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP)
        }
        for each in self._sockets.values():
            each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            each.setblocking(False)

    def heard(self) -> list[Delivered]:
        """Return what came since this was last asked."""
        return list(self._packets())

    def _packets(self) -> Iterator[Delivered]:
        for protocol, each in self._sockets.items():
            while True:
                try:
                    packet, (source, *_) = each.recvfrom(_LARGEST)
                except BlockingIOError:
                    break
                yield _parsed(protocol, source, packet[self._header(packet) :])

    def _header(self, packet: bytes) -> int:
        """Return the length of the IP header that is read; IPv6 gives none (ipv6(7))."""
        return (packet[0] & 15) * 4 if self._family is Family.IPV4 else 0

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        for each in self._sockets.values():
            each.close()


def _parsed(protocol: int, source: str, segment: bytes) -> Delivered:
    source_port, port = struct.unpack_from(">HH", segment)
    head = 8 if protocol == socket.IPPROTO_UDP else (segment[12] >> 4) * 4
    return Delivered(Endpoint(source, source_port), port, protocol, segment[head:])


class Tap:
    """Counts what the PBX tries to send, before any fence looks at it."""

    def __init__(self, pbx: Host, *watched: str) -> None:
        self._pbx = pbx
        rules = "\n".join(map(_counting, watched))
        table = _TABLE.format(rules=rules)
        pbx.run("nft", "-f", "-", stdin=table)

    def tried(self, address: str) -> int:
        """Return how many packets the PBX has tried to send to a watched address."""
        listed = json.loads(self._pbx.run("nft", "-j", "list", "table", "inet", "tap"))
        rules = [each["rule"] for each in listed["nftables"] if "rule" in each]
        counted = {
            rule["comment"]: part["counter"]["packets"]
            for rule in rules
            for part in rule["expr"]
            if "counter" in part
        }
        return int(counted[address])


def _counting(address: str) -> str:
    """Return a rule that counts what goes to an address."""
    header = "ip" if family_of(address) is Family.IPV4 else "ip6"
    return f'{header} daddr {address} counter comment "{address}"'
