"""The kernel itself tells whether an address is in a set, as it does for a packet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address
from random import Random

import pytest

from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.address import Address
from geofence.model.elements import TimedPrefix
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import NOTED_ROLES, Role, SetKey
from tests.backends.test_runtime_sets import BANS, RULESET, put
from tests.oracle.policies import random_ruleset

SEED = 20_261_126
ASKED_PER_SET = 60


@pytest.fixture(params=sorted(registry.MODULES))
def backend(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Backend]:
    """A backend in the lab's PBX, which the test is in."""
    made = registry.load(request.param)
    with lab.pbx.entered():
        yield made
        made.remove()


def near(dice: Random, content: PrefixSet) -> list[int]:
    """Addresses at and beside the edges of intervals, within some, and anywhere."""
    bits = content.family.bits
    found = [dice.getrandbits(bits) for _ in range(5)] + [0, (1 << bits) - 1]
    intervals = list(content.intervals())
    for first, past in dice.sample(intervals, min(len(intervals), 12)):
        found += (first - 1, first, dice.randrange(first, past), past - 1, past)
    inside = [number for number in found if 0 <= number < 1 << bits]
    return dice.sample(inside, min(len(inside), ASKED_PER_SET))


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_the_kernel_finds_what_a_set_holds_and_nothing_else(backend: Backend, seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    ruleset = random_ruleset(dice)
    apply_ruleset(backend, ruleset)
    now = time.time()
    for key, content in ruleset.runtime.items():
        backend.hold(key, [TimedPrefix(each, now + 600) for each in content.prefixes()], now)
    keys = [*ruleset.sets, *ruleset.runtime]
    asked = [(key, number) for key in keys for number in near(dice, ruleset.held(key))]
    wrong = [
        f"{key.name} {Address(key.family, number)}"
        for key, number in asked
        if backend.test(key, number) is not (number in ruleset.held(key))
    ]
    assert wrong == []
    held = sum(number in ruleset.held(key) for key, number in asked)
    assert 0 < held < len(asked)


def test_asking_counts_no_packet_and_ends_with_the_element(backend: Backend) -> None:
    apply_ruleset(backend, RULESET)
    put(backend, BANS, ("20.1.0.0/16", 1), ("20.2.0.0/16", None))
    assert [backend.test(BANS, number) for number in (0x14010203, 0x14020000)] == [True, True]
    assert [each.packets for each in backend.elements(BANS)] == [0, 0]
    time.sleep(1.2)
    assert [backend.test(BANS, number) for number in (0x14010203, 0x14020000)] == [False, True]


def test_noted_sources_are_found_by_any_address_of_their_network(
    backend: Backend, lab: Lab
) -> None:
    apply_ruleset(backend, RULESET)
    strangers = {Family.IPV4: "203.0.113.7", Family.IPV6: "2001:db8:99::7"}
    for family, text in strangers.items():
        source = Address.parse(text)
        key = SetKey(Role.DENIED, "sip", family)
        assert not backend.test(key, source.number)
        probe = Probe(ip_address(text), PBX[family], Transport.UDP, 5060)
        assert lab.fire([probe] * 3) == [None] * 3
        for role in NOTED_ROLES:
            assert backend.test(SetKey(role, "sip", family), source.number)
    neighbour = Address.parse("2001:db8:99::1234").number
    assert backend.test(SetKey(Role.DENIED, "sip", Family.IPV6), neighbour)
    assert not backend.test(SetKey(Role.DENIED, "sip", Family.IPV4), 0xCB007108)


def test_without_a_fence_nothing_is_found(backend: Backend) -> None:
    assert not backend.test(BANS, 0x14010203)
    assert not backend.test(SetKey(Role.ALLOW, "", Family.IPV6), 1)
