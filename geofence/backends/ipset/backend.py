"""The ipset backend: kernel IP sets that are swapped, and iptables rules that look into them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from geofence.backends.ipset import foreign, iptables, matches, units
from geofence.backends.ipset.entries import listed_entries
from geofence.backends.ipset.iptables import Tables, Tool
from geofence.backends.ipset.near import Exchange, Near, Prefilters, enclose, near_content
from geofence.backends.ipset.noting import SECOND, IpsetNoting, own_sets
from geofence.backends.ipset.rules import Compiler, rule_lines
from geofence.backends.ipset.sets import KernelSets, SetHeader
from geofence.backends.ipset.shapes import Key, is_own, set_name, shapes_of
from geofence.backends.ipset.table import (
    MangleTable,
    removal,
    replacement,
    sets_left,
    total,
)
from geofence.backends.prefilter_key import PrefilterKey
from geofence.errors import BackendError, BackendUnavailable, GeofenceError
from geofence.model.elements import (
    FOR_EVER,
    Element,
    Span,
    TimedPrefix,
    difference,
    seconds_left,
)
from geofence.model.plan import Observed, Plan, SetChange
from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.model.ruleset import NOTED_ROLES, Ruleset, SetKey, SetKind
from geofence.translation import tr


class IpsetBackend(IpsetNoting):
    """Kernel IP sets and iptables rules of the current network namespace."""

    name = "ipset"
    labels = True
    keeps_counts = False

    def __init__(self) -> None:
        self._prefilters = Prefilters()
        self._near: Near = {}
        """What prefilters hold since the last commit."""
        self._compiler = Compiler(self._prefilters.wanted)
        self._tables = Tables()
        """As ``obstacle`` read them, for the look that follows."""
        self._seen: tuple[Observed, Tables] | None = None
        """What was observed last, and the tables in it, for the commit that follows."""
        self._written: dict[SetKey, tuple[PrefixSet, bytes]] = {}
        """What declared sets hold since this run filled them, and how the kernel lists that."""

    def obstacle(self) -> str | None:
        """Return why ipset and iptables cannot work here, or not for the units, or None."""
        limit = units.obstacle()
        if limit is not None:
            return limit
        try:
            for tool in iptables.TOOLS:
                self._tables.get(tool)
            iptables.require_raw_socket()
            with KernelSets() as sets:
                sets.require_type()
        except GeofenceError as error:
            return str(error)
        lacking = matches.lacking()
        return iptables.lacks(lacking) if lacking else None

    def rival(self) -> str | None:
        """Return who empties the tables of iptables here, or None."""
        from geofence.backends.ipset import conflicts

        return conflicts.rival()

    def rules(self, ruleset: Ruleset) -> tuple[str, ...]:
        """Return the rules of both families as ``iptables -S`` prints them."""
        return tuple(
            line
            for tool in iptables.TOOLS
            for line in tool.labelled(rule_lines(self._compiler.compiled(ruleset, tool.family)))
        )

    def observe(self) -> Observed:
        """Read geofence's sets, chains and counters."""
        with KernelSets() as sets:
            held: dict[SetKey, PrefixSet] = {}
            runtime: dict[SetKey, PrefixSet] = {}
            near: dict[PrefilterKey, PrefixSet] = {}
            debris: list[str] = []
            for header, key in own_sets(sets):
                if header.name.endswith(SECOND):
                    debris.append(header.name)
                    continue
                _check_shape(header, key)
                if isinstance(key, PrefilterKey):
                    near[key] = near_content(sets, key, self._near.get(key))
                    continue
                found = runtime if key.kind is SetKind.RUNTIME else held
                entries = self._content(sets, header.name, key)
                if entries is not None:  # else another run has just taken it away
                    found[key] = entries
            with _rules_reached(sets):
                read, self._tables = self._tables, Tables()
                tables = [(tool, read.get(tool)) for tool in iptables.all_tools()]
        rules = tuple(
            line
            for tool, table in tables
            for line in tool.labelled((*table.lines, *map(str, table.misplaced_jumps)))
        )
        # Without sets there is no service, and so nothing to drop.
        fenced = (
            tool.family for tool, table in tables if table.drops or (table.hooked and not held)
        )
        guarded = (tool.family for tool, table in tables if table.complete)
        dropped = total(table for _, table in tables)
        observed = Observed(
            held,
            rules,
            dropped,
            (*debris, *self._prefilters.amiss(near, tables, held | runtime)),
            frozenset(fenced),
            frozenset(guarded),
            () if held else _foreign(tables),
            runtime,
        )
        self._seen = (observed, read)
        return observed

    def fingerprint(self) -> str:
        """Return a hash of sets and rules as the kernel tells them."""
        from geofence.backends.ipset.fingerprint import fingerprint

        return fingerprint()

    def commit(self, plan: Plan) -> None:
        """Fill second sets, switch one family after the other, then drop what nothing refers to."""
        switched = [
            change.key
            for change in plan.set_changes
            if change.before is not None and change.after is not None
        ]
        with KernelSets() as sets:
            for name in filter(is_own, plan.observed.debris):
                sets.destroy(name)
            numbers = {name: n for each in plan.set_changes for name, n in self._fill(sets, each)}
            sets.require_numbers(numbers)
            self._near = self._prefilters.after(plan)
            near = Exchange(sets, self._near)
            try:
                near.widen()
                for tool in iptables.TOOLS:
                    own = [set_name(key) for key in switched if key.family is tool.family]
                    self._commit_family(sets, tool, own, plan)
            except BackendError:
                near.undo()
                raise
            finally:
                self._seen = None
                for key in switched:
                    sets.destroy(set_name(key) + SECOND)
            if plan.rules_differ:
                for tool in iptables.other_tools():
                    _clear(tool)
            if plan.rules_differ and plan.observed.rules:
                near.clear()
            near.narrow()
            for change in plan.set_changes:
                if change.after is None:
                    sets.destroy(set_name(change.key))

    def _content(self, sets: KernelSets, name: str, key: SetKey) -> PrefixSet | None:
        """Return what a set holds; what the kernel itself puts into one is not read."""
        if key.role in NOTED_ROLES:
            return PrefixSet(key.family)
        if key.kind is SetKind.RUNTIME:
            held = sets.elements(name, key)
            firsts, pasts = [each.first for each in held], [each.past for each in held]
            return PrefixSet.of_ranges(key.family, firsts, pasts)
        return sets.entries(name, key.family, self._written.get(key))

    def _fill(self, sets: KernelSets, change: SetChange) -> Iterator[tuple[str, int]]:
        """Fill the second set, if there is to be one, and yield its name and number of entries.

        Where there is no first, it is that at once.
        """
        if change.after is None:
            return
        key, name = change.key, set_name(change.key)
        packed = sets.fill(name + SECOND, change.after, key)
        self._written[key] = (change.after, listed_entries(key.family, packed.content))
        if change.before is None:
            sets.rename(name + SECOND, name)
            yield name, packed.number
        else:
            yield name + SECOND, packed.number

    def _commit_family(
        self, sets: KernelSets, tool: Tool, names: Collection[str], plan: Plan
    ) -> None:
        """Swap a family's second sets in and commit its rules.

        A set may mean something else to the new rules than to the present ones. So a set that a
        rule no longer looks into is swapped when that rule is removed. If iptables refuses the
        rules, the previous sets come back.
        """
        if not plan.rules_differ:
            _swap(sets, names)
            return
        observed, tables = self._seen or (None, Tables())
        table = tables.get(tool) if observed is plan.observed else tool.save()
        chains = self._compiler.compiled(plan.desired, tool.family)
        left = sets_left(chains, table)
        early = [name for name in names if name not in left]
        _swap(sets, early)
        try:
            tool.restore(replacement(chains, tool.family, table))
        except BackendError:
            _swap(sets, early)
            raise
        _swap(sets, (name for name in names if name in left))

    def elements(self, key: SetKey) -> list[Element]:
        """Return the elements of a runtime set with their times and counts."""
        with KernelSets() as sets:
            return sets.elements(set_name(key), key)

    def test(self, key: SetKey, address: int) -> bool:
        """Whether the kernel itself finds an address in a set; false without the set."""
        with KernelSets() as sets:
            return sets.test(set_name(key), key.family, address)

    def put(
        self, key: SetKey, added: Sequence[TimedPrefix], removed: Sequence[Prefix], now: float
    ) -> None:
        """Add prefixes to a runtime set, and remove others."""
        name, kept = set_name(key), {each.prefix for each in added}
        gone = [each for each in removed if each.family is key.family and each not in kept]
        with KernelSets() as sets:
            enclose(sets, key, kept)
            sets.put(name, key.family, _timed(added, key.family, now))
            sets.take(name, key.family, [part for each in gone for part in _halves(each)])

    def hold(self, key: SetKey, wanted: Sequence[TimedPrefix], now: float) -> int:
        """Make a runtime set hold these prefixes and no others."""
        longest: dict[Prefix, float] = {}
        for prefix, until in wanted:
            if prefix.family is key.family:
                ends = FOR_EVER if until is None else until
                for part in _halves(prefix):
                    longest[part] = max(ends, longest.get(part, 0.0))
        spans = [Span(each.network, each.past, until) for each, until in longest.items()]
        name = set_name(key)
        with KernelSets() as sets:
            added, removed = difference(spans, sets.elements(name, key), now)
            new = {(each.first, each.past) for each in added}
            gone = [each for each in removed if (each.first, each.past) not in new]
            timed = [(_prefix(key.family, each), seconds_left(each.until, now)) for each in added]
            enclose(sets, key, [prefix for prefix, _ in timed])
            sets.put(name, key.family, timed)
            sets.take(name, key.family, [_prefix(key.family, each) for each in gone])
        return len(added) + len(gone)

    def remove(self) -> bool:
        """Take rules, then sets, out of the kernel."""
        with KernelSets() as sets:
            with _rules_reached(sets):
                cleared = [_clear(tool) for tool in iptables.all_tools()]
            own = own_sets(sets)
            for header, _ in own:
                sets.destroy(header.name)
        return any(cleared) or bool(own)


