"""A rule's expressions as values, and what a rule does by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

from geofence.backends.nftables import uapi
from geofence.backends.nftables.encoding import SOURCE
from geofence.backends.nftables.objects import KernelRule
from geofence.backends.nftables.uapi import (
    Bitwise,
    Cmp,
    Code,
    Ct,
    Dynset,
    Expression,
    Immediate,
    Lookup,
    Meta,
    Objref,
    Payload,
    VerdictAttribute,
)
from geofence.backends.nftables.uapi_names import CtKey, MetaKey
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, Prefix
from geofence.netlink.attributes import as_number, as_string, attribute, each, values

Attributes = Mapping[int, bytes]

_RULES = 2048
"""Rules that stay decoded: each is asked several times what it does."""
_GATE_LENGTH = 2
"""Expressions by which a rule asks whether a gate is open: load the family, look it up."""


class Decoded(NamedTuple):
    """One expression."""

    name: str
    attributes: Attributes


def expressions(rule: KernelRule) -> tuple[Decoded, ...]:
    """Return the expressions of a rule in their order."""
    return _decoded(rule.expressions)


@lru_cache(maxsize=_RULES)
def _decoded(packed: bytes) -> tuple[Decoded, ...]:
    return tuple(_expression(data) for _, data in each(packed))


@lru_cache(maxsize=_RULES)
def _expression(data: bytes) -> Decoded:
    """Return one expression; most rules have several that others have, too."""
    parts = values(data)
    name = as_string(parts.get(Expression.NAME))
    return Decoded(name, values(parts.get(Expression.DATA, b"")))


def sets_looked_into(rules: Iterable[KernelRule]) -> Iterator[str]:
    """Yield the names of the sets that rules refer to."""
    for rule in rules:
        for name, attributes in expressions(rule):
            if name == "lookup":
                yield as_string(attributes.get(Lookup.SET))
            elif name == "dynset":
                yield as_string(attributes.get(Dynset.SET_NAME))


def sources_looked_for(rules: Iterable[KernelRule], family: Family) -> Iterator[Prefix]:
    """Yield the prefixes of a family that rules themselves compare the source address with."""
    offset, length = SOURCE[family]
    for rule in rules:
        loaded, bits = False, family.bits
        for name, attributes in expressions(rule):
            match name:
                case "payload":
                    place = [as_number(attributes.get(p)) for p in (Payload.OFFSET, Payload.LEN)]
                    loaded, bits = place == [offset, length], family.bits
                case "bitwise":
                    bits = as_number(loaded_value(attributes.get(Bitwise.MASK, b""))).bit_count()
                case "cmp" if loaded:
                    yield Prefix(
                        family, as_number(loaded_value(attributes.get(Cmp.DATA, b""))), bits
                    )


def chains_gone_to(rules: Iterable[KernelRule]) -> Iterator[str]:
    """Yield the names of the chains that rules send packets to, in their order."""
    for rule in rules:
        for name, attributes in expressions(rule):
            if name == "immediate":
                target = verdict_parts(attributes).get(VerdictAttribute.CHAIN)
                yield from () if target is None else (as_string(target),)


def behind(gate: str, rule: KernelRule) -> KernelRule | None:
    """Return the rule without its question for a gate; None if it does not begin with that."""
    asked = expressions(rule)[:_GATE_LENGTH]
    if len(asked) < _GATE_LENGTH or not _looks_up_family(gate, *asked):
        return None
    rest = islice(each(rule.expressions), _GATE_LENGTH, None)
    left = b"".join(attribute(kind, data) for kind, data in rest)
    return rule._replace(expressions=left)


def _looks_up_family(name: str, load: Decoded, lookup: Decoded) -> bool:
    """Whether two expressions ask whether the packet's family is in a set."""
    family = {Meta.KEY: MetaKey.NFPROTO, Meta.DREG: as_number(lookup.attributes.get(Lookup.SREG))}
    in_set = lookup.attributes.keys() - {Lookup.FLAGS} == {Lookup.SET, Lookup.SREG}
    return (
        (load.name, lookup.name) == ("meta", "lookup")
        and {kind: as_number(value) for kind, value in load.attributes.items()} == family
        and in_set
        and as_string(lookup.attributes[Lookup.SET]) == name
        and not as_number(lookup.attributes.get(Lookup.FLAGS))
    )


def is_return(rule: KernelRule) -> bool:
    """Whether it does nothing but end the chain for every packet."""
    return len(expressions(rule)) == 1 and tuple(_verdicts(rule)) == (Code.RETURN,)


def drops(rule: KernelRule) -> bool:
    """Whether it drops what matches it, or counts that it would."""
    return uapi.NF_DROP in _verdicts(rule) or any(counters_counted_on((rule,)))


def labels(rule: KernelRule) -> bool:
    """Whether it asks for labels of a connection, or sets one."""
    return any(
        name == "ct" and as_number(attributes.get(Ct.KEY)) == CtKey.LABELS
        for name, attributes in expressions(rule)
    )


def lets_all_pass(rule: KernelRule) -> bool:
    """Whether the rule ends evaluation for every packet, and drops none."""
    always = all(name in ("immediate", "counter") for name, _ in expressions(rule))
    return always and any(code in (uapi.NF_ACCEPT, Code.RETURN) for code in _verdicts(rule))


def _verdicts(rule: KernelRule) -> Iterator[int]:
    for name, attributes in expressions(rule):
        if name == "immediate" and (verdict := verdict_parts(attributes)):
            yield verdict_code(verdict)


def counters_counted_on(rules: Iterable[KernelRule]) -> Iterator[str]:
    """Yield the names of the counters that rules refer to."""
    for rule in rules:
        for name, attributes in expressions(rule):
            if name == "objref":
                yield as_string(attributes.get(Objref.NAME))


def verdict_parts(immediate: Attributes) -> Attributes:
    """Return the parts of an immediate's verdict; none if it loads something else."""
    return values(values(immediate.get(Immediate.DATA, b"")).get(uapi.DATA_VERDICT, b""))


def verdict_code(verdict: Attributes) -> int:
    """Return the code of a verdict: negative for those of nf_tables' own."""
    return int.from_bytes(verdict.get(VerdictAttribute.CODE, b""), "big", signed=True)


def loaded_value(data: bytes) -> bytes:
    """Return the value that an expression loads or compares with."""
    return values(data).get(uapi.DATA_VALUE, b"")
