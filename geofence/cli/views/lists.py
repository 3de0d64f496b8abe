"""Where lists came from and how old they are, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from geofence.fetch.urls import public
from geofence.model.prefixes import Family
from geofence.operations.report import ListOutcome, ListReport
from geofence.screen import Styled
from geofence.wording import age, size

_HEADINGS = ("list", "state", ">IPv4 addresses", ">IPv6", ">checked", ">change", "from")
_STYLES = {ListOutcome.KEPT: "yellow", ListOutcome.MISSING: "red"}


def list_rows(
    lists: Iterable[ListReport], now: datetime, *, full: bool = True, change: bool = False
) -> tuple[tuple[str, ...], list[tuple[Styled, ...]]]:
    """Headings and rows of the table of lists; in full, what changed and the sources as well."""
    columns = len(_HEADINGS) - (0 if full else 1 if change else 2)
    return _HEADINGS[:columns], [_row(report, now)[:columns] for report in lists]


def list_json(report: ListReport) -> dict[str, object]:
    """One list for machines; times are UTC."""
    return {
        "list": str(report.id),
        "state": str(report.outcome),
        "addresses": {str(family): report.space[family].size for family in Family},
        "former_addresses": {str(family): report.former[family].size for family in Family}
        if report.former
        else None,
        "checked_at": report.checked_at.isoformat() if report.checked_at else None,
        "problem": report.problem or None,
        "parts": [
            {
                "url": public(part.url),
                "etag": part.etag,
                "sha256": part.sha256,
                "fetched_at": part.fetched_at.isoformat(),
                "checked_at": part.checked_at.isoformat(),
                "family": str(part.family) if part.family else None,
            }
            for part in report.provenance
        ],
    }


def _row(report: ListReport, now: datetime) -> tuple[Styled, ...]:
    checked = report.checked_at
    return (
        str(report.id),
        (str(report.outcome), _STYLES.get(report.outcome, "")),
        size(report.space.ipv4),
        size(report.space.ipv6),
        age(checked, now) if checked else "never",
        _change(report),
        ", ".join(public(part.url) for part in report.provenance),
    )


def _change(report: ListReport) -> str:
    """What a renewed list gained and lost since its last accepted version."""
    if report.former is None:
        return ""
    parts = [
        f"{sign}{size(gone)}"
        for family in Family
        for sign, gone in (
            ("+", report.space[family] - report.former[family]),
            ("-", report.former[family] - report.space[family]),
        )
        if gone
    ]
    return " ".join(parts)
