"""Rules as lines, nearly as nft prints them.

Both what geofence wants and what the kernel holds are put into words by this one decoder, so a
difference between two lines is a difference between two rules. What geofence never writes appears
with its raw attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from geofence.backends.nftables import uapi, userdata
from geofence.backends.nftables.expressions import (
    Attributes,
    expressions,
    loaded_value,
    verdict_code,
    verdict_parts,
)
from geofence.backends.nftables.fields import (
    ADDRESSES,
    CT,
    FIB,
    MASKED,
    META,
    PAYLOAD,
    Field,
    labels_text,
)
from geofence.backends.nftables.objects import BASE, BASES, KernelChain, KernelRule
from geofence.backends.nftables.uapi import (
    Bitwise,
    Cmp,
    Code,
    Ct,
    Dynset,
    Fib,
    Immediate,
    Limit,
    Lookup,
    Meta,
    Objref,
    Payload,
    Range,
    VerdictAttribute,
)
from geofence.backends.nftables.uapi_names import (
    CmpOp,
    CtKey,
    DynsetOp,
)
from geofence.model.frozen import NamedTuple
from geofence.netlink.attributes import as_number, as_string


class Shown(NamedTuple):
    """What sets and chains are to be called, by their names in the kernel."""

    sets: Mapping[str, str]
    chains: Mapping[str, str]


_OPERATORS = {
    CmpOp.EQ: "",
    CmpOp.NEQ: "!= ",
    CmpOp.LT: "< ",
    CmpOp.LTE: "<= ",
    CmpOp.GT: "> ",
    CmpOp.GTE: ">= ",
}
_VERDICTS = {
    uapi.NF_DROP: "drop",
    uapi.NF_ACCEPT: "accept",
    Code.JUMP: "jump",
    Code.GOTO: "goto",
    Code.RETURN: "return",
}
_DYNSET_OPS: Mapping[int, str] = {DynsetOp.ADD: "add", DynsetOp.UPDATE: "update"}
_META = {Meta.DREG, Meta.KEY}
_PAYLOAD = {Payload.DREG, Payload.BASE, Payload.OFFSET, Payload.LEN}
_CMP = {Cmp.SREG, Cmp.OP, Cmp.DATA}
"""The attributes of the usual expressions."""
_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
"""``enum nf_inet_hooks``."""


def lines(
    chains: Iterable[KernelChain], rules: Iterable[KernelRule], shown: Shown
) -> tuple[str, ...]:
    """Return all rules, chain by chain: first the one where packets come in, then by name.

    Args:
        chains: the table's chains.
        rules: their rules, in the order that decides within each chain.
        shown: what sets and chains are to be called.
    """
    found = {chain.name: _head(chain) for chain in chains}
    for rule in rules:
        found[rule.chain].append(_described(rule, shown))
    told = {shown.chains.get(name, name): lines for name, lines in found.items()}
    bases = [each.name for each in BASES]
    order = sorted(told, key=lambda name: (name not in bases, name != BASE, name))
    return tuple(f"{name}: {line}" for name in order for line in told[name])


def _head(chain: KernelChain) -> list[str]:
    """Return how a base chain is bound; nothing for any other."""
    if chain.hook is None:
        return []
    hook = _HOOKS[chain.hook] if chain.hook < len(_HOOKS) else str(chain.hook)
    policy = _VERDICTS.get(chain.policy, str(chain.policy))
    return [f"type {chain.kind} hook {hook} priority {chain.priority}; policy {policy};"]


def _described(rule: KernelRule, shown: Shown) -> str:
    line = _Line(shown)
    for name, attributes in expressions(rule):
        line.add(name, attributes)
    comments = (
        f'comment "{as_string(value)}"'
        for kind, value in userdata.fields(rule.userdata)
        if kind == userdata.COMMENT
    )
    return " ".join((line.text(), *comments))


class _Line:
    """Follows what the registers hold from one expression to the next."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._words: list[str] = []
        self._registers: dict[int, Field] = {}
        self._implied: dict[str, int] = {}
        """Where in the words ``meta nfproto`` or ``meta l4proto`` is settled."""

    def text(self) -> str:
        return " ".join(word for word in self._words if word)

    def add(self, name: str, attributes: Attributes) -> None:
        """Put one expression into words."""
        put = _PUT.get(name)
        word = put(self, attributes) if put else None
        self._words.append(_raw(name, attributes) if word is None else word)

    def _load(self, register: bytes | None, field: Field) -> str:
        self._registers[as_number(register)] = field
        return ""

    def _field(self, register: bytes | None) -> Field:
        number = as_number(register)
        return self._registers.get(number, Field(f"@reg{number}"))

    def meta(self, attributes: Attributes) -> str | None:
        key = as_number(attributes.get(Meta.KEY))
        if attributes.keys() != _META or key not in META:
            return None
        return self._load(attributes[Meta.DREG], META[key])

    def payload(self, attributes: Attributes) -> str | None:
        if attributes.keys() != _PAYLOAD:
            return None
        base, offset, length = (
            as_number(attributes[part]) for part in (Payload.BASE, Payload.OFFSET, Payload.LEN)
        )
        for settled, at in self._implied.items():
            field = PAYLOAD.get((settled, base, offset, length))
            if field is not None:
                self._words[at] = ""
                return self._load(attributes[Payload.DREG], field)
        layer = {1: "nh", 2: "th"}.get(base, f"base{base}")
        return self._load(attributes[Payload.DREG], Field(f"@{layer},{offset * 8},{length * 8}"))

    def compare(self, attributes: Attributes) -> str | None:
        op = as_number(attributes.get(Cmp.OP))
        if attributes.keys() != _CMP or op not in _OPERATORS:
            return None
        field = self._field(attributes[Cmp.SREG])
        value = loaded_value(attributes[Cmp.DATA])
        if op == CmpOp.EQ:
            self._implied[f"{field.text} {field.show(value)}"] = len(self._words)
        if field.bits and not any(value) and op in field.bits:
            return field.bits[op]
        if field.network and op == CmpOp.EQ:
            return f"{field.network[0]} {field.show(value)}/{field.network[1]}"
        lowest = f"{field.text} {_OPERATORS[CmpOp.GTE]}"
        if op == CmpOp.LTE and self._words and self._words[-1].startswith(lowest):
            # Some versions of nft write a range like this.
            first = self._words.pop().removeprefix(lowest)
            return f"{field.text} {first}-{field.show(value)}"
        return f"{field.text} {_OPERATORS[op]}{field.show(value)}"

    def between(self, attributes: Attributes) -> str | None:
        if attributes.keys() != {Range.SREG, Range.OP, Range.FROM, Range.TO}:
            return None
        field = self._field(attributes[Range.SREG])
        first, last = (field.show(loaded_value(attributes[end])) for end in (Range.FROM, Range.TO))
        differs = "!= " if as_number(attributes[Range.OP]) else ""
        return f"{field.text} {differs}{first}-{last}"

    def bitwise(self, attributes: Attributes) -> str | None:
        field = self._field(attributes.get(Bitwise.SREG))
        mask, flip = (
            loaded_value(attributes.get(part, b"")) for part in (Bitwise.MASK, Bitwise.XOR)
        )
        if any(flip) or as_number(attributes.get(Bitwise.OP)):
            return None
        known = MASKED.get((field.text, mask))
        return self._load(attributes.get(Bitwise.DREG), known or _masked(field, mask))

    def conntrack(self, attributes: Attributes) -> str | None:
        key = as_number(attributes.get(Ct.KEY))
        if attributes.keys() == {Ct.SREG, Ct.KEY} and key == CtKey.LABELS:
            return f"ct label set {self._field(attributes[Ct.SREG]).text}"
        field = CT.get((key, attributes.get(Ct.DIRECTION)))
        if not {Ct.DREG, Ct.KEY} <= attributes.keys() <= {Ct.DREG, Ct.KEY, Ct.DIRECTION}:
            return None
        return None if field is None else self._load(attributes[Ct.DREG], field)

    def fib(self, attributes: Attributes) -> str | None:
        field = FIB.get(as_number(attributes.get(Fib.FLAGS)))
        if as_number(attributes.get(Fib.RESULT)) != uapi.FIB_ADDRTYPE or field is None:
            return None
        return self._load(attributes.get(Fib.DREG), field)

    def lookup(self, attributes: Attributes) -> str | None:
        if attributes.keys() - {Lookup.FLAGS} != {Lookup.SET, Lookup.SREG}:
            return None
        name = as_string(attributes[Lookup.SET])
        inverted = "!= " if as_number(attributes.get(Lookup.FLAGS)) else ""
        field = self._field(attributes[Lookup.SREG])
        return f"{field.text} {inverted}@{self._shown.sets.get(name, name)}"

    def limit(self, attributes: Attributes) -> str | None:
        unit, kind, flags = (
            as_number(attributes.get(part)) for part in (Limit.UNIT, Limit.TYPE, Limit.FLAGS)
        )
        if unit != 1 or kind != uapi.LIMIT_PACKETS or flags > uapi.LIMIT_INVERTED:
            return None
        rate, burst = (as_number(attributes.get(part)) for part in (Limit.RATE, Limit.BURST))
        over = "over " if flags else ""
        return f"limit rate {over}{rate}/second burst {burst} packets"

    def dynset(self, attributes: Attributes) -> str | None:
        op = _DYNSET_OPS.get(as_number(attributes.get(Dynset.OP)))
        usual = {Dynset.SET_NAME, Dynset.OP, Dynset.SREG_KEY}
        others = (attributes[kind] for kind in attributes.keys() - usual)
        if op is None or not usual <= attributes.keys() or any(map(as_number, others)):
            return None
        name = as_string(attributes[Dynset.SET_NAME])
        field = self._field(attributes[Dynset.SREG_KEY])
        return f"{op} @{self._shown.sets.get(name, name)} {{ {field.text} }}"

    def objref(self, attributes: Attributes) -> str | None:
        named = attributes.keys() == {Objref.TYPE, Objref.NAME}
        if not named or as_number(attributes[Objref.TYPE]) != uapi.COUNTER:
            return None
        return f'counter name "{as_string(attributes[Objref.NAME])}"'

    def counter(self, _: Attributes) -> str | None:
        """Return no number: what it has counted is no part of the rule."""
        return "counter"

    def immediate(self, attributes: Attributes) -> str | None:
        parts = verdict_parts(attributes)
        if value := loaded_value(attributes.get(Immediate.DATA, b"")):
            return self._load(attributes.get(Immediate.DREG), Field(labels_text(value)))
        if as_number(attributes.get(Immediate.DREG)) or not parts:
            return None
        code = verdict_code(parts)
        target = as_string(parts.get(VerdictAttribute.CHAIN))
        target = self._shown.chains.get(target, target)
        return f"{_VERDICTS.get(code, f'verdict {code}')} {target}".rstrip()


def _masked(field: Field, mask: bytes) -> Field:
    ones = as_number(mask)
    length = ones.bit_count()
    leading = ones >> (8 * len(mask) - length) == (1 << length) - 1
    network = (field.text, length) if leading and field in ADDRESSES else None
    return Field(f"{field.text} & {field.show(mask)}", field.show, network=network)


def _raw(name: str, attributes: Attributes) -> str:
    shown = " ".join(f"{kind}={value.hex()}" for kind, value in attributes.items())
    return f"[{name} {shown}]"


_PUT: Mapping[str, Callable[[_Line, Attributes], str | None]] = {
    "meta": _Line.meta,
    "payload": _Line.payload,
    "cmp": _Line.compare,
    "range": _Line.between,
    "bitwise": _Line.bitwise,
    "ct": _Line.conntrack,
    "fib": _Line.fib,
    "lookup": _Line.lookup,
    "dynset": _Line.dynset,
    "limit": _Line.limit,
    "objref": _Line.objref,
    "counter": _Line.counter,
    "immediate": _Line.immediate,
}
