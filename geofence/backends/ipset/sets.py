"""Kernel IP sets over netlink.

pyroute2 speaks ipset, too, and is not used here: importing it takes longer than all that restoring
a fence does (see ``benchmarks/``), its ``add`` sends one entry a message, and its ``list`` decodes
entries one attribute at a time. Here a message carries some two thousand entries, packed and
unpacked by ``entries``.

Layouts: ``linux/netfilter/ipset/ip_set.h``.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from geofence.backends.ipset.compact import in_few_lengths
from geofence.backends.ipset.entries import pack_entries, unpack_entries
from geofence.errors import BackendError, BackendUnavailable
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import SetKind
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
from geofence.netlink.messages import (
    ACK,
    DUMP,
    EXCL,
    NETFILTER,
    NETLINK_NETFILTER,
    REQUEST,
    Request,
)
from geofence.netlink.socket import NetlinkSocket, translating
from geofence.translation import tr

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
_DATA_TIMEOUT = 6
_STAYS = 0
"""Seconds that an entry stays if it names no time-out: for ever."""
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

_LACKING = (_ERR_FIND_TYPE, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


class SetHeader(NamedTuple):
    """What the kernel says of a set without its entries."""

    name: str
    kind: str
    """``hash:net`` or another type."""
    family: Family | None
    entries: int
    times_out: bool
    """Whether its entries may have time-outs."""


class KernelSets(AbstractContextManager["KernelSets"]):
    """A netlink socket to the IP sets of the current network namespace.

    All methods raise BackendUnavailable for missing privilege or kernel support and BackendError
    for whatever else the kernel refuses.
    """

    def __init__(self) -> None:
        with _translated(tr("The kernel's IP sets cannot be reached.")):
            self._netlink = NetlinkSocket(NETLINK_NETFILTER)

    def __exit__(self, *_: object) -> None:
        self._netlink.close()

    def require_type(self) -> None:
        """Raise an error if the kernel lacks ``hash:net``."""
        for family in Family:
            self._revision(family)

    def headers(self) -> list[SetHeader]:
        """Return the headers of all sets of the namespace, whoever made them."""
        only_headers = number(_ATTR_FLAGS | NET_BYTEORDER, _FLAG_LIST_HEADER)
        with _translated(tr("The kernel's IP sets cannot be listed.")):
            return [_header(found) for found in self._list(only_headers)]

    def entries(self, name: str, family: Family) -> PrefixSet | None:
        """Return the addresses in a ``hash:net`` set; None if there is none of that name."""
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            try:
                found = self._list(string(_ATTR_SETNAME, name))
            except FileNotFoundError:
                return None
            return unpack_entries(family, b"".join(each.get(_ATTR_ADT, b"") for each in found))

    def fill(self, name: str, content: PrefixSet, kind: SetKind = SetKind.DECLARED) -> None:
        """Make a set of that name and content; the name must be free.

        The number of entries is read back: the kernel must hold exactly what was sent.

        Args:
            name: of the set.
            content: what it holds at first.
            kind: entries of a runtime set may have time-outs.
        """
        networks, lengths = in_few_lengths(content)
        self._create(name, content.family, len(networks), kind)
        setname = string(_ATTR_SETNAME, name)
        for entries in pack_entries(content.family, networks, lengths):
            packed = attribute(_ATTR_ADT | NESTED, entries)
            with _translated(tr('The IP set "{name}" cannot be filled.', name=name)):
                self._request(_CMD_ADD, setname, number(_ATTR_LINENO | NET_BYTEORDER, 0), packed)
        held = {header.name: header.entries for header in self.headers()}.get(name)
        if held != len(networks):
            raise BackendError(
                tr(
                    'The kernel took {held} of {number} entries into the IP set "{name}".',
                    held=held or 0,
                    number=len(networks),
                    name=name,
                )
            )

    def swap(self, one: str, other: str) -> None:
        """Exchange the contents of two sets in one instant."""
        with _translated(tr('The IP set "{name}" cannot be exchanged.', name=other)):
            self._request(_CMD_SWAP, string(_ATTR_SETNAME, one), string(_ATTR_SETNAME2, other))

    def rename(self, old: str, new: str) -> None:
        """Give another name to a set that no rule refers to."""
        with _translated(tr('The IP set "{name}" cannot be renamed.', name=old)):
            self._request(_CMD_RENAME, string(_ATTR_SETNAME, old), string(_ATTR_SETNAME2, new))

    def destroy(self, name: str) -> None:
        """Remove a set that no rule refers to."""
        with _translated(tr('The IP set "{name}" cannot be removed.', name=name)):
            self._request(_CMD_DESTROY, string(_ATTR_SETNAME, name))

    def _create(self, name: str, family: Family, count: int, kind: SetKind) -> None:
        # Room for the entries and no rehashing on the way; a swap exchanges these sizes too.
        settings = [
            number(_DATA_HASHSIZE | NET_BYTEORDER, max(_SMALLEST_HASH, count // 4)),
            number(_DATA_MAXELEM | NET_BYTEORDER, max(_LEAST_CAPACITY, count)),
        ]
        if kind is SetKind.RUNTIME:
            settings.append(number(_DATA_TIMEOUT | NET_BYTEORDER, _STAYS))
        revision = self._revision(family)
        with _translated(tr('The IP set "{name}" cannot be made.', name=name)):
            self._request(
                _CMD_CREATE,
                string(_ATTR_SETNAME, name),
                string(_ATTR_TYPENAME, _TYPE),
                number(_ATTR_REVISION, revision, 1),
                number(_ATTR_FAMILY, family.socket_family, 1),
                nested(_ATTR_DATA, *settings),
            )

    def _revision(self, family: Family) -> int:
        """Return the newest revision of ``hash:net`` that the kernel has."""
        wanted = string(_ATTR_TYPENAME, _TYPE) + number(_ATTR_FAMILY, family.socket_family, 1)
        failure = tr("The kernel cannot be asked for the IP set type {type}.", type=_TYPE)
        with _translated(failure, lacking=(*_LACKING, errno.EINVAL)):
            _, _, _, body = self._netlink.ask(_message(_CMD_TYPE, REQUEST, wanted))
            return as_number(_attributes(body).get(_ATTR_REVISION))

    def _request(self, command: int, *attributes: bytes) -> None:
        """Have something done; the kernel's refusal as OSError."""
        self._netlink.ask(_message(command, REQUEST | ACK | EXCL, b"".join(attributes)))

    def _list(self, what: bytes) -> list[dict[int, bytes]]:
        """Return the attributes of each message that answers a listing."""
        answers = self._netlink.dump(_message(_CMD_LIST, REQUEST | DUMP, what))
        return [_attributes(body) for _, _, _, body in answers]


