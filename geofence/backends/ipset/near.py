"""Prefilters in the kernel: IP sets of the networks in which a service lets anyone in.

A rule turns away who begins a flow from elsewhere, before any other set is asked. So such a set has
to enclose, at every instant, whom both the old and the new fence let in: it is made wider before
other sets are exchanged, and narrower afterwards. One that is too wide decides nothing wrong, it
only costs more. One that is to go stays as it is until its rule goes.
Exceptions for a time are among what it encloses; they go by themselves, and it narrows later.

For IPv4 it is a bitmap if the kernel has that type: 8 KB and a few messages, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache

from geofence.backends.ipset.elements import pack_ranges
from geofence.backends.ipset.entries import pack_entries
from geofence.backends.ipset.iptables import Tool
from geofence.backends.ipset.noting import own_sets
from geofence.backends.ipset.rule import IptablesRule
from geofence.backends.ipset.sets import KernelSets
from geofence.backends.ipset.shapes import BITMAP, set_key, set_name, shapes_of
from geofence.backends.ipset.table import MangleTable
from geofence.backends.prefilter import (
    Enclosing,
    enclosing_networks,
    networks,
    prefilter_sets,
)
from geofence.backends.prefilter_key import LENGTH, PrefilterKey
from geofence.errors import BackendError
from geofence.lean import inet_pton
from geofence.model.frozen import NamedTuple
from geofence.model.plan import Plan
from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.translation import tr

Tables = Collection[tuple[Tool, MangleTable]]
Near = Mapping[PrefilterKey, PrefixSet]
"""What prefilters hold."""
_LETTING_IN = (Role.ALLOW, Role.EXCEPTION, Role.TIMED)


class Prefilters:
    """What prefilters should hold; remembers the last answers, as a run asks several times."""

    def __init__(self) -> None:
        self._enclosing = Enclosing()
        self._last: tuple[Ruleset, Near] | None = None

    def wanted(self, ruleset: Ruleset) -> Near:
        """Return the networks around what is declared."""
        if self._last is None or self._last[0] is not ruleset:
            self._last = (ruleset, prefilter_sets(ruleset, self._enclosing))
        return self._last[1]

    def after(self, plan: Plan) -> Near:
        """Return what to enclose once a plan is carried out."""
        return {
            key: around | self._enclosing(key.family, _timed(plan, key))
            for key, around in self.wanted(plan.desired).items()
        }

    def amiss(self, near: Near, tables: Tables, sets: Mapping[SetKey, PrefixSet]) -> Iterator[str]:
        """Yield the names of those that no rule looks into, and what is wrong with others.

        Args:
            near: what each holds.
            tables: all that hold rules.
            sets: what the other sets hold.
        """
        for key, held in near.items():
            name, tools = set_name(key), [each for each in tables if each[0].family is key.family]
            rules = [rule for _, table in tools for rule in table.rules]
            chains = {rule.chain for rule in rules if name in rule.sets}
            beside = (rule for rule in rules if rule.chain in chains)
            around = self._enclosing(key.family, _looked_for(beside, key.family, sets))
            if not chains:
                yield name
            elif around != held and around - held:
                yield tr("set {name} (does not enclose the other sets)", name=name)


def _timed(plan: Plan, key: PrefilterKey) -> tuple[PrefixSet, ...]:
    """Return what is allowed until a time."""
    held = plan.observed.runtime.get(SetKey(Role.TIMED, key.service, key.family))
    return () if held is None else (held,)


def _looked_for(
    rules: Iterable[IptablesRule], family: Family, sets: Mapping[SetKey, PrefixSet]
) -> Iterator[PrefixSet]:
    """Yield the sources that rules let in."""
    for rule in rules:
        for key in map(set_key, rule.sets):
            if isinstance(key, SetKey) and key.role in _LETTING_IN and key in sets:
                yield sets[key]
        if rule.conditions[:1] == ("-s",):
            yield PrefixSet.of(family, (_prefix(family, rule.conditions[1]),))


def _prefix(family: Family, text: str) -> Prefix:
    address, _, length = text.partition("/")
    network = int.from_bytes(inet_pton(family.socket_family, address), "big")
    return Prefix(family, network, int(length or family.bits))


class HeldNear(NamedTuple):
    """A prefilter in the kernel."""

    kind: str
    """The type of set."""
    content: PrefixSet


class Exchange:
    """Prefilters of one commit: wider before it changes anything, narrower once it has."""

    def __init__(self, sets: KernelSets, after: Near) -> None:
        """Begin.

        Args:
            sets: the kernel's.
            after: what each has to enclose at last.
        """
        self._sets = sets
        self._after = after
        self._held: dict[PrefilterKey, HeldNear] = {}
        self._made: list[str] = []

    def widen(self) -> None:
        """Make each enclose what it has to at last, beside what it encloses before."""
        for key, content in self._after.items():
            held = read_near(self._sets, key)
            if held is None:
                held = HeldNear(self._make(key, content), PrefixSet(key.family))
            self._sets.add(set_name(key), _packed(held.kind, content - held.content))
            self._held[key] = held._replace(content=held.content | content)

    def clear(self) -> None:
        """Remove those that are not wanted any more; no rule looks into them."""
        for header, key in own_sets(self._sets):
            if isinstance(key, PrefilterKey) and key not in self._after:
                self._sets.destroy(header.name)

    def narrow(self) -> None:
        """Take out of each what it need not enclose any more."""
        for key, (kind, content) in self._held.items():
            if content != self._after[key]:
                self._sets.delete(set_name(key), _packed(kind, content - self._after[key]))

    def undo(self) -> None:
        """Take away those that are new, but not those that a rule looks into."""
        for name in self._made:
            with suppress(BackendError):
                self._sets.destroy(name)

    def _make(self, key: PrefilterKey, content: PrefixSet) -> str:
        """Make a set of the best type that the kernel has, and return the type."""
        *better, usual = shapes_of(key)
        found = (each for each in better if self._sets.has_type(each.kind, key.family))
        shape = next(found, usual)
        count = 0 if shape.kind == BITMAP else len(networks(content))
        self._sets.create(set_name(key), key.family, count, shape)
        self._made.append(set_name(key))
        return shape.kind


def read_near(sets: KernelSets, key: PrefilterKey) -> HeldNear | None:
    """Return what a prefilter holds; None if there is none."""
    header = sets.header(set_name(key))
    return None if header is None else HeldNear(header.kind, near_content(sets, key))


def near_content(sets: KernelSets, key: PrefilterKey, known: PrefixSet | None = None) -> PrefixSet:
    """Return the networks in a prefilter, which may be known ones."""
    return sets.networks(set_name(key), key.family, LENGTH, known)


def enclose(sets: KernelSets, timed: SetKey, prefixes: Iterable[Prefix]) -> None:
    """Have the prefilter of a service enclose what is to be allowed until a time.

    Args:
        sets: the kernel's.
        timed: the set that the prefixes come into next.
        prefixes: of its family.
    """
    key = PrefilterKey(timed.group, timed.family)
    added = PrefixSet.of(key.family, prefixes)
    header = sets.header(set_name(key)) if added else None
    if header is not None:
        sets.add(set_name(key), _packed(header.kind, enclosing_networks(key.family, (added,))))


@lru_cache(maxsize=8)
def _packed(kind: str, around: PrefixSet) -> list[bytes]:
    """Return networks as entries of a type of set; services share many."""
    if kind == BITMAP:
        return pack_ranges(around.family, around.intervals())
    found = networks(around)
    return pack_entries(around.family, found, [LENGTH] * len(found))
