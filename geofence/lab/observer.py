"""What came through the fence, as the host behind it saw it.

Raw sockets receive a copy of every packet that is delivered to the host, after all of netfilter's
hooks and after reassembly, whether or not anything listens on its port (raw(7)). So a bare ACK or a
datagram to a closed port is seen as surely as a SIP request, and no port has to be opened.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Self

from geofence.errors import LabError
from geofence.lab.host import Host
from geofence.lab.packets import Address, Number
from geofence.lab.payloads import TOKEN_LENGTH

_LARGEST = 65535
_BUFFER = 32 * 1024 * 1024
"""Octets a raw socket may hold back; an ordinary user gets as many as ``rmem_max`` allows."""
_SO_RCVBUFFORCE = 33
"""``asm-generic/socket.h``; Python has no name for it."""
_PATIENCE = 10.0
"""Seconds until a marker counts as lost; it takes microseconds."""

_PROTOCOLS = {
    socket.AF_INET: (Number.UDP, Number.TCP, Number.ICMP),
    socket.AF_INET6: (Number.UDP, Number.TCP, Number.ICMPV6),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet that got in."""

    token: int
    """Which probe: a TCP segment's sequence number, or the end of any other payload."""
    protocol: int
    source: Address
    source_port: int
    """0 where the protocol has none."""
    payload: bytes


class Observer:
    """Sees whatever is delivered to one host, from its making until it is closed.

    A thread reads all the time, so that traffic at full speed is not lost for want of buffer.
    """

    def __init__(self, host: Host) -> None:
        """Begin to watch the host."""
        self._host = host
        self._arrivals: dict[int, Arrival] = {}
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        for family, protocols in _PROTOCOLS.items():
            for protocol in protocols:
                self._selector.register(_raw_socket(host, family, protocol), selectors.EVENT_READ)
        self._stop, stopping = socket.socketpair()
        self._selector.register(stopping, selectors.EVENT_READ, data="stop")
        self._thread = threading.Thread(target=self._read, name=f"observer-{host.name}")
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def await_token(self, token: int) -> Arrival:
        """Wait until the packet with this token got in; all that came before it is then known.

        Raises:
            LabError: it did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: token in self._arrivals, _PATIENCE):
                raise LabError(f"A packet that nothing fences did not reach {self._host.name}.")
            return self._arrivals[token]

    def arrived(self, token: int) -> Arrival | None:
        """The packet with this token, if it has got in so far."""
        with self._changed:
            return self._arrivals.get(token)

    def tokens(self, first: int, past: int) -> list[int]:
        """Tokens from ``first`` to before ``past`` that got in so far, ascending."""
        with self._changed:
            return sorted(token for token in self._arrivals if first <= token < past)

    def connection(self, source: Address, source_port: int) -> bool:
        """Whether any TCP segment got in from this address and port so far."""
        with self._changed:
            return any(
                (arrival.protocol, arrival.source, arrival.source_port)
                == (Number.TCP, source, source_port)
                for arrival in self._arrivals.values()
            )

    def forget(self) -> None:
        """Start over, as if nothing had come."""
        with self._changed:
            self._arrivals.clear()

    def _read(self) -> None:
        while True:
            ready = self._selector.select()
            if any(key.data == "stop" for key, _ in ready):
                return
            self._publish()

    def _publish(self) -> None:
        """Read until a whole round over all sockets brings nothing, then make it known.

        So a packet is known no later than any that was delivered after it, on whatever socket.
        """
        batch: list[Arrival] = []
        while found := list(self._round()):
            batch += found
        with self._changed:
            for arrival in batch:
                self._arrivals.setdefault(arrival.token, arrival)
            self._changed.notify_all()

    def _round(self) -> Iterator[Arrival]:
        for key in self._selector.get_map().values():
            if key.data == "stop":
                continue
            raw = key.fileobj
            assert isinstance(raw, socket.socket)  # noqa: S101 - only sockets are registered
            for data, address in _queued(raw):
                arrival = _parse(raw, data, address)
                if arrival:
                    yield arrival


def _raw_socket(host: Host, family: int, protocol: int) -> socket.socket:
    raw = host.socket(family, socket.SOCK_RAW, protocol)
    raw.setblocking(False)
    try:
        raw.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except PermissionError:  # root of a user namespace only
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return raw


def _queued(raw: socket.socket) -> Iterator[tuple[bytes, str]]:
    while True:
        try:
            data, address = raw.recvfrom(_LARGEST)
        except BlockingIOError:
            return
        yield data, address[0]


def _parse(raw: socket.socket, data: bytes, address: str) -> Arrival | None:
    """None for what is no probe: neighbour discovery, answers of the host's own."""
    source: Address = IPv4Address(address) if raw.family == socket.AF_INET else _ipv6(address)
    header = (data[0] & 0xF) * 4 if raw.family == socket.AF_INET else 0
    body = data[header:]
    if raw.proto == Number.TCP:
        source_port, sequence = struct.unpack_from("!H2xI", body)
        return Arrival(sequence, raw.proto, source, source_port, b"")
    token = _token(body)
    if token is None:
        return None
    source_port = struct.unpack_from("!H", body)[0] if raw.proto == Number.UDP else 0
    return Arrival(token, raw.proto, source, source_port, body[8:])


def _ipv6(address: str) -> IPv6Address:
    return IPv6Address(address.partition("%")[0])


def _token(body: bytes) -> int | None:
    try:
        return int(body[-TOKEN_LENGTH:].decode("ascii"), 16)
    except ValueError:
        return None
