"""What the kernel holds of the table ``inet geofence``, read whole and at one instant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from geofence.backends.nftables import uapi
from geofence.backends.nftables.connection import TABLE, Changed, Netlink, Refused
from geofence.backends.nftables.objects import (
    KernelChain,
    KernelObject,
    KernelRule,
    KernelSet,
    is_gate,
)
from geofence.backends.nftables.uapi import Message
from geofence.errors import BackendError
from geofence.model.plan import Count
from geofence.netlink.attributes import as_number, as_string, string, values

_ATTEMPTS = 40
_PAUSE = 0.002
"""Seconds before the second attempt; each further one waits that much longer."""


@dataclass(frozen=True, slots=True)
class Look:
    """The table at one instant; with ``exists`` false there is none."""

    generation: int
    exists: bool = False
    flags: int = 0
    chains: tuple[KernelChain, ...] = ()
    rules: tuple[KernelRule, ...] = ()
    sets: tuple[KernelSet, ...] = ()
    objects: tuple[KernelObject, ...] = ()
    flowtables: tuple[str, ...] = ()
    elements: Mapping[str, list[bytes]] = field(default_factory=dict)
    """By the name of the set; of gates alone, unless all were asked for."""


def look(netlink: Netlink, *, elements: bool) -> Look:
    """Read the table.

    nf_tables lists one kind of object at a time, so what was read stands only if no transaction
    came in between.

    Args:
        netlink: the socket.
        elements: whether to read what all sets hold too.

    Raises:
        BackendUnavailable: no privilege, or no nf_tables in the kernel.
        BackendError: other programs never left time for a whole look.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(attempt * _PAUSE)
        generation = netlink.generation()
        try:
            found = _read(netlink, generation, elements=elements)
        except (Changed, Refused):
            continue
        if netlink.generation() == generation:
            return found
    raise BackendError(
        f"Other programs changed nftables all the time while table inet {TABLE} was being read "
        f"({_ATTEMPTS} attempts); run it again when they are done."
    )


def _read(netlink: Netlink, generation: int, *, elements: bool) -> Look:
    try:
        table = values(netlink.get(Message.GETTABLE, string(uapi.Table.NAME, TABLE)))
    except Refused:
        return Look(generation)
    sets = tuple(map(_set, _list(netlink, Message.GETSET, uapi.Set.TABLE)))
    found = Look(
        generation,
        exists=True,
        flags=as_number(table.get(uapi.Table.FLAGS)),
        chains=tuple(map(_chain, _list(netlink, Message.GETCHAIN, uapi.Chain.TABLE))),
        rules=tuple(map(_rule, _list(netlink, Message.GETRULE, uapi.RuleAttribute.TABLE))),
        sets=sets,
        objects=tuple(map(_object, _list(netlink, Message.GETOBJ, uapi.Object.TABLE))),
        flowtables=tuple(
            as_string(flowtable.get(uapi.Flowtable.NAME))
            for flowtable in _list(netlink, Message.GETFLOWTABLE, uapi.Flowtable.TABLE)
        ),
    )
    read = [held.name for held in sets if elements or is_gate(held)]
    return replace(found, elements={name: _elements(netlink, name) for name in read})


def _list(netlink: Netlink, kind: Message, of_table: int) -> Iterator[dict[int, bytes]]:
    """The table's objects of one kind; kernels that do not filter list those of all tables."""
    for data in netlink.dump(kind, string(of_table, TABLE)):
        found = values(data)
        if as_string(found.get(of_table)) == TABLE:
            yield found


def _chain(found: Mapping[int, bytes]) -> KernelChain:
    name = as_string(found.get(uapi.Chain.NAME))
    flags = as_number(found.get(uapi.Chain.FLAGS))
    if uapi.Chain.HOOK not in found:
        return KernelChain(name, flags)
    hook = values(found[uapi.Chain.HOOK])
    return KernelChain(
        name,
        flags,
        as_string(found.get(uapi.Chain.TYPE)),
        as_number(hook.get(uapi.Hook.NUMBER)),
        int.from_bytes(hook.get(uapi.Hook.PRIORITY, b""), "big", signed=True),
        as_number(found.get(uapi.Chain.POLICY)),
    )


def _rule(found: Mapping[int, bytes]) -> KernelRule:
    return KernelRule(
        as_string(found.get(uapi.RuleAttribute.CHAIN)),
        found.get(uapi.RuleAttribute.EXPRESSIONS, b""),
        found.get(uapi.RuleAttribute.USERDATA, b""),
    )


def _set(found: Mapping[int, bytes]) -> KernelSet:
    return KernelSet(
        as_string(found.get(uapi.Set.NAME)),
        as_number(found.get(uapi.Set.FLAGS)),
        as_number(found.get(uapi.Set.KEY_TYPE)),
        as_number(found.get(uapi.Set.KEY_LEN)),
    )


def _object(found: Mapping[int, bytes]) -> KernelObject:
    kind = as_number(found.get(uapi.Object.TYPE))
    data = values(found.get(uapi.Object.DATA, b"")) if kind == uapi.COUNTER else {}
    packets, octets = (
        as_number(data.get(part)) for part in (uapi.Counter.PACKETS, uapi.Counter.BYTES)
    )
    return KernelObject(as_string(found.get(uapi.Object.NAME)), kind, Count(packets, octets))


def _elements(netlink: Netlink, name: str) -> list[bytes]:
    asked = string(uapi.ElementList.TABLE, TABLE) + string(uapi.ElementList.SET, name)
    found = map(values, netlink.dump(Message.GETSETELEM, asked))
    return [part.get(uapi.ElementList.ELEMENTS, b"") for part in found]
