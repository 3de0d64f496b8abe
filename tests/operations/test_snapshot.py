"""One value of all that is to be seen at a glance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.denied.sources import Group
from geofence.geoip.atlas import make_atlas
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.counts import Counted, CountKey, Counts, Period, Resolution, Tally
from geofence.model.notes import Note, NoteKind
from geofence.model.prefixes import Family
from geofence.operations.denied import DeniedReport
from geofence.operations.exceptions import ExceptionsReport
from geofence.operations.snapshot import (
    CountryShare,
    Health,
    Parts,
    Snapshot,
    health,
    make_snapshot,
    snapshot,
)
from geofence.operations.status import StatusReport
from geofence.state.atlas import StoredAtlas, save_atlas
from geofence.state.outcomes import Ending, RunOutcome
from tests.chaos.ground import ground
from tests.cli.machine import BACKENDS
from tests.support.values import space

NOW = datetime(2026, 11, 26, 12, 34, tzinfo=UTC)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> StatusReport:
    """The status of a fence that is well."""
    with Lab() as lab, ground(tmp_path_factory.mktemp("well"), "nftables", lab) as made:
        made.machine.ok("refresh")
        with lab.pbx.entered():
            return snapshot(made.site).status


def test_a_fence_as_applied_is_well(standing: StatusReport) -> None:
    assert health(standing) is Health.WELL


def test_what_is_not_as_it_should_be_is_told_worst_first(standing: StatusReport) -> None:
    bad = RunOutcome("refresh", Ending.REFUSED, NOW)
    watched = replace(standing, services=(replace(standing.services[0], observed=True),))
    assert health(replace(standing, last=bad)) is Health.ATTENTION
    assert health(replace(standing, stale=(Note(NoteKind.LIST_STALE),))) is Health.ATTENTION
    assert health(replace(watched, last=bad)) is Health.OBSERVED
    assert health(replace(watched, services=())) is Health.DIFFERS
    assert health(replace(watched, generation=None)) is Health.DIFFERS
    assert health(replace(watched, generation=None, unfenced=(Family.IPV6,))) is Health.OPEN


def seen(standing: StatusReport, counts: Counts, *groups: Group) -> Snapshot:
    parts = Parts(standing, DeniedReport(), groups, ExceptionsReport((), ()), (), (), counts)
    return make_snapshot(parts, NOW, NOW - timedelta(days=7))


def test_countries_count_by_the_hour_and_else_by_what_is_noted(standing: StatusReport) -> None:
    tallies = {
        CountKey(Counted.COUNTRY, "DE"): Tally(9, 900, 3),
        CountKey(Counted.COUNTRY, "JP"): Tally(1, 100, 1),
    }
    counts = Counts(NOW, NOW, (Period(Resolution.HOUR.start(NOW), tallies),))
    told = seen(standing, counts, Group("DE", 5, 70), Group("NL", 2, 40), Group(None, 1, 2))
    assert told.countries == (
        CountryShare("NL", 40, 2, allowed=False),
        CountryShare("DE", 9, 5, allowed=False),
        CountryShare(None, 2, 1, allowed=False),
        CountryShare("JP", 1, 1, allowed=True),
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_is_read(backend: str, tmp_path: Path, lab: Lab) -> None:
    with ground(tmp_path, backend, lab) as made:
        made.machine.ok("refresh")
        spaces = {"DE": space("45.9.0.0/16")}
        save_atlas(made.machine.state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        made.machine.ok("allow", "office")
        made.machine.ok("ban", "20.1.2.3", "--for", "1h")
        stranger = Probe(ip_address("45.77.1.1"), PBX[Family.IPV4], Transport.UDP, 5060)
        lab.fire([stranger] * 3)
        with lab.pbx.entered():
            told = snapshot(made.site)
    assert told.health is Health.WELL
    assert told.notes == ()
    assert [each.packets for each in told.denied.rows] == [3]
    assert [(each.code, each.packets) for each in told.countries] == [(None, 3)]
    assert [str(each.ban.prefix.network) for each in told.bans] == [
        str(int(ip_address("20.1.2.3")))
    ]
    assert "office" in {each.exception.name for each in told.exceptions.exceptions if each.active}
    assert len(told.history) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_fence_it_is_open(backend: str, tmp_path: Path, lab: Lab) -> None:
    with ground(tmp_path, backend, lab) as made, lab.pbx.entered():
        told = snapshot(made.site)
    assert told.health is Health.OPEN
    assert not told.denied.rows
    assert not told.countries
    assert not told.history
