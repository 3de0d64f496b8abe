"""Kernel IP sets over netlink.

pyroute2 speaks ipset, too, and is not used here: importing it takes longer than all that restoring
a fence does (see ``benchmarks/``), its ``add`` sends one entry a message, and its ``list`` decodes
entries one attribute at a time. Here a message carries some two thousand entries, packed and
unpacked by ``entries``.

Layouts: ``linux/netfilter/ipset/ip_set.h``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress

from geofence.backends.ipset.elements import (
    pack_tested,
    pack_timed,
    unpack_elements,
    unpack_networks,
    unpack_noted,
)
from geofence.backends.ipset.shapes import BITMAP, NET, Shape, shape_of
from geofence.errors import BackendError, BackendUnavailable
from geofence.lean import AF_INET
from geofence.model.elements import Element, Noted
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.model.sets import SetKey
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
_CMD_CREATE = 2
_CMD_DESTROY = 3
_CMD_FLUSH = 4
_CMD_RENAME = 5
_CMD_SWAP = 6
_CMD_LIST = 7
_CMD_ADD = 9
_CMD_DEL = 10
_CMD_TEST = 11
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
_IPV4 = 1
_DATA_IP = 1
_DATA_IP_TO = 2
_DATA_TIMEOUT = 6
_DATA_FLAGS = 8
_DATA_HASHSIZE = 18
_DATA_MAXELEM = 19
_DATA_NETMASK = 20
_DATA_ELEMENTS = 24
_FLAG_LIST_HEADER = 1 << 2

_ERR_FIND_TYPE = 4098
_ERR_EXIST = 4103

_SMALLEST_HASH = 1024

_LACKING = (_ERR_FIND_TYPE, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


class SetHeader(NamedTuple):
    """What the kernel says of a set without its entries."""

    name: str
    kind: str
    """``hash:net`` or another type."""
    family: Family | None
    entries: int
    seconds: int | None
    """How long an entry stays that names no time-out, 0 for ever; None: no entry may have one."""
    netmask: int
    """Bits of an address that count; 0: all."""


class PackedEntries(NamedTuple):
    """Entries of a set as they were sent."""

    number: int
    content: bytes


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
            self._revision(NET, family)

    def headers(self) -> list[SetHeader]:
        """Return the headers of all sets of the namespace, whoever made them."""
        only_headers = number(_ATTR_FLAGS | NET_BYTEORDER, _FLAG_LIST_HEADER)
        with _translated(tr("The kernel's IP sets cannot be listed.")):
            return [_header(found) for found in self._list(only_headers)]

    def header(self, name: str) -> SetHeader | None:
        """Return the header of a set; None if there is none of that name."""
        only_header = number(_ATTR_FLAGS | NET_BYTEORDER, _FLAG_LIST_HEADER)
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            try:
                found = self._list(string(_ATTR_SETNAME, name) + only_header)
            except FileNotFoundError:
                return None
            return _header(found[0]) if found else None

    def entries(
        self, name: str, family: Family, known: tuple[PrefixSet, bytes] | None = None
    ) -> PrefixSet | None:
        """Return the addresses in a ``hash:net`` set; None if there is none of that name.

        Args:
            name: of the set.
            family: of the set.
            known: what it may hold, and how the kernel lists that: it is not decoded then.
        """
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            packed = self.packed(name)
            if packed is None:
                return None
            from geofence.backends.ipset.entries import are_same_entries, unpack_entries

            if known is not None and are_same_entries(family, known[1], packed):
                return known[0]
            return unpack_entries(family, packed)

    def elements(self, name: str, key: SetKey) -> list[Element]:
        """Return the entries of a runtime set with their times and counts; none without the set."""
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            packed = self.packed(name) or b""
            return unpack_elements(key.family, packed, shape_of(key).netmask or key.family.bits)

    def test(self, name: str, family: Family, address: int) -> bool:
        """Whether the kernel finds an address in a set; false without the set."""
        body = string(_ATTR_SETNAME, name) + pack_tested(family, address)
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            try:
                self._netlink.ask(_message(_CMD_TEST, REQUEST | ACK, body))
            except OSError as error:
                if error.errno in (_ERR_EXIST, errno.ENOENT):
                    return False
                raise
        return True

    def networks(
        self, name: str, family: Family, length: int, known: PrefixSet | None
    ) -> PrefixSet:
        """Return the networks of one length, perhaps known ones, in a set; none without the set."""
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            return unpack_networks(family, self.packed(name) or b"", length, known)

    def noted(self, name: str, family: Family, *, times: bool) -> Noted:
        """Return the entries of a set that the kernel fills; none without the set."""
        with _translated(tr('The IP set "{name}" cannot be read.', name=name)):
            return unpack_noted(family, self.packed(name) or b"", times=times)

    def packed(self, name: str) -> bytes | None:
        """Return the entries of a set as the kernel packs them; None if there is no such set."""
        try:
            found = self._list(string(_ATTR_SETNAME, name))
        except FileNotFoundError:
            return None
        return b"".join(each.get(_ATTR_ADT, b"") for each in found)

    def flush(self, name: str) -> None:
        """Take all entries out of a set."""
        with _translated(tr('The IP set "{name}" cannot be emptied.', name=name)):
            self._request(_CMD_FLUSH, string(_ATTR_SETNAME, name))

    def put(self, name: str, family: Family, timed: Sequence[tuple[Prefix, int]]) -> None:
        """Put prefixes into a runtime set, each for so many seconds, or 0 for ever.

        One that is there already gets the new time and keeps its counts.
        """
        self.add(name, pack_timed(family, timed))

    def take(self, name: str, family: Family, prefixes: Sequence[Prefix]) -> None:
        """Take prefixes out of a runtime set; those that are not there are no matter."""
        self.delete(name, pack_timed(family, [(prefix, 0) for prefix in prefixes]))

    def add(self, name: str, parts: Iterable[bytes]) -> None:
        """Add packed entries to a set, one part a message; those that are there are no matter."""
        with _translated(tr('The IP set "{name}" cannot be filled.', name=name)):
            self._change(_CMD_ADD, name, parts)

    def delete(self, name: str, parts: Iterable[bytes]) -> None:
        """Take packed entries out of a set; those that are not there are no matter."""
        with _translated(tr('The IP set "{name}" cannot be changed.', name=name)):
            self._change(_CMD_DEL, name, parts)

    def _change(self, command: int, name: str, parts: Iterable[bytes]) -> None:
        for entries in parts:
            body = (
                string(_ATTR_SETNAME, name)
                + number(_ATTR_LINENO | NET_BYTEORDER, 0)
                + attribute(_ATTR_ADT | NESTED, entries)
            )
            self._netlink.ask(_message(command, REQUEST | ACK, body))

    def fill(self, name: str, content: PrefixSet, key: SetKey) -> PackedEntries:
        """Make a set of that name and content, and return its entries; the name must be free.

        Args:
            name: of the set.
            content: what it holds at first.
            key: what it is for.
        """
        from geofence.backends.compact import by_few_lengths
        from geofence.backends.ipset.entries import pack_entries

        prefixes = by_few_lengths(content)
        networks = [network for group in prefixes.values() for network in group]
        lengths = b"".join(bytes((each,)) * len(group) for each, group in prefixes.items())
        self.create(name, content.family, len(networks), shape_of(key))
        setname = string(_ATTR_SETNAME, name)
        parts = pack_entries(content.family, networks, lengths)
        for entries in parts:
            packed = attribute(_ATTR_ADT | NESTED, entries)
            with _translated(tr('The IP set "{name}" cannot be filled.', name=name)):
                self._request(_CMD_ADD, setname, number(_ATTR_LINENO | NET_BYTEORDER, 0), packed)
        return PackedEntries(len(networks), b"".join(parts))

    def require_numbers(self, numbers: Mapping[str, int]) -> None:
        """See that sets have so many entries: the kernel must hold exactly what was sent.

        Args:
            numbers: by the names of the sets.
        """
        held = {header.name: header.entries for header in self.headers()} if numbers else {}
        for name, wanted in numbers.items():
            if held.get(name) != wanted:
                raise BackendError(
                    tr(
                        'The kernel took {held} of {number} entries into the IP set "{name}".',
                        held=held.get(name, 0),
                        number=wanted,
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

    def create(self, name: str, family: Family, count: int, shape: Shape) -> None:
        """Make a set with room for so many entries, and nothing in it."""
        settings = _room_for_all() if shape.kind == BITMAP else _room_for(count, shape.most)
        if shape.seconds is not None:
            settings.append(number(_DATA_TIMEOUT | NET_BYTEORDER, shape.seconds))
        if shape.flags:
            settings.append(number(_DATA_FLAGS | NET_BYTEORDER, shape.flags))
        if shape.netmask:
            settings.append(number(_DATA_NETMASK, shape.netmask, 1))
        revision = self._revision(shape.kind, family)
        with _translated(tr('The IP set "{name}" cannot be made.', name=name)):
            self._request(
                _CMD_CREATE,
                string(_ATTR_SETNAME, name),
                string(_ATTR_TYPENAME, shape.kind),
                number(_ATTR_REVISION, revision, 1),
                number(_ATTR_FAMILY, family.socket_family, 1),
                nested(_ATTR_DATA, *settings),
            )

    def has_type(self, kind: str, family: Family) -> bool:
        """Whether the kernel has a type of set."""
        with suppress(BackendUnavailable):
            self._revision(kind, family)
            return True
        return False

    def _revision(self, kind: str, family: Family) -> int:
        """Return the newest revision of a type of set that the kernel has."""
        wanted = string(_ATTR_TYPENAME, kind) + number(_ATTR_FAMILY, family.socket_family, 1)
        failure = tr("The kernel cannot be asked for the IP set type {type}.", type=kind)
        with _translated(failure, lacking=(*_LACKING, errno.EINVAL)):
            _, _, _, body = self._netlink.ask(_message(_CMD_TYPE, REQUEST, wanted))
            return as_number(_attributes(body).get(_ATTR_REVISION))

    def _request(self, command: int, *attributes: bytes) -> None:
        self._netlink.ask(_message(command, REQUEST | ACK | EXCL, b"".join(attributes)))

    def _list(self, what: bytes) -> list[dict[int, bytes]]:
        """Return the attributes of each message that answers a listing."""
        answers = self._netlink.dump(_message(_CMD_LIST, REQUEST | DUMP, what))
        return [_attributes(body) for _, _, _, body in answers]


def _room_for(count: int, most: int) -> list[bytes]:
    """Return room for the entries, and no rehashing on the way; a swap exchanges it too."""
    return [
        number(_DATA_HASHSIZE | NET_BYTEORDER, max(_SMALLEST_HASH, count // 4)),
        number(_DATA_MAXELEM | NET_BYTEORDER, max(most, count)),
    ]


def _room_for_all() -> list[bytes]:
    """Return the range of all IPv4 addresses."""
    first, last = (_IPV4 | NET_BYTEORDER, bytes(4)), (_IPV4 | NET_BYTEORDER, b"\xff" * 4)
    return [nested(_DATA_IP, attribute(*first)), nested(_DATA_IP_TO, attribute(*last))]


def _message(command: int, flags: int, attributes: bytes) -> Request:
    about = NETFILTER.pack(AF_INET, 0, 0) + number(_ATTR_PROTOCOL, _PROTOCOL, 1)
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
        seconds=as_number(data[_DATA_TIMEOUT]) if _DATA_TIMEOUT in data else None,
        netmask=as_number(data.get(_DATA_NETMASK)),
    )


def _translated(failure: str, *, lacking: Iterable[int] = _LACKING) -> AbstractContextManager[None]:
    """Raise the kernel's refusals as geofence's errors.

    Args:
        failure: what could not be done, a sentence.
        lacking: error numbers by which the kernel says that it has no ipset.
    """

    def refusal(error: OSError | ValueError) -> BackendError:
        from geofence.backends.ipset.refusals import refusal_of

        return refusal_of(failure, frozenset(lacking), error)

    return translating(refusal)
