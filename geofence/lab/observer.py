"""The observer of a host behind the fence: which packets came through.

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
from contextlib import AbstractContextManager

from geofence.errors import LabError
from geofence.lab.host import Host
from geofence.lab.packets import TCP_MARK, Number
from geofence.lab.payloads import TOKEN_LENGTH
from geofence.translation import tr

BLOCK = 1 << 24
"""Tokens are kept in blocks of this many: one for single probes, one for each stream of them."""

BLOCKS = 1 << 8
"""A token has 32 bits, so there are this many; the first is that of single probes."""

_LARGEST = 65535
_BUFFER = 32 * 1024 * 1024
"""Bytes a raw socket may hold back; an ordinary user gets as many as ``rmem_max`` allows."""
_SO_RCVBUFFORCE = 33
"""``asm-generic/socket.h``; Python has no name for it."""
_TIMEOUT = 10.0
"""Seconds until a marker counts as lost; it takes microseconds."""

_TCP = struct.Struct("!4xI10xH")
"""Sequence number and urgent pointer of a segment."""

_PROTOCOLS = {
    socket.AF_INET: (Number.UDP, Number.TCP, Number.ICMP),
    socket.AF_INET6: (Number.UDP, Number.TCP, Number.ICMPV6),
}


class Observer(AbstractContextManager["Observer"]):
    """Sees whatever is delivered to one host, from its making until it is closed.

    A thread reads all the time, so that traffic at full speed is not lost for want of buffer.
    """

    def __init__(self, host: Host) -> None:
        """Begin to watch the host."""
        self._host = host
        self._blocks: dict[int, set[int]] = {}
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        for family, protocols in _PROTOCOLS.items():
            for protocol in protocols:
                self._selector.register(_raw_socket(host, family, protocol), selectors.EVENT_READ)
        self._stop, stopping = socket.socketpair()
        self._selector.register(stopping, selectors.EVENT_READ, data="stop")
        self._thread = threading.Thread(target=self._read, name=f"observer-{host.name}")
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching."""
        self._stop.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def await_token(self, token: int) -> None:
        """Wait until the packet with this token got in; all that came before it is then known.

        Raises:
            LabError: it did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._holds(token), _TIMEOUT):
                raise LabError(
                    tr("A packet that nothing fences did not reach {host}.", host=self._host.name)
                )

    def arrived(self, token: int) -> bool:
        """Whether the packet with this token has got in so far."""
        with self._changed:
            return self._holds(token)

    def count(self, first: int) -> int:
        """Return how many tokens of the block that begins with ``first`` got in so far."""
        with self._changed:
            return len(self._blocks.get(first // BLOCK, ()))

    def block(self, first: int) -> frozenset[int]:
        """Return the tokens of the block that begins with ``first`` that got in so far."""
        with self._changed:
            return frozenset(self._blocks.get(first // BLOCK, ()))

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
        batch: list[int] = []
        while more := list(self._round()):
            batch += more
        with self._changed:
            for found in batch:
                self._blocks.setdefault(found // BLOCK, set()).add(found)
            self._changed.notify_all()

    def _holds(self, token: int) -> bool:
        return token in self._blocks.get(token // BLOCK, ())

    def _round(self) -> Iterator[int]:
        for key in self._selector.get_map().values():
            if key.data == "stop":
                continue
            raw = key.fileobj
            assert isinstance(raw, socket.socket)  # noqa: S101 - only sockets are registered
            for data in _queued(raw):
                found = _parse(raw, data)
                if found is not None:
                    yield found


def _raw_socket(host: Host, family: int, protocol: int) -> socket.socket:
    raw = host.socket(family, socket.SOCK_RAW, protocol)
    raw.setblocking(False)
    try:
        raw.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except PermissionError:  # root of a user namespace only
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return raw


def _queued(raw: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            data = raw.recv(_LARGEST)
        except BlockingIOError:
            return
        yield data


def _parse(raw: socket.socket, data: bytes) -> int | None:
    """Return a probe's token: its sequence number in TCP, the end of any other payload.

    None for neighbour discovery, answers to the host, and everything else that is not a probe.
    """
    header = (data[0] & 0xF) * 4 if raw.family == socket.AF_INET else 0
    body = data[header:]
    if raw.proto != Number.TCP:
        return _token(body)
    if len(body) < _TCP.size:  # no probe, but damaged on purpose
        return None
    sequence, mark = _TCP.unpack_from(body)
    return int(sequence) if mark == TCP_MARK else None


def _token(body: bytes) -> int | None:
    try:
        return int(body[-TOKEN_LENGTH:].decode("ascii"), 16)
    except ValueError:
        return None
