"""Exceptions as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from geofence.fetch.urls import public
from geofence.geoip.countries import country_name
from geofence.model.policy import CountrySwitch
from geofence.model.prefixes import Family, address_texts
from geofence.operations.exceptions import ExceptionEntry, ExceptionsReport
from geofence.screen import Screen, Styled
from geofence.sentences import note_json, sentence
from geofence.sentences.exceptions import obstacle_text
from geofence.spelling import listed
from geofence.translation import english, tr
from geofence.wording import address_count, moment, span

_MOST_OBJECTS = 2
"""Objects of Asterisk's configuration that a cell lists."""
_MOST_ADDRESSES = 3
"""Addresses that a cell lists; more are counted."""


def show_exceptions(screen: Screen, report: ExceptionsReport, *, everything: bool) -> None:
    """Print a row for each exception, then the countries that were switched by hand.

    Args:
        screen: where to.
        report: the exceptions.
        everything: whether disabled ones are shown, too.
    """
    now = datetime.now(UTC)
    shown = [each for each in report.exceptions if everything or each.exception.enabled]
    if shown:
        screen.table(*exception_rows(shown, now))
    else:
        screen.say(tr("No exception is enabled."))
    hidden = len(report.exceptions) - len(shown)
    if hidden:
        screen.say(tr("Disabled: {number}. --all shows them.", number=hidden))
    if report.countries:
        screen.table(
            (tr("country"), tr("services"), tr("state"), tr("until"), tr("note")),
            (_country_row(each, now) for each in report.countries),
        )
    for each in shown:
        if each.inactive:
            why = obstacle_text(each.inactive)
            name = each.exception.name
            screen.note(tr("Exception {name} is inactive: {why}", name=name, why=why), "yellow")
    for note in report.notes:
        screen.note(sentence(note), "yellow")


def exception_rows(
    entries: Iterable[ExceptionEntry], now: datetime
) -> tuple[tuple[str, ...], list[tuple[Styled, ...]]]:
    """Return headings and rows of the table of exceptions."""
    headings = (
        tr("exception"),
        tr("allows"),
        tr("services"),
        tr("state"),
        tr("until"),
        ">" + tr("packets"),
        tr("defined in"),
        tr("note"),
    )
    return headings, [_row(each, now) for each in entries]


def exceptions_json(report: ExceptionsReport) -> dict[str, object]:
    """Return all exceptions for scripts; times are UTC."""
    return {
        "exceptions": [_entry_json(each) for each in report.exceptions],
        "countries": [
            {
                "country": each.code,
                "allowed": each.allowed,
                "services": list(each.services),
                "until": _iso(each.until),
                "note": each.note,
            }
            for each in report.countries
        ],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }


def _entry_json(entry: ExceptionEntry) -> dict[str, object]:
    exception, inactive = entry.exception, entry.inactive
    return {
        "exception": exception.name,
        "description": exception.description,
        "group": exception.group,
        "defined_in": str(entry.origin) if entry.origin else None,
        "by_hand": entry.by_hand,
        "enabled": exception.enabled,
        "active": entry.active,
        "kind": inactive.obstacle.value if inactive else None,
        "why": english(obstacle_text(inactive)) if inactive else None,
        "hosts": list(exception.hosts),
        "srv": list(exception.srv),
        "sip": list(exception.sip),
        "feed": public(exception.feed) if exception.feed else None,
        "derived_from": list(exception.derived_from),
        "addresses": address_texts(entry.addresses),
        "services": list(exception.services),
        "until": _iso(exception.until),
        "ended": entry.has_ended,
        "note": exception.note,
        "packets": entry.packets,
    }


def _iso(until: datetime | None) -> str | None:
    return until.isoformat() if until else None


def _row(entry: ExceptionEntry, now: datetime) -> tuple[Styled, ...]:
    exception = entry.exception
    return (
        exception.name,
        _allows(entry),
        _services(exception.services),
        _state(entry),
        _until(exception.until, now),
        "" if entry.packets is None else f"{entry.packets:,}",
        _defined_in(entry),
        exception.note or exception.description,
    )


def _defined_in(entry: ExceptionEntry) -> str:
    derived = entry.exception.derived_from
    if derived:
        return tr("Asterisk: {objects}", objects=listed(derived, _MOST_OBJECTS))
    return str(entry.origin or "")


def _country_row(country: CountrySwitch, now: datetime) -> tuple[Styled, ...]:
    return (
        f"{country.code} ({country_name(country.code)})",
        _services(country.services),
        (tr("allowed"), "green") if country.allowed else (tr("blocked"), "red"),
        _until(country.until, now),
        country.note,
    )


def _allows(entry: ExceptionEntry) -> str:
    """Return names in DNS or the feed, and the addresses or their number."""
    texts = address_texts(entry.addresses)
    if len(texts) > _MOST_ADDRESSES:
        spaces = (entry.addresses[family] for family in Family)
        texts = [address_count(each.family, each.size) for each in spaces if each]
    exception = entry.exception
    feed = (public(exception.feed),) if exception.feed else ()
    return ", ".join((*exception.hosts, *exception.srv, *exception.sip, *feed, *texts))


def _services(names: Iterable[str]) -> str:
    return ", ".join(names) or tr("all")


def _state(entry: ExceptionEntry) -> Styled:
    if entry.active:
        return tr("active"), "green"
    if entry.has_ended:
        return tr("ended")
    if not entry.exception.enabled:
        return tr("disabled")
    return tr("inactive"), "yellow"


def _until(until: datetime | None, now: datetime) -> str:
    if until is None:
        return ""
    if until <= now:
        return moment(until)
    # Translators: a point in time, and how long it is until then, such as "3 h".
    return tr("{time} ({span} left)", time=moment(until), span=span(until - now))
