"""Calico's objects against its schemas, its semantics and its limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from geofence.errors import TargetError
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.model.target import Gap, TargetKind
from geofence.targets.calico import limits
from geofence.targets.calico.policies import SHAPE
from geofence.targets.calico.selectors import selector
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts
from geofence.targets.labelled_sets import MOST_IN_A_SET
from geofence.targets.objects import ClusterObject, Json, as_mapping
from geofence.targets.registry import load
from geofence.verdict import Packet
from tests.recorded import __file__ as recorded
from tests.support.values import policy, space
from tests.targets.crds import refusals
from tests.targets.labelled import (
    EXAMPLE,
    OBSERVING,
    SIP,
    Cluster,
    fences,
    sides_of,
    states,
    target,
)

CRDS = Path(recorded).parent / "crds" / "calico-3.32.0"
KIND = TargetKind.CALICO
CALICO = load(KIND)
BOTH = target(KIND, nodes=True)


def schema(kind: str) -> Json:
    loaded: Json = json.loads((CRDS / f"{kind}.json").read_text(encoding="utf-8"))
    return loaded


SCHEMAS = {path.stem: schema(path.stem) for path in CRDS.iterdir()}


@settings(max_examples=40)
@given(fences())
def test_objects_have_no_field_and_no_value_that_the_schemas_refuse(fence: ClusterFence) -> None:
    for each in CALICO.objects(fence, BOTH):
        assert refusals(each, SCHEMAS[each.kind]) == []


def test_the_schemas_refuse_an_unknown_field_and_an_unknown_action() -> None:
    made = CALICO.objects(EXAMPLE, BOTH)[-1]
    rule = {"action": "Reject", "protocl": "UDP"}
    spoilt = replace(made, content={**made.content, "spec": {"ingress": [rule], "teir": "x"}})
    assert len(refusals(spoilt, SCHEMAS[made.kind])) == 3


def test_a_tier_that_somebody_made_deny_is_not_read_as_the_fence() -> None:
    tier, *others = CALICO.objects(EXAMPLE, BOTH)
    denying = replace(tier, content={**tier.content, "spec": {"order": 100}})
    with pytest.raises(TargetError, match="Tier/geofence-pbx in the cluster is not as geofence"):
        CALICO.read((denying, *others), BOTH)
    assert CALICO.read(others, BOTH) == ClusterFence()
    shut = CALICO.judge((denying, *others), target(KIND))
    assert not shut(Packet(Family.IPV4, "tcp", 1, 22))


def test_a_pod_with_the_label_of_a_set_is_not_of_the_set() -> None:
    for each in CALICO.objects(EXAMPLE, BOTH):
        for rule in map(as_mapping, each.spec.get("ingress", ())):  # type: ignore[arg-type]
            source = as_mapping(rule.get("source"))
            assert not source or source["namespaceSelector"] == "global()"


def test_nodes_are_fenced_by_the_port_that_the_internet_named() -> None:
    nodes = next(each for each in CALICO.objects(EXAMPLE, BOTH) if each.name.endswith(".nodes"))
    assert (nodes.spec["preDNAT"], nodes.spec["applyOnForward"]) == (True, True)
    assert nodes.spec["selector"] == "geofence.io/fence == 'pbx-node'"


def test_an_observed_service_is_open_and_its_policy_is_staged() -> None:
    objects = CALICO.objects(OBSERVING, target(KIND))
    assert [each.kind for each in objects[-2:]] == [
        "GlobalNetworkPolicy",
        "StagedGlobalNetworkPolicy",
    ]
    closed = ClusterFence((replace(OBSERVING.groups[1], allowed=space()),))
    judge = CALICO.judge(CALICO.objects(closed, target(KIND)), target(KIND))
    assert judge(Packet(Family.IPV4, "udp", 1, 10000))


def test_a_service_that_is_no_longer_observed_gets_its_sets_before_its_rules() -> None:
    before = CALICO.objects(OBSERVING, target(KIND))
    after = CALICO.objects(EXAMPLE, target(KIND))
    steps = [(each.verb.value, each.object.kind) for each in CALICO.order(before, after)]
    assert steps == [
        *[("apply", "GlobalNetworkSet")] * 2,
        ("apply", "GlobalNetworkPolicy"),
        ("delete", "StagedGlobalNetworkPolicy"),
        *[("delete", "GlobalNetworkSet")] * 2,
    ]


def test_a_service_that_is_observed_from_now_on_is_not_blocked_by_a_new_ban_before() -> None:
    everybody = space("0.0.0.0/0")
    old = ClusterFence((FenceGroup((SIP,), allowed=everybody),))
    new = ClusterFence((FenceGroup((SIP,), banned=everybody, observe=True),))
    before = Cluster.of(CALICO.objects(old, target(KIND)))
    for state in states(CALICO, before, CALICO.objects(new, target(KIND))):
        assert CALICO.judge(state.objects, target(KIND))(Packet(Family.IPV4, "udp", 1, 5060))


def test_a_policy_of_another_tier_before_it_decides_first() -> None:
    """What is not ours is judged, too: order of tiers, then of policies."""
    theirs = (
        made("Tier", "theirs", {"order": 1, "defaultAction": "Pass"}),
        made(
            "GlobalNetworkPolicy",
            "theirs.web",
            {
                "tier": "theirs",
                "selector": "has(app)",
                "types": ["Ingress"],
                "ingress": [{"action": "Allow", "protocol": "TCP"}],
            },
        ),
    )
    judge = CALICO.judge((*CALICO.objects(EXAMPLE, BOTH), *theirs), target(KIND))
    stranger = space("192.0.2.7/32").ipv4.bounds[0]
    assert judge(Packet(Family.IPV4, "tcp", stranger, 5060))
    assert not judge(Packet(Family.IPV4, "udp", stranger, 5060))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == 'b'", True),
        ('a == "c"', False),
        ("a != 'c' && has(a)", True),
        ("!has(a) || x.y/z in {'1', '2'}", True),
        ("a not in { 'b' }", False),
        ("(a == 'b' || a == 'c') && !(all() && has(other))", True),
        ("global()", True),
        ("", True),
    ],
)
def test_selectors_are_understood(text: str, expected: bool) -> None:
    assert selector(text)({"a": "b", "x.y/z": "1"}) is expected


@pytest.mark.parametrize("text", ["a", "a ==", "a == b", "(a == 'b'", "a == 'b')", "what()", "a~b"])
def test_a_selector_that_is_not_understood_is_told(text: str) -> None:
    with pytest.raises(TargetError, match="cannot be understood"):
        selector(text)


def test_sets_are_split_before_an_object_is_too_large() -> None:
    prefixes = [
        f"10.{number >> 8}.{number & 255}.{part}/32" for number in range(6_000) for part in (1, 3)
    ]
    fence = ClusterFence((FenceGroup((SIP,), allowed=space(*prefixes)),))
    objects = CALICO.objects(fence, BOTH)
    sets = [each for each in objects if each.kind == SHAPE.resource.kind]
    assert len(sets) > 1
    assert all(len(each.spec["nets"]) <= MOST_IN_A_SET for each in sets)  # type: ignore[arg-type]
    assert CALICO.limits(objects) == ()
    assert CALICO.read(objects, BOTH) == fence


def test_limits_are_told_with_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_IN_AN_IPSET", 2)
    monkeypatch.setattr(limits, "MOST_RULES", 11)
    told = [str(each) for each in CALICO.limits(CALICO.objects(EXAMPLE, target(KIND)))]
    assert [text for text in told if "prefixes of IPv4. Calico takes 2 in a set" in text]
    assert [text for text in told if "has 12 rules. Calico takes 11" in text]


def test_many_services_exceed_the_rules_of_a_policy() -> None:
    groups = tuple(
        FenceGroup((ServicePorts(f"s{n}", (Ports(Protocol.UDP, n, n), Ports(Protocol.TCP, n, n))),))
        for n in range(1, 130)
    )
    (told,) = CALICO.limits(CALICO.objects(ClusterFence(groups), target(KIND)))
    assert "has 1,032 rules" in str(told)
    assert told.accept == "target-limit"


def test_what_calico_cannot_is_told_for_pods_and_for_nodes() -> None:
    pods, nodes = (
        {str(note.data["what"]) for note in CALICO.inexpressible(policy(), EXAMPLE, chosen)}
        for chosen in sides_of(KIND)
    )
    assert pods - nodes == {Gap.OWN_NODE, Gap.PUBLIC_PORT}
    assert {Gap.LIVE_FLOWS, Gap.ENDS, Gap.LOCAL_NETWORKS} <= nodes


def made(kind: str, name: str, spec: dict[str, Json]) -> ClusterObject:
    return ClusterObject.of(
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
    )
