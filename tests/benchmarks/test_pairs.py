"""What is made of floods: ratios of neighbours, their spread, and verdicts."""

from __future__ import annotations

import pytest

from benchmarks.pairs import Series, Spread, Turn, interval


@pytest.mark.parametrize(
    ("count", "first", "last"), [(2, 0, 1), (5, 0, 4), (6, 0, 5), (10, 1, 8), (20, 5, 14)]
)
def test_the_interval_of_the_median_is_that_of_the_tables(
    count: int, first: int, last: int
) -> None:
    assert interval(list(range(count))[::-1]) == (first, last)


def test_a_ratio_is_of_what_is_above_the_floors_beside_it() -> None:
    slow_floor, fast_floor = (100.0, 120.0), (10.0, 10.0)
    reference = Series([[Turn(310.0, *slow_floor)], [Turn(210.0, *fast_floor)]])
    ours = Series([[Turn(210.0, *slow_floor)], [Turn(110.0, *fast_floor)]])
    assert ours.ratio(reference) == Spread.of([0.5, 0.5])
    assert ours.extra == 100.0


def test_turns_of_a_round_count_as_one() -> None:
    ours = Series([[Turn(1.0, 0.0, 0.0), Turn(3.0, 0.0, 0.0)], [Turn(4.0, 0.0, 0.0)]])
    reference = Series([[Turn(2.0, 0.0, 0.0)], [Turn(2.0, 0.0, 0.0)]])
    assert ours.ratio(reference) == Spread.of([1.0, 2.0])


def test_another_floor_is_taken_off_both() -> None:
    floor, ours, reference = (Series([[Turn(cost, 0.0, 0.0)]] * 2) for cost in (10.0, 60.0, 110.0))
    assert ours.ratio_above(floor, reference) == Spread.of([0.5, 0.5])


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [(1.3, "met"), (1.1, "within the spread"), (1.0, "within the spread"), (0.9, "not met")],
)
def test_a_goal_is_met_or_not_only_outside_the_spread(wanted: float, verdict: str) -> None:
    assert Spread.of([1.0, 1.1, 1.2]).verdict(wanted) == verdict
