"""A real name server on the loopback, port 53: it answers as a test tells it to."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from geofence.lab.host import Host

_A, _AAAA = 1, 28
_VERSIONS = {_A: 4, _AAAA: 6}
_ANSWER = 0x8580
"""Response, authoritative, recursion available, as asked for (RFC 1035, 4.1.1)."""
_TRUNCATED = 0x0200
_NO_SUCH_NAME = 3
_MOST_BY_UDP = 512


@dataclass
class NameServer:
    """As a context manager it runs on 127.0.0.1 of a host."""

    host: Host
    addresses: dict[str, list[str]] = field(default_factory=dict)
    """By name."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        with self.host.entered():
            udp, tcp = _Udp(("127.0.0.1", 53), _Datagram), _Tcp(("127.0.0.1", 53), _Stream)
        for server in (udp, tcp):
            server.names = self
            self._stack.callback(server.server_close)
            self._stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def reply(self, query: bytes, most: int | None = None) -> bytes:
        """The answer to a query; cut, and marked so, if it is longer than may be."""
        number, _flags = struct.unpack(">HH", query[:4])
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", query[end - 4 : end - 2])
        name = _name(query)
        known = self.addresses.get(name)
        wanted = [ip_address(each) for each in known or ()]
        packed = [each.packed for each in wanted if each.version == _VERSIONS.get(kind)]
        records = b"".join(
            struct.pack(">HHHIH", 0xC00C, kind, 1, 5, len(each)) + each for each in packed
        )
        flags = _ANSWER | (0 if known else _NO_SUCH_NAME)
        if most is not None and end + len(records) > most:
            return struct.pack(">6H", number, flags | _TRUNCATED, 1, 0, 0, 0) + query[12:end]
        return struct.pack(">6H", number, flags, 1, len(packed), 0, 0) + query[12:end] + records


def _name(query: bytes) -> str:
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += query[at] + 1
    return ".".join(labels).lower()


class _Udp(socketserver.ThreadingUDPServer):
    names: NameServer
    daemon_threads = True


class _Tcp(socketserver.ThreadingTCPServer):
    names: NameServer
    daemon_threads = True
    allow_reuse_address = True


class _Datagram(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        query, sender = self.request
        assert isinstance(sender, socket.socket)
        sender.sendto(self.server.names.reply(query, _MOST_BY_UDP), self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        while length := self.rfile.read(2):
            reply = self.server.names.reply(self.rfile.read(int.from_bytes(length)))
            self.wfile.write(struct.pack(">H", len(reply)) + reply)