@contextmanager
def _rules_reached(sets: KernelSets) -> Iterator[None]:
    """Raise what it means that the rules cannot be read: without sets, none of them is a fence.

    Raises:
        BackendUnavailable: the rules cannot be reached, and none are geofence's.
        BackendError: they cannot, and may be fencing all the same.
    """
    try:
        yield
    except BackendError as error:
        names = [header.name for header, _ in own_sets(sets)]
        if not names:
            raise BackendUnavailable(str(error)) from error
        raise BackendError(
            tr(
                "The kernel holds a fence that was made with ipset (sets {sets}), and its rules "
                "cannot be read. {reason}",
                sets=", ".join(names),
                reason=error,
            )
        ) from error


def _foreign(tables: Collection[tuple[Tool, MangleTable]]) -> tuple[str, ...]:
    """Return all chains if neither a rule nor a set shows that geofence made any of them."""
    found = [
        tr("chain {chain} in the table mangle of {program}", chain=chain, program=tool.name)
        for tool, table in tables
        for chain in table.chains
    ]
    telling = foreign.tell_ours(rule for _, table in tables for rule in table.rules)
    return () if telling else tuple(found)


def _timed(added: Iterable[TimedPrefix], family: Family, now: float) -> list[tuple[Prefix, int]]:
    return [
        (part, 0 if until is None else seconds_left(until, now))
        for prefix, until in added
        if prefix.family is family
        for part in _halves(prefix)
    ]


