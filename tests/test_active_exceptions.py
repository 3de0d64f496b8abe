"""What is in force is what the fence holds, for all services that the exception opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from geofence.active_exceptions import InForce, Waiting, in_force, never_resolved
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from tests.support.values import JAPAN, policy, space

HOST = ListId(ListKind.HOST, "far.example")
FIXED = NamedException("fixed", prefixes=space("203.0.113.0/24", "2001:db8:9::/48"))
FAR = NamedException("far", hosts=(HOST.name,))
FAR_AT = {HOST: space("203.0.113.7/32")}
NOT_APPLIED = "not applied yet; 'geofence apply' does it"


def ruled(*exceptions: NamedException) -> Policy:
    return policy(exceptions=exceptions)


def found(
    applied: Policy,
    now: Policy,
    *,
    lists: Mapping[ListId, AddressSpace] | None = None,
    lists_applied: Mapping[ListId, AddressSpace] | None = None,
) -> InForce:
    """What is in force of the rules of now where those of then were applied."""
    sets = merge(applied, {**JAPAN, **(lists_applied or {})}).sets
    return in_force(now, lists or {}, sets)


def waiting(name: str, why: str) -> InForce:
    return InForce((), (Waiting(name, why),))


def test_what_was_applied_is_in_force() -> None:
    rules = ruled(FIXED)
    assert found(rules, rules) == InForce(("fixed",))


def test_one_family_alone_is_not_enough() -> None:
    half = replace(FIXED, prefixes=space("203.0.113.0/24"))
    assert found(ruled(half), ruled(FIXED)) == waiting("fixed", NOT_APPLIED)


def test_one_service_of_two_is_not_enough() -> None:
    half = replace(FIXED, services=("sip",))
    assert found(ruled(half), ruled(FIXED)) == waiting("fixed", NOT_APPLIED)
    assert found(ruled(half), ruled(half)) == InForce(("fixed",))


def test_services_that_are_not_fenced_do_not_count() -> None:
    elsewhere = replace(FIXED, services=("web",))
    why = "no service that it opens is fenced"
    assert found(ruled(elsewhere), ruled(elsewhere)) == waiting("fixed", why)


def test_a_host_name_is_in_force_with_the_addresses_that_it_stands_for() -> None:
    rules = ruled(FAR)
    assert found(rules, rules, lists=FAR_AT, lists_applied=FAR_AT) == InForce(("far",))
    assert found(rules, rules, lists=FAR_AT) == waiting("far", NOT_APPLIED)


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (("a.example",), "its host name a.example was"),
        (("a.example", "b.example"), "its host names a.example, b.example were"),
    ],
)
def test_host_names_that_were_never_resolved_are_named(hosts: tuple[str, ...], said: str) -> None:
    rules = ruled(replace(FAR, hosts=hosts))
    why = f"{said} never resolved; 'geofence refresh' tries again"
    assert found(rules, rules) == waiting("far", why)


def test_one_that_is_off_by_now_is_in_force_until_the_rules_are_applied() -> None:
    off = replace(FIXED, enabled=False)
    assert found(ruled(FIXED), ruled(off)) == InForce(("fixed",))
    assert found(ruled(off), ruled(off)) == InForce()


def test_one_that_is_off_is_not_in_force_because_others_let_the_same_in() -> None:
    off = NamedException("off", prefixes=space("203.0.113.7/32"), enabled=False)
    rules = ruled(FIXED, off)
    assert found(rules, rules) == InForce(("fixed",))


NEVER = (
    "The exception {} does not let in {}, never resolved so far: run 'geofence refresh' where DNS "
    "answers, or write the addresses into last_known."
)


def test_host_names_that_were_never_resolved_are_told_beside_what_is_let_in() -> None:
    two = replace(FAR, name="two", hosts=(HOST.name, "a.example", "b.example"))
    mixed = replace(FAR, name="mixed", prefixes=FIXED.prefixes)
    assert never_resolved((FIXED, FAR, mixed, two), {}) == (
        NEVER.format("far", "far.example"),
        NEVER.format("mixed", "far.example"),
        NEVER.format("two", "far.example, a.example, b.example"),
    )
    assert never_resolved((FIXED, FAR, mixed, two), FAR_AT) == (
        NEVER.format("two", "a.example, b.example"),
    )


def test_all_for_which_last_known_stands_in_are_one_sentence() -> None:
    known = replace(FAR, last_known=space("203.0.113.9/32"))
    some = [replace(known, name=name) for name in ("one", "other")]
    stand_in = (
        "last_known stands in for host names that were never resolved (one, other): run "
        "'geofence refresh' where DNS answers."
    )
    assert never_resolved((*some, FAR), {}) == (NEVER.format("far", "far.example"), stand_in)
    assert never_resolved(some, FAR_AT) == ()
