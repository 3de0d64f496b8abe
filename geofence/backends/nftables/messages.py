"""Messages that make or delete one object of the table each."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.backends.nftables import elements, uapi, userdata
from geofence.backends.nftables.connection import BatchMessage
from geofence.backends.nftables.kernel_sets import (
    FLOOD_MILLISECONDS,
    MOST_FLOODED,
    PARTS,
    FloodKey,
    KernelSet,
    Key,
    LengthKey,
    PartKey,
    set_of,
    whole_of,
)
from geofence.backends.nftables.objects import KernelChain, KernelObject, KernelRule, gate_of
from geofence.backends.nftables.traces import TABLE
from geofence.backends.nftables.uapi import Message
from geofence.model.frozen import dataclass
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import MOST_NOTED, NOTED_SECONDS, Role
from geofence.netlink.attributes import attribute, nested, number, string
from geofence.netlink.messages import APPEND, CREATE

TABLE_COMMENT = "made by geofence, which repairs what is changed here by hand"
_SET_COMMENTS = {
    Role.ALLOW: "allowed countries, less the blocklists",
    Role.EXCEPTION: "named exceptions",
    Role.BAN: "banned addresses",
    Role.TIMED: "exceptions for a time",
    Role.DENIED: "blocked sources, since when, and what they sent",
    Role.SEEN: "the same, since when they were last seen",
}
_COUNTED = (Role.EXCEPTION, Role.BAN, Role.TIMED, Role.DENIED)
"""Roles whose elements count what is found in them."""
_NEAR_COMMENT = "networks around all that is allowed; the rest is dropped at once"
_FLOOD_COMMENT = "addresses of this host at which more is dropped than is noted"
_GATE_COMMENT = "opens what was made together with it"


def new_table() -> BatchMessage:
    """Make the table if there is none."""
    comment = attribute(uapi.TableAttribute.USERDATA, userdata.comment(TABLE_COMMENT))
    body = string(uapi.TableAttribute.NAME, TABLE) + comment
    return BatchMessage(Message.NEWTABLE, CREATE, body, f"table inet {TABLE}")


def delete_table() -> BatchMessage:
    """Delete the table with all that is in it."""
    body = string(uapi.TableAttribute.NAME, TABLE)
    return BatchMessage(Message.DELTABLE, 0, body, f"removal of table inet {TABLE}")


@dataclass(frozen=True, slots=True)
class SetContent:
    """What a set is to hold, encoded for the kernel, which takes most of a run's time."""

    key: Key
    pieces: list[bytes]
    size: int = 0
    """The most elements that it will ever hold; 0: not said."""

    @classmethod
    def of(cls, key: Key, content: PrefixSet | bytes) -> SetContent:
        """Encode intervals, or the packed keys of a hash."""
        if isinstance(content, PrefixSet):
            return cls(key, elements.encode(content))
        number = len(content) // (key.family.bits // 8)
        return cls(key, elements.encode_packed(key.family, content), number)


def new_set(name: str, content: SetContent) -> list[BatchMessage]:
    """Make a set and fill it."""
    key = content.key
    own = whole_of(key)
    told = _NEAR_COMMENT if own is None else _SET_COMMENTS[own.role]
    if isinstance(key, LengthKey):
        told = f"{told}: prefixes of length {key.length}"
    size = content.size
    more = b""
    if own is not None and own.role in _COUNTED:
        more += nested(uapi.SetAttribute.EXPRESSION, string(uapi.Expression.NAME, "counter"))
    if isinstance(key, PartKey):
        more += number(uapi.SetAttribute.TIMEOUT, NOTED_SECONDS * 1000, 8)
        size = MOST_NOTED // PARTS
    elif isinstance(key, FloodKey):
        more += number(uapi.SetAttribute.TIMEOUT, FLOOD_MILLISECONDS, 8)
        told, size = _FLOOD_COMMENT, MOST_FLOODED
    head = _head(set_of(key, name), told, size, more)
    return [head, *(_filling(name, piece) for piece in content.pieces)]


def change_elements(
    name: str, added: Iterable[bytes], removed: Iterable[bytes]
) -> list[BatchMessage]:
    """Remove elements from a set, then add others."""
    return [
        *(_filling(name, piece, Message.DELSETELEM) for piece in removed),
        *(_filling(name, piece) for piece in added),
    ]


def flush_set(name: str) -> BatchMessage:
    """Take all elements out of a set."""
    body = string(uapi.ElementListAttribute.TABLE, TABLE) + string(
        uapi.ElementListAttribute.SET, name
    )
    return BatchMessage(Message.DELSETELEM, 0, body, f"elements of set {name}")


def new_gate(name: str) -> BatchMessage:
    """Make a gate, which is closed."""
    return _head(gate_of(name), _GATE_COMMENT)


def open_gate(gate: str) -> BatchMessage:
    """Let every packet through a gate."""
    return _filling(gate, elements.EVERY_FAMILY)


