"""What becomes of a ruleset, and when, as names get other addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.merge import merge
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.names import LATEST, SOONEST, amended, due_at
from tests.support.values import JAPAN, policy, space

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
A, B = (ListId(ListKind.HOST, f"{name}.example") for name in "ab")
C = ListId(ListKind.SRV, "_sip._udp.c.example")

spaces = st.sets(st.integers(0, 15), max_size=6).map(
    lambda numbers: space(*(f"203.0.113.{number}/32" for number in numbers))
)
known = st.dictionaries(st.sampled_from([A, B, C]), spaces)
exceptions = st.builds(
    NamedException,
    name=st.just(""),
    hosts=st.sets(st.sampled_from([A.name, B.name])).map(tuple),
    srv=st.sets(st.just(C.name)).map(tuple),
    prefixes=spaces,
    last_known=spaces,
    within=st.just(AddressSpace()) | spaces,
    services=st.sampled_from([(), ("sip",), ("rtp",), ("web",)]),
    enabled=st.booleans(),
)
rules = st.lists(exceptions, max_size=4).map(
    lambda found: tuple(replace(each, name=f"e{n}") for n, each in enumerate(found))
)


def amend(
    applied: Policy,
    now: Policy,
    before: Mapping[ListId, AddressSpace],
    after: Mapping[ListId, AddressSpace],
    names: frozenset[str],
) -> tuple[object, object]:
    """The ruleset that names make of one, and the one that an apply of all rules would make."""
    followed = [each for each in now.enabled_exceptions() if each.name in names]
    ruleset = merge(applied, {**JAPAN, **before})
    wanted = merge(now, {**JAPAN, **after})
    return amended(ruleset, now, followed, before, after), wanted


@given(rules, known, known)
def test_where_nothing_else_changed_it_is_what_an_apply_would_make(
    found: tuple[NamedException, ...],
    before: Mapping[ListId, AddressSpace],
    after: Mapping[ListId, AddressSpace],
) -> None:
    after = {**before, **after}  # a name that has resolved stays resolved
    mine = policy(exceptions=found)
    followed, applied = amend(mine, mine, before, after, frozenset(each.name for each in found))
    assert followed == applied


@given(rules, rules, known, known)
def test_of_edited_rules_nothing_is_applied_but_addresses_of_followed_names(
    found: tuple[NamedException, ...],
    edited: tuple[NamedException, ...],
    before: Mapping[ListId, AddressSpace],
    after: Mapping[ListId, AddressSpace],
) -> None:
    ruleset = merge(policy(exceptions=found), {**JAPAN, **before})
    now = policy(exceptions=edited)
    assert amended(ruleset, now, (), before, after) == ruleset
    followed = amended(ruleset, now, now.enabled_exceptions(), before, after)
    resolved = AddressSpace.union(
        [*after.values(), *before.values(), *(each.last_known for each in edited)]
    )
    for key, held in followed.sets.items():
        changed = (held - ruleset.sets[key]) | (ruleset.sets[key] - held)
        assert not changed - resolved[key.family]


def answered(ttl: int | None, at: datetime = NOON) -> AcceptedList:
    part = Provenance("dns:a.example", None, "0" * 64, at, at, ttl=ttl)
    return AcceptedList(A, space("203.0.113.7/32"), (part,))


@pytest.mark.parametrize(
    ("ttl", "after"),
    [
        (0, SOONEST),
        (59, SOONEST),
        (300, timedelta(seconds=300)),
        (3_600, LATEST),
        (86_400, LATEST),
        (2**31 - 1, LATEST),
        (10**30, LATEST),
        (None, LATEST),
    ],
)
def test_a_name_is_due_when_its_time_to_live_ends(ttl: int | None, after: timedelta) -> None:
    assert due_at(answered(ttl), NOON + timedelta(days=1)) == NOON + after


def test_a_name_that_never_resolved_is_due_at_once() -> None:
    assert due_at(None, NOON) == NOON


def test_an_answer_from_the_future_is_as_old_as_a_new_one() -> None:
    ahead = answered(300, NOON + timedelta(days=365))
    assert due_at(ahead, NOON) == NOON + timedelta(seconds=300)
