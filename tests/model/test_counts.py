"""What counters of the kernel gained, whatever happened to them in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from geofence.denied.sources import Sources, sent_between
from geofence.model.counts import Counted, CountKey, Counts, Period, Resolution, Tally, gained
from geofence.model.prefixes import Family

SIP = CountKey(Counted.SERVICE, "sip")
NOON = datetime(2026, 11, 26, 12, 34, tzinfo=UTC)


@given(st.lists(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 20)))
def test_gains_add_up_to_what_was_counted_whatever_began_anew(
    steps: list[int], restarts: set[int]
) -> None:
    shown, stood, total = 0, 0, 0
    for at, step in enumerate(steps):
        if at in restarts:  # rules made anew: told, so that the counter stood at nothing
            shown = stood = 0
        shown += step
        more = gained({SIP: Tally(stood, stood)}, {SIP: Tally(shown, shown)})
        total += more.get(SIP, Tally()).packets
        stood = shown
    assert total == sum(steps)


def test_a_counter_that_fell_began_anew() -> None:
    assert gained({SIP: Tally(90, 900)}, {SIP: Tally(7, 70)}) == {SIP: Tally(7, 70)}


def test_what_gained_nothing_is_left_out() -> None:
    assert gained({SIP: Tally(7, 70)}, {SIP: Tally(7, 70)}) == {}


def sources(**packets: int) -> Sources:
    names = sorted(packets)
    counts = [packets[name] for name in names]
    networks = [int(name[1:]) for name in names]
    return Sources("sip", Family.IPV4, networks, counts, [10 * each for each in counts])


def test_sources_that_sent_nothing_since_are_left_out() -> None:
    more = sent_between(sources(n1=5, n2=7), sources(n1=5, n2=9, n3=1))
    assert list(zip(more.networks, more.packets, more.octets, strict=True)) == [
        (2, 2, 20),
        (3, 1, 10),
    ]


def test_a_source_that_was_forgotten_and_noted_again_counts_whole() -> None:
    assert list(sent_between(sources(n1=50), sources(n1=3)).packets) == [3]


def period(resolution: Resolution, ago: timedelta, packets: int) -> Period:
    return Period(resolution.start(NOON - ago), {SIP: Tally(packets, 0, packets)})


def test_lately_counts_hours_within_a_week_and_days_beyond() -> None:
    hours = tuple(period(Resolution.HOUR, timedelta(hours=h), 1) for h in (30, 20, 2, 0))
    days = tuple(period(Resolution.DAY, timedelta(days=d), 100) for d in (90, 20, 0))
    counts = Counts(NOON, NOON, hours, days)
    assert counts.lately(NOON - timedelta(hours=24)) == {SIP: Tally(3, 0, 1)}
    assert counts.lately(NOON - timedelta(hours=24)) == {SIP: Tally(3, 0, 1)}
    assert counts.lately(NOON - timedelta(days=30)) == {SIP: Tally(200, 0, 100)}


def test_hours_and_days_begin_by_utc() -> None:
    assert Resolution.HOUR.start(NOON) == datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert Resolution.DAY.start(NOON) == datetime(2026, 11, 26, tzinfo=UTC)
