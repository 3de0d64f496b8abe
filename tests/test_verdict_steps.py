"""The steps of a packet are the rules that decide it, in their order."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Action, Anything, Role, SetKey, SourceIn
from geofence.verdict import Packet, decide, steps
from tests.oracle.cases import Chance
from tests.oracle.policies import random_ruleset


@given(st.integers(0, 2**32))
def test_the_last_step_is_the_rule_that_decides(seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    ruleset = random_ruleset(dice)
    for case in Chance(dice).cases(ruleset, 20):
        found, decision = steps(ruleset, case.packet), decide(ruleset, case.packet)
        assert [each.decides for each in found] == [False] * (len(found) - 1) + [True] * bool(found)
        assert (found[-1].rule if found else None) == decision.rule
        if found:
            assert found[-1].matched


def test_of_a_banned_address_the_ban_and_the_rules_of_banned_sources_are_met() -> None:
    ruleset = random_ruleset(Random(5))  # noqa: S311 - reproducible, not secret
    service = ruleset.services[0]
    source = 0xCB007107
    everyone = {key: PrefixSet(key.family) for key in ruleset.runtime}
    banned = SetKey(Role.BAN, "", Family.IPV4)
    everyone[banned] = PrefixSet.of_ranges(Family.IPV4, [source], [source + 1])
    sets = {key: PrefixSet(key.family) for key in ruleset.sets}

    bare = replace(ruleset, sets=sets, runtime=everyone, local=(), interfaces=())
    ports = service.ports[0]
    packet = Packet(Family.IPV4, str(ports.protocol), source, ports.first)
    found = steps(bare, packet)
    assert found[0].rule.match == SourceIn(Role.BAN, "")
    assert (found[0].matched, found[0].decides) == (True, False)
    assert [each.rule for each in found[1:]] == list(bare.banned_rules(service))
    assert (found[-1].rule.match, found[-1].rule.action) == (Anything(), Action.DROP)
    assert steps(bare, Packet(Family.IPV4, "udp", source, 1)) == ()
