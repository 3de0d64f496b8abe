"""Generations and their differences, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.operations.history import HistoryEntry, SetDifference
from geofence.screen import Screen
from geofence.state.generations import Damaged
from geofence.translation import english, tr
from geofence.wording import addresses, moment


def show_history(screen: Screen, found: Iterable[HistoryEntry | Damaged]) -> None:
    """Print a row for each generation, newest first."""
    known = tuple(found)
    headings, rows = history_rows(each for each in known if isinstance(each, HistoryEntry))
    if not rows:
        screen.say(tr("Nothing has been applied yet."))
    else:
        screen.table(headings, rows)
    for each in known:
        if isinstance(each, Damaged):
            screen.note(str(each), "yellow")


def history_rows(
    entries: Iterable[HistoryEntry],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headings and rows of the table of generations."""
    headings = (
        ">" + tr("generation"),
        tr("applied"),
        # Translators: the command that applied it.
        tr("by"),
        tr("backend"),
        tr("difference"),
    )
    return headings, [_row(each) for each in entries]


def history_json(found: Iterable[HistoryEntry | Damaged]) -> list[dict[str, object]]:
    """Return the same for scripts, newest first; times are UTC."""
    return [
        _json(each)
        if isinstance(each, HistoryEntry)
        else {"damaged": str(each.path), "why": english(each.why)}
        for each in found
    ]


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    return (
        str(entry.number),
        moment(entry.applied_at),
        entry.reason,
        entry.backend,
        "; ".join(_difference(entry)) or tr("none"),
    )


def _difference(entry: HistoryEntry) -> list[str]:
    services = [tr("services and ports")] if entry.services_changed else []
    changed = [f"+{name}" for name in entry.interfaces_added]
    changed += [f"-{name}" for name in entry.interfaces_removed]
    interfaces = [tr("trusted interfaces {changes}", changes=" ".join(changed))] if changed else []
    moved = [f"+{each}" for each in entry.local_added]
    moved += [f"-{each}" for each in entry.local_removed]
    local = [tr("local networks {changes}", changes=" ".join(moved))] if moved else []
    sets = [each for each in entry.sets if each.added or each.removed]
    return services + interfaces + local + list(map(_set_difference, sets))


def _set_difference(change: SetDifference) -> str:
    added, removed = (addresses(change.family, number) for number in (change.added, change.removed))
    return f"{change.name} +{added} -{removed}"


def _json(entry: HistoryEntry) -> dict[str, object]:
    lists = (
        {"list": note.name, "checked_at": note.checked_at.isoformat(), "sha256": note.sha256}
        for note in entry.lists or ()
    )
    return {
        "generation": entry.number,
        "applied_at": entry.applied_at.isoformat(),
        "reason": entry.reason,
        "backend": entry.backend,
        "services_changed": entry.services_changed,
        "interfaces": {
            "added": list(entry.interfaces_added),
            "removed": list(entry.interfaces_removed),
        },
        "local_networks": {
            "added": list(entry.local_added),
            "removed": list(entry.local_removed),
        },
        "sets": [
            {
                "set": each.name,
                "addresses_added": each.added,
                "addresses_removed": each.removed,
            }
            for each in entry.sets
        ],
        **({} if entry.lists is None else {"lists": list(lists)}),
    }
