"""What 'geofence why' says of an address is what happens to a real packet from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.lab.network import Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.address import Address
from geofence.model.elements import TimedPrefix
from geofence.model.policy import Ports, Protocol
from geofence.model.ruleset import Action, Ruleset
from geofence.operations.kernel_fences import read_fences
from geofence.operations.kernel_knowledge import Expected
from geofence.operations.site import Site
from geofence.operations.verdict_grounds import Grounds
from geofence.operations.why import WhyReport, answer
from tests.oracle.cases import LOCAL, Case, Chance
from tests.oracle.policies import World, random_world
from tests.support.probes import forget

SEED = 20_261_126
ROUNDS = 15
ASKED_PER_ROUND = 100
_SECONDS = 3_600


@pytest.mark.parametrize("name", sorted(registry.MODULES))
def test_every_verdict_is_what_happens_to_a_packet(name: str, lab: Lab, tmp_path: Path) -> None:
    dice = Random(SEED)  # noqa: S311 - reproducible, not secret
    chance = Chance(dice)
    told: list[tuple[Case, WhyReport, str | None]] = []
    for _ in range(ROUNDS):
        world = from_outside(random_world(dice))
        with lab.pbx.entered():
            ground = applied(name, world, tmp_path)
            cases = list(packets(chance, world.ruleset))
            reports = [asked(ground, case) for case in cases]
        landed = lab.fire(case.probe for case in cases)
        forget(lab)
        told += zip(cases, reports, landed, strict=True)
    wrong = [
        f"{now.action}, but {'it got in' if where else 'it was dropped'}: {case}"
        for case, report, where in told
        for now in report.now or ()
        if (now.action is Action.PASS) is not (where is not None)
    ]
    assert wrong == []
    for _, report, _ in told:
        assert [each.action for each in report.explanations] == [
            each.action for each in report.now or ()
        ]
        assert [each for each in report.kernel if not each.agrees] == []
    assert len(told) == ROUNDS * ASKED_PER_ROUND
    passed = sum(where is not None for _, _, where in told)
    assert len(told) / 10 < passed < len(told) * 9 / 10
    seen = {now.because.kind for _, report, _ in told for now in report.now or ()}
    assert {"banned", "allowed-by-rules", "not-fenced", "country", "exception"} <= seen


def from_outside(world: World) -> World:
    """The same, but no network is local where the packets of this test come in."""
    local = tuple(each for each in world.ruleset.local if each.interface != "wan")
    return replace(world, ruleset=replace(world.ruleset, local=local))


def applied(name: str, world: World, directory: Path) -> Grounds:
    """Apply a ruleset, fill its runtime sets, and read what a verdict is based on."""
    backend, now = registry.load(name), time.time()
    ruleset = world.ruleset
    apply_ruleset(backend, ruleset)
    runtime = {
        key: tuple(TimedPrefix(each, now + _SECONDS) for each in content.prefixes())
        for key, content in ruleset.runtime.items()
    }
    for key, elements in runtime.items():
        backend.hold(key, elements, now)
    site = Site(directory / "rules", directory / "state")
    return Grounds(
        site,
        world.policy,
        world.lists,
        {},
        ruleset,
        read_fences(site, ruleset),
        Expected(ruleset.sets, runtime),
    )


def packets(chance: Chance, ruleset: Ruleset) -> Iterator[Case]:
    """New packets from the Internet to this host, to ports of all kinds."""
    found = 0
    for case in chance.cases(ruleset, 100 * ASKED_PER_ROUND):
        if _is_new(case.probe) and found < ASKED_PER_ROUND:
            found += 1
            yield case
        if found == ASKED_PER_ROUND:
            return


def _is_new(probe: Probe) -> bool:
    own = any(probe.destination in each for each in LOCAL.values())
    ports = probe.transport in (Transport.UDP, Transport.TCP) and bool(probe.port)
    return own and ports and probe.link == "wan"


def asked(ground: Grounds, case: Case) -> WhyReport:
    packet = case.packet
    assert packet.port is not None
    ports = Ports(Protocol(packet.protocol), packet.port, packet.port)
    return answer(ground, Address(packet.family, packet.source), (ports,))
