"""Whether the kernel may hold anything of this backend's, asked without the rest of it.

To run iptables for that, twice, takes longer than to put a country's fence into nf_tables.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from geofence.backends.ipset.shapes import CHAIN, LEGACY_TABLES, SET_PREFIX
from geofence.backends.nftables import uapi
from geofence.lean import AF_INET, Path
from geofence.model.prefixes import Family
from geofence.netlink.attributes import NET_BYTEORDER, as_string, number, string, values
from geofence.netlink.messages import DUMP, NETFILTER, NETLINK_NETFILTER, REQUEST, Request
from geofence.netlink.socket import NetlinkSocket

_LIST = 6 << 8 | 7
"""``IPSET_CMD_LIST`` of ``NFNL_SUBSYS_IPSET``."""
_PROTOCOL, _SETNAME, _FLAGS = 1, 2, 6
_ONLY_HEADERS = 1 << 2
_TABLE = "mangle"
_NFPROTO = {Family.IPV4: 2, Family.IPV6: 10}


def may_hold() -> bool:
    """Whether there are sets or chains of geofence's; also if that cannot be told."""
    try:
        if any(_TABLE in _text(path).split() for path in LEGACY_TABLES.values()):
            return True  # only the program of that flavour tells
        with NetlinkSocket(NETLINK_NETFILTER) as netlink:
            names = (*_sets(netlink), *(n for family in Family for n in _chains(netlink, family)))
    except (OSError, ValueError):
        return True
    return any(name.startswith((SET_PREFIX, CHAIN)) for name in names)


def _sets(netlink: NetlinkSocket) -> Iterator[str]:
    """Yield the names of all IP sets."""
    about = NETFILTER.pack(AF_INET, 0, 0) + number(_PROTOCOL, 6, 1)
    only_headers = number(_FLAGS | NET_BYTEORDER, _ONLY_HEADERS)
    yield from _names(netlink, Request(_LIST, REQUEST | DUMP, about + only_headers), _SETNAME)


def has_table(family: Family) -> bool:
    """Whether nf_tables may have the table with chains in it; also if that cannot be told."""
    try:
        with NetlinkSocket(NETLINK_NETFILTER) as netlink:
            return any(True for _ in netlink.dump(_asking_for_chains(family)))
    except FileNotFoundError:  # there is no such table
        return False
    except (OSError, ValueError):
        return True


def _chains(netlink: NetlinkSocket, family: Family) -> Iterator[str]:
    """Yield the names of the chains of a table of iptables that is in nf_tables."""
    yield from _names(netlink, _asking_for_chains(family), uapi.ChainAttribute.NAME)


def _asking_for_chains(family: Family) -> Request:
    about = NETFILTER.pack(_NFPROTO[family], 0, 0) + string(uapi.ChainAttribute.TABLE, _TABLE)
    return Request(uapi.SUBSYSTEM << 8 | uapi.Message.GETCHAIN, REQUEST | DUMP, about)


def _names(netlink: NetlinkSocket, request: Request, attribute: int) -> list[str]:
    try:
        answers = list(netlink.dump(request))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):  # not in this kernel, or no such table
            return []
        raise
    found = (values(body[NETFILTER.size :]).get(attribute) for _, _, _, body in answers)
    return [as_string(each) for each in found]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:  # this kernel has no legacy iptables, or it was never used
        return ""
