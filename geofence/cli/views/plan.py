"""A plan, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from geofence.cli.views.flows import impact_json, show_impact
from geofence.cli.views.lists import list_json, list_rows
from geofence.countries import country_name
from geofence.flows.impact import by_source
from geofence.model.plan import Plan, SetChange
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.operations.report import PlanReport
from geofence.plan.by_country import ELSEWHERE, CountryChange
from geofence.screen import Screen, Styled
from geofence.wording import addresses, plural, size

_SHOWN = 5
"""Prefixes shown of each set and sign, the broadest first, unless all are asked for."""


def show_plan(screen: Screen, report: PlanReport, *, full: bool) -> None:
    """What the plan means for callers, the plan itself, then whether it would be refused."""
    plan = report.plan
    screen.say(f"Backend: {report.backend}")
    _show_meaning(screen, report)
    if plan.set_changes:
        _show_sets(screen, plan, full=full)
    if plan.rules_differ and full:
        _show_rules(screen, plan)
    if plan.observed.debris:
        screen.say("\nLeft behind by a killed run, to be cleared away", "bold")
        for name in plan.observed.debris:
            screen.say(f"  - {name}", "red")
    if report.lists:
        screen.say("\nLists", "bold")
        screen.table(*list_rows(report.lists, datetime.now(UTC), full=full, change=True))
    refusals = tuple(map(str, report.refusals))
    for note in report.notes:
        if note not in refusals:
            screen.note(note, "yellow")
    screen.say("")
    screen.say(closing_line(plan), "bold")
    for refusal in refusals:
        screen.say(f"'geofence {report.next_run}' would be refused: {refusal}", "bold red")


def _show_sets(screen: Screen, plan: Plan, *, full: bool) -> None:
    screen.say("\nSets", "bold")
    screen.table(
        ("set", ">prefixes now", ">then", ">addresses added", ">addresses removed"),
        (_set_row(change) for change in plan.set_changes),
    )
    for change in plan.set_changes:
        for line, style in _prefix_lines(change, full=full):
            screen.say(line, style)


def _show_meaning(screen: Screen, report: PlanReport) -> None:
    """Whose addresses are allowed or blocked, and who of those who talk now."""
    if report.countries:
        screen.say("\nWhat it means", "bold")
    for each in report.countries:
        parts = [
            f"{_space(space)} {what}"
            for space, what in ((each.allowed, "allowed"), (each.blocked, "blocked"))
            if space
        ]
        screen.say(f"  {_country(each.country)}: {', '.join(parts)}")
    impact = report.impact
    if impact is None:
        return
    if report.plan.is_empty and not impact.talking:
        return
    denied, admitted = (by_source(some) for some in (impact.denied_live, impact.admitted_live))
    screen.say(
        f"  Talking now: {plural(impact.talking, 'source')}, of which {len(denied):,} would be "
        f"blocked; {len(admitted):,} more would be allowed."
    )
    show_impact(screen, impact)


def _country(code: str) -> str:
    return f"{country_name(code)} ({code})" if code != ELSEWHERE else "in no country list"


def _space(space: AddressSpace) -> str:
    """``65,536 IPv4 addresses and 12 /48``."""
    parts = []
    if space.ipv4:
        parts.append(plural(space.ipv4.size, "IPv4 address", "IPv4 addresses"))
    if space.ipv6:
        parts.append(f"{size(space.ipv6)} of IPv6")
    return " and ".join(parts)


def closing_line(plan: Plan) -> str:
    """The plan in one line."""
    if plan.is_empty:
        return "Nothing would change: the kernel holds what the rules and lists mean."
    parts = [
        plural(len(plan.set_changes), "set") + " would change",
        f"{plural(len(plan.rules_added), 'rule')} would be added",
        f"{len(plan.rules_removed):,} removed",
    ]
    return f"{', '.join(parts)}. Nothing has been changed."


def plan_json(report: PlanReport) -> dict[str, object]:
    """The plan for machines; counts of addresses are exact and can exceed 64 bits."""
    plan = report.plan
    return {
        "changes": not plan.is_empty,
        "backend": report.backend,
        "sets": [_set_json(change) for change in plan.set_changes],
        "rules": {"added": list(plan.rules_added), "removed": list(plan.rules_removed)},
        "local_networks": list(map(str, plan.desired.local)),
        "debris": list(plan.observed.debris),
        "lists": [list_json(entry) for entry in report.lists],
        "live": impact_json(report.impact),
        "countries": [_country_json(each) for each in report.countries],
        "refusals": [
            {"guard": str(each.guard), "accept": each.accept, "why": str(each)}
            for each in report.refusals
        ],
        "notes": list(report.notes),
        "summary": closing_line(plan),
    }


def _country_json(change: CountryChange) -> dict[str, object]:
    return {
        "country": change.country or None,
        "addresses_allowed": {str(family): change.allowed[family].size for family in Family},
        "addresses_blocked": {str(family): change.blocked[family].size for family in Family},
    }


def _show_rules(screen: Screen, plan: Plan) -> None:
    screen.say("\nRules", "bold")
    for line in plan.rules_removed:
        screen.say(f"  - {line}", "red")
    for line in plan.rules_added:
        screen.say(f"  + {line}", "green")
    if not plan.rules_removed and not plan.rules_added:
        screen.say("  the same rules, in another order")


def _count(content: PrefixSet | None) -> str:
    return "none" if content is None else f"{content.prefix_count:,}"


def _set_row(change: SetChange) -> tuple[Styled, ...]:
    family = change.key.family
    return (
        change.key.name,
        _count(change.before),
        _count(change.after),
        (f"+{addresses(family, change.added.size)}", "green"),
        (f"-{addresses(family, change.removed.size)}", "red"),
    )


def _prefix_lines(change: SetChange, *, full: bool) -> Iterator[tuple[str, str]]:
    if not full and (change.before is None or change.after is None):
        return
    signs = ((change.removed, "-", "red"), (change.added, "+", "green"))
    for content, sign, style in signs:
        prefixes = content.prefixes()
        shown = prefixes if full else sorted(prefixes, key=lambda each: each.length)[:_SHOWN]
        for prefix in shown:
            yield f"  {change.key.name} {sign} {prefix}", style
        if len(shown) < len(prefixes):
            rest = len(prefixes) - len(shown)
            yield f"  {change.key.name} {sign} … and {rest:,} more (--full shows all)", style


def _set_json(change: SetChange) -> dict[str, object]:
    def count(content: PrefixSet | None) -> int | None:
        return None if content is None else content.prefix_count

    return {
        "set": change.key.name,
        "family": str(change.key.family),
        "prefixes_before": count(change.before),
        "prefixes_after": count(change.after),
        "addresses_added": change.added.size,
        "addresses_removed": change.removed.size,
        "added": [str(prefix) for prefix in change.added.prefixes()],
        "removed": [str(prefix) for prefix in change.removed.prefixes()],
    }
