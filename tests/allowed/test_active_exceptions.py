"""An exception is active if the fence holds it, for all services that it opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from geofence.allowed.active_exceptions import (
    ActiveExceptions,
    Inactive,
    Obstacle,
    active_exceptions,
    never_resolved,
)
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from tests.support.values import JAPAN, policy, space

HOST = ListId(ListKind.HOST, "far.example")
FIXED = NamedException("fixed", prefixes=space("203.0.113.0/24", "2001:db8:9::/48"))
FAR = NamedException("far", hosts=(HOST.name,))
FAR_AT = {HOST: space("203.0.113.7/32")}


def ruled(*exceptions: NamedException) -> Policy:
    return policy(exceptions=exceptions)


def found(
    applied: Policy,
    now: Policy,
    *,
    lists: Mapping[ListId, AddressSpace] | None = None,
    lists_applied: Mapping[ListId, AddressSpace] | None = None,
) -> ActiveExceptions:
    """Return which exceptions of the present rules are active where others were applied."""
    sets = merge(applied, {**JAPAN, **(lists_applied or {})}).sets
    return active_exceptions(now, lists or {}, sets)


def inactive(name: str, obstacle: Obstacle, *hosts: str) -> ActiveExceptions:
    return ActiveExceptions((), (Inactive(name, obstacle, hosts),))


def test_applied_exceptions_are_active() -> None:
    rules = ruled(FIXED)
    assert found(rules, rules) == ActiveExceptions(("fixed",))


def test_an_exception_allowed_in_one_family_only_is_inactive() -> None:
    half = replace(FIXED, prefixes=space("203.0.113.0/24"))
    assert found(ruled(half), ruled(FIXED)) == inactive("fixed", Obstacle.NOT_APPLIED)


def test_an_exception_allowed_for_one_of_two_services_is_inactive() -> None:
    half = replace(FIXED, services=("sip",))
    assert found(ruled(half), ruled(FIXED)) == inactive("fixed", Obstacle.NOT_APPLIED)
    assert found(ruled(half), ruled(half)) == ActiveExceptions(("fixed",))


def test_unfenced_services_do_not_count() -> None:
    elsewhere = replace(FIXED, services=("web",))
    assert found(ruled(elsewhere), ruled(elsewhere)) == inactive("fixed", Obstacle.NO_SERVICE)


def test_a_host_name_is_active_with_its_resolved_addresses() -> None:
    rules = ruled(FAR)
    assert found(rules, rules, lists=FAR_AT, lists_applied=FAR_AT) == ActiveExceptions(("far",))
    assert found(rules, rules, lists=FAR_AT) == inactive("far", Obstacle.NOT_APPLIED, HOST.name)


def test_host_names_that_have_never_resolved_are_named() -> None:
    hosts = ("a.example", "b.example")
    rules = ruled(replace(FAR, hosts=hosts))
    assert found(rules, rules) == inactive("far", Obstacle.UNRESOLVED, *hosts)


def test_a_disabled_exception_is_active_until_the_rules_are_applied() -> None:
    off = replace(FIXED, enabled=False)
    assert found(ruled(FIXED), ruled(off)) == ActiveExceptions(("fixed",))
    assert found(ruled(off), ruled(off)) == ActiveExceptions()


def test_a_disabled_exception_is_inactive_though_another_allows_the_same() -> None:
    off = NamedException("off", prefixes=space("203.0.113.7/32"), enabled=False)
    rules = ruled(FIXED, off)
    assert found(rules, rules) == ActiveExceptions(("fixed",))


def unresolved(name: str, *hosts: str) -> Note:
    return Note(NoteKind.EXCEPTION_UNRESOLVED, name, {"hosts": list(hosts)})


def test_unresolved_host_names_are_reported_beside_allowed_prefixes() -> None:
    two = replace(FAR, name="two", hosts=(HOST.name, "a.example", "b.example"))
    mixed = replace(FAR, name="mixed", prefixes=FIXED.prefixes)
    assert never_resolved((FIXED, FAR, mixed, two), {}) == (
        unresolved("far", "far.example"),
        unresolved("mixed", "far.example"),
        unresolved("two", "far.example", "a.example", "b.example"),
    )
    assert never_resolved((FIXED, FAR, mixed, two), FAR_AT) == (
        unresolved("two", "a.example", "b.example"),
    )


def test_all_exceptions_on_last_known_share_one_note() -> None:
    known = replace(FAR, last_known=space("203.0.113.9/32"))
    some = [replace(known, name=name) for name in ("one", "other")]
    stand_in = Note(NoteKind.LAST_KNOWN_USED, "", {"exceptions": ["one", "other"]})
    assert never_resolved((*some, FAR), {}) == (unresolved("far", "far.example"), stand_in)
    assert never_resolved(some, FAR_AT) == ()


def test_one_until_a_time_is_active_until_then_though_no_declared_set_has_it() -> None:
    until = datetime(2026, 11, 26, 12, tzinfo=UTC)
    timed = ruled(replace(FIXED, until=until), replace(FAR, until=until))
    unresolved_host = inactive("far", Obstacle.UNRESOLVED, HOST.name)
    assert found(timed, timed) == replace(unresolved_host, names=("fixed",))
    ended = timed.at(until)
    assert found(ended, ended) == ActiveExceptions()
    assert active_exceptions(timed, {}, None).inactive[0].obstacle is Obstacle.NO_FENCE
