"""The messages that bring the table from what a look found to what a ruleset wants.

A changed set is not edited: a new one is filled beside it, then one transaction makes all rules
anew, looking into the new one, and then the former goes. A packet meets the old fence or the new
one. Counters have names of their own and outlive the rules that count on them.

Neither of the shorter ways is safe in Linux. Elements taken out and put in by one transaction are
for some time in the same tree, and a look-up may miss addresses that are in both; that was so until
2026. Kernels since then search an array, and make a new set's array only when the rules of the same
transaction are already in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from geofence.backends.nftables import elements, kernel, rules, userdata
from geofence.backends.nftables.kernel import ChainFlag, Message, SetFlag
from geofence.backends.nftables.look import Look
from geofence.backends.nftables.near import NearKey, near_sets, networks
from geofence.backends.nftables.netlink import TABLE, Request
from geofence.backends.nftables.objects import (
    BASE,
    KernelChain,
    KernelObject,
    KernelRule,
    KernelSet,
    Key,
    chain_name,
    counter_of,
    key_of,
    set_names,
    set_of,
)
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.netlink.attributes import attribute, nested, number, string
from geofence.netlink.messages import APPEND, CREATE

TABLE_COMMENT = "made by geofence, which sets right whatever is changed here by hand"
_SET_COMMENTS = {
    Role.ALLOW: "addresses of allowed countries, less the blocklists",
    Role.EXCEPTION: "exceptions and local networks, always let in",
}

_NEAR_COMMENT = "networks around all that is let in; whoever is in none is dropped at once"


def wanted_chains(ruleset: Ruleset) -> tuple[KernelChain, ...]:
    """The chains of a ruleset."""
    services = (KernelChain(chain_name(service.name)) for service in ruleset.services)
    return (BASE, *services)


def wanted_counters(ruleset: Ruleset) -> tuple[KernelObject, ...]:
    """The counters of a ruleset."""
    return tuple(counter_of(service.name) for service in ruleset.services)


def wanted_sets(ruleset: Ruleset) -> dict[Key, PrefixSet]:
    """All sets: the ruleset's, and those of the surroundings of what they let in."""
    own: dict[Key, PrefixSet] = {key: ruleset.sets[key] for key in ruleset.sets}
    return own | dict(near_sets(ruleset).items())


def replacement(ruleset: Ruleset, held: Look, names: Mapping[Key, str]) -> list[Request]:
    """What makes the fence the ruleset's.

    Args:
        ruleset: what the kernel should hold.
        held: what it holds.
        names: all wanted sets, filled, by their names in the kernel.
    """
    near = [key for key in names if isinstance(key, NearKey)]
    compiled = rules.compile_rules(ruleset, near, names.__getitem__)
    return [
        new_table(),
        *(_clearing(ruleset, held) if held.exists else ()),
        *_chains_and_counters(ruleset, held),
        *map(_new_rule, compiled),
    ]


def free_name(key: Key, held: Look) -> str:
    """A name for another set of a key beside the one that is in use."""
    taken = {each.name for each in held.sets}
    return next(name for name in set_names(key) if name not in taken)


def new_table() -> Request:
    """Make the table if there is none."""
    comment = attribute(kernel.Table.USERDATA, userdata.comment(TABLE_COMMENT))
    body = string(kernel.Table.NAME, TABLE) + comment
    return Request(Message.NEWTABLE, CREATE, body, f"table inet {TABLE}")


def no_table() -> Request:
    """Take the table away with all that is in it."""
    body = string(kernel.Table.NAME, TABLE)
    return Request(Message.DELTABLE, 0, body, f"removal of table inet {TABLE}")


def new_set(key: Key, name: str, prefixes: PrefixSet) -> list[Request]:
    """Make a set and fill it."""
    table = string(kernel.ElementList.TABLE, TABLE) + string(kernel.ElementList.SET, name)
    if isinstance(key, SetKey):
        size, pieces = 0, elements.encode(prefixes)
    else:
        keys = networks(prefixes)
        size, pieces = len(keys), elements.encode_keys(key.family, keys)
    return [
        _new_set_head(key, set_of(key, name), size),
        *(
            Request(
                Message.NEWSETELEM,
                CREATE,
                table + nested(kernel.ElementList.ELEMENTS, piece),
                f"elements of set {name}",
            )
            for piece in pieces
        ),
    ]


def former_sets(held: Look, names: Mapping[Key, str]) -> list[Request]:
    """Take away the sets that no rule looks into any more.

    Not together with those rules: a packet that is on its way through them would find the sets
    empty.

    Args:
        held: what the kernel holds.
        names: all wanted sets by their names in the kernel.
    """
    return [
        _removal(Message.DELSET, kernel.Set.NAME, "set", gone.name)
        for gone in held.sets
        if gone.name not in names.values() and not gone.flags & SetFlag.ANONYMOUS
    ]


