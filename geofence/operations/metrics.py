"""``metrics``: the state of the fence in Prometheus' text format.

Names and units follow https://prometheus.io/docs/practices/naming/. No label is an address,
and each has few values: a service, a family, a country, a list. Counters survive reboots, refreshes
and changes of backend, since they are those of the counts over time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from geofence.model.counts import Counted, Counts, Tally
from geofence.model.lists import ListKind
from geofence.model.notes import NoteKind
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldState
from geofence.operations.bans import Bans
from geofence.operations.counts import read_counts
from geofence.operations.facts import Facts
from geofence.operations.listed import Listed
from geofence.operations.lists import last_refresh
from geofence.operations.shield_status import ShieldStatus
from geofence.operations.site import Site
from geofence.operations.snapshot import Health, health
from geofence.operations.status import StatusReport, status
from geofence.state.cache import FactCache
from geofence.state.files import write_atomically

_READABLE = 0o644
"""Permissions of a text file: the exporter is another user."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What metrics tell."""

    status: StatusReport
    counts: Counts = field(default_factory=Counts)
    bans: int = 0
    """How many last."""
    last_refresh: datetime | None = None
    """When the lists were last renewed, UTC; None: never."""


def metrics(site: Site) -> bytes:
    """Return the metrics of an installation in Prometheus' text format.

    Raises:
        RulesError: the rules do not load, and nothing can be told without them.
        BackendError: the kernel does not tell.
    """
    counts, _ = read_counts(site)
    cache = FactCache(site.state_directory)
    report = status(site, Facts(site, cache))
    cache.save()
    refreshed = None if report.wrong_rules else last_refresh(report.lists)
    return exposition(Measured(report, counts, len(Bans(site).all()), refreshed))


def write_textfile(path: Path, text: bytes) -> None:
    """Replace a file for the textfile collector of node_exporter, which reads whole ones only.

    Raises:
        StateError: it could not be written; the old file is unchanged.
    """
    write_atomically(path, text, _READABLE)


def exposition(measured: Measured) -> bytes:
    """Return metrics in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(measured))
    text: bytes = generate_latest(registry)
    return text


class _Families(Collector):
    """The families of metrics, which the library writes."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        yield from _build(self._measured)
        yield from _state(self._measured)
        yield from _dropped(self._measured)
        yield from _shield(self._measured.status.shield)
        yield from _sets(self._measured)
        yield from _lists(self._measured.status.lists)
        yield from _runs(self._measured)


def _build(measured: Measured) -> Iterator[Metric]:
    facts = {"version": version("geofence"), "backend": measured.status.backend.name or ""}
    yield InfoMetricFamily("geofence_build", "Version and backend of geofence.", value=facts)


def _state(measured: Measured) -> Iterator[Metric]:
    report = measured.status
    yield _gauge(
        "geofence_fence_up",
        "Whether packets of the family enter the fence.",
        {(str(family),): float(family not in report.unfenced) for family in Family},
        ("family",),
    )
    yield _gauge(
        "geofence_fence_as_applied",
        "Whether the kernel holds what was applied last.",
        float(not report.drift and not report.unfenced and report.generation is not None),
    )
    yield _gauge(
        "geofence_health",
        "1 for what the fence is: well, attention, observed, differs or open; 0 for the others.",
        {(each.value,): float(each is health(report)) for each in Health},
        ("health",),
    )
    yield _gauge(
        "geofence_service_observed",
        "Whether the service is only observed, so that nothing is dropped.",
        {(each.name,): float(each.observed) for each in report.services},
        ("service",),
    )


def _shield(shield: ShieldStatus | None) -> Iterator[Metric]:
    record = shield.record if shield else None
    if shield is None or record is None:
        return
    yield _gauge(
        "geofence_shield_state",
        "1 for what the shield is: off, auditing or armed; 0 for the others.",
        {(each.value,): float(each is record.state) for each in ShieldState},
        ("state",),
    )
    for unit in ("packets", "bytes"):
        yield _counter(
            f"geofence_shield_dropped_{unit}",
            f"{unit.capitalize()} that the shield dropped before the fence, since the boot.",
            {
                (each.service, str(each.family)): float(
                    each.packets if unit == "packets" else each.octets
                )
                for each in record.dropped
            },
            ("service", "family"),
        )