def new_chain(chain: KernelChain) -> BatchMessage:
    """Make a chain."""
    body = string(uapi.ChainAttribute.TABLE, TABLE) + string(uapi.ChainAttribute.NAME, chain.name)
    if chain.hook is not None:
        body += nested(
            uapi.ChainAttribute.HOOK,
            number(uapi.HookAttribute.NUMBER, chain.hook),
            number(uapi.HookAttribute.PRIORITY, chain.priority),
        )
        body += number(uapi.ChainAttribute.POLICY, chain.policy) + string(
            uapi.ChainAttribute.TYPE, chain.kind
        )
    return BatchMessage(Message.NEWCHAIN, CREATE, body, f"chain {chain.name}")


def new_rule(rule: KernelRule, *, in_front: bool = False) -> BatchMessage:
    """Put a rule at the end of its chain, or in front of all that are there."""
    body = (
        string(uapi.RuleAttribute.TABLE, TABLE)
        + string(uapi.RuleAttribute.CHAIN, rule.chain)
        + nested(uapi.RuleAttribute.EXPRESSIONS, rule.expressions)
    )
    if rule.userdata:
        body += attribute(uapi.RuleAttribute.USERDATA, rule.userdata)
    flags = CREATE if in_front else CREATE | APPEND
    return BatchMessage(Message.NEWRULE, flags, body, f"a rule of chain {rule.chain}")


def delete_rules() -> BatchMessage:
    """Delete all rules of the table."""
    return BatchMessage(Message.DELRULE, 0, string(1, TABLE), "removal of the previous rules")


def new_counter(counter: KernelObject) -> BatchMessage:
    """Make a counter that begins with what it is given to have counted."""
    begun = (
        number(uapi.Counter.BYTES, counter.count.octets, 8),
        number(uapi.Counter.PACKETS, counter.count.packets, 8),
    )
    body = (
        string(uapi.ObjectAttribute.TABLE, TABLE)
        + string(uapi.ObjectAttribute.NAME, counter.name)
        + number(uapi.ObjectAttribute.TYPE, counter.kind)
        + nested(uapi.ObjectAttribute.DATA, *begun)
    )
    return BatchMessage(Message.NEWOBJ, CREATE, body, f"counter {counter.name}")


def delete_set(name: str) -> BatchMessage:
    """Delete a set that no rule looks into."""
    return _removal(Message.DELSET, uapi.SetAttribute.NAME, "set", name)


def delete_chain(name: str) -> BatchMessage:
    """Delete a chain that has no rules and is the target of none."""
    return _removal(Message.DELCHAIN, uapi.ChainAttribute.NAME, "chain", name)


def delete_object(held: KernelObject) -> BatchMessage:
    """Delete a counter or another stateful object that no rule refers to."""
    kind = number(uapi.ObjectAttribute.TYPE, held.kind)
    return _removal(Message.DELOBJ, uapi.ObjectAttribute.NAME, "object", held.name, kind)


def delete_flowtable(name: str) -> BatchMessage:
    """Delete a flowtable."""
    return _removal(Message.DELFLOWTABLE, uapi.FlowtableAttribute.NAME, "flowtable", name)


def _removal(
    kind: int, name_attribute: int, what: str, name: str, more: bytes = b""
) -> BatchMessage:
    """Delete an object; the table's name is attribute 1 of every kind of object."""
    body = string(1, TABLE) + string(name_attribute, name) + more
    return BatchMessage(kind, 0, body, f"removal of {what} {name}")


def _head(made: KernelSet, told: str, size: int = 0, more: bytes = b"") -> BatchMessage:
    """Make a set; one that never grows beyond a known size is given a faster hash."""
    order = userdata.field(userdata.SET_KEY_BYTE_ORDER, userdata.flag(userdata.BIG_ENDIAN))
    body = (
        string(uapi.SetAttribute.TABLE, TABLE)
        + string(uapi.SetAttribute.NAME, made.name)
        + number(uapi.SetAttribute.FLAGS, made.flags)
        + number(uapi.SetAttribute.KEY_TYPE, made.key_type)
        + number(uapi.SetAttribute.KEY_LEN, made.key_length)
        + number(uapi.SetAttribute.ID, 1)  # has to be there; rules name their sets instead
        + attribute(
            uapi.SetAttribute.USERDATA, order + userdata.comment(told, userdata.SET_COMMENT)
        )
    )
    if size:
        body += nested(uapi.SetAttribute.DESC, number(uapi.SET_DESC_SIZE, size))
    body += more
    return BatchMessage(Message.NEWSET, CREATE, body, f"set {made.name}")


def _filling(name: str, piece: bytes, kind: int = Message.NEWSETELEM) -> BatchMessage:
    body = (
        string(uapi.ElementListAttribute.TABLE, TABLE)
        + string(uapi.ElementListAttribute.SET, name)
        + nested(uapi.ElementListAttribute.ELEMENTS, piece)
    )
    flags = CREATE if kind is Message.NEWSETELEM else 0
    return BatchMessage(kind, flags, body, f"elements of set {name}")
