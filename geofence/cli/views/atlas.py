"""The world index and lookups in it, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import typer

from geofence.errors import ExitCode
from geofence.geoip.countries import country_name
from geofence.model.prefixes import Family
from geofence.operations.atlas import AtlasReport, Located
from geofence.screen import Screen, print_json
from geofence.sentences import note_json, sentence
from geofence.translation import english, tr
from geofence.wording import age, moment, span


def finish_renewal(screen: Screen, report: AtlasReport, *, as_json: bool) -> None:
    """Print the new index, and end with the exit code of its renewal."""
    tell_atlas(screen, report, as_json=as_json)
    if report.stored.failed:
        raise typer.Exit(ExitCode.DEGRADED)


def tell_atlas(screen: Screen, report: AtlasReport, *, as_json: bool) -> None:
    """Print what the index is, as text or as JSON."""
    for note in report.notes:
        screen.note(sentence(note), "yellow")
    if as_json:
        print_json(atlas_json(report))
    else:
        show_atlas(screen, report)


def show_atlas(screen: Screen, report: AtlasReport) -> None:
    """Print what the index is made of, and when it is renewed."""
    stored, now = report.stored, datetime.now(UTC)
    made = stored.atlas.made
    screen.say(
        tr("World index of {time}, {age}.", time=moment(made), age=age(made, now)),
    )
    screen.say(
        tr(
            "{countries} countries, {ipv4} IPv4 and {ipv6} IPv6 intervals, {size} MB.",
            countries=len(stored.atlas.codes),
            ipv4=f"{stored.atlas.ipv4.intervals:,}",
            ipv6=f"{stored.atlas.ipv6.intervals:,}",
            size=f"{stored.size / 1e6:.1f}",
        )
    )
    screen.say(tr("Lists from {hosts}.", hosts=", ".join(report.hosts)))
    screen.say(_renewal(report))


def _renewal(report: AtlasReport) -> str:
    if report.renewed_after is None:
        return tr("Only 'geofence atlas --renew' renews it ([atlas] enabled).")
    return tr(
        "'geofence refresh' renews it after {span} ([atlas] renew).",
        span=span(report.renewed_after),
    )


def atlas_json(report: AtlasReport) -> dict[str, object]:
    """Return the same for scripts; the time is UTC."""
    stored, after = report.stored, report.renewed_after
    return {
        "made_at": stored.atlas.made.isoformat(),
        "countries": list(stored.atlas.codes),
        "intervals": {str(family): stored.atlas[family].intervals for family in Family},
        "bytes": stored.size,
        "sources": [{"host": host, "lists": lists} for host, lists in report.hosts.items()],
        "kept": sorted(code for code in stored.failed if code in stored.lists),
        "missing": sorted(code for code in stored.failed if code not in stored.lists),
        "renew_seconds": None if after is None else int(after.total_seconds()),
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }


def show_located(screen: Screen, found: Iterable[Located]) -> None:
    """Print a row for each address."""
    headings = (tr("address"), tr("country"), tr("name"))
    screen.table(headings, [_row(each) for each in found])


def _row(located: Located) -> tuple[str, ...]:
    if not located.countries:
        return (str(located.address), "-", tr("in no country's list"))
    code, *others = located.countries
    name = country_name(code)
    if others:
        name = tr("{country} (also in {lists})", country=name, lists=", ".join(others))
    return (str(located.address), code, name)


def located_json(found: Iterable[Located]) -> list[dict[str, object]]:
    """Return the same for scripts."""
    return [
        {
            "address": str(each.address),
            "country": each.countries[0] if each.countries else None,
            "name": country_name(each.countries[0]) if each.countries else None,
            "also": list(each.countries[1:]),
        }
        for each in found
    ]