def _message(command: int, flags: int, attributes: bytes) -> Request:
    about = NETFILTER.pack(socket.AF_INET, 0, 0) + number(_ATTR_PROTOCOL, _PROTOCOL, 1)
    return Request(_SUBSYSTEM | command, flags, about + attributes)


def _attributes(body: bytes) -> dict[int, bytes]:
    return values(body[NETFILTER.size :])


def _header(found: dict[int, bytes]) -> SetHeader:
    families = {family.socket_family: family for family in Family}
    data = values(found.get(_ATTR_DATA, b""))
    return SetHeader(
        name=as_string(found.get(_ATTR_SETNAME)),
        kind=as_string(found.get(_ATTR_TYPENAME)),
        family=families.get(as_number(found.get(_ATTR_FAMILY))),
        entries=as_number(data.get(_DATA_ELEMENTS)),
        times_out=_DATA_TIMEOUT in data,
    )


def _translated(failure: str, *, lacking: Iterable[int] = _LACKING) -> AbstractContextManager[None]:
    """Raise the kernel's refusals as geofence's errors.

    Args:
        failure: what could not be done, a sentence.
        lacking: error numbers by which the kernel says that it has no ipset.
    """
    return translating(partial(_refusal, failure, frozenset(lacking)))


def _refusal(failure: str, lacking: frozenset[int], error: OSError | ValueError) -> BackendError:
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.EPERM, errno.EACCES):
        return BackendUnavailable(needs_privilege())
    if code in lacking:
        return BackendUnavailable(
            tr(
                "This kernel has no ipset (hash:net). Load it with 'modprobe ip_set_hash_net', or "
                'set backend = "nftables" in the rules.'
            )
        )
    return BackendError(tr("{first} {second}", first=failure, second=_reason(error)))


def _reason(error: OSError | ValueError) -> str:
    match error:
        case OSError(errno=code) if code in (_ERR_BUSY, _ERR_REFERENCED):
            return tr(
                "A rule that geofence did not make refers to it. Find that rule with "
                "'iptables-save | grep geofence', remove it, and try again."
            )
        case OSError(errno=code) if code == _ERR_MAX_SETS:
            return tr("The kernel has reached its limit of IP sets.")
        case OSError(errno=code) if code == errno.ENOMEM:
            return tr("The kernel is out of memory.")
        case OSError():
            return tr("The kernel refused: {reason}.", reason=error)
    return tr("The kernel's answer makes no sense: {reason}.", reason=error)


def needs_privilege() -> str:
    """Return what to do where the privilege to use ipset is missing."""
    return tr(
        "The kernel's IP sets need CAP_NET_ADMIN. Run geofence as root, for example with sudo."
    )
