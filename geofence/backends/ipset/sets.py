"""Kernel IP sets over netlink.

pyroute2 speaks ipset, too, and is not used here: importing it takes longer than all that restoring
a fence does (see ``benchmarks/``), its ``add`` sends one entry a message, and its ``list`` decodes
entries one attribute at a time. Here a message carries some two thousand entries, packed and
unpacked by ``wire``.

Layouts: ``linux/netfilter/ipset/ip_set.h``.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from geofence.backends.ipset.compact import in_few_lengths
from geofence.backends.ipset.entries import pack_entries, unpack_entries
from geofence.closing import Closing
from geofence.errors import BackendError, BackendUnavailable
from geofence.model.prefixes import Family, PrefixSet
from geofence.netlink import messages
from geofence.netlink.attributes import (
    NESTED,
    NET_BYTEORDER,
    as_number,
    as_string,
    attribute,
    nested,
    number,
    string,
    values,
)

_SUBSYSTEM = 6 << 8
"""``NFNL_SUBSYS_IPSET``"""
_PROTOCOL = 6
"""The oldest version of the protocol that kernels of this century's second decade still take."""
_TYPE = "hash:net"

_CMD_CREATE = 2
_CMD_DESTROY = 3
_CMD_RENAME = 5
_CMD_SWAP = 6
_CMD_LIST = 7
_CMD_ADD = 9
_CMD_TYPE = 13

_ATTR_PROTOCOL = 1
_ATTR_SETNAME = 2
_ATTR_TYPENAME = 3
_ATTR_SETNAME2 = 3
_ATTR_REVISION = 4
_ATTR_FAMILY = 5
_ATTR_FLAGS = 6
_ATTR_DATA = 7
_ATTR_ADT = 8
_ATTR_LINENO = 9
_DATA_HASHSIZE = 18
_DATA_MAXELEM = 19
_DATA_ELEMENTS = 24
_FLAG_LIST_HEADER = 1 << 2

_ERR_FIND_TYPE = 4098
_ERR_MAX_SETS = 4099
_ERR_BUSY = 4100
_ERR_REFERENCED = 4108

_SMALLEST_HASH = 1024
_LEAST_CAPACITY = 65_536
_DATAGRAM = 1 << 18
"""Octets that are read at once; the kernel fills no more than 32 KiB of a dump."""

NEEDS_PRIVILEGE = (
    "The kernel's sets need CAP_NET_ADMIN; run geofence as root, for example with sudo."
)

