from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.errors import UsageError
from geofence.guards.objection import Guard, Objection, remaining

TOKENS = ("shrink=JP", "growth=US", "first-run=JP", "broad=drop", "special-purpose=JP", "ssh")


def objection(token: str) -> Objection:
    guard = Guard(token.partition("=")[0])
    return Objection(guard, "country JP", "It shrank.", "It may not.", token)


ALL = tuple(objection(token) for token in TOKENS)


@given(st.sets(st.sampled_from(TOKENS)))
def test_an_override_takes_away_its_own_objection_and_no_other(accept: set[str]) -> None:
    left = remaining(ALL, accept)
    assert {one.accept for one in left} == set(TOKENS) - accept


def test_without_an_override_all_objections_are_returned_in_order() -> None:
    assert remaining(ALL, ()) == ALL


def test_case_and_blanks_do_not_count() -> None:
    assert remaining([objection("shrink=JP")], [" Shrink=jp "]) == ()


def test_an_unused_override_is_accepted() -> None:
    assert remaining((), ["shrink=JP", "ssh", "live-sources"]) == ()
    assert remaining((), ["shrink=JP"], names=["JP"]) == ()


@pytest.mark.parametrize(
    ("token", "meant"),
    [
        ("shirnk=JP", "shrink=JP"),
        ("firstrun=JP", "first-run=JP"),
        ("shrink", "shrink=JP"),
        ("shrink=", "shrink=JP"),
        ("ssh=JP", "ssh"),
        ("live_source", "live-sources"),
        ("special-purposes=JP", "special-purpose=JP"),
    ],
)
def test_a_misspelt_override_is_named_with_the_nearest_right_one(token: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"Did you mean {meant}") as refused:
        remaining(ALL, [token])
    assert all(str(guard) in str(refused.value) for guard in Guard)


def test_a_list_that_there_is_not_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^Unknown list in .*Did you mean shrink=spamhaus-drop"):
        remaining((), ["shrink=spamhous-drop"], names=["JP", "spamhaus-drop"])


@pytest.mark.parametrize("token", ["", "=", "=JP", "all", "force", "--accept"])
def test_an_override_for_all_checks_is_unknown(token: str) -> None:
    with pytest.raises(UsageError, match=r"^Unknown override "):
        remaining(ALL, [token])


def test_an_objection_has_finding_limit_and_override() -> None:
    said = str(objection("shrink=JP"))
    assert said == "It shrank. It may not. If this is intended, add '--accept shrink=JP'."
    helped = Objection(Guard.SSH, "s", "Saw.", "Allows.", "ssh", "Allow it.")
    assert str(helped) == "Saw. Allows. Allow it. If this is intended, add '--accept ssh'."
