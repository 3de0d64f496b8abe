"""Bad lists of every size: how many pass is held against what passed before (see limits.py)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from geofence.guards.lists import check_list
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet

JP = ListId(ListKind.COUNTRY, "JP")
LISTS = 40
SIZES = {"small": (20, 40), "medium": (40, 400), "large": (400, 3_000)}
"""Prefixes of a list, least and most."""

Lines = list[Prefix]


def made(dice: Random, least: int, most: int) -> Lines:
    """A list as registries make them: some blocks of prefixes, some neighbours, in order."""
    count = dice.randint(least, most)
    found: set[Prefix] = set()
    while len(found) < count:
        length = dice.choice((16, 19, 20, 22, 22, 22, 23, 24, 24))
        network = dice.randrange(20 << 24, 99 << 24) >> (32 - length) << (32 - length)
        found.add(Prefix(Family.IPV4, network, length))
    return sorted(found, key=lambda prefix: (prefix.network, prefix.length))


def space(lines: Lines) -> AddressSpace:
    return AddressSpace(PrefixSet.of(Family.IPV4, lines))


def cut(percent: int) -> Callable[[Random, Lines], Lines]:
    return lambda _, lines: lines[: max(1, len(lines) * percent // 100)]


def with_slash_8(dice: Random, lines: Lines) -> Lines:
    return [*lines, Prefix(Family.IPV4, dice.randrange(201, 223) << 24, 8)]


def passing(spoil: Callable[[Random, Lines], Lines]) -> float:
    """Share of the bad lists that no guard objects to."""
    dice = Random(20261125)  # noqa: S311 - reproducible, not secret
    passed = 0
    for least, most in SIZES.values():
        for _ in range(LISTS):
            lines = made(dice, least, most)
            bad = space(spoil(dice, lines))
            passed += not check_list(JP, bad, space(lines), Policy()) and bad != space(lines)
    return passed / (LISTS * len(SIZES))


@pytest.mark.parametrize(
    ("percent", "before"), [(95, 161), (90, 137), (80, 90), (61, 36), (50, 22), (10, 0)]
)
def test_fewer_lists_that_were_cut_short_pass_than_before(percent: int, before: int) -> None:
    share = before / 260
    assert passing(cut(percent)) <= share * 0.75


def test_no_list_with_a_slash_8_added_passes() -> None:
    assert passing(with_slash_8) == 0


def test_good_lists_pass() -> None:
    dice = Random(1)  # noqa: S311 - reproducible, not secret
    for least, most in SIZES.values():
        lines = made(dice, least, most)
        assert not check_list(JP, space(lines), space(lines), Policy())
