"""Costs of floods taken in turns: what each is above a floor, ratios of neighbours, verdicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import mean, median, quantiles
from typing import NamedTuple

_DOUBT = 0.025
"""On each side of an interval that holds the median with 95 %."""


class Turn(NamedTuple):
    """What a packet took in one flood, and in those of the floor right before and after it."""

    cost: float
    before: float
    after: float

    @property
    def extra(self) -> float:
        """What it is above the floor."""
        return self.cost - mean((self.before, self.after))


@dataclass(frozen=True, slots=True)
class Series:
    """The turns of one subject, round by round; those of a round have a sender in common."""

    rounds: Sequence[Sequence[Turn]]

    @property
    def extra(self) -> float:
        """What it usually takes above the floor."""
        return median(self.each(lambda turn: turn.extra))

    def ratio(self, reference: Series) -> Spread:
        """What it takes above the floor, of what another takes above it."""
        extra: Callable[[Turn], float] = lambda turn: turn.extra  # noqa: E731
        return _ratios(self.each(extra), reference.each(extra))

    def ratio_above(self, floor: Series, reference: Series) -> Spread:
        """The same above another floor, which was flooded in its turn."""
        least, ours, theirs = (each.each(_cost) for each in (floor, self, reference))
        return _ratios(_less(ours, least), _less(theirs, least))

    def each(self, measured: Callable[[Turn], float]) -> list[float]:
        """The mean of each round."""
        return [mean(map(measured, turns)) for turns in self.rounds]


class Spread(NamedTuple):
    """Ratios of many rounds: their median, their middle half, and where the median may be."""

    median: float
    quarter: float
    three_quarters: float
    least: float
    """Least and most: an interval that holds the true median with 95 %."""
    most: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Spread:
        """Of two or more ratios."""
        low, middle, high = quantiles(ratios, method="inclusive")
        return cls(middle, low, high, *interval(ratios))

    def verdict(self, wanted: float) -> str:
        """Whether a goal is met, as far as can be said."""
        if self.most <= wanted:
            return "met"
        return "not met" if self.least > wanted else "within the spread"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the median of what these were drawn from lies with 95 %, whatever its distribution.

    As many of them are below it as a coin, thrown that often, shows heads. Of five or fewer, all
    are too often on one side; then the interval is all of them.
    """
    count, ordered = len(values), sorted(values)
    skipped, likely = 0, 1
    while likely <= _DOUBT * 2**count:
        skipped += 1
        likely += comb(count, skipped)
    at = max(0, skipped - 1)
    return ordered[at], ordered[count - 1 - at]


def _cost(turn: Turn) -> float:
    return turn.cost


def _less(costs: Sequence[float], floor: Sequence[float]) -> list[float]:
    return [cost - least for cost, least in zip(costs, floor, strict=True)]


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    return Spread.of([one / other for one, other in zip(ours, theirs, strict=True)])