def _dropped(measured: Measured) -> Iterator[Metric]:
    totals = measured.counts.totals
    observed = {each.name: each.observed for each in measured.status.services}
    services = {
        key.name: totals.get(key, Tally()) for key in totals if key.counted is Counted.SERVICE
    }
    services = {name: services.get(name, Tally()) for name in {**services, **observed}}
    for unit in ("packets", "bytes"):
        values: dict[tuple[str, ...], float] = {
            (name,): float(tally.packets if unit == "packets" else tally.octets)
            for name, tally in services.items()
        }
        yield _counter(
            f"geofence_denied_{unit}",
            f"{unit.capitalize()} that the fence dropped, or would have if it only observes.",
            values,
            ("service",),
        )
    yield _counter(
        "geofence_denied_country_packets",
        "Packets of noted sources by country; in a flood, a sample. Empty: of no known country.",
        {
            (key.name,): float(tally.packets)
            for key, tally in totals.items()
            if key.counted is Counted.COUNTRY
        },
        ("country",),
    )
    yield _counter(
        "geofence_exception_packets",
        "Packets that exceptions let pass.",
        float(_sum(totals.items(), Counted.EXCEPTION)),
    )
    yield _counter(
        "geofence_ban_packets",
        "Packets that bans dropped.",
        float(_sum(totals.items(), Counted.BANS)),
    )


def _sum(totals: Iterable[tuple[object, Tally]], counted: Counted) -> int:
    return sum(tally.packets for key, tally in totals if getattr(key, "counted", None) is counted)


def _sets(measured: Measured) -> Iterator[Metric]:
    report = measured.status
    yield _gauge("geofence_bans", "Bans that last.", float(measured.bans))
    yield _gauge(
        "geofence_exceptions",
        "Exceptions by whether they are active.",
        {
            ("active",): float(len(report.exceptions.names)),
            ("inactive",): float(len(report.exceptions.inactive)),
            ("disabled",): float(len(report.exceptions_off)),
        },
        ("state",),
    )
    yield _gauge(
        "geofence_set_prefixes",
        "Prefixes in each set of the kernel that the rules fill.",
        {(name,): float(number) for name, number in report.sets.items()},
        ("set",),
    )


def _lists(reports: Iterable[Listed]) -> Iterator[Metric]:
    """Lists by name; those of names in DNS are not among them, since there may be hundreds."""
    shown = [each for each in reports if each.id.kind is not ListKind.HOST]
    yield _gauge(
        "geofence_list_prefixes",
        "Prefixes of the stored list.",
        {
            (str(each.id), str(family)): float(each.extent(family).prefixes)
            for each in shown
            for family in Family
        },
        ("list", "family"),
    )
    yield _gauge(
        "geofence_list_checked_timestamp_seconds",
        "When a source last gave or confirmed the list.",
        {(str(e.id),): e.checked_at.timestamp() for e in shown if e.checked_at is not None},
        ("list",),
    )


def _runs(measured: Measured) -> Iterator[Metric]:
    last, report = measured.status.last, measured.status
    moments: dict[str, tuple[str, datetime | None]] = {
        "geofence_last_run_timestamp_seconds": (
            "When the last run ended.",
            last.at if last else None,
        ),
        "geofence_last_refresh_success_timestamp_seconds": (
            "When the lists were last renewed.",
            measured.last_refresh,
        ),
        "geofence_applied_timestamp_seconds": ("When the fence was applied.", report.applied_at),
        "geofence_counting_since_timestamp_seconds": (
            "Since when the counters count.",
            measured.counts.since,
        ),
    }
    for name, (told, moment) in moments.items():
        if moment is not None:
            yield _gauge(name, told, moment.timestamp())
    yield _gauge(
        "geofence_unresolved_runs",
        "Runs that ended badly and whose cause is not known to be over.",
        float(len(last.unresolved) if last else 0),
    )
    yield _gauge(
        "geofence_refused_lists",
        "Lists of which checks refuse a new version.",
        float(sum(note.kind is NoteKind.LIST_REFUSED for note in report.notes)),
    )
    yield _gauge("geofence_stale_lists", "Stale lists.", float(len(report.stale)))
    yield _gauge(
        "geofence_pending", "Whether a change waits to be confirmed.", float(bool(report.probation))
    )
    yield _counter(
        "geofence_repairs",
        "How often a change by another program was repaired.",
        float(last.healed if last else 0),
    )


_Values = Mapping[tuple[str, ...], float] | float


def _gauge(name: str, told: str, values: _Values, labels: tuple[str, ...] = ()) -> Metric:
    return _filled(GaugeMetricFamily(name, told, labels=labels), values)


def _counter(name: str, told: str, values: _Values, labels: tuple[str, ...] = ()) -> Metric:
    return _filled(CounterMetricFamily(name, told, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: _Values) -> Metric:
    if isinstance(values, float):
        family.add_metric([], values)
    else:
        for names, value in sorted(values.items()):
            family.add_metric(list(names), value)
    return family
