"""Counts over time after real packets: through refreshes, reboots and changes of backend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from geofence.geoip.atlas import make_atlas
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.counts import Counted, CountKey, Counts
from geofence.model.notes import NoteKind
from geofence.model.prefixes import Family
from geofence.operations.counts import keep_sources, read_counts
from geofence.state.atlas import StoredAtlas, save_atlas
from tests.chaos.ground import Ground, ground
from tests.cli.machine import BACKENDS
from tests.support.values import space

ALLOWED, STRANGER, OTHER = "133.1.2.3", "45.9.1.1", "20.1.2.3"
SIP = CountKey(Counted.SERVICE, "sip")


@pytest.fixture(params=BACKENDS)
def fenced(request: pytest.FixtureRequest, tmp_path: Path, lab: Lab) -> Iterator[Ground]:
    """A PBX with a fence and a world index."""
    with ground(tmp_path, request.param, lab) as made:
        made.machine.ok("refresh")
        spaces = {"DE": space("45.9.0.0/16"), "NL": space("20.0.0.0/8")}
        save_atlas(made.machine.state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        yield made


def knock(fenced: Ground, source: str, times: int) -> None:
    fenced.lab.fire([Probe(ip_address(source), PBX[Family.IPV4], Transport.UDP, 5060)] * times)


def counts(fenced: Ground) -> Counts:
    found, notes = read_counts(fenced.site)
    assert notes == ()
    return found


def dropped(fenced: Ground) -> int:
    return counts(fenced).totals[SIP].packets


def look(fenced: Ground, later: timedelta = timedelta()) -> None:
    """Look at noted sources, as a repair does so much later."""
    with fenced.lab.pbx.entered():
        assert keep_sources(fenced.site, now=datetime.now(UTC) + later) == ()


def test_no_packet_is_lost_by_new_rules_a_reboot_or_another_backend(fenced: Ground) -> None:
    machine = fenced.machine
    knock(fenced, STRANGER, 3)
    machine.rule("61-more.toml", '[service.sip]\nports = ["5060/udp", "5070/udp"]\n')
    machine.ok("apply")
    knock(fenced, STRANGER, 4)
    machine.ok("--backend", ({*BACKENDS} - {machine.backend}).pop(), "apply")
    assert dropped(fenced) == 7
    knock(fenced, STRANGER, 5)
    machine.ok("apply")
    assert dropped(fenced) == 12
    machine.clear()
    machine.ok("restore")
    knock(fenced, STRANGER, 6)
    machine.rule("61-more.toml", '[service.sip]\nports = ["5060/udp"]\n')
    machine.ok("apply")
    knock(fenced, STRANGER, 7)
    machine.ok("remove")
    assert dropped(fenced) == 25


def test_repair_looks_at_sources_by_family_and_country(fenced: Ground) -> None:
    look(fenced)
    knock(fenced, STRANGER, 3)
    knock(fenced, OTHER, 2)
    knock(fenced, ALLOWED, 1)
    look(fenced, timedelta(minutes=11))
    knock(fenced, STRANGER, 5)
    look(fenced, timedelta(minutes=22))
    totals = counts(fenced).totals
    assert totals[CountKey(Counted.COUNTRY, "DE")].packets == 8
    assert totals[CountKey(Counted.COUNTRY, "NL")].packets == 2
    assert totals[CountKey(Counted.COUNTRY, "DE")].octets > 8 * 28
    assert totals[CountKey(Counted.SOURCES, "sip", Family.IPV4)].packets == 10
    # A day may have begun since: then neither has seen both.
    days = [
        each.tallies.get(CountKey(Counted.SOURCES, "sip", Family.IPV4))
        for each in counts(fenced).days
    ]
    assert len(days) == 2 or [each and each.sources for each in days] == [2]


def test_sources_are_read_at_most_every_ten_minutes(fenced: Ground) -> None:
    look(fenced)
    knock(fenced, STRANGER, 3)
    look(fenced, timedelta(minutes=9))
    assert CountKey(Counted.COUNTRY, "DE") not in counts(fenced).totals


def test_exceptions_and_bans_are_counted(fenced: Ground) -> None:
    fenced.machine.ok("allow", "office")
    fenced.machine.ok("ban", OTHER, "--for", "1h")
    look(fenced)
    knock(fenced, STRANGER, 3)
    knock(fenced, OTHER, 4)
    look(fenced, timedelta(minutes=11))
    totals = counts(fenced).totals
    assert totals[CountKey(Counted.EXCEPTION, "office")].packets >= 1
    assert totals[CountKey(Counted.BANS)].packets == 4
    assert totals[CountKey(Counted.BANS)].sources == 1


def test_a_damaged_database_is_put_aside_and_told(fenced: Ground) -> None:
    path = fenced.machine.state / "counts.sqlite"
    path.write_bytes(b"no database")
    path.chmod(0o600)
    told = fenced.machine.ok("repair", "--json").json
    kinds = {each["kind"] for each in told["note_facts"]}
    assert NoteKind.COUNTS_BEGUN_ANEW in kinds
    assert path.with_name("counts.sqlite.damaged").read_bytes() == b"no database"
    assert counts(fenced).since is not None


def test_a_disk_without_room_for_counts_is_no_failure(fenced: Ground) -> None:
    path = fenced.machine.state / "counts.sqlite"
    path.unlink(missing_ok=True)
    path.mkdir()
    told = fenced.machine.ok("repair", "--json").json
    assert NoteKind.COUNTS_NOT_KEPT in {each["kind"] for each in told["note_facts"]}
    fenced.assert_fenced()
