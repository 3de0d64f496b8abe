"""Sockets of this host that wait for packets of others, and the processes that hold them.

The kernel's socket diagnosis tells what ``/proc/net`` does not: whether a socket of IPv6 takes
IPv4, too. Where a kernel lacks it (``inet_diag``), ``/proc/net`` is read.

Sources: ``linux/inet_diag.h``, ``linux/sock_diag.h``, sock_diag(7), proc(5).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from geofence.model.policy import Protocol
from geofence.netlink.attributes import values
from geofence.netlink.messages import DUMP, REQUEST, Request
from geofence.netlink.socket import NetlinkSocket

Address = IPv4Address | IPv6Address

_PROC = Path("/proc")
_TABLES = _PROC / "thread-self" / "net"
"""Of the network namespace of this thread."""

_SOCK_DIAG = 4
"""``NETLINK_SOCK_DIAG``."""
_BY_FAMILY = 20
"""``SOCK_DIAG_BY_FAMILY``."""
_REQUEST = struct.Struct("=BBBxI48x")
"""Family, protocol, extensions, states as a mask, the socket (any)."""
_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")
"""Family, state, timer, retransmissions, ports, addresses, interface, cookie, and five counts."""
_V6ONLY = 11
"""``INET_DIAG_SKV6ONLY``."""
_FAMILIES = {socket.AF_INET: 4, socket.AF_INET6: 6}
"""Versions of IP by address family."""
_CLOSED, _LISTENS = 7, 10
"""States of TCP; a UDP socket that is not connected has the former."""
_STATES = {Protocol.UDP: _CLOSED, Protocol.TCP: _LISTENS}

_UID, _INODE = 7, 9
"""Columns of a file of ``/proc/net``."""


class Holder(NamedTuple):
    """A process that has a socket."""

    pid: int
    program: str
    """Its name as the kernel has it: up to 15 characters, without those that cannot be printed."""


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A TCP socket that listens, or a UDP socket that takes packets of everybody."""

    protocol: Protocol
    address: Address
    """It is bound to; unspecified for all."""
    port: int
    families: frozenset[int]
    """4, 6 or both: versions of IP that reach it."""
    interface: int
    """Index of the one that it is bound to; 0 for none."""
    uid: int
    inode: int
    holders: tuple[Holder, ...] = ()
    """Empty where they cannot be seen: in the kernel, or another user's without root."""

    @property
    def exposed(self) -> bool:
        """Whether other hosts can reach it, as far as its address decides."""
        mapped = getattr(self.address, "ipv4_mapped", None)
        return not (mapped or self.address).is_loopback


def read_sockets() -> tuple[ListeningSocket, ...]:
    """Return the sockets that wait, in the network namespace of this thread, by port.

    Raises:
        OSError: the system does not tell them.
    """
    found = tuple(_from_kernel_or_proc())
    holders = read_holders({each.inode for each in found})
    held = (replace(each, holders=holders.get(each.inode, ())) for each in found)
    return tuple(sorted(held, key=_order))


def _order(each: ListeningSocket) -> tuple[int, str, int, str]:
    return each.port, each.protocol, each.address.version, str(each.address)


def _from_kernel_or_proc() -> Iterator[ListeningSocket]:
    for protocol in Protocol:
        found: list[ListeningSocket] = []
        try:
            with NetlinkSocket(_SOCK_DIAG) as channel:
                for family in _FAMILIES:
                    found += _diagnosed(channel, protocol, family)
        except (OSError, ValueError):  # no such module in this kernel
            found = list(_from_proc(protocol))
        yield from found


def _diagnosed(
    channel: NetlinkSocket, protocol: Protocol, family: int
) -> Iterator[ListeningSocket]:
    body = _REQUEST.pack(family, protocol.number, 0, 1 << _STATES[protocol])
    with suppress(InterruptedError):  # a socket was closed meanwhile
        for _, _, _, answer in channel.dump(Request(_BY_FAMILY, REQUEST | DUMP, body)):
            found = parse_diagnosis(protocol, answer)
            if found:
                yield found


