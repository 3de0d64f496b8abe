"""What the shield asks the kernel about this host: interfaces, addresses, routing, helpers."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

from geofence.model.prefixes import Family
from geofence.netlink.attributes import as_string, values
from geofence.netlink.messages import DUMP, NETFILTER, NETLINK_NETFILTER, REQUEST, Request
from geofence.netlink.socket import NetlinkSocket
from geofence.other_rules.programs import read_texts
from geofence.routing.routes import connected, read_local
from geofence.shield.obstacles import HostFacts, Port
from geofence.shield.surroundings import Surroundings, from_iptables, from_nft

_LINK = struct.Struct("=BxHiII")
_GET_LINK, _NEW_LINK = 18, 16
_IFNAME, _MASTER, _LINKINFO, _INFO_KIND = 3, 10, 18, 1
_ROUTE = struct.Struct("=BBBBBBBBI")
_GET_ROUTE, _NEW_ROUTE, _UNICAST = 26, 24, 1
_OIF, _MULTIPATH = 4, 9
_HOP = struct.Struct("=HBBi")
_GET_RULE, _NEW_RULE = 34, 32
_PRIORITY, _TABLE, _FWMARK, _FWMASK = 6, 15, 10, 16
_TO, _FROM, _IIF, _OIF_RULE = 1, 2, 3, 17
_SELECTORS = (_TO, _FROM, _IIF, _OIF_RULE, _FWMARK)
_LOCAL_TABLE = 255
_TO_TABLE = 1
"""``FR_ACT_TO_TBL``."""
_EXPECTATIONS = 2 << 8 | 1
"""``NFNL_SUBSYS_CTNETLINK_EXP``, ``IPCTNL_MSG_EXP_GET``."""


def read_host() -> HostFacts:
    """Return the facts of this host.

    Raises:
        BackendError: the kernel does not tell.
    """
    defaults = _default_interfaces()
    local_first, marks = _rules()
    addresses = tuple(route.prefix for route in read_local() if route.table == _LOCAL_TABLE)
    return HostFacts(
        tuple(_ports(defaults)), addresses, local_first, marks, _expectations(), _around()
    )


def _around() -> Surroundings:
    nft, iptables = read_texts()
    found = from_nft(nft)
    for text in iptables:
        found = found.joined(from_iptables(text))
    return found


def _ports(defaults: frozenset[int]) -> Iterator[Port]:
    with connected() as channel:
        request = Request(_GET_LINK, REQUEST | DUMP, _LINK.pack(0, 0, 0, 0, 0))
        for kind, _, _, body in channel.dump(request):
            if kind != _NEW_LINK:
                continue
            _, link_type, index, _, _ = _LINK.unpack_from(body)
            facts = values(body[_LINK.size :])
            info = values(facts.get(_LINKINFO, b""))
            yield Port(
                index,
                as_string(facts.get(_IFNAME)),
                link_type,
                as_string(info.get(_INFO_KIND)),
                _number(facts.get(_MASTER)),
                index in defaults,
            )


def _default_interfaces() -> frozenset[int]:
    """Return the indexes of interfaces with a default route of either family, in any table."""
    found: set[int] = set()
    with connected() as channel:
        for family in Family:
            head = _ROUTE.pack(family.socket_family, 0, 0, 0, 0, 0, 0, _UNICAST, 0)
            with suppress(FileNotFoundError):
                for kind, _, _, body in channel.dump(Request(_GET_ROUTE, REQUEST | DUMP, head)):
                    if kind == _NEW_ROUTE and body[1] == 0:
                        found |= set(_outgoing(values(body[_ROUTE.size :])))
    return frozenset(found)


def _outgoing(facts: dict[int, bytes]) -> Iterator[int]:
    one = _number(facts.get(_OIF))
    if one:
        yield one
    hops, at = facts.get(_MULTIPATH, b""), 0
    while len(hops) - at >= _HOP.size:
        length, _, _, index = _HOP.unpack_from(hops, at)
        if length < _HOP.size:
            return
        yield index
        at += (length + 3) & ~3


def _rules() -> tuple[bool, int]:
    """Return whether local addresses come first in both families, and which marks are asked for."""
    first, marks = True, 0
    with connected() as channel:
        for family in Family:
            head = _ROUTE.pack(family.socket_family, 0, 0, 0, 0, 0, 0, 0, 0)
            rules = []
            for kind, _, _, body in channel.dump(Request(_GET_RULE, REQUEST | DUMP, head)):
                if kind == _NEW_RULE:
                    rules.append(body)
            ordered = sorted(rules, key=lambda body: _number(_facts(body).get(_PRIORITY)))
            first = first and (not ordered or _is_local(ordered[0]))
            for facts in map(_facts, rules):
                if _FWMARK in facts:
                    mask = _number(facts.get(_FWMASK)) or 0xFFFFFFFF
                    value = _number(facts[_FWMARK])
                    marks |= value if mask == 0xFFFFFFFF else value | mask  # noqa: PLR2004
    return first, marks


def _facts(body: bytes) -> dict[int, bytes]:
    return values(body[_ROUTE.size :])


def _is_local(body: bytes) -> bool:
    """Whether a rule has every packet looked up in the table of local addresses."""
    facts = _facts(body)
    head = _ROUTE.unpack_from(body)
    table = _number(facts.get(_TABLE)) or head[4]
    plain = not any(kind in facts for kind in _SELECTORS) and not head[1] and not head[2]
    return plain and table == _LOCAL_TABLE and head[7] == _TO_TABLE


def _expectations() -> int:
    """Return how many connections conntrack helpers have announced; 0 where none can be told."""
    count = 0
    with suppress(OSError), NetlinkSocket(NETLINK_NETFILTER) as channel:
        for family in Family:
            body = NETFILTER.pack(family.socket_family, 0, 0)
            count += len(list(channel.dump(Request(_EXPECTATIONS, REQUEST | DUMP, body))))
    return count


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", sys.byteorder)
