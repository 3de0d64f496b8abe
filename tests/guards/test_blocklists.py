"""What a blocklist may take away of what is allowed, in all, once nothing counts that it cannot."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from geofence.geoip.special_prefixes import public_addresses, special_space
from geofence.guards.blocklists import Blocked, check_blocked
from geofence.guards.limits import (
    BLOCKLIST_MOST_GAINED,
    BLOCKLIST_MOST_OF_ALLOWED,
    BLOCKLIST_MOST_OF_COUNTRY,
    MANY_ALLOWED,
)
from geofence.guards.lists import check_list
from geofence.guards.objection import Objection
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from tests.support.values import country, space

DROP = ListId(ListKind.BLOCKLIST, "drop")
SMALL, OTHER, BIG = country("AA"), country("BB"), country("CC")


def block(first: int, size: int) -> AddressSpace:
    """IPv4 addresses from a first octet on."""
    return AddressSpace(PrefixSet(Family.IPV4, (first << 24, (first << 24) + size)))


def said(
    candidate: AddressSpace,
    previous: AddressSpace | None = None,
    countries: dict[ListId, AddressSpace] | None = None,
    spared: AddressSpace | None = None,
) -> list[Objection]:
    nothing = AddressSpace()
    return list(
        check_blocked(Blocked(DROP, candidate, previous, countries or {}, spared or nothing))
    )


THOUSAND = {SMALL: block(20, 1000), OTHER: block(21, 1000)}
MANY = 1 << 28
"""More than a thirtieth of all public addresses."""


def test_what_is_private_counts_for_nothing() -> None:
    firehol = special_space() | space("20.0.0.0/24")
    assert said(firehol, None, {SMALL: block(20, 1 << 16) | space("10.0.0.0/8")}) == []


def test_the_list_that_always_has_private_space_passes_all_checks() -> None:
    written = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "192.168.0.0/16", "224.0.0.0/3")
    firehol = space(*written, "20.0.0.0/24", "31.7.0.0/16")
    broadest = {Family.IPV4: 3}
    japan = {country("JP"): block(20, 1 << 24)}
    for previous in (None, firehol - space("31.7.0.0/17")):
        assert not check_list(DROP, firehol, previous, Policy(), broadest=broadest, allowed=japan)


@pytest.mark.parametrize(("share", "refused"), [(35, False), (36, True)])
@pytest.mark.parametrize("before", [0, 30])
def test_few_allowed_addresses_are_one_country(share: int, refused: bool, before: int) -> None:
    """Neither country loses too much at once, but both together have too little left."""
    lists = [block(20, 10 * n) | block(21, 10 * n) for n in (before, share)]
    found = said(lists[1], lists[0] if before else None, THOUSAND)
    assert bool(found) is refused
    token = "growth=drop" if before else "first-run=drop"
    assert all(each.accept == token for each in found)
    if before and refused:
        assert found[0].saw == (
            "The list blocklist drop would block 36 % of the 2,000 IPv4 addresses that you allow."
        )
        assert found[0].allows.startswith("It may block 35 % of them")


@pytest.mark.parametrize(("share", "refused"), [(9.9, False), (10.1, True)])
def test_of_many_allowed_addresses_a_tenth_may_be_blocked(share: float, refused: bool) -> None:
    assert public_addresses(Family.IPV4) // MANY_ALLOWED < MANY
    gained = int(MANY * share / 100)
    before = block(20, gained - (1 << 20))
    assert bool(said(block(20, gained), before, {BIG: block(20, MANY)})) is refused


def test_many_small_gains_are_a_large_one() -> None:
    steps = [block(20, MANY // 100 * percent) for percent in range(1, 14)]
    allowed = {BIG: block(20, MANY)}
    refused = [bool(said(after, before, allowed)) for before, after in pairwise(steps)]
    assert refused.index(True) == 9
    assert BLOCKLIST_MOST_OF_ALLOWED == 10


def test_what_was_accepted_once_is_meant() -> None:
    lists = [block(20, MANY // 100 * percent) for percent in (12, 13)]
    assert said(lists[1], lists[0], {BIG: block(20, MANY)}) == []


def test_exceptions_and_local_networks_do_not_count() -> None:
    candidate = block(20, 500) | block(21, 200)
    assert said(candidate, None, THOUSAND)
    assert said(candidate, None, THOUSAND, spared=block(20, 500)) == []


def test_a_country_that_loses_too_much_is_named_once() -> None:
    [only] = said(block(20, 900), None, THOUSAND)
    assert "90 % of the 1,000 IPv4 addresses of country AA at once" in only.saw
    assert BLOCKLIST_MOST_OF_COUNTRY == 35


def test_other_lists_have_no_such_check() -> None:
    blocked = Blocked(DROP, block(20, 900), None, THOUSAND, AddressSpace())
    for kind in (ListKind.COUNTRY, ListKind.HOST):
        assert not list(check_blocked(replace(blocked, list=ListId(kind, "drop"))))


def test_whole_countries_that_nobody_allows_are_still_too_much() -> None:
    most = int(public_addresses(Family.IPV4) * BLOCKLIST_MOST_GAINED / 100)
    assert said(block(20, most)) == []
    [only] = said(block(20, most + 100_000))
    assert "of all public addresses" in only.saw
