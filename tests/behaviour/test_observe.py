"""A fence that only observes: nothing is dropped, and what would be is noted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from geofence.lab.probes import Probe
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.model.sets import NOTED_BITS, SetKey
from geofence.model.sets import Role as SetRole
from geofence.verdict import decide
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, packet, probe
from tests.behaviour.test_matrix import MAY_REACH, RTP_PORTS, SIP_PORTS, UNFENCED

TARGETS = SIP_PORTS + RTP_PORTS + UNFENCED
Noted = dict[str, Counter[int]]
"""By service: packets by source."""


def observing(*services: str) -> Ruleset:
    """The ruleset of the matrix, whose services are only observed."""
    found = tuple(replace(each, observe=each.name in services) for each in RULESET.services)
    return replace(RULESET, services=found)


def everybody(family: Family) -> list[Probe]:
    """A packet of each kind of source to each kind of port."""
    return [probe(role, family, *target) for role in Role for target in TARGETS]


def noted(fence: Fence, family: Family) -> Noted:
    """What the kernel has noted of who was turned away."""
    with fence.lab.pbx.entered():
        found = {
            name: fence.backend.noted(SetKey(SetRole.DENIED, name, family))
            for name in ("sip", "rtp")
        }
    return {
        name: Counter(dict(zip(each.networks, each.packets, strict=True)))
        for name, each in found.items()
    }


def forgotten(fence: Fence, family: Family) -> None:
    with fence.lab.pbx.entered():
        for name in ("sip", "rtp"):
            fence.backend.forget(SetKey(SetRole.DENIED, name, family))


def of_matrix(family: Family) -> Noted:
    """What the matrix says would be dropped."""
    mask = -1 << (family.bits - NOTED_BITS[family])
    found: Noted = {"sip": Counter(), "rtp": Counter()}
    for role in Role:
        for name, ports in (("sip", SIP_PORTS), ("rtp", RTP_PORTS)):
            for target in ports:
                if target not in MAY_REACH[role]:
                    found[name][int(probe(role, family, *target).source) & mask] += 1
    return found


@pytest.mark.parametrize("family", Family)
def test_nothing_is_dropped_and_all_that_would_be_is_noted(fence: Fence, family: Family) -> None:
    fence.apply(observing("sip", "rtp"))
    probes = everybody(family)

    assert fence.lab.fire(probes) == ["pbx"] * len(probes)

    would = of_matrix(family)
    assert noted(fence, family) == would
    assert fence.dropped() == {name: each.total() for name, each in would.items()}


@pytest.mark.parametrize("family", Family)
def test_what_is_noted_is_what_the_same_fence_drops(fence: Fence, family: Family) -> None:
    probes = everybody(family)
    fence.apply(observing("sip", "rtp"))
    fence.lab.fire(probes)
    observed = noted(fence, family)
    forgotten(fence, family)
    fence.apply(RULESET)

    landed = fence.lab.fire(probes)

    dropped: Noted = {"sip": Counter(), "rtp": Counter()}
    mask = -1 << (family.bits - NOTED_BITS[family])
    for sent, where in zip(probes, landed, strict=True):
        if where is None:
            service = decide(RULESET, packet(sent, family)).service
            assert service is not None
            dropped[service.name][int(sent.source) & mask] += 1
    assert observed == noted(fence, family) == dropped


@pytest.mark.parametrize("family", Family)
def test_the_oracle_says_what_would_be_dropped(fence: Fence, family: Family) -> None:
    ruleset = observing("sip", "rtp")
    for sent in everybody(family):
        observed, dropping = (decide(each, packet(sent, family)) for each in (ruleset, RULESET))
        assert observed.observed is (dropping.action != observed.action)
        assert (observed.noted_by, observed.rule) == (dropping.noted_by, dropping.rule)
    fence.apply(ruleset)
    assert fence.plan(ruleset).is_empty


def test_one_service_is_observed_and_the_other_fenced(fence: Fence) -> None:
    fence.apply(observing("sip"))
    sent = [probe(Role.FOREIGN, Family.IPV4, *target) for target in (SIP_PORTS[0], RTP_PORTS[0])]
    assert fence.lab.fire(sent) == ["pbx", None]
    source = int(sent[0].source)
    assert noted(fence, Family.IPV4) == {"sip": Counter({source: 1}), "rtp": Counter({source: 1})}
