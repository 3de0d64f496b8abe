"""A snapshot as JSON; report and panel show the same."""

from __future__ import annotations

from collections.abc import Iterable

from geofence.cli.views.bans import bans_json
from geofence.cli.views.denied import denied_json
from geofence.cli.views.exceptions import exceptions_json
from geofence.cli.views.history import history_json
from geofence.cli.views.status import status_json
from geofence.model.counts import Counts, Period, Tallies
from geofence.operations.denied import Selection
from geofence.operations.snapshot import CountryShare, Snapshot
from geofence.sentences import note_json


def snapshot_json(snapshot: Snapshot) -> dict[str, object]:
    """Return the snapshot for scripts; times are UTC."""
    return {
        "at": snapshot.at.isoformat(),
        "since": snapshot.since.isoformat(),
        "health": snapshot.health.value,
        "status": status_json(snapshot.status),
        "denied": denied_json(snapshot.denied, Selection()),
        "countries": [_country_json(each) for each in snapshot.countries],
        "exceptions": exceptions_json(snapshot.exceptions),
        "bans": bans_json(snapshot.bans),
        "history": history_json(snapshot.history),
        "counts": _counts_json(snapshot.counts),
        "lately": _tallies_json(snapshot.lately),
        "notes": [note_json(note) for note in snapshot.notes],
    }


def _country_json(each: CountryShare) -> dict[str, object]:
    return {
        "country": each.code,
        "packets": each.packets,
        "sources": each.sources,
        "allowed": each.allowed,
    }


def _counts_json(counts: Counts) -> dict[str, object]:
    return {
        "since": counts.since.isoformat() if counts.since else None,
        "until": counts.until.isoformat() if counts.until else None,
        "hours": _periods_json(counts.hours),
        "days": _periods_json(counts.days),
        "totals": _tallies_json(counts.totals),
    }


def _periods_json(periods: Iterable[Period]) -> list[dict[str, object]]:
    return [
        {"start": each.start.isoformat(), "counts": _tallies_json(each.tallies)} for each in periods
    ]


def _tallies_json(tallies: Tallies) -> list[dict[str, object]]:
    return [
        {
            "counted": key.counted.value,
            "name": key.name or None,
            "family": key.family.value if key.family else None,
            "packets": tally.packets,
            "bytes": tally.octets,
            "sources": tally.sources,
        }
        for key, tally in tallies.items()
    ]