_LACKING = (_ERR_FIND_TYPE, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_IN_USE = (
    "a rule that is not geofence's refers to it; remove that rule "
    "('iptables-save | grep geofence' finds it) and try again."
)
_REASONS = {
    _ERR_BUSY: _IN_USE,
    _ERR_REFERENCED: _IN_USE,
    _ERR_MAX_SETS: "it holds no more sets.",
    errno.ENOMEM: "it is out of memory.",
}
_NO_IPSET = (
    "This kernel has no ipset (hash:net); load it with 'modprobe ip_set_hash_net', "
    'or set backend = "nftables" in the rules.'
)


class SetHeader(NamedTuple):
    """What the kernel says of a set without its entries."""

    name: str
    kind: str
    """``hash:net`` or another type."""
    family: Family | None
    entries: int


class KernelSets(Closing):
    """A netlink socket to the IP sets of the current network namespace.

    All methods raise BackendUnavailable for missing privilege or kernel support and BackendError
    for whatever else the kernel refuses.
    """

    def __init__(self) -> None:
        with _translated("open"):
            self._socket = socket.socket(
                socket.AF_NETLINK,
                socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                messages.NETLINK_NETFILTER,
            )
        self._sequence = 0

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def require_type(self) -> None:
        """Make sure that the kernel has ``hash:net``."""
        for family in Family:
            self._revision(family)

    def headers(self) -> list[SetHeader]:
        """All sets of the namespace, whoever made them."""
        only_headers = number(_ATTR_FLAGS | NET_BYTEORDER, _FLAG_LIST_HEADER)
        with _translated("list"):
            return [_header(found) for found in self._list(only_headers)]

    def entries(self, name: str, family: Family) -> PrefixSet | None:
        """The addresses in a ``hash:net`` set; None if there is none of that name."""
        with _translated(f"list '{name}'"):
            try:
                found = self._list(string(_ATTR_SETNAME, name))
            except FileNotFoundError:
                return None
        try:
            return unpack_entries(family, b"".join(each.get(_ATTR_ADT, b"") for each in found))
        except ValueError as error:
            raise BackendError(f"The kernel's set '{name}' holds {error}.") from error

    def fill(self, name: str, content: PrefixSet) -> None:
        """Make a set of that name and content; the name must be free.

        The number of entries is read back: the kernel must hold exactly what was sent.
        """
        networks, lengths = in_few_lengths(content)
        self._create(name, content.family, len(networks))
        setname = string(_ATTR_SETNAME, name)
        for entries in pack_entries(content.family, networks, lengths):
            packed = attribute(_ATTR_ADT | NESTED, entries)
            with _translated(f"fill '{name}'"):
                self._request(_CMD_ADD, setname, number(_ATTR_LINENO | NET_BYTEORDER, 0), packed)
        held = {header.name: header.entries for header in self.headers()}.get(name)
        if held != len(networks):
            raise BackendError(
                f"The kernel took {held} of {len(networks)} entries into the set '{name}'."
            )

    def swap(self, one: str, other: str) -> None:
        """Exchange the contents of two sets in one instant."""
        with _translated(f"swap '{one}'"):
            self._request(_CMD_SWAP, string(_ATTR_SETNAME, one), string(_ATTR_SETNAME2, other))

    def rename(self, old: str, new: str) -> None:
        """Give a set that no rule refers to another name."""
        with _translated(f"rename '{old}'"):
            self._request(_CMD_RENAME, string(_ATTR_SETNAME, old), string(_ATTR_SETNAME2, new))

    def destroy(self, name: str) -> None:
        """Take a set away that no rule refers to."""
        with _translated(f"destroy '{name}'"):
            self._request(_CMD_DESTROY, string(_ATTR_SETNAME, name))

    def _create(self, name: str, family: Family, count: int) -> None:
        # Room for the entries and no rehashing on the way; a swap exchanges these sizes too.
        sizes = (
            number(_DATA_HASHSIZE | NET_BYTEORDER, max(_SMALLEST_HASH, count // 4)),
            number(_DATA_MAXELEM | NET_BYTEORDER, max(_LEAST_CAPACITY, count)),
        )
        revision = self._revision(family)
        with _translated(f"create '{name}'"):
            self._request(
                _CMD_CREATE,
                string(_ATTR_SETNAME, name),
                string(_ATTR_TYPENAME, _TYPE),
                number(_ATTR_REVISION, revision, 1),
                number(_ATTR_FAMILY, family.socket_family, 1),
                nested(_ATTR_DATA, *sizes),
            )

    def _revision(self, family: Family) -> int:
        """The newest revision of ``hash:net`` that the kernel has."""
        wanted = string(_ATTR_TYPENAME, _TYPE) + number(_ATTR_FAMILY, family.socket_family, 1)
        with _translated(f"find the type {_TYPE}"):
            self._send(_CMD_TYPE, messages.REQUEST, wanted)
            _, _, _, body = messages.answered(self._receive, self._sequence)
            return as_number(_attributes(body).get(_ATTR_REVISION))

    def _request(self, command: int, *attributes: bytes) -> None:
        """Have something done; the kernel's refusal as OSError."""
        flags = messages.REQUEST | messages.ACK | messages.EXCL
        self._send(command, flags, b"".join(attributes))
        messages.answered(self._receive, self._sequence)

    def _list(self, what: bytes) -> list[dict[int, bytes]]:
        """The attributes of each message that answers a listing."""
        self._send(_CMD_LIST, messages.REQUEST | messages.DUMP, what)
        answers = messages.dumped(self._receive, self._sequence)
        return [_attributes(body) for _, _, _, body in answers]

    def _send(self, command: int, flags: int, attributes: bytes) -> None:
        self._sequence += 1
        about = messages.NETFILTER.pack(socket.AF_INET, 0, 0) + number(_ATTR_PROTOCOL, _PROTOCOL, 1)
        body = about + attributes
        self._socket.send(messages.pack(_SUBSYSTEM | command, flags, self._sequence, body))

    def _receive(self) -> bytes:
        return self._socket.recv(_DATAGRAM)


def _attributes(body: bytes) -> dict[int, bytes]:
    return values(body[messages.NETFILTER.size :])


def _header(found: dict[int, bytes]) -> SetHeader:
    families = {family.socket_family: family for family in Family}
    return SetHeader(
        name=as_string(found.get(_ATTR_SETNAME)),
        kind=as_string(found.get(_ATTR_TYPENAME)),
        family=families.get(as_number(found.get(_ATTR_FAMILY))),
        entries=as_number(values(found.get(_ATTR_DATA, b"")).get(_DATA_ELEMENTS)),
    )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Kernel refusals as geofence's errors."""
    try:
        yield
    except OSError as error:
        raise _translate(what, error.errno, error) from error
    except ValueError as error:
        raise BackendError(f"The kernel's answer makes no sense, trying to {what}.") from error


def _translate(what: str, code: int | None, error: Exception) -> BackendError:
    if code in (errno.EPERM, errno.EACCES):
        return BackendUnavailable(NEEDS_PRIVILEGE)
    if code in _LACKING or (what.startswith("find") and code == errno.EINVAL):
        return BackendUnavailable(_NO_IPSET)
    return BackendError(f"The kernel will not {what}: {_REASONS.get(code or 0, f'{error}.')}")
