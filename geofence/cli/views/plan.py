"""A plan, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from geofence.cli.views.allowed import allowed_json, allowed_lines
from geofence.cli.views.fence import observed_text
from geofence.cli.views.flows import impact_json, show_impact
from geofence.cli.views.lists import list_json, list_rows
from geofence.cli.views.people import people_json, show_people
from geofence.errors import ExitCode
from geofence.flows.impact import by_source
from geofence.geoip.countries import country_name
from geofence.model.chosen import ChosenBackend
from geofence.model.notes import NoteKind
from geofence.model.plan import Plan, SetChange
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.operations.plan import PlanReport
from geofence.plan.by_country import ELSEWHERE, CountryChange
from geofence.screen import Screen, Styled, print_json
from geofence.sentences import note_json, sentence
from geofence.sentences.backends import backend_json, backend_text
from geofence.translation import english, tr, trn
from geofence.wording import address_count, addresses

_SHOWN = 5
"""Prefixes shown of each set and sign, the broadest first, unless all are asked for."""


def finish_plan(
    screen: Screen, report: PlanReport, *, full: bool, as_json: bool, exit_code: bool
) -> None:
    """Print a plan, and end with an exit code if there is something to tell by one.

    Args:
        screen: for people.
        report: the plan.
        full: whether to show everything.
        as_json: whether to print it for scripts instead.
        exit_code: whether changes and refusals have exit codes.

    Raises:
        typer.Exit: they have, and there are some.
    """
    if as_json:
        print_json(plan_json(report))
    else:
        show_plan(screen, report, full=full)
    if exit_code and report.refusals:
        raise typer.Exit(ExitCode.REFUSED)
    if exit_code and not report.plan.is_empty:
        raise typer.Exit(ExitCode.CHANGES)


def show_plan(screen: Screen, report: PlanReport, *, full: bool) -> None:
    """Print what the plan means for callers, the plan, and whether it would be refused."""
    plan = report.plan
    screen.say(tr("Backend: {backend}", backend=backend_text(report.backend)))
    for line in allowed_lines(report.allowed):
        screen.say(line)
    _show_meaning(screen, report)
    show_people(screen, report.people)
    if plan.content_changes:
        _show_sets(screen, plan, full=full)
    if plan.rules_differ and full:
        _show_rules(screen, plan, tr("Objects") if report.backend.target else tr("Rules"))
    _show_debris(screen, plan)
    if report.lists:
        _heading(screen, tr("Lists"))
        screen.table(*list_rows(report.lists, datetime.now(UTC), full=full, change=True))
    for note in report.notes:
        if note.kind is not NoteKind.CHECK_REFUSES:
            screen.note(sentence(note), "yellow")
    screen.say("")
    screen.say(closing_line(plan, report.backend), "bold")
    if plan.desired.observed:
        screen.say(observed_text(plan.desired.observed), "yellow")
    for refusal in report.refusals:
        refused = tr(
            "'geofence {verb}' would be refused: {reason}", verb=report.next_run, reason=refusal
        )
        screen.say(refused, "bold red")


def _show_debris(screen: Screen, plan: Plan) -> None:
    if plan.observed.debris:
        _heading(screen, tr("Objects of a killed run, to be removed"))
    for name in plan.observed.debris:
        screen.say(f"  - {name}", "red")


def _heading(screen: Screen, text: str) -> None:
    screen.say("")
    screen.say(text, "bold")


def _show_sets(screen: Screen, plan: Plan, *, full: bool) -> None:
    _heading(screen, tr("Sets"))
    titles = (
        tr("set"),
        ">" + tr("prefixes now"),
        # Translators: the number of prefixes after the change.
        ">" + tr("then"),
        ">" + tr("addresses added"),
        ">" + tr("addresses removed"),
    )
    screen.table(titles, (_set_row(change) for change in plan.content_changes))
    for change in plan.content_changes:
        for line, style in _prefix_lines(change, full=full):
            screen.say(line, style)


def _show_meaning(screen: Screen, report: PlanReport) -> None:
    """Print which countries and current peers would be allowed or blocked."""
    if report.countries:
        _heading(screen, tr("What it means"))
    for each in report.countries:
        parts = [tr("{addresses} allowed", addresses=_space(each.allowed))] if each.allowed else []
        if each.blocked:
            parts.append(tr("{addresses} blocked", addresses=_space(each.blocked)))
        screen.say(f"  {_whose(each)}: {', '.join(parts)}")
    impact = report.impact
    if impact is None:
        return
    if report.plan.is_empty and not impact.talking:
        return
    denied, admitted = (by_source(some) for some in (impact.denied_live, impact.admitted_live))
    talking = trn(
        impact.talking,
        "Connected now: {number} source, of which {blocked} would be blocked; {allowed} more "
        "would be allowed.",
        "Connected now: {number} sources, of which {blocked} would be blocked; {allowed} more "
        "would be allowed.",
        blocked=f"{len(denied):,}",
        allowed=f"{len(admitted):,}",
    )
    screen.say(f"  {talking}")
    show_impact(screen, impact)


def _whose(change: CountryChange) -> str:
    if change.asn:
        return f"AS{change.asn}"
    code = change.country
    return f"{country_name(code)} ({code})" if code != ELSEWHERE else tr("in no country list")


def _space(space: AddressSpace) -> str:
    """Return ``65,536 IPv4 addresses, 12 IPv6 /48 networks``."""
    return ", ".join(address_count(f, space[f].size) for f in Family if space[f])


def closing_line(plan: Plan, backend: ChosenBackend) -> str:
    """Return the plan in one line."""
    if backend.target:
        return _closing_line_of_cluster(plan)
    if plan.is_empty:
        return tr("Nothing would change: the kernel holds the rules and lists on disk.")
    return tr(
        "Would change {sets}, add {added} and remove {removed}. Nothing has been changed.",
        sets=trn(len(plan.content_changes), "{number} set", "{number} sets"),
        added=trn(len(plan.rules_added), "{number} rule", "{number} rules"),
        removed=trn(len(plan.rules_removed), "{number} rule", "{number} rules"),
    )


def _closing_line_of_cluster(plan: Plan) -> str:
    if plan.is_empty:
        return tr("Nothing would change: the cluster holds the rules and lists on disk.")
    objects = {line.partition(" ")[0] for line in (*plan.rules_added, *plan.rules_removed)}
    return tr(
        "Would change {sets} and {objects} of the cluster. Nothing has been changed.",
        sets=trn(len(plan.content_changes), "{number} set", "{number} sets"),
        objects=trn(len(objects), "{number} object", "{number} objects"),
    )


def plan_json(report: PlanReport) -> dict[str, object]:
    """Return the plan for scripts; counts of addresses are exact and can exceed 64 bits."""
    plan = report.plan
    return {
        "changes": not plan.is_empty,
        **backend_json(report.backend),
        "sets": [_set_json(change) for change in plan.content_changes],
        "rules": {"added": list(plan.rules_added), "removed": list(plan.rules_removed)},
        "local_networks": list(map(str, plan.desired.local)),
        "observed": list(plan.desired.observed),
        "debris": list(plan.observed.debris),
        "lists": [list_json(entry) for entry in report.lists],
        "live": impact_json(report.impact),
        "people": people_json(report.people),
        "allowed": allowed_json(report.allowed),
        "countries": [_country_json(each) for each in report.countries],
        "refusals": [
            {"guard": str(each.guard), "accept": each.accept, "why": english(str(each))}
            for each in report.refusals
        ],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
        "summary": english(closing_line(plan, report.backend)),
    }


def _country_json(change: CountryChange) -> dict[str, object]:
    return {
        "country": change.country or None,
        "asn": int(change.asn) if change.asn else None,
        "addresses_allowed": {str(family): change.allowed[family].size for family in Family},
        "addresses_blocked": {str(family): change.blocked[family].size for family in Family},
    }


def _show_rules(screen: Screen, plan: Plan, title: str) -> None:
    _heading(screen, title)
    for line in plan.rules_removed:
        screen.say(f"  - {line}", "red")
    for line in plan.rules_added:
        screen.say(f"  + {line}", "green")
    if not plan.rules_removed and not plan.rules_added:
        screen.say("  " + tr("the same rules, in another order"))


def _count(content: PrefixSet | None) -> str:
    return tr("none") if content is None else f"{content.prefix_count:,}"


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
            more = tr("… and {number} more (--full shows all)", number=f"{rest:,}")
            yield f"  {change.key.name} {sign} {more}", style


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
