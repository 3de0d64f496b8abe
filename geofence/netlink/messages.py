"""Netlink messages: a header, then a body; several to a datagram.

Sources: ``linux/netlink.h``, ``linux/netfilter/nfnetlink.h``, netlink(7).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from struct import Struct

from geofence.model.frozen import NamedTuple
from geofence.netlink.attributes import MalformedError

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

SOL_NETLINK = 270
"""The level of a netlink socket's options."""

REQUEST = 0x1
ACK = 0x4
_DUMP_INTERRUPTED = 0x10
DUMP = 0x300
EXCL = 0x200
CREATE = 0x400
APPEND = 0x800

ERROR = 2
_DONE = 3
_LAST = (ERROR, _DONE)

HEADER = Struct("=IHHII")
"""``struct nlmsghdr``: length with this header, type, flags, sequence number, port; host order."""
NETFILTER = Struct(">BBH")
"""``struct nfgenmsg``, with which netfilter's bodies begin: family, version, resource."""
_SIZE = HEADER.size
_unpack = HEADER.unpack_from
_ERRNO = Struct("=i")
_CUT_SHORT = "a netlink message is cut short"


Message = tuple[int, int, int, bytes]
"""Type, flags, sequence number, body; a plain tuple, since there may be a hundred thousand."""


class Request(NamedTuple):
    """A message to the kernel that has no sequence number yet."""

    kind: int
    flags: int
    body: bytes


def pack(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Return a message to the kernel as bytes."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def unpack(data: bytes) -> Iterator[Message]:
    """Yield the messages of one datagram.

    Raises:
        MalformedError: one is cut short.
    """
    at, end = 0, len(data)
    while at < end:
        if end - at < _SIZE:
            raise MalformedError(_CUT_SHORT)
        length, kind, flags, sequence, _ = _unpack(data, at)
        if not _SIZE <= length <= end - at:
            raise MalformedError(_CUT_SHORT)
        yield kind, flags, sequence, data[at + _SIZE : at + length]
        at += (length + 3) & ~3


def error_number(kind: int, body: bytes) -> int:
    """Return the ``errno`` of an error or of a dump's end; 0 if there is none.

    Raises:
        MalformedError: an error that does not say which.
    """
    if len(body) >= _ERRNO.size:
        return -int(_ERRNO.unpack_from(body)[0])
    if kind == ERROR:
        raise MalformedError("a netlink error is cut short")
    return 0


def answered(receive: Callable[[], bytes], sequence: int) -> Message:
    """Return the first message that answers a request.

    Args:
        receive: waits for one datagram.
        sequence: the request's number; answers to others are passed over.

    Raises:
        OSError: the kernel refused.
        MalformedError: a message is cut short.
    """
    while True:
        for message in unpack(receive()):
            kind, _, number, body = message
            if number == sequence:
                if kind == ERROR:
                    raise_for(error_number(kind, body))
                return message


def dumped(receive: Callable[[], bytes], sequence: int) -> Iterator[Message]:
    """Yield the messages that answer the request for a dump, up to its end.

    Args:
        receive: waits for one datagram.
        sequence: the request's number; answers to others are passed over.

    Raises:
        OSError: the kernel refused. ``InterruptedError`` comes after the last message: what was
            listed changed meanwhile, and some may be missing.
        MalformedError: a message is cut short.
    """
    seen = 0
    while True:
        for message in unpack(receive()):
            kind, flags, number, body = message
            if number != sequence:
                continue
            seen |= flags
            if kind in _LAST:
                interrupted = errno.EINTR if seen & _DUMP_INTERRUPTED else 0
                raise_for(error_number(kind, body) or interrupted)
                return
            yield message


def raise_for(number: int) -> None:
    """Raise the ``OSError`` that an error number stands for; none for 0."""
    if number:
        raise OSError(number, os.strerror(number))