def parse_diagnosis(protocol: Protocol, body: bytes) -> ListeningSocket | None:
    """Return the socket that an answer of the kernel describes; None for one without a port.

    Raises:
        MalformedError: the answer is cut short.
    """
    if len(body) < _ANSWER.size:
        return None
    family, _, _, _, port, _, source, _, interface, _, _, _, _, uid, inode = _ANSWER.unpack_from(
        body
    )
    version = _FAMILIES.get(family)
    number = int.from_bytes(port, "big")
    if version is None or not number:
        return None
    address: Address = IPv4Address(source[:4]) if family == socket.AF_INET else IPv6Address(source)
    only = values(body[_ANSWER.size :]).get(_V6ONLY, b"\1")
    families = _reached(address, v6only=only[:1] != b"\0")
    return ListeningSocket(protocol, address, number, families, interface, uid, inode)


def _reached(address: Address, *, v6only: bool) -> frozenset[int]:
    if isinstance(address, IPv4Address) or address.ipv4_mapped:
        return frozenset({4})
    return frozenset({6} if v6only or not address.is_unspecified else {4, 6})


def _from_proc(protocol: Protocol) -> Iterator[ListeningSocket]:
    ipv4, ipv6 = (
        parse_table(protocol, (_TABLES / f"{protocol}{suffix}").read_text("ascii", "replace"))
        if (_TABLES / f"{protocol}{suffix}").exists()
        else ()
        for suffix in ("", "6")
    )
    taken = {each.port for each in ipv4 if each.address.is_unspecified}
    yield from ipv4
    for each in ipv6:
        # A socket of IPv4 beside it says that this one is of IPv6 alone.
        yield replace(each, families=frozenset({6})) if each.port in taken else each


def parse_table(protocol: Protocol, text: str) -> tuple[ListeningSocket, ...]:
    """Return the sockets that wait, from a file of ``/proc/net``.

    An unspecified address of IPv6 counts as both families, since the file does not tell.
    """
    lines = (line.split() for line in text.splitlines()[1:])
    return tuple(
        found
        for fields in lines
        if len(fields) > _INODE and int(fields[3], 16) == _STATES[protocol]
        if (found := _from_fields(protocol, fields))
    )


def _from_fields(protocol: Protocol, fields: list[str]) -> ListeningSocket | None:
    raw, _, port = fields[1].partition(":")
    address = _proc_address(raw)
    if not int(port, 16):
        return None
    families = _reached(address, v6only=False)
    return ListeningSocket(
        protocol, address, int(port, 16), families, 0, int(fields[_UID]), int(fields[_INODE])
    )


def _proc_address(text: str) -> Address:
    """Return an address that is printed as words of this host's byte order."""
    words = (int(text[at : at + 8], 16) for at in range(0, len(text), 8))
    return ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))


def read_holders(inodes: Collection[int]) -> Mapping[int, tuple[Holder, ...]]:
    """Return the processes that have each of the sockets, as far as this user may see them."""
    found: dict[int, list[Holder]] = {}
    for pid in _processes():
        for inode in _sockets_of(pid) & set(inodes):
            found.setdefault(inode, []).append(Holder(pid, program_name(pid)))
    return {inode: tuple(sorted(holders)) for inode, holders in found.items()}


def _processes() -> Iterable[int]:
    return sorted(int(name) for name in os.listdir(_PROC) if name.isdecimal())  # noqa: PTH208


def _sockets_of(pid: int) -> set[int]:
    """Return the sockets of a process; none of one that has ended, or that is another user's."""
    directory = f"{_PROC}/{pid}/fd"
    found: set[int] = set()
    with suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - thousands of them
            with suppress(OSError, ValueError):
                target = os.readlink(f"{directory}/{name}")  # noqa: PTH115
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
    return found


def program_name(pid: int) -> str:
    """Return the name of a process; empty if it has ended."""
    try:
        text = (_PROC / str(pid) / "comm").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "".join(each if each.isprintable() else "?" for each in text.removesuffix("\n"))
