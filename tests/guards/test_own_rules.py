from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from geofence.guards.own_rules import check_rules, check_timed
from geofence.model.policy import NamedException
from geofence.model.ruleset import LocalNetwork, Ruleset
from tests.flows.made import ruleset
from tests.support.values import policy, prefix, space

FENCE = ruleset(("133.0.0.0/8",))


def tokens(before: Ruleset | None, after: Ruleset) -> list[str]:
    return [one.accept for one in check_rules(before, after)]


@pytest.mark.parametrize(
    ("excepted", "refused"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("20.0.0.0/7", True),
        ("2a00::/16", True),
        ("20.0.0.0/8", False),
        ("2a00:1000::/20", False),
        ("10.0.0.0/8", False),
    ],
)
def test_exceptions_for_nearly_everybody_are_refused(excepted: str, *, refused: bool) -> None:
    wide = ruleset(("133.0.0.0/8",), (excepted,))
    assert tokens(FENCE, wide) == (["open"] if refused else [])
    assert tokens(None, wide) == (["open"] if refused else [])
    assert tokens(wide, wide) == [], "what was so before is meant so"


@pytest.mark.parametrize(
    ("network", "refused"), [("0.0.0.0/0", True), ("::/0", True), ("10.0.0.0/8", False)]
)
def test_a_local_network_of_all_addresses_is_refused(network: str, *, refused: bool) -> None:
    wide = replace(FENCE, local=(LocalNetwork("eth0", prefix(network)),))
    assert tokens(FENCE, wide) == (["open"] if refused else [])
    assert tokens(wide, wide) == []


def test_rules_that_allow_nobody_are_refused() -> None:
    shut = ruleset()
    assert tokens(FENCE, shut) == ["shut-out"]
    assert tokens(None, shut) == ["shut-out"]
    assert tokens(shut, shut) == []
    assert tokens(shut, FENCE) == []


def test_rules_without_one_family_are_accepted() -> None:
    assert tokens(FENCE, ruleset(("2400::/16",))) == []


@pytest.mark.parametrize(
    ("excepted", "refused"),
    [("0.0.0.0/0", True), ("::/0", True), ("20.0.0.0/8", False), ("10.0.0.0/8", False)],
)
def test_exceptions_until_a_time_may_not_open_the_fence_either(
    excepted: str, *, refused: bool
) -> None:
    until = datetime(2026, 11, 26, tzinfo=UTC)
    wide = policy(exceptions=(NamedException("wide", prefixes=space(excepted), until=until),))
    found = check_timed(policy(), wide, {})
    assert [one.accept for one in found] == (["open"] if refused else [])
    assert check_timed(wide, wide, {}) == ()
    lasting = policy(exceptions=(NamedException("wide", prefixes=space(excepted)),))
    assert check_timed(lasting, wide, {}) == ()
    assert check_timed(policy(), lasting, {}) == (), "the ruleset declares it"
