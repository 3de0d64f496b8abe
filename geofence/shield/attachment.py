"""Programs on an interface's way in: links of tcx where the kernel has it, else clsact and cls_bpf.

Layouts: ``linux/rtnetlink.h``, ``linux/pkt_sched.h``, ``linux/pkt_cls.h``.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from geofence.netlink.attributes import MalformedError, as_string, attribute, nested, values
from geofence.netlink.messages import (
    ACK,
    CREATE,
    EXCL,
    NETLINK_ROUTE,
    REQUEST,
    Request,
    error_number,
    raise_for,
)
from geofence.netlink.socket import NetlinkSocket

PRIORITY = 150
"""Of the filter, as ``tc filter show`` calls it ``pref``."""
_HANDLE = 1
_NAME = "geofence"
_REPLACE = 0x100
_NEW_QDISC, _NEW_FILTER, _DELETE_FILTER, _GET_FILTER = 36, 44, 45, 46
_HEAD = struct.Struct("=BxxxiIII")
"""``struct tcmsg``: family, interface, handle, parent, priority and protocol."""
_CLSACT, _CLSACT_PARENT, _INGRESS = 0xFFFF0000, 0xFFFFFFF1, 0xFFFFFFF2
_TCA_KIND, _TCA_OPTIONS = 1, 2
_BPF_FD, _BPF_NAME, _BPF_FLAGS, _BPF_ID = 6, 7, 8, 11
_DIRECT_ACTION = 1
_ALL_PROTOCOLS = struct.unpack("=H", struct.pack("!H", 3))[0]
_INFO = PRIORITY << 16 | _ALL_PROTOCOLS


class How(StrEnum):
    """By what a program is attached."""

    TCX = "tcx"
    CLSACT = "clsact"


class Filter(NamedTuple):
    """What the kernel has under the shield's priority and handle."""

    name: str
    program: int
    """The program's number; 0: none is told."""

    @property
    def is_own(self) -> bool:
        """Whether geofence made it."""
        return self.name == _NAME


def filter_on(interface: int) -> Filter | None:
    """Return the filter of cls_bpf on an interface; None if there is none.

    Raises:
        OSError: the kernel does not tell.
    """
    body = _HEAD.pack(0, interface, _HANDLE, _INGRESS, _INFO) + attribute(_TCA_KIND, b"bpf\0")
    try:
        with _connected() as channel:
            kind, _, _, answer = channel.ask(Request(_GET_FILTER, REQUEST, body))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EINVAL, errno.ENODEV):
            return None
        raise
    if kind != _NEW_FILTER:
        return None
    options = values(values(answer[_HEAD.size :]).get(_TCA_OPTIONS, b""))
    number = options.get(_BPF_ID, bytes(4))
    return Filter(as_string(options.get(_BPF_NAME)), int(struct.unpack("=I", number)[0]))


def attach_filter(interface: int, program: int) -> None:
    """Attach a program by cls_bpf, or put it in the place of the one that is there at once.

    Raises:
        OSError: the kernel refuses, or another program's filter is in the place.
    """
    held = filter_on(interface)
    if held is not None and not held.is_own:
        raise OSError(errno.EEXIST, f"pref {PRIORITY} is taken by the filter {held.name!r}")
    options = (
        attribute(_BPF_FD, struct.pack("=i", program)),
        attribute(_BPF_NAME, _NAME.encode() + b"\0"),
        attribute(_BPF_FLAGS, struct.pack("=I", _DIRECT_ACTION)),
    )
    with suppress(FileExistsError):
        body = _HEAD.pack(0, interface, _CLSACT, _CLSACT_PARENT, 0)
        _change(_NEW_QDISC, CREATE | EXCL, body + attribute(_TCA_KIND, b"clsact\0"))
    head = _HEAD.pack(0, interface, _HANDLE, _INGRESS, _INFO) + attribute(_TCA_KIND, b"bpf\0")
    _change(_NEW_FILTER, CREATE | _REPLACE, head + nested(_TCA_OPTIONS, *options))


def detach_filter(interface: int) -> None:
    """Take the shield's filter away, and no other; the clsact stays, since others may use it.

    Raises:
        OSError: the kernel refuses.
    """
    held = filter_on(interface)
    if held is None or not held.is_own:
        return
    body = _HEAD.pack(0, interface, _HANDLE, _INGRESS, _INFO) + attribute(_TCA_KIND, b"bpf\0")
    with suppress(FileNotFoundError):
        _change(_DELETE_FILTER, 0, body)


def has_tcx(release: str | None = None) -> bool:
    """Whether the kernel has tcx, which came with Linux 6.6."""
    numbers = (release or os.uname().release).split(".")
    digits = ["".join(c for c in part if c.isdecimal()) for part in numbers[:2]]
    return len(digits) == 2 and all(digits) and tuple(map(int, digits)) >= (6, 6)  # noqa: PLR2004


def index_in(path: Path) -> int:
    """Return the interface's index that a pin's name ends in; 0 for another name."""
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _change(kind: int, flags: int, body: bytes) -> None:
    with _connected() as channel:
        answer_kind, _, _, answer = channel.ask(Request(kind, flags | REQUEST | ACK, body))
        raise_for(error_number(answer_kind, answer))


@contextmanager
def _connected() -> Iterator[NetlinkSocket]:
    try:
        with NetlinkSocket(NETLINK_ROUTE) as channel:
            yield channel
    except MalformedError as error:
        raise OSError(errno.EBADMSG, str(error)) from error
