"""What the PBX's sockets are given, and what it tries to send, seen without asking it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from ipaddress import IPv4Address

from geofence.lab.host import Host

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

    source: str
    source_port: int
    port: int
    transport: int
    """IP protocol number."""
    payload: bytes


class Ear(AbstractContextManager["Ear"]):
    """Raw sockets on the PBX: they get a copy of all that is delivered there (raw(7))."""

    def __init__(self, pbx: Host) -> None:
        self._sockets = [
            pbx.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
            for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP)
        ]
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            each.setblocking(False)

    def heard(self) -> list[Delivered]:
        """Return what came since this was last asked."""
        return list(self._packets())

    def _packets(self) -> Iterator[Delivered]:
        for each in self._sockets:
            while True:
                try:
                    yield _parsed(each.recv(_LARGEST))
                except BlockingIOError:
                    break

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        for each in self._sockets:
            each.close()


def _parsed(packet: bytes) -> Delivered:
    start = (packet[0] & 15) * 4
    source_port, port = struct.unpack_from(">HH", packet, start)
    head = 8 if packet[9] == socket.IPPROTO_UDP else (packet[start + 12] >> 4) * 4
    source = str(IPv4Address(packet[12:16]))
    return Delivered(source, source_port, port, packet[9], packet[start + head :])


class Tap:
    """Counts what the PBX tries to send, before any fence looks at it."""

    def __init__(self, pbx: Host, *watched: str) -> None:
        self._pbx = pbx
        rules = "\n".join(f'ip daddr {each} counter comment "{each}"' for each in watched)
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
