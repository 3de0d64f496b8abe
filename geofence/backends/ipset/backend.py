"""The ipset backend: sets swapped, rules committed, both by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from geofence.backends.ipset import conflicts, foreign, iptables, matches, units
from geofence.backends.ipset.iptables import Table, Tool
from geofence.backends.ipset.sets import KernelSets, SetHeader
from geofence.errors import BackendError, BackendUnavailable, GeofenceError
from geofence.model.plan import Count, Observed, Plan, SetChange
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import Ruleset, SetKey

_SECOND = "+"
"""Ends the name of the set that is being filled to take another's place."""


class IpsetBackend:
    """Kernel IP sets and iptables rules of the current network namespace."""

    name = "ipset"

    def obstacle(self) -> str | None:
        """Why ipset and iptables cannot work here, or not for the units, or None."""
        limit = units.obstacle()
        if limit is not None:
            return limit
        try:
            for tool in iptables.TOOLS:
                tool.save()
            iptables.require_raw_socket()
            with KernelSets() as sets:
                sets.require_type()
        except GeofenceError as error:
            return str(error)
        lacking = matches.lacking()
        return iptables.lacks(lacking) if lacking else None

    def rival(self) -> str | None:
        """Who empties the tables of iptables here, or None."""
        return conflicts.rival()

    def rules(self, ruleset: Ruleset) -> tuple[str, ...]:
        """The rules of both families as ``iptables -S`` prints them."""
        return tuple(
            line
            for tool in iptables.TOOLS
            for line in tool.labelled(iptables.rule_lines(ruleset, tool.family))
        )

    def observe(self) -> Observed:
        """Read geofence's sets, chains and counters."""
        with KernelSets() as sets:
            held: dict[SetKey, PrefixSet] = {}
            debris: list[str] = []
            for header, key in _own(sets):
                if header.name.endswith(_SECOND):
                    debris.append(header.name)
                else:
                    _check_kind(header, key)
                    entries = sets.entries(header.name, key.family)
                    if entries is not None:  # else another run has just taken it away
                        held[key] = entries
            with _rules_reached(sets):
                tables = [(tool, tool.save()) for tool in _all_tools()]
        rules = tuple(
            line
            for tool, table in tables
            for line in tool.labelled((*table.rules, *table.misplaced_jumps))
        )
        # Without sets there is no service, and so nothing to drop.
        fenced = (
            tool.family for tool, table in tables if table.drops or (table.hooked and not held)
        )
        guarded = (tool.family for tool, table in tables if table.complete)
        dropped = _total(table for _, table in tables)
        return Observed(
            held,
            rules,
            dropped,
            tuple(debris),
            frozenset(fenced),
            frozenset(guarded),
            () if held else _foreign(tables),
        )

    def commit(self, plan: Plan) -> None:
        """Fill second sets, switch one family after the other, then drop what nothing refers to."""
        switched = [
            change.key
            for change in plan.set_changes
            if change.before is not None and change.after is not None
        ]
        with KernelSets() as sets:
            for name in plan.observed.debris:
                sets.destroy(name)
            for change in plan.set_changes:
                _fill(sets, change)
            try:
                for tool in iptables.TOOLS:
                    own = [iptables.set_name(key) for key in switched if key.family is tool.family]
                    _switch(sets, tool, own, plan)
            finally:
                for key in switched:
                    sets.destroy(iptables.set_name(key) + _SECOND)
            if plan.rules_differ:
                for tool in iptables.other_tools():
                    _clear(tool)
            for change in plan.set_changes:
                if change.after is None:
                    sets.destroy(iptables.set_name(change.key))

    def remove(self) -> bool:
        """Take rules, then sets, out of the kernel."""
        with KernelSets() as sets:
            with _rules_reached(sets):
                cleared = [_clear(tool) for tool in _all_tools()]
            own = _own(sets)
            for header, _ in own:
                sets.destroy(header.name)
        return any(cleared) or bool(own)


def _own(sets: KernelSets) -> list[tuple[SetHeader, SetKey]]:
    """Headers of geofence's sets, second ones too, each with what it is a set of."""
    keyed = ((header, iptables.set_key(header.name.rstrip(_SECOND))) for header in sets.headers())
    return [(header, key) for header, key in keyed if key is not None]


def _all_tools() -> tuple[Tool, ...]:
    return (*iptables.TOOLS, *iptables.other_tools())


@contextmanager
def _rules_reached(sets: KernelSets) -> Iterator[None]:
    """Others may have rules that iptables cannot read; where there is no set, none is a fence.

    Raises:
        BackendUnavailable: the rules cannot be reached, and none are geofence's.
        BackendError: they cannot, and may be fencing all the same.
    """
    try:
        yield
    except BackendError as error:
        names = [header.name for header, _ in _own(sets)]
        if not names:
            raise BackendUnavailable(str(error)) from error
        raise BackendError(
            f"A fence made with ipset is in the kernel (sets {', '.join(names)}), and its rules "
            f"cannot be reached. {error}"
        ) from error


def _foreign(tables: Iterable[tuple[Tool, Table]]) -> tuple[str, ...]:
    """All chains, where neither a rule nor a set shows that geofence made any of them."""
    found = [
        (f"chain {chain} in the table mangle of {tool.name}", table.rules)
        for tool, table in tables
        for chain in table.chains
    ]
    telling = foreign.tell_ours(rule for _, rules in found for rule in rules)
    return () if telling else tuple(name for name, _ in found)


def _check_kind(header: SetHeader, key: SetKey) -> None:
    if header.kind != "hash:net" or header.family is not key.family:
        raise BackendError(
            f"The kernel's set '{header.name}' is a {header.kind} of {header.family}, not "
            f"geofence's hash:net of {key.family}; run 'ipset destroy {header.name}' and try again."
        )


def _fill(sets: KernelSets, change: SetChange) -> None:
    """Fill the second set, if there is to be one; where there is no first, it is that at once."""
    if change.after is None:
        return
    name = iptables.set_name(change.key)
    sets.fill(name + _SECOND, change.after)
    if change.before is None:
        sets.rename(name + _SECOND, name)


def _switch(sets: KernelSets, tool: Tool, names: Iterable[str], plan: Plan) -> None:
    """Swap a family's second sets in and commit its rules.

    A set may mean something else to the rules that are to come than to those that stand. So one
    that a service leaves, as the rules that go tell, is swapped when its rule is gone; and where
    iptables refuses the rules, the former sets come back.
    """
    late = [name for name in names if any(f" {name} " in rule for rule in plan.rules_removed)]
    early = [name for name in names if name not in late]
    _swap(sets, early)
    if plan.rules_differ:
        try:
            tool.restore(iptables.replacement(plan.desired, tool.family, tool.save()))
        except BackendError:
            _swap(sets, early)
            raise
    _swap(sets, late)


def _swap(sets: KernelSets, names: Iterable[str]) -> None:
    for name in names:
        sets.swap(name + _SECOND, name)


def _clear(tool: Tool) -> bool:
    """Take geofence's rules out of one table; whether there were any."""
    table = tool.save()
    found = bool(table.chains or table.misplaced_jumps)
    if found:
        tool.restore(iptables.removal(table))
    return found


def _total(tables: Iterable[Table]) -> dict[str, Count]:
    packets: Counter[str] = Counter()
    octets: Counter[str] = Counter()
    for table in tables:
        for service, count in table.counts.items():
            packets[service] += count.packets
            octets[service] += count.octets
    return {service: Count(packets[service], octets[service]) for service in packets}
