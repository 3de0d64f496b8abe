"""The messages that make or remove one object of the table each."""

from __future__ import annotations

from dataclasses import dataclass

from geofence.backends.nftables import elements, uapi, userdata
from geofence.backends.nftables.connection import TABLE, Request
from geofence.backends.nftables.objects import (
    KernelChain,
    KernelObject,
    KernelRule,
    KernelSet,
    Key,
    gate_of,
    set_of,
)
from geofence.backends.nftables.prefilter import networks
from geofence.backends.nftables.uapi import Message
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import Role, SetKey
from geofence.netlink.attributes import attribute, nested, number, string
from geofence.netlink.messages import APPEND, CREATE

TABLE_COMMENT = "made by geofence, which repairs what is changed here by hand"
_SET_COMMENTS = {
    Role.ALLOW: "allowed countries, less the blocklists",
    Role.EXCEPTION: "named exceptions",
}
_NEAR_COMMENT = "networks around all that is allowed; the rest is dropped at once"
_GATE_COMMENT = "opens what was made together with it"


def new_table() -> Request:
    """Make the table if there is none."""
    comment = attribute(uapi.Table.USERDATA, userdata.comment(TABLE_COMMENT))
    body = string(uapi.Table.NAME, TABLE) + comment
    return Request(Message.NEWTABLE, CREATE, body, f"table inet {TABLE}")


def no_table() -> Request:
    """Take the table away with all that is in it."""
    body = string(uapi.Table.NAME, TABLE)
    return Request(Message.DELTABLE, 0, body, f"removal of table inet {TABLE}")


@dataclass(frozen=True, slots=True)
class Content:
    """What a set is to hold, in the kernel's language; encoding it takes most of a run's time."""

    key: Key
    pieces: list[bytes]
    size: int = 0
    """The most elements that it will ever hold; 0: not said."""

    @classmethod
    def of(cls, key: Key, prefixes: PrefixSet) -> Content:
        """Encode it."""
        if isinstance(key, SetKey):
            return cls(key, elements.encode(prefixes))
        keys = networks(prefixes)
        return cls(key, elements.encode_keys(key.family, keys), len(keys))


def new_set(name: str, content: Content) -> list[Request]:
    """Make a set and fill it."""
    key = content.key
    told = _SET_COMMENTS[key.role] if isinstance(key, SetKey) else _NEAR_COMMENT
    head = _head(set_of(key, name), told, content.size)
    return [head, *(_filling(name, piece) for piece in content.pieces)]


def new_gate(name: str) -> Request:
    """Make a gate, which is closed."""
    return _head(gate_of(name), _GATE_COMMENT)


def opening(gate: str) -> Request:
    """Let every packet through a gate."""
    return _filling(gate, elements.EVERY_FAMILY)


def new_chain(chain: KernelChain) -> Request:
    """Make a chain."""
    body = string(uapi.Chain.TABLE, TABLE) + string(uapi.Chain.NAME, chain.name)
    if chain.hook is not None:
        body += nested(
            uapi.Chain.HOOK,
            number(uapi.Hook.NUMBER, chain.hook),
            number(uapi.Hook.PRIORITY, chain.priority),
        )
        body += number(uapi.Chain.POLICY, chain.policy) + string(uapi.Chain.TYPE, chain.kind)
    return Request(Message.NEWCHAIN, CREATE, body, f"chain {chain.name}")


def new_rule(rule: KernelRule, *, in_front: bool = False) -> Request:
    """Put a rule at the end of its chain, or in front of all that are there."""
    body = (
        string(uapi.RuleAttribute.TABLE, TABLE)
        + string(uapi.RuleAttribute.CHAIN, rule.chain)
        + nested(uapi.RuleAttribute.EXPRESSIONS, rule.expressions)
    )
    if rule.userdata:
        body += attribute(uapi.RuleAttribute.USERDATA, rule.userdata)
    flags = CREATE if in_front else CREATE | APPEND
    return Request(Message.NEWRULE, flags, body, f"a rule of chain {rule.chain}")


def no_rules() -> Request:
    """Take all rules of the table away."""
    return Request(Message.DELRULE, 0, string(1, TABLE), "removal of former rules")


def new_counter(counter: KernelObject) -> Request:
    """Make a counter that begins with what it is given to have counted."""
    begun = (
        number(uapi.Counter.BYTES, counter.count.octets, 8),
        number(uapi.Counter.PACKETS, counter.count.packets, 8),
    )
    body = (
        string(uapi.Object.TABLE, TABLE)
        + string(uapi.Object.NAME, counter.name)
        + number(uapi.Object.TYPE, counter.kind)
        + nested(uapi.Object.DATA, *begun)
    )
    return Request(Message.NEWOBJ, CREATE, body, f"counter {counter.name}")


def no_set(name: str) -> Request:
    """Take a set away that no rule looks into."""
    return _removal(Message.DELSET, uapi.Set.NAME, "set", name)


def no_chain(name: str) -> Request:
    """Take a chain away that has no rules and is the target of none."""
    return _removal(Message.DELCHAIN, uapi.Chain.NAME, "chain", name)


def no_object(held: KernelObject) -> Request:
    """Take a counter or another stateful object away that no rule refers to."""
    kind = number(uapi.Object.TYPE, held.kind)
    return _removal(Message.DELOBJ, uapi.Object.NAME, "object", held.name, kind)


def no_flowtable(name: str) -> Request:
    """Take a flowtable away."""
    return _removal(Message.DELFLOWTABLE, uapi.Flowtable.NAME, "flowtable", name)


def _removal(
    kind: Message, name_attribute: int, what: str, name: str, more: bytes = b""
) -> Request:
    """The table's name is attribute 1 of every kind of object."""
    body = string(1, TABLE) + string(name_attribute, name) + more
    return Request(kind, 0, body, f"removal of {what} {name}")


def _head(made: KernelSet, told: str, size: int = 0) -> Request:
    """A set that never grows beyond a known size is given a faster hash by the kernel."""
    order = userdata.field(userdata.SET_KEY_BYTE_ORDER, userdata.flag(userdata.BIG_ENDIAN))
    body = (
        string(uapi.Set.TABLE, TABLE)
        + string(uapi.Set.NAME, made.name)
        + number(uapi.Set.FLAGS, made.flags)
        + number(uapi.Set.KEY_TYPE, made.key_type)
        + number(uapi.Set.KEY_LEN, made.key_length)
        + number(uapi.Set.ID, 1)  # has to be there; rules name their sets instead
        + attribute(uapi.Set.USERDATA, order + userdata.comment(told, userdata.SET_COMMENT))
    )
    if size:
        body += nested(uapi.Set.DESC, number(uapi.SET_DESC_SIZE, size))
    return Request(Message.NEWSET, CREATE, body, f"set {made.name}")


def _filling(name: str, piece: bytes) -> Request:
    body = (
        string(uapi.ElementList.TABLE, TABLE)
        + string(uapi.ElementList.SET, name)
        + nested(uapi.ElementList.ELEMENTS, piece)
    )
    return Request(Message.NEWSETELEM, CREATE, body, f"elements of set {name}")
