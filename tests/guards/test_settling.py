"""Refusals end: by a return, a witness, or time; played day by day, as the real ones went."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime

import pytest

from geofence.guards.objection import Guard, Objection, Yields
from geofence.guards.settling import Disposition, Refusal, agrees, disposition, moved
from geofence.lists.parsed import FamilyFacts, ParsedList
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from tests.histories.replay import DAY, Replay
from tests.support.values import space

START = datetime(2026, 1, 1, tzinfo=UTC)


def blocks(first: int, count: int, size: int) -> AddressSpace:
    """So many blocks of addresses with a hole after each."""
    firsts = [first + 2 * size * number for number in range(count)]
    pasts = [each + size for each in firsts]
    return AddressSpace(PrefixSet.of_ranges(Family.IPV4, firsts, pasts))


@dataclass
class Daily:
    """One country's list, refreshed each day; the witness serves the same as the source."""

    code: str
    first: InitVar[AddressSpace]
    witness: InitVar[bool] = True
    now: datetime = START
    replay: Replay = field(init=False)

    def __post_init__(self, first: AddressSpace, witness: bool) -> None:
        self.replay = Replay(mirror=witness)
        self.serve(first)

    @property
    def accepted(self) -> AddressSpace:
        """What is in force."""
        return self.replay.accepted[ListId(ListKind.COUNTRY, self.code)]

    def serve(self, candidate: AddressSpace) -> bool:
        """A day passes; whether the list that is served then is taken."""
        self.now += DAY
        served = ParsedList(candidate, FamilyFacts(), FamilyFacts())
        self.replay.day(self.now, {ListId(ListKind.COUNTRY, self.code): served})
        return self.accepted == candidate

    def days_until_taken(self, candidate: AddressSpace, most: int = 60) -> int | None:
        return next((day for day in range(1, most) if self.serve(candidate)), None)


JAPAN = blocks(0x85000000, 100, 1 << 16)
"""6,553,600 addresses; a /8's worth of holes between."""


@pytest.mark.parametrize("code", ["JP", "US", "DE", "GB", "FR"])
def test_a_transfer_that_lasts_settles_within_a_fortnight(code: str) -> None:
    """JP lost 7.17 % to AU on 2020-03-25, and would have been stuck for 5.4 years."""
    daily = Daily(code, JAPAN)
    fewer = JAPAN - blocks(0x85000000 + 40 * (1 << 17), 8, 1 << 16)
    assert daily.days_until_taken(fewer) == 8
    assert daily.serve(fewer)


def test_without_a_witness_it_stays_refused() -> None:
    daily = Daily("JP", JAPAN, witness=False)
    fewer = JAPAN - blocks(0x85000000 + 40 * (1 << 17), 8, 1 << 16)
    assert daily.days_until_taken(fewer) is None


def test_one_that_changes_every_day_does_not_settle() -> None:
    daily = Daily("JP", JAPAN)
    fewer = JAPAN - blocks(0x85000000 + 40 * (1 << 17), 8, 1 << 16)
    taken = [daily.serve(fewer | space(f"1.0.{day % 2}.0/24")) for day in range(20)]
    assert not any(taken)


def test_an_inflation_that_is_undone_does_not_lock_itself_in() -> None:
    """ES held a /11 too many for 1,532 days, since the repair looked like a loss."""
    daily = Daily("ES", JAPAN)
    inflated = JAPAN | space("20.0.0.0/11")
    assert daily.serve(inflated), "both mirrors have the publisher's mistake"
    for _ in range(9):
        assert daily.serve(inflated)
    assert daily.serve(JAPAN), "back at a version of the last fortnight"


def test_an_inflation_that_one_mirror_alone_has_is_never_taken() -> None:
    daily = Daily("JP", JAPAN, witness=False)
    inflated = JAPAN | space("20.0.0.0/8", "21.0.0.0/8", "22.0.0.0/8")
    assert daily.days_until_taken(inflated) is None
    assert daily.serve(JAPAN)


def test_small_steps_do_not_reach_all_of_ipv4() -> None:
    daily = Daily("JP", JAPAN, witness=False)
    grown, number = JAPAN, 0
    while number < 200 and daily.serve(grown):
        number += 1
        grown |= blocks(0x14000000 + number * (1 << 20), 4, 1 << 16)
    assert number < 200
    assert daily.accepted.ipv4.size < 2 * JAPAN.ipv4.size


def test_an_objection_that_never_yields_does_not_settle() -> None:
    daily = Daily("JP", JAPAN)
    assert daily.days_until_taken(JAPAN | space("10.0.0.0/16")) is None


def objection(yields: Yields) -> Objection:
    return Objection(Guard.SHRINK, "country JP", "", "", "shrink=JP", yields=yields)


@pytest.mark.parametrize(
    ("yields", "in_force_days_ago", "same_for_days", "expected"),
    [
        ([Yields.NEVER], 1, 99, Disposition.REFUSED),
        ([Yields.IN_TIME, Yields.NEVER], 1, 99, Disposition.REFUSED),
        ([Yields.IN_TIME], 14, 0, Disposition.RETURNED),
        ([Yields.IN_TIME], 15, 0, Disposition.REFUSED),
        ([Yields.IN_TIME], None, 6, Disposition.REFUSED),
        ([Yields.IN_TIME], None, 7, Disposition.ASK),
        ([Yields.TO_WITNESS], None, 0, Disposition.ASK),
        ([Yields.TO_WITNESS, Yields.IN_TIME], None, 0, Disposition.REFUSED),
    ],
)
def test_each_objection_yields_to_its_own_end(
    yields: list[Yields], in_force_days_ago: int | None, same_for_days: int, expected: Disposition
) -> None:
    then = None if in_force_days_ago is None else START - in_force_days_ago * DAY
    refusal = Refusal("x", START - same_for_days * DAY, START - same_for_days * DAY)
    assert disposition(map(objection, yields), then, refusal, START) is expected


def test_a_witness_must_confirm_the_change_only() -> None:
    before, after = space("20.0.0.0/16"), space("20.0.0.0/17", "21.0.0.0/16")
    assert agrees(after | space("99.0.0.0/8"), before, after)
    assert not agrees(after | before, before, after)
    assert not agrees(space("20.0.0.0/17"), before, after)


def test_a_loss_has_moved_where_another_country_holds_it() -> None:
    before, after = space("20.0.0.0/16"), space("20.0.0.0/17")
    assert moved(before, after, [space("20.0.128.0/17")])
    assert not moved(before, after, [space("20.0.192.0/18")])
    assert not moved(before, after | space("21.0.0.0/16"), [space("20.0.128.0/17")])
