"""Counts over time on disk."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geofence.denied.sources import Sources
from geofence.errors import StateError
from geofence.model.counts import Counted, CountKey, Counts, Resolution, Tally
from geofence.model.prefixes import Family
from geofence.state.counts import CountStore, DamagedCountsError, Look

NOON = datetime(2026, 11, 26, 12, 34, tzinfo=UTC)
SIP = CountKey(Counted.SERVICE, "sip")
JP6 = CountKey(Counted.SOURCES, "sip", Family.IPV6)


def add(store: CountStore, at: datetime, packets: int, sources: int = 0) -> None:
    tallies = {SIP: Tally(packets, 10 * packets), JP6: Tally(1, 1, sources)}
    store.add(Look(at, "boot", tallies), dict.fromkeys((*Resolution, None), tallies))


def test_nothing_was_counted_where_nothing_is(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    assert store.read() == Counts()
    assert store.last() == Look()
    assert store.sources() == ()
    assert list(tmp_path.iterdir()) == []


def test_gains_of_one_hour_add_up(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    add(store, NOON, 5, sources=7)
    add(store, NOON + timedelta(minutes=20), 6, sources=3)
    add(store, NOON + timedelta(minutes=40), 1, sources=4)
    counts = store.read()
    assert (counts.since, counts.until) == (NOON, NOON + timedelta(minutes=40))
    assert [each.start.hour for each in counts.hours] == [12, 13]
    assert counts.hours[0].tallies == {SIP: Tally(11, 110), JP6: Tally(2, 2, 7)}
    assert [each.tallies[SIP].packets for each in counts.days] == [12]
    assert counts.totals == {SIP: Tally(12, 120), JP6: Tally(3, 3, 7)}


def test_hours_are_kept_for_a_week_and_days_for_a_year(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    for days in (400, 300, 8, 6, 0):
        add(store, NOON - timedelta(days=days), 1)
    counts = store.read()
    assert len(counts.hours) == 2
    assert len(counts.days) == 4
    assert counts.totals[SIP].packets == 5
    assert counts.since == NOON - timedelta(days=400)


def test_the_last_look_is_remembered(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    seen = [
        Sources("sip", Family.IPV4, [1, 2**32 - 1], [3, 2**63], [4, 5]),
        Sources("rtp", Family.IPV6, [0x2400_0000_0000_0001 << 64], [1], [2]),
    ]
    look = Look(NOON, "boot", {SIP: Tally(3, 4)}, NOON)
    store.add(look, {}, seen)
    assert CountStore(tmp_path).last() == look
    assert sorted(store.sources()) == sorted(each._replace(first=(), last=()) for each in seen)
    store.add(Look(NOON, "boot", {}, NOON), {})
    assert len(store.sources()) == 2  # not read this time
    assert store.last().tallies == {}


def test_others_cannot_read_it(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    add(store, NOON, 1)
    assert store.path.stat().st_mode & 0o077 == 0


def test_one_that_others_could_have_written_is_not_believed(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    add(store, NOON, 1)
    store.path.chmod(0o666)
    with pytest.raises(StateError, match=r"counts\.sqlite"):
        store.read()


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_one_is_told_and_can_be_put_aside(tmp_path: Path, content: bytes) -> None:
    store = CountStore(tmp_path)
    store.path.write_bytes(content)
    store.path.chmod(0o600)
    with pytest.raises(DamagedCountsError, match="damaged"):
        store.read()
    assert store.put_aside().read_bytes() == content
    add(store, NOON, 1)
    assert store.read().totals[SIP].packets == 1


def test_values_of_no_version_are_damage(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    add(store, NOON, 1)
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE tally SET counted = 'moons'")
    with pytest.raises(DamagedCountsError):
        store.read()


def test_what_is_written_halfway_is_not_there(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    add(store, NOON, 1)
    gains = {Resolution.HOUR: {SIP: Tally(9)}, None: {SIP: Tally(2**70)}}
    with pytest.raises(StateError):
        store.add(Look(NOON, "boot", {SIP: Tally(9, 9)}), gains)
    assert store.read().totals[SIP].packets == 1
    assert store.last().tallies[SIP].packets == 1


def test_what_two_processes_found_out_at_once_is_added_once(tmp_path: Path) -> None:
    one, other = CountStore(tmp_path), CountStore(tmp_path)
    add(one, NOON, 5)
    known = one.last()
    tallies = {SIP: Tally(2, 20)}
    gains = dict.fromkeys((*Resolution, None), tallies)
    later = Look(NOON + timedelta(minutes=1), "boot", {SIP: Tally(7, 70)})
    assert other.add(later, gains, after=known)
    before = one.read()
    assert not one.add(later._replace(at=NOON + timedelta(minutes=2)), gains, after=known)
    assert one.read() == before
    assert one.last() == later
    assert one.add(Look(NOON + timedelta(hours=1), "boot"), {}, after=one.last())


def test_the_first_look_comes_after_none(tmp_path: Path) -> None:
    store = CountStore(tmp_path)
    first = Look(NOON, "boot", {SIP: Tally(7, 70)})
    assert store.add(first, {}, after=store.last())
    assert not store.add(first, {}, after=Look())
