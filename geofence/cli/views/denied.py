"""Who was turned away, as text and as JSON."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from geofence.denied.sources import DeniedSource, Group
from geofence.model.sets import NOTED_PER_SECOND
from geofence.operations.denied import DeniedReport, DeniedService, GroupedBy, Selection
from geofence.screen import Screen, aligned
from geofence.translation import tr, trn
from geofence.wording import age

_BAR = 30
"""Columns of the longest bar."""
_EIGHTHS = " ▏▎▍▌▋▊▉"
_BLOCK = "█"
_NAMED = 5
"""Sources that a hint names one by one."""


def show_denied(screen: Screen, report: DeniedReport, asked: Selection) -> None:
    """Print a row for each source, country or network, then what can be done and how many."""
    if not report.services:
        screen.say(tr("No fence is up, so no source is noted. Run 'geofence status'."), "bold red")
        return
    for line in _observed_lines(report.services):
        screen.say(line, "bold yellow")
    if not report.sources:
        screen.say(tr("No source was noted."))
    elif report.groups is not None:
        _show_groups(screen, report.groups, asked)
    else:
        _show_sources(screen, report)
    for line in _closing_lines(report, asked):
        screen.say(line)
    for note in report.notes:
        from geofence.sentences import sentence

        screen.note(sentence(note), "yellow")


def _observed_lines(services: Sequence[DeniedService]) -> Iterator[str]:
    observed = [each.name for each in services if each.observed]
    if not observed:
        return
    if len(observed) == len(services):
        yield tr("Services are only observed: nothing is dropped. These sources would be blocked:")
    else:
        yield trn(
            len(observed),
            "{services} is only observed: nothing is dropped there, and its sources below would be "
            "blocked.",
            "{services} are only observed: nothing is dropped there, and their sources below would "
            "be blocked.",
            services=", ".join(observed),
        )


def _show_sources(screen: Screen, report: DeniedReport) -> None:
    now = datetime.now(UTC)
    screen.table(
        (
            tr("source"),
            tr("service"),
            ">" + tr("packets"),
            ">" + tr("bytes"),
            tr("first"),
            tr("last"),
            tr("country"),
            tr("network"),
        ),
        [_source_row(each, now) for each in report.rows],
    )
    for line in _hints(report):
        screen.say(line, "cyan")


def _source_row(each: DeniedSource, now: datetime) -> tuple[str, ...]:
    return (
        str(each),
        each.service,
        f"{each.packets:,}",
        f"{each.octets:,}",
        age(each.first, now),
        age(each.last, now),
        country_text(each.country),
        each.network_name or "-",
    )


def country_text(code: str | None) -> str:
    """Return ``Japan (JP)``; a dash where no list has the address."""
    from geofence.geoip.countries import country_name

    return "-" if code is None else f"{country_name(code)} ({code})"


def _hints(report: DeniedReport) -> Iterator[str]:
    """Yield what would allow some of the sources."""
    offered: dict[str, list[str]] = {}
    for row in report.rows:
        if row.exception is not None and str(row) not in offered.setdefault(row.exception, []):
            offered[row.exception].append(str(row))
    for exception, sources in offered.items():
        named = ", ".join(sources[:_NAMED])
        if len(sources) > _NAMED:
            more = len(sources) - _NAMED
            named = tr("{named} and {number} more", named=named, number=more)
        group, together = report.exception_groups.get(exception), exception in report.together
        yield hint_text(named, exception, group, together=together)


def hint_text(sources: str, exception: str, group: str | None, *, together: bool) -> str:
    """Return which disabled exception would allow some sources."""
    if together:
        return tr(
            "{sources}: this is {exception}. 'geofence allow {group}' allows it, with all of group "
            "{group}.",
            sources=sources,
            exception=exception,
            group=group,
        )
    if group is None:
        return tr(
            "{sources}: this is {exception}. 'geofence allow {exception}' allows it.",
            sources=sources,
            exception=exception,
        )
    return tr(
        "{sources}: this is {exception} of group {group}. 'geofence allow {exception}' allows it.",
        sources=sources,
        exception=exception,
        group=group,
    )


def _show_groups(screen: Screen, groups: Sequence[Group], asked: Selection) -> None:
    shown = groups[: asked.limit] if asked.limit else groups
    title = tr("country") if asked.by is GroupedBy.COUNTRY else tr("network")
    headings = (title, ">" + tr("sources"), ">" + tr("packets"))
    rows = [_group_row(each, asked.by) for each in shown]
    heading, *lines = aligned(headings, rows)
    screen.say(heading, "bold")
    most = max((each.packets for each in shown), default=0)
    drawn = sys.stdout.isatty()
    for line, group in zip(lines, shown, strict=True):
        screen.say(f"{line}  {bar(group.packets, most)}".rstrip() if drawn else line)


def _group_row(group: Group, by: GroupedBy | None) -> tuple[str, ...]:
    name = group.name
    if by is GroupedBy.COUNTRY:
        name = tr("in no country list") if name is None else country_text(name)
    return (name or "-", f"{group.sources:,}", f"{group.packets:,}")


def bar(number: int, most: int) -> str:
    """Return a bar, as long as the number is beside the greatest; in ASCII where it has to be."""
    eighths = round(number / most * _BAR * 8) if most else 0
    if codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8":
        return "#" * (eighths // 8)
    return (_BLOCK * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _closing_lines(report: DeniedReport, asked: Selection) -> Iterator[str]:
    yield from _left_out(report, asked)
    for each in report.services:
        if each.unnoted and not each.observed:
            yield trn(
                each.unnoted,
                "{service}: {number} more packet was dropped than the noted sources sent. {why}",
                "{service}: {number} more packets were dropped than the noted sources sent. {why}",
                service=each.name,
                why=_why_unnoted(),
            )
        elif each.unnoted:
            yield trn(
                each.unnoted,
                "{service}: {number} more packet would be dropped than the noted sources sent. "
                "{why}",
                "{service}: {number} more packets would be dropped than the noted sources sent. "
                "{why}",
                service=each.name,
                why=_why_unnoted(),
            )
        if each.full:
            yield tr(
                "{service}: no room for more sources. The next run of 'geofence repair' forgets "
                "those that came once.",
                service=each.name,
            )


def _why_unnoted() -> str:
    return tr(
        "Banned addresses are not noted, and of a flood only {number} packets a second are.",
        number=f"{NOTED_PER_SECOND:,}",
    )


def _left_out(report: DeniedReport, asked: Selection) -> Iterator[str]:
    """Yield how many rows were not shown."""
    if report.groups is not None:
        rest = report.groups[asked.limit :] if asked.limit else ()
        if rest:
            yield trn(
                len(rest),
                "{number} more with {packets} packets; '--limit 0' shows all.",
                "{number} more with {packets} packets; '--limit 0' shows all.",
                packets=f"{sum(each.packets for each in rest):,}",
            )
    elif asked.limit and report.selected > len(report.rows):
        yield tr(
            "The first {shown} of {number} rows; '--limit 0' shows all.",
            shown=f"{len(report.rows):,}",
            number=f"{report.selected:,}",
        )


def show_forgotten(screen: Screen, number: int) -> None:
    """Say how many sources were forgotten."""
    screen.say(trn(number, "{number} source was forgotten.", "{number} sources were forgotten."))


def denied_json(report: DeniedReport, asked: Selection) -> dict[str, object]:
    """Return the same for scripts; times are UTC."""
    from geofence.sentences import note_json

    groups = report.groups
    if groups is not None and asked.limit:
        groups = groups[: asked.limit]
    return {
        "by": asked.by.value if asked.by else None,
        "services": [_service_json(each) for each in report.services],
        "total": report.sources,
        "sources": None if asked.by else _sources_json(report),
        "groups": None if groups is None else [_group_json(each, asked.by) for each in groups],
        "note_facts": [note_json(note) for note in report.notes],
    }


def _service_json(each: DeniedService) -> dict[str, object]:
    return {
        "service": each.name,
        "observed": each.observed,
        "sources": each.sources,
        "packets": each.packets,
        "bytes": each.octets,
        "packets_dropped": each.dropped.packets if each.dropped else None,
        "octets_dropped": each.dropped.octets if each.dropped else None,
        "packets_not_noted": each.unnoted,
        "full": each.full,
    }


def _sources_json(report: DeniedReport) -> list[dict[str, object]]:
    return [source_json(each, report.exception_groups) for each in report.rows]


def source_json(each: DeniedSource, groups: Mapping[str, str]) -> dict[str, object]:
    """Return a source for scripts; times are UTC."""
    return {
        "source": str(each),
        "family": str(each.family),
        "service": each.service,
        "packets": each.packets,
        "bytes": each.octets,
        "first": each.first.isoformat(timespec="seconds"),
        "last": each.last.isoformat(timespec="seconds"),
        "country": each.country,
        "network": each.network_name,
        "exception": each.exception,
        "group": groups.get(each.exception) if each.exception else None,
    }


def _group_json(group: Group, by: GroupedBy | None) -> dict[str, object]:
    return {
        str(by): group.name,
        "sources": group.sources,
        "packets": group.packets,
    }