def _halves(prefix: Prefix) -> tuple[Prefix, ...]:
    """Return the prefix, or the halves of all addresses, which no entry can stand for."""
    family, _, length = prefix
    if length:
        return (prefix,)
    return Prefix(family, 0, 1), Prefix(family, 1 << (family.bits - 1), 1)


def _prefix(family: Family, span: Span | Element) -> Prefix:
    return Prefix(family, span.first, family.bits - (span.past - span.first).bit_length() + 1)


def _check_shape(header: SetHeader, key: Key) -> None:
    shapes = [(shape.kind, shape.seconds, shape.netmask) for shape in shapes_of(key)]
    known = (header.kind, header.seconds, header.netmask) in shapes
    if not known or header.family is not key.family:
        raise BackendError(
            tr(
                'The IP set "{name}" is not the one that geofence makes (a {kind} of {family}). '
                "Run 'ipset destroy {name}' and try again.",
                name=header.name,
                kind=header.kind,
                family=header.family or "?",
            )
        )


def _swap(sets: KernelSets, names: Iterable[str]) -> None:
    for name in names:
        sets.swap(name + SECOND, name)


def _clear(tool: Tool) -> bool:
    """Remove geofence's rules from one table; whether there were any."""
    table = tool.save()
    found = bool(table.chains or table.misplaced_jumps)
    if found:
        tool.restore(removal(table))
    return found
