from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from geofence.fetch.dns import Resolution
from geofence.fetch.grace import Allowed, settle
from geofence.model.lists import MOST_ADDRESSES, DroppedAddress
from geofence.model.prefixes import Family

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FIRST, SECOND, SIXTH = "192.0.2.1", "192.0.2.2", "2001:db8::6"


def state(allowed: Allowed) -> dict[str, datetime | None]:
    """What the next answer is settled against."""
    dropped = {each.address: each.since for each in allowed.dropped}
    return {each: dropped.get(each) for each in allowed.addresses}


def test_an_address_that_drops_out_stays_for_the_grace_time() -> None:
    after = settle({FIRST: None}, Resolution((SECOND,)), NOON, HOUR)
    assert after == Allowed((FIRST, SECOND), (DroppedAddress(FIRST, NOON),))
    later = settle(state(after), Resolution((SECOND,)), NOON + HOUR - MINUTE, HOUR)
    assert later == after
    assert settle(state(later), Resolution((SECOND,)), NOON + HOUR, HOUR) == Allowed((SECOND,))


def test_one_that_comes_back_is_as_good_as_new() -> None:
    dropped: dict[str, datetime | None] = {FIRST: NOON, SECOND: None}
    back = settle(dropped, Resolution((FIRST,)), NOON + 59 * MINUTE, HOUR)
    assert back.dropped == (DroppedAddress(SECOND, NOON + 59 * MINUTE),)
    assert state(settle(state(back), Resolution((FIRST,)), NOON + 2 * HOUR, HOUR)) == {FIRST: None}


def test_without_grace_it_goes_at_once() -> None:
    assert settle({FIRST: None}, Resolution((SECOND,)), NOON, timedelta()) == Allowed((SECOND,))


def test_a_family_that_dns_cannot_tell_stays_as_it_was() -> None:
    known: dict[str, datetime | None] = {FIRST: None, SIXTH: None, "2001:db8::7": NOON - 2 * HOUR}
    answer = Resolution((SECOND,), (), frozenset({Family.IPV6}))
    after = settle(known, answer, NOON, timedelta())
    assert after.addresses == (SECOND, SIXTH, "2001:db8::7")
    assert after.dropped == (DroppedAddress("2001:db8::7", NOON - 2 * HOUR),)


def test_a_clock_that_was_set_back_does_not_prolong_the_grace() -> None:
    known: dict[str, datetime | None] = {FIRST: NOON + 10 * HOUR}
    after = settle(known, Resolution((SECOND,)), NOON, HOUR)
    assert after.dropped == (DroppedAddress(FIRST, NOON),)


def test_answers_that_rotate_become_their_union() -> None:
    pool = [f"192.0.2.{n}" for n in range(8)]
    known: dict[str, datetime | None] = {}
    for turn in range(12):
        answer = Resolution(tuple(pool[turn * 2 % 8 : turn * 2 % 8 + 2]))
        known = state(settle(known, answer, NOON + turn * MINUTE, HOUR))
        if turn >= 3:
            assert set(known) == set(pool)


def test_of_too_many_those_go_first_that_were_missing_first() -> None:
    known: dict[str, datetime | None] = {
        f"192.0.2.{n}": NOON - n * MINUTE for n in range(1, MOST_ADDRESSES)
    }
    answer = Resolution(tuple(sorted(f"198.51.100.{n}" for n in range(10))))
    after = settle(known, answer, NOON, 10 * HOUR)
    assert len(after.addresses) == MOST_ADDRESSES
    assert set(answer.ipv4) < set(after.addresses)
    assert {each.address for each in after.dropped} == {f"192.0.2.{n}" for n in range(1, 55)}


addresses = st.sampled_from(
    [f"192.0.2.{n}" for n in range(50)] + [f"2001:db8::{n}" for n in range(50)]
)
moments = st.none() | st.integers(-200, 10).map(lambda minutes: NOON + minutes * MINUTE)
answers = st.builds(
    lambda found, unknown: Resolution(
        tuple(sorted(each for each in found if ":" not in each)),
        tuple(sorted(each for each in found if ":" in each)),
        frozenset(unknown),
    ),
    st.sets(addresses, min_size=1, max_size=MOST_ADDRESSES),
    st.sets(st.sampled_from(Family)),
)


@given(st.dictionaries(addresses, moments, max_size=64), answers, st.integers(0, 180))
def test_what_is_allowed_is_the_answer_and_nothing_that_was_not_known(
    known: dict[str, datetime | None], answer: Resolution, minutes: int
) -> None:
    grace = minutes * MINUTE
    after = settle(known, answer, NOON, grace)
    assert set(answer.addresses) <= set(after.addresses) <= set(answer.addresses) | set(known)
    assert len(after.addresses) == len(set(after.addresses)) <= MOST_ADDRESSES
    dropped = {each.address for each in after.dropped}
    assert dropped <= set(after.addresses) - set(answer.addresses)
    assert all(each.since <= NOON for each in after.dropped)
    if not answer.unknown:
        assert dropped == set(after.addresses) - set(answer.addresses)
        assert all(NOON - each.since < grace for each in after.dropped)
        assert set(state(settle(state(after), answer, NOON + grace, grace))) == set(
            answer.addresses
        )
