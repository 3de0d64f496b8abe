"""Lists with their age and sources, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from geofence.fetch.urls import public
from geofence.model.prefixes import Family
from geofence.operations.listed import Listed
from geofence.operations.report import ListOutcome, ListReport
from geofence.screen import Styled
from geofence.translation import english, tr
from geofence.wording import addresses, age, size

_STYLES = {ListOutcome.KEPT: "yellow", ListOutcome.MISSING: "red"}


def list_rows(
    lists: Iterable[Listed], now: datetime, *, full: bool = True, change: bool = False
) -> tuple[tuple[str, ...], list[tuple[Styled, ...]]]:
    """Return headings and rows of the table of lists; in full with changes and sources."""
    headings = _headings()
    columns = len(headings) - (0 if full else 1 if change else 2)
    return headings[:columns], [_row(report, now)[:columns] for report in lists]


def _headings() -> tuple[str, ...]:
    return (
        tr("list"),
        tr("state"),
        ">" + tr("IPv4 addresses"),
        ">" + tr("IPv6"),
        # Translators: when the source last confirmed the list.
        ">" + tr("checked"),
        ">" + tr("change"),
        # Translators: the source of a list.
        tr("from"),
    )


def _state(outcome: ListOutcome) -> str:
    return {
        ListOutcome.RENEWED: tr("renewed"),
        ListOutcome.UNCHANGED: tr("unchanged"),
        ListOutcome.FRESH: tr("fresh enough"),
        ListOutcome.STORED: tr("stored"),
        ListOutcome.KEPT: tr("kept"),
        ListOutcome.MISSING: tr("missing"),
        ListOutcome.REFUSED: tr("refused"),
    }[outcome]


def list_json(report: Listed) -> dict[str, object]:
    """Return one list for scripts; times are UTC."""
    return {
        "list": str(report.id),
        "state": str(report.outcome),
        "addresses": {str(family): report.extent(family).addresses for family in Family},
        "former_addresses": {str(family): report.former_addresses(family) for family in Family}
        if isinstance(report, ListReport) and report.change is not None
        else None,
        "checked_at": report.checked_at.isoformat() if report.checked_at else None,
        "problem": english(report.problem) or None,
        "parts": [
            {
                "url": public(part.url),
                "etag": part.etag,
                "sha256": part.sha256,
                "fetched_at": part.fetched_at.isoformat(),
                "checked_at": part.checked_at.isoformat(),
                "family": str(part.family) if part.family else None,
                "format": part.format,
                "published_at": part.published_at.isoformat() if part.published_at else None,
                "copyright": part.copyright or None,
                "ttl": part.ttl,
                "dropped": [
                    {"address": each.address, "since": each.since.isoformat()}
                    for each in part.dropped
                ],
            }
            for part in report.provenance
        ],
    }


def _row(report: Listed, now: datetime) -> tuple[Styled, ...]:
    checked = report.checked_at
    return (
        str(report.id),
        (_state(report.outcome), _STYLES.get(report.outcome, "")),
        *(addresses(family, report.extent(family).addresses) for family in Family),
        age(checked, now) if checked else tr("never"),
        _change(report),
        ", ".join(public(part.url) for part in report.provenance),
    )


def _change(report: Listed) -> str:
    """Return what a renewed list gained and lost since its stored version."""
    if not isinstance(report, ListReport) or report.change is None:
        return ""
    parts = [
        f"{sign}{size(gone)}"
        for family in Family
        for sign, gone in (
            ("+", report.change.gained[family]),
            ("-", report.change.lost[family]),
        )
        if gone
    ]
    return " ".join(parts)
