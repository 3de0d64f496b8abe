"""Kernel IP sets over netlink, through pyroute2.

pyroute2's own ``add`` sends one entry a message, and its ``list`` decodes entries one attribute at
a time; here a message carries some two thousand entries, packed and unpacked by ``wire``.
Everything else is pyroute2's.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pyroute2.ipset import IPSet
from pyroute2.netlink import NLA_F_NESTED, NLM_F_ACK, NLM_F_EXCL, NLM_F_REQUEST
from pyroute2.netlink.exceptions import IPSetError, NetlinkError
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_IPSET, nfgen_msg
from pyroute2.netlink.nfnetlink.ipset import (
    IPSET_CMD_ADD,
    IPSET_CMD_LIST,
    IPSET_ERR_BUSY,
    IPSET_ERR_FIND_TYPE,
    IPSET_ERR_MAX_SETS,
    IPSET_ERR_REFERENCED,
    IPSET_FLAG_LIST_HEADER,
    ipset_msg,
)

from geofence.backends.ipset.wire import pack_entries, unpack_entries
from geofence.closing import Closing
from geofence.errors import BackendError, BackendUnavailable
from geofence.model.prefixes import Family, PrefixSet

_SUBSYSTEM = NFNL_SUBSYS_IPSET << 8
_SMALLEST_HASH = 1024
_LEAST_CAPACITY = 65_536

NEEDS_PRIVILEGE = (
    "The kernel's sets need CAP_NET_ADMIN; run geofence as root, for example with sudo."
)

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


class _RawEntriesMessage(nfgen_msg):  # type: ignore[misc]  # pyroute2 ships no types
    """An ipset message whose entries stay packed.

    Not derived from ``ipset_msg``: pyroute2 compiles the attribute map once per class family.
    """

    nla_map = tuple(
        ("IPSET_ATTR_ADT", "cdata", NLA_F_NESTED)
        if field[0] == "IPSET_ATTR_ADT"
        else ("IPSET_ATTR_DATA", "cadt_data")
        if field[0] == "IPSET_ATTR_DATA"
        else field
        for field in ipset_msg.nla_map
    )
    cadt_data = ipset_msg.cadt_data


class KernelSets(Closing):
    """A netlink socket to the IP sets of the current network namespace.

    All methods raise BackendUnavailable for missing privilege or kernel support and BackendError
    for whatever else the kernel refuses.
    """

    def __init__(self) -> None:
        with _translated("open"):
            self._socket: Any = IPSet()
        self._socket.register_policy({IPSET_CMD_LIST | _SUBSYSTEM: _RawEntriesMessage})

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def require_type(self) -> None:
        """Make sure that the kernel has ``hash:net``."""
        with _translated("find the type hash:net"):
            self._socket.get_supported_revisions("hash:net")

    def headers(self) -> list[SetHeader]:
        """All sets of the namespace, whoever made them."""
        with _translated("list"):
            messages = list(self._socket.list(flags=IPSET_FLAG_LIST_HEADER))
        return [_header(message) for message in messages]

    def entries(self, name: str, family: Family) -> PrefixSet:
        """The addresses in a ``hash:net`` set."""
        with _translated(f"list '{name}'"):
            messages = list(self._socket.list(name))
        packed = (message.get_attr("IPSET_ATTR_ADT") for message in messages)
        try:
            parts = [unpack_entries(family, bytes(part)) for part in packed if part]
        except ValueError as error:
            raise BackendError(f"The kernel's set '{name}' holds {error}.") from error
        return PrefixSet.union(family, parts)

    def fill(self, name: str, content: PrefixSet) -> None:
        """Make a set of that name and content; the name must be free.

        The number of entries is read back: the kernel must hold exactly what was sent.
        """
        networks, lengths = content.split(shortest=1)
        self._create(name, content.family, len(networks))
        for entries in pack_entries(content.family, networks, lengths):
            self._add(name, entries)
        held = {header.name: header.entries for header in self.headers()}.get(name)
        if held != len(networks):
            raise BackendError(
                f"The kernel took {held} of {len(networks)} entries into the set '{name}'."
            )

    def swap(self, one: str, other: str) -> None:
        """Exchange the contents of two sets in one instant."""
        with _translated(f"swap '{one}'"):
            self._socket.swap(one, other)

    def rename(self, old: str, new: str) -> None:
        """Give a set that no rule refers to another name."""
        with _translated(f"rename '{old}'"):
            self._socket.rename(old, new)

    def destroy(self, name: str) -> None:
        """Take a set away that no rule refers to."""
        with _translated(f"destroy '{name}'"):
            self._socket.destroy(name)

    def _create(self, name: str, family: Family, count: int) -> None:
        # Room for the entries and no rehashing on the way; a swap exchanges these sizes too.
        with _translated(f"create '{name}'"):
            self._socket.create(
                name,
                stype="hash:net",
                family=family.socket_family,
                maxelem=max(_LEAST_CAPACITY, count),
                hashsize=max(_SMALLEST_HASH, count // 4),
            )

    def _add(self, name: str, entries: bytes) -> None:
        message = _RawEntriesMessage()
        message["nfgen_family"] = 0
        message["attrs"] = [
            ("IPSET_ATTR_PROTOCOL", 6),
            ("IPSET_ATTR_SETNAME", name),
            ("IPSET_ATTR_LINENO", 0),
            ("IPSET_ATTR_ADT", entries),
        ]
        with _translated(f"fill '{name}'"):
            self._request(message, IPSET_CMD_ADD)

    def _request(self, message: object, command: int) -> None:
        flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL
        for _ in self._socket.nlm_request(message, command | _SUBSYSTEM, msg_flags=flags):
            pass


def _header(message: Any) -> SetHeader:  # noqa: ANN401 - pyroute2 ships no types
    families = {family.socket_family: family for family in Family}
    data = message.get_attr("IPSET_ATTR_DATA")
    return SetHeader(
        name=str(message.get_attr("IPSET_ATTR_SETNAME")),
        kind=str(message.get_attr("IPSET_ATTR_TYPENAME")),
        family=families.get(message.get_attr("IPSET_ATTR_FAMILY")),
        entries=int(data.get_attr("IPSET_ATTR_ELEMENTS") or 0),
    )


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Kernel refusals as geofence's errors."""
    try:
        yield
    except (NetlinkError, IPSetError, OSError) as error:
        code = getattr(error, "code", None) or getattr(error, "errno", None)
        raise _translate(what, code, error) from error


def _translate(what: str, code: int | None, error: Exception) -> BackendError:
    if code in (errno.EPERM, errno.EACCES):
        return BackendUnavailable(NEEDS_PRIVILEGE)
    if code == IPSET_ERR_FIND_TYPE or (what == "open" and code == errno.EINVAL):
        return BackendUnavailable(_NO_IPSET)
    if code in (IPSET_ERR_BUSY, IPSET_ERR_REFERENCED):
        return BackendError(
            f"The kernel will not {what}: a rule that is not geofence's refers to it; "
            "remove that rule ('iptables-save | grep geofence' finds it) and try again."
        )
    if code == IPSET_ERR_MAX_SETS:
        return BackendError(f"The kernel will not {what}: it holds no more sets.")
    if code == errno.ENOMEM:
        return BackendError(f"The kernel will not {what}: it is out of memory.")
    return BackendError(f"The kernel will not {what}: {error}.")
