"""What the kernel holds of the table ``inet geofence``, read whole and at one instant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from geofence.backends.nftables import kernel
from geofence.backends.nftables.kernel import Message
from geofence.backends.nftables.netlink import TABLE, Changed, Netlink, Refused
from geofence.backends.nftables.objects import (
    KernelChain,
    KernelObject,
    KernelRule,
    KernelSet,
    is_gate,
)
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
        table = values(netlink.get(Message.GETTABLE, string(kernel.Table.NAME, TABLE)))
    except Refused:
        return Look(generation)
    sets = tuple(map(_set, _list(netlink, Message.GETSET, kernel.Set.TABLE)))
    found = Look(
        generation,
        exists=True,
        flags=as_number(table.get(kernel.Table.FLAGS)),
        chains=tuple(map(_chain, _list(netlink, Message.GETCHAIN, kernel.Chain.TABLE))),
        rules=tuple(map(_rule, _list(netlink, Message.GETRULE, kernel.RuleAttribute.TABLE))),
        sets=sets,
        objects=tuple(map(_object, _list(netlink, Message.GETOBJ, kernel.Object.TABLE))),
        flowtables=tuple(
            as_string(flowtable.get(kernel.Flowtable.NAME))
            for flowtable in _list(netlink, Message.GETFLOWTABLE, kernel.Flowtable.TABLE)
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
    name = as_string(found.get(kernel.Chain.NAME))
    flags = as_number(found.get(kernel.Chain.FLAGS))
    if kernel.Chain.HOOK not in found:
        return KernelChain(name, flags)
    hook = values(found[kernel.Chain.HOOK])
    return KernelChain(
        name,
        flags,
        as_string(found.get(kernel.Chain.TYPE)),
        as_number(hook.get(kernel.Hook.NUMBER)),
        int.from_bytes(hook.get(kernel.Hook.PRIORITY, b""), "big", signed=True),
        as_number(found.get(kernel.Chain.POLICY)),
    )


def _rule(found: Mapping[int, bytes]) -> KernelRule:
    return KernelRule(
        as_string(found.get(kernel.RuleAttribute.CHAIN)),
        found.get(kernel.RuleAttribute.EXPRESSIONS, b""),
        found.get(kernel.RuleAttribute.USERDATA, b""),
    )


def _set(found: Mapping[int, bytes]) -> KernelSet:
    return KernelSet(
        as_string(found.get(kernel.Set.NAME)),
        as_number(found.get(kernel.Set.FLAGS)),
        as_number(found.get(kernel.Set.KEY_TYPE)),
        as_number(found.get(kernel.Set.KEY_LEN)),
    )


def _object(found: Mapping[int, bytes]) -> KernelObject:
    kind = as_number(found.get(kernel.Object.TYPE))
    data = values(found.get(kernel.Object.DATA, b"")) if kind == kernel.COUNTER else {}
    packets, octets = (
        as_number(data.get(part)) for part in (kernel.Counter.PACKETS, kernel.Counter.BYTES)
    )
    return KernelObject(as_string(found.get(kernel.Object.NAME)), kind, Count(packets, octets))


def _elements(netlink: Netlink, name: str) -> list[bytes]:
    asked = string(kernel.ElementList.TABLE, TABLE) + string(kernel.ElementList.SET, name)
    found = map(values, netlink.dump(Message.GETSETELEM, asked))
    return [part.get(kernel.ElementList.ELEMENTS, b"") for part in found]
