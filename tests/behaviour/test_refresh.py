"""The fence changes under traffic: nothing that may come in is lost, nothing else gets in."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import cycle, islice

import pytest

from geofence.backends import registry
from geofence.backends.nftables.backend import NftablesBackend
from geofence.lab import payloads
from geofence.lab.network import Lab
from geofence.lab.probes import Probe, Transport
from geofence.lab.stream import Report, Stream
from geofence.merge import merge
from geofence.model.policy import Service
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from tests.behaviour.fence import Fence
from tests.behaviour.scene import (
    JP,
    LISTS,
    POLICY,
    RTP,
    RULESET,
    SIP,
    Role,
    probe,
    space,
    with_list,
)
from tests.support.probes import lost

ROUNDS = 100
PREFIXES = 2_000
"""About as many as Japan has."""


def traffic(role: Role, family: Family) -> dict[str, Probe]:
    """What somebody sends to all that is fenced."""
    sip = replace(probe(role, family, Transport.UDP, 5060), payload=payloads.sip_options)
    rtp = replace(probe(role, family, Transport.UDP, 10_000), payload=payloads.rtp)
    tls = probe(role, family, Transport.TCP, 5061)
    return {
        f"{role} {kind} {family}": sent
        for kind, sent in zip(("sip", "rtp", "tls"), (sip, rtp, tls), strict=True)
    }


def both_families(*roles: Role) -> dict[str, Probe]:
    return {
        name: sent
        for role in roles
        for family in Family
        for name, sent in traffic(role, family).items()
    }


def calls(*roles: Role) -> dict[str, Probe]:
    """SIP alone, which leaves the machine time for the refreshes."""
    return {name: sent for name, sent in both_families(*roles).items() if " sip " in name}


def run_on(stream: Stream, fence: Fence, packets: int) -> None:
    """Let the traffic go on until so many more packets of the allowed source got in."""
    name = f"{Role.ALLOWED} sip {Family.IPV4}"
    goal = stream.arrived(name) + packets
    while stream.arrived(name) < goal:
        fence.lab.settle()


def of(reports: dict[str, Report], role: Role) -> list[Report]:
    return [report for name, report in reports.items() if name.startswith(f"{role} ")]


def made_up_list(seed: int) -> AddressSpace:
    """Many prefixes beside those of the always-allowed, none of the never-allowed."""
    dice = random.Random(seed)  # noqa: S311 - a fixed sequence, no secret
    ipv4 = [
        Prefix(Family.IPV4, dice.randrange(60 << 16, 120 << 16) << 8, 24) for _ in range(PREFIXES)
    ]
    ipv6 = [
        Prefix(Family.IPV6, 0x2404 << 112 | dice.randrange(1 << 32) << 80, 48)
        for _ in range(PREFIXES)
    ]
    made_up = AddressSpace(PrefixSet.of(Family.IPV4, ipv4), PrefixSet.of(Family.IPV6, ipv6))
    return made_up | LISTS[JP]


def test_a_hundred_refreshes_neither_lose_nor_leak_packets(fence: Fence) -> None:
    rulesets = [with_list(made_up_list(seed)) for seed in (1, 2)]
    fence.apply(rulesets[1])

    with fence.lab.stream(calls(Role.ALLOWED, Role.FOREIGN)) as stream:
        for ruleset in islice(cycle(rulesets), ROUNDS):
            applied = fence.apply(ruleset)
            assert len(applied.plan.set_changes) == 2
            run_on(stream, fence, 1)
        reports = stream.finish()

    assert min(report.sent for report in reports.values()) >= ROUNDS
    assert [lost(report) for report in of(reports, Role.ALLOWED)] == [0] * 2
    assert [len(report.arrived) for report in of(reports, Role.FOREIGN)] == [0] * 2


def test_sets_of_nftables_change_their_form_under_traffic(lab: Lab) -> None:
    """A list that grows beyond what is searched as intervals, and is small again the next day."""
    fence = Fence(lab, NftablesBackend(PREFIXES // 2))
    small, large = with_list(LISTS[JP]), with_list(made_up_list(1))
    other = with_list(made_up_list(2))
    fence.apply(small)

    with lab.stream(both_families(Role.ALLOWED, Role.FOREIGN)) as stream:
        for ruleset in islice(cycle((large, other, small)), ROUNDS // 2):
            assert fence.apply(ruleset).untidy == ""
            run_on(stream, fence, 1)
        reports = stream.finish()

    assert min(report.sent for report in reports.values()) >= ROUNDS // 2
    assert [lost(report) for report in of(reports, Role.ALLOWED)] == [0] * 6
    assert [len(report.arrived) for report in of(reports, Role.FOREIGN)] == [0] * 6


def test_services_may_be_regrouped_under_traffic(fence: Fence) -> None:
    """Ports come and go, services are renamed and exceptions move, all with a changed list."""
    both = Service("telephone", (*SIP.ports, *RTP.ports))
    policies = (
        POLICY,
        replace(POLICY, services=(both,), exceptions=()),
        replace(POLICY, services=(replace(RTP, name="sip"), replace(SIP, name="rtp"))),
    )
    rulesets = [
        merge(each, {JP: made_up_list(seed)}) for seed, each in enumerate(policies, start=1)
    ]
    fence.apply(rulesets[-1])

    with fence.lab.stream(both_families(Role.ALLOWED, Role.FOREIGN)) as stream:
        for ruleset in islice(cycle(rulesets), ROUNDS // 5):
            fence.apply(ruleset)
            run_on(stream, fence, 1)
        reports = stream.finish()

    assert [lost(report) for report in of(reports, Role.ALLOWED)] == [0] * 6
    assert [len(report.arrived) for report in of(reports, Role.FOREIGN)] == [0] * 6


def test_the_first_apply_makes_a_complete_fence_at_once(fence: Fence) -> None:
    ruleset = with_list(made_up_list(1))

    with fence.lab.stream(both_families(Role.ALLOWED, Role.FOREIGN)) as stream:
        run_on(stream, fence, 20)
        fence.apply(ruleset)
        run_on(stream, fence, 20)
        reports = stream.finish()

    assert [lost(report) for report in of(reports, Role.ALLOWED)] == [0] * 6
    for family in Family:
        kinds = [reports[name].arrived for name in traffic(Role.FOREIGN, family)]
        got_in = sorted(3 * turn + at for at, kind in enumerate(kinds) for turn in kind)
        assert got_in == list(range(len(got_in)))
        assert 60 <= len(got_in) < 3 * reports[f"{Role.FOREIGN} sip {family}"].sent


def test_removing_the_fence_loses_no_packet(fence: Fence) -> None:
    fence.apply(RULESET)

    with fence.lab.stream(both_families(Role.ALLOWED)) as stream:
        run_on(stream, fence, 20)
        assert fence.remove()
        run_on(stream, fence, 20)
        reports = stream.finish()

    assert [lost(report) for report in of(reports, Role.ALLOWED)] == [0] * 6
    everybody = both_families(*Role).values()
    assert fence.lab.fire(everybody) == ["pbx"] * len(everybody)


def test_a_changed_list_allows_and_blocks_its_changes(fence: Fence) -> None:
    family = Family.IPV4
    before, after = space("133.0.0.0/8", "2400:4000::/22"), space("45.0.0.0/8", "2a00::/12")
    people = [probe(role, family, Transport.UDP, 5060) for role in (Role.ALLOWED, Role.FOREIGN)]

    fence.apply(with_list(before))
    assert fence.lab.fire(people) == ["pbx", None]
    fence.apply(with_list(after))
    assert fence.lab.fire(people) == [None, "pbx"]


@pytest.mark.parametrize("family", Family)
def test_a_family_without_prefixes_is_blocked_except_for_exceptions(
    fence: Fence, family: Family
) -> None:
    other = {Family.IPV4: space("2400:4000::/22"), Family.IPV6: space("133.0.0.0/8")}[family]
    fence.apply(with_list(other))
    roles = (Role.ALLOWED, Role.FOREIGN, Role.EXCEPTION_ON, Role.LOCAL)

    landed = fence.lab.fire(probe(role, family, Transport.UDP, 5060) for role in roles)

    assert landed == [None, None, "pbx", "pbx"]


@pytest.mark.parametrize("first", sorted(registry.MODULES))
def test_switching_the_backend_leaves_no_gap_and_no_remains(lab: Lab, first: str) -> None:
    old, new = Fence(lab, registry.load(first)), Fence(lab, registry.load(_other(first)))
    old.apply(RULESET)

    with lab.stream(both_families(Role.ALLOWED, Role.FOREIGN)) as stream:
        run_on(stream, old, 20)
        assert new.apply(RULESET).replaced == (first,)
        run_on(stream, old, 20)
        reports = stream.finish()

    assert [lost(report) for report in of(reports, Role.ALLOWED)] == [0] * 6
    assert [len(report.arrived) for report in of(reports, Role.FOREIGN)] == [0] * 6
    assert old.observe() == type(old.observe())()
    assert new.plan(RULESET).is_empty


def _other(name: str) -> str:
    return next(other for other in registry.MODULES if other != name)