def _clearing(ruleset: Ruleset, held: Look) -> Iterator[Request]:
    """Take away all rules, then whatever is not to stay, users before what they use."""
    table = string(1, TABLE)
    yield Request(Message.DELRULE, 0, table, "removal of former rules")
    for foreign in held.sets:
        if key_of(foreign) is None and not foreign.flags & SetFlag.ANONYMOUS:
            yield _removal(Message.DELSET, kernel.Set.NAME, "set", foreign.name)
    for chain in held.chains:
        if chain not in wanted_chains(ruleset) and not chain.flags & ChainFlag.BINDING:
            yield _removal(Message.DELCHAIN, kernel.Chain.NAME, "chain", chain.name)
    for former in held.objects:
        if not _is_wanted(former, ruleset):
            kind = number(kernel.Object.TYPE, former.kind)
            yield _removal(Message.DELOBJ, kernel.Object.NAME, "object", former.name, kind)
    for name in held.flowtables:
        yield _removal(Message.DELFLOWTABLE, kernel.Flowtable.NAME, "flowtable", name)


def _chains_and_counters(ruleset: Ruleset, held: Look) -> Iterator[Request]:
    for chain in wanted_chains(ruleset):
        if chain not in held.chains:
            yield _new_chain(chain)
    present = {counter.name for counter in held.objects if _is_wanted(counter, ruleset)}
    for counter in wanted_counters(ruleset):
        if counter.name not in present:
            yield _new_counter(counter)


def _is_wanted(held: KernelObject, ruleset: Ruleset) -> bool:
    """Whether it is one of the ruleset's counters, whatever it has counted."""
    return KernelObject(held.name, held.kind) in wanted_counters(ruleset)


def _removal(
    kind: Message, name_attribute: int, what: str, name: str, more: bytes = b""
) -> Request:
    """The table's name is attribute 1 of every kind of object."""
    body = string(1, TABLE) + string(name_attribute, name) + more
    return Request(kind, 0, body, f"removal of {what} {name}")


def _new_chain(chain: KernelChain) -> Request:
    body = string(kernel.Chain.TABLE, TABLE) + string(kernel.Chain.NAME, chain.name)
    if chain.hook is not None:
        body += nested(
            kernel.Chain.HOOK,
            number(kernel.Hook.NUMBER, chain.hook),
            number(kernel.Hook.PRIORITY, chain.priority),
        )
        body += number(kernel.Chain.POLICY, chain.policy) + string(kernel.Chain.TYPE, chain.kind)
    return Request(Message.NEWCHAIN, CREATE, body, f"chain {chain.name}")


def _new_counter(counter: KernelObject) -> Request:
    zero = (number(part, 0, 8) for part in (kernel.Counter.BYTES, kernel.Counter.PACKETS))
    body = (
        string(kernel.Object.TABLE, TABLE)
        + string(kernel.Object.NAME, counter.name)
        + number(kernel.Object.TYPE, counter.kind)
        + nested(kernel.Object.DATA, *zero)
    )
    return Request(Message.NEWOBJ, CREATE, body, f"counter {counter.name}")


def _new_set_head(key: Key, made: KernelSet, size: int) -> Request:
    """A set that never grows beyond a known size is given a faster hash by the kernel."""
    order = userdata.field(userdata.SET_KEY_BYTE_ORDER, userdata.flag(userdata.BIG_ENDIAN))
    told = _SET_COMMENTS[key.role] if isinstance(key, SetKey) else _NEAR_COMMENT
    comment = userdata.comment(told, userdata.SET_COMMENT)
    body = (
        string(kernel.Set.TABLE, TABLE)
        + string(kernel.Set.NAME, made.name)
        + number(kernel.Set.FLAGS, made.flags)
        + number(kernel.Set.KEY_TYPE, made.key_type)
        + number(kernel.Set.KEY_LEN, made.key_length)
        + number(kernel.Set.ID, 1)  # has to be there; rules name their sets instead
        + attribute(kernel.Set.USERDATA, order + comment)
    )
    if size:
        body += nested(kernel.Set.DESC, number(kernel.SET_DESC_SIZE, size))
    return Request(Message.NEWSET, CREATE, body, f"set {made.name}")


def _new_rule(rule: KernelRule) -> Request:
    body = (
        string(kernel.RuleAttribute.TABLE, TABLE)
        + string(kernel.RuleAttribute.CHAIN, rule.chain)
        + nested(kernel.RuleAttribute.EXPRESSIONS, rule.expressions)
    )
    if rule.userdata:
        body += attribute(kernel.RuleAttribute.USERDATA, rule.userdata)
    return Request(Message.NEWRULE, CREATE | APPEND, body, f"a rule of chain {rule.chain}")
