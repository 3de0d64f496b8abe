"""A snapshot of the table ``inet geofence``, read whole and at one instant."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import suppress

from geofence.backends.nftables import uapi
from geofence.backends.nftables.connection import Attempts, Changed, NftConnection, Refused
from geofence.backends.nftables.elements import encode_keys
from geofence.backends.nftables.kernel_sets import (
    FloodKey,
    KernelSet,
    PartKey,
    is_runtime,
    is_undivided,
    key_of,
)
from geofence.backends.nftables.listing import (
    listed,
    listed_elements,
    listed_sets,
    until_unchanged,
)
from geofence.backends.nftables.objects import (
    KernelChain,
    KernelObject,
    KernelRule,
    counted_service,
    is_gate,
)
from geofence.backends.nftables.traces import TABLE
from geofence.backends.nftables.uapi import Message
from geofence.errors import BackendError
from geofence.model.frozen import dataclass, field, replace
from geofence.model.plan import Count
from geofence.model.prefixes import Family
from geofence.netlink.attributes import as_number, as_string, nested, string, values
from geofence.translation import tr


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The table at one instant, or a part of it; with ``exists`` false there is none."""

    generation: int
    exists: bool = False
    flags: int = 0
    chains: tuple[KernelChain, ...] = ()
    rules: tuple[KernelRule, ...] = ()
    sets: tuple[KernelSet, ...] = ()
    objects: tuple[KernelObject, ...] = ()
    flowtables: tuple[str, ...] = ()
    elements: Mapping[str, list[bytes]] = field(default_factory=dict)
    """By the name of the set; of gates and runtime sets alone, unless all were asked for."""


def read_snapshot(netlink: NftConnection, *, elements: bool, rules: bool = True) -> Snapshot:
    """Read the table.

    nf_tables lists one kind of object at a time, so what was read counts only if no transaction
    came in between.

    Args:
        netlink: the socket.
        elements: whether to read what all sets hold too.
        rules: whether to read rules, and what gates and runtime sets hold.

    Raises:
        BackendUnavailable: no privilege, or no nf_tables in the kernel.
        BackendError: other programs never left time to read it whole.
    """
    attempts = Attempts()
    while True:
        generation = netlink.generation()
        with suppress(Changed, Refused):
            found = _read(netlink, generation, elements=elements, rules=rules)
            if netlink.generation() == generation:
                return found
        if not attempts.wait():
            break
    raise BackendError(
        tr(
            "Other programs changed nftables all the time while geofence read the table inet "
            "{table} ({attempts} attempts). Run it again when they are done.",
            table=TABLE,
            attempts=attempts.failed,
        )
    )


def _read(netlink: NftConnection, generation: int, *, elements: bool, rules: bool) -> Snapshot:
    try:
        table = values(netlink.get(Message.GETTABLE, string(uapi.TableAttribute.NAME, TABLE)))
    except Refused:
        return Snapshot(generation)
    sets = listed_sets(netlink)
    found = Snapshot(
        generation,
        exists=True,
        flags=as_number(table.get(uapi.TableAttribute.FLAGS)),
        chains=tuple(map(_chain, listed(netlink, Message.GETCHAIN, uapi.ChainAttribute.TABLE))),
        sets=sets,
        objects=tuple(map(_object, listed(netlink, Message.GETOBJ, uapi.ObjectAttribute.TABLE))),
        flowtables=tuple(
            as_string(flowtable.get(uapi.FlowtableAttribute.NAME))
            for flowtable in listed(netlink, Message.GETFLOWTABLE, uapi.FlowtableAttribute.TABLE)
        ),
    )
    if not rules:
        return found
    held_rules = tuple(map(_rule, listed(netlink, Message.GETRULE, uapi.RuleAttribute.TABLE)))
    read = [held.name for held in sets if _is_read(held, found.flags, elements=elements)]
    return replace(
        found, rules=held_rules, elements={name: listed_elements(netlink, name) for name in read}
    )


def read_counters(netlink: NftConnection) -> dict[str, Count]:
    """Return what was dropped, by service.

    Raises:
        BackendError: other programs never left time to read it.
    """
    found = until_unchanged(
        lambda: [
            (counted_service(each), each.count)
            for each in map(_object, listed(netlink, Message.GETOBJ, uapi.ObjectAttribute.TABLE))
        ]
    )
    return {service: count for service, count in found or () if service is not None}


def has_element(netlink: NftConnection, name: str, family: Family, address: int) -> bool:
    """Whether the kernel finds an address in a set; false without the set.

    Asked for a key that no end of an interval is marked with, it looks for the interval around it
    (``nft_get_set_elem`` in ``net/netfilter/nf_tables_api.c``).
    """
    asked = (
        string(uapi.ElementListAttribute.TABLE, TABLE)
        + string(uapi.ElementListAttribute.SET, name)
        + nested(uapi.ElementListAttribute.ELEMENTS, *encode_keys(family, [address]))
    )
    try:
        netlink.get(Message.GETSETELEM, asked)
    except Refused as error:
        if error.errno == errno.ENOENT:
            return False
        raise BackendError(
            tr('The set "{name}" cannot be asked: {reason}.', name=name, reason=error)
        ) from error
    return True


def _is_read(held: KernelSet, flags: int, *, elements: bool) -> bool:
    key = key_of(held)
    if is_undivided(key):
        return not elements  # what it holds will be put into the parts
    if isinstance(key, PartKey):
        return bool(flags) and not elements  # the table will be made anew, and these put back
    if isinstance(key, FloodKey):
        return False
    return elements or is_gate(held) or is_runtime(key)


def _chain(found: Mapping[int, bytes]) -> KernelChain:
    name = as_string(found.get(uapi.ChainAttribute.NAME))
    flags = as_number(found.get(uapi.ChainAttribute.FLAGS))
    if uapi.ChainAttribute.HOOK not in found:
        return KernelChain(name, flags)
    hook = values(found[uapi.ChainAttribute.HOOK])
    return KernelChain(
        name,
        flags,
        as_string(found.get(uapi.ChainAttribute.TYPE)),
        as_number(hook.get(uapi.HookAttribute.NUMBER)),
        int.from_bytes(hook.get(uapi.HookAttribute.PRIORITY, b""), "big", signed=True),
        as_number(found.get(uapi.ChainAttribute.POLICY)),
    )


def _rule(found: Mapping[int, bytes]) -> KernelRule:
    return KernelRule(
        as_string(found.get(uapi.RuleAttribute.CHAIN)),
        found.get(uapi.RuleAttribute.EXPRESSIONS, b""),
        found.get(uapi.RuleAttribute.USERDATA, b""),
    )


def _object(found: Mapping[int, bytes]) -> KernelObject:
    kind = as_number(found.get(uapi.ObjectAttribute.TYPE))
    data = values(found.get(uapi.ObjectAttribute.DATA, b"")) if kind == uapi.COUNTER else {}
    packets, octets = (
        as_number(data.get(part)) for part in (uapi.Counter.PACKETS, uapi.Counter.BYTES)
    )
    return KernelObject(
        as_string(found.get(uapi.ObjectAttribute.NAME)), kind, Count(packets, octets)
    )
