"""Cilium's objects against its schemas, its semantics and its limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.model.target import Gap, TargetKind
from geofence.targets.cilium import limits
from geofence.targets.cilium.limits import policy_entries
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts
from geofence.targets.objects import ClusterObject, Json, Release
from geofence.targets.registry import load
from geofence.verdict import Packet
from tests.support.values import policy, space
from tests.targets.cilium.published import KINDS, RECORDED
from tests.targets.crds import refusals
from tests.targets.labelled import (
    EXAMPLE,
    OBSERVING,
    RTP,
    SIP,
    fences,
    opened,
    sides_of,
    target,
)

KIND = TargetKind.CILIUM
CILIUM = load(KIND)
PODS, NODES = sides_of(KIND)
BOTH = target(KIND, nodes=True)
STRANGER = space("192.0.2.7/32").ipv4.bounds[0]


SCHEMAS = json.loads(RECORDED.read_text("utf-8"))
"""Published ones; ``published`` says how to get them anew."""


def refused(one: ClusterObject) -> list[str]:
    """What a server with Cilium's schemas would say against an object."""
    schema = SCHEMAS[f"{one.api_version}/{one.kind}"]
    return refusals(one, {**schema, "$defs": SCHEMAS["$defs"]})


def test_golden_objects_pass_and_each_unknown_field_or_wrong_value_in_them_does_not() -> None:
    for path in sorted((Path(__file__).parent / "golden").glob("*.json")):
        for content in json.loads(path.read_text("utf-8")):
            one = ClusterObject.of(content)
            assert refused(one) == []
            for spec in damaged(content["spec"]):
                assert refused(ClusterObject.of({**content, "spec": spec})), spec


def damaged(value: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """Specs with one more field than they have, or a value of another type, somewhere in them."""
    if isinstance(value, dict):
        if not value.keys() <= {"app", "geofence.io/fence"}:  # labels may have any name
            yield {**value, "geofence": {}}
        for key, inner in value.items():
            yield from ({**value, key: each} for each in damaged(inner))
    elif isinstance(value, list):
        for at, inner in enumerate(value[:3]):
            yield from ([*value[:at], each, *value[at + 1 :]] for each in damaged(inner))
    else:
        yield {"geofence": value}


@pytest.mark.parametrize("release", [None, Release(1, 17), Release(1, 18)])
def test_groups_are_of_the_version_that_a_release_has(release: Release | None) -> None:
    resource = CILIUM.resources[0]
    wanted = resource.for_release(release) if release else resource
    made = [
        each.in_version(wanted.api_version)
        for each in CILIUM.objects(EXAMPLE, BOTH)
        if each.kind == resource.kind
    ]
    assert made
    versions = {(each.api_version, each.kind) for each in made}
    older = release is not None and release < (1, 18)
    assert versions == {(f"cilium.io/{'v2alpha1' if older else 'v2'}", "CiliumCIDRGroup")}
    assert versions <= set(KINDS)
    assert [refused(each) for each in made] == [[]] * len(made)


@settings(max_examples=40)
@given(fences())
def test_objects_have_no_field_and_no_value_that_the_schemas_refuse(fence: ClusterFence) -> None:
    for each in CILIUM.objects(fence, BOTH):
        assert refused(each) == []


def test_no_rule_names_a_prefix_by_itself() -> None:
    """Each would take an identity of its own, and an entry for each of its ports."""
    for each in CILIUM.objects(EXAMPLE, BOTH):
        if each.kind != "CiliumCIDRGroup":
            assert "cidr" not in each.text.replace("cidrGroupSelector", "")


def test_no_two_sets_share_a_label_by_which_they_are_selected() -> None:
    """Cilium gives an address one value of a label only, though two groups have it."""
    nested = ClusterFence(
        (
            FenceGroup((SIP,), allowed=space("10.0.0.0/8"), banned=space("11.0.0.0/8")),
            FenceGroup((RTP,), allowed=space("10.1.0.0/16"), excepted=space("11.1.0.0/16")),
        )
    )
    for chosen in (PODS, NODES):
        judge = CILIUM.judge(CILIUM.objects(nested, chosen), chosen)
        for source in ("10.1.2.3/32", "10.2.0.1/32", "11.1.0.1/32", "12.0.0.1/32"):
            for port in (5060, 10000):
                packet = Packet(Family.IPV4, "udp", space(source).ipv4.bounds[0], port)
                assert judge(packet) is opened(nested)(packet)


def test_the_judge_knows_that_of_two_values_of_a_label_one_is_lost() -> None:
    """What would happen if sets shared a label: the longer prefix has it."""
    groups = (
        group("one", {"geofence.io/set": "sip"}, "10.0.0.0/8"),
        group("two", {"geofence.io/set": "rtp"}, "10.1.0.0/16"),
        allowing({"matchLabels": {"geofence.io/set": "sip"}}),
    )
    judge = CILIUM.judge(groups, PODS)
    assert judge(Packet(Family.IPV4, "udp", space("10.2.0.1/32").ipv4.bounds[0], 5060))
    assert not judge(Packet(Family.IPV4, "udp", space("10.1.0.1/32").ipv4.bounds[0], 5060))


def test_the_judge_knows_that_a_prefix_of_all_selects_nobody() -> None:
    everybody = group("all", {"geofence.io/all": ""}, "0.0.0.0/0")
    rule = allowing({"matchExpressions": [{"key": "geofence.io/all", "operator": "Exists"}]})
    packet = Packet(Family.IPV4, "udp", 1, 5060)
    assert not CILIUM.judge((everybody, rule), PODS)(packet)
    halves = group("all", {"geofence.io/all": ""}, "0.0.0.0/1", "128.0.0.0/1")
    assert CILIUM.judge((halves, rule), PODS)(packet)


@pytest.mark.parametrize("protocol", ["esp", "vrrp", "gre", "ipip", "icmp", "sctp"])
def test_the_policy_of_nodes_shuts_no_protocol_and_no_port_that_is_not_fenced(
    protocol: str,
) -> None:
    judge = CILIUM.judge(CILIUM.objects(EXAMPLE, NODES), NODES)
    assert judge(Packet(Family.IPV4, protocol, STRANGER))
    for port in (22, 179, 2379, 4240, 6443, 10250):
        assert judge(Packet(Family.IPV4, "tcp", STRANGER, port))
    for port in (8472, 6081, 51871):
        assert judge(Packet(Family.IPV4, "udp", STRANGER, port))


def test_every_policy_says_what_it_does_not_mention_is_shut_or_not() -> None:
    """By default Cilium shuts it, at nodes as well."""
    pods, nodes = (
        next(each for each in CILIUM.objects(EXAMPLE, chosen) if each.kind.endswith("Policy"))
        for chosen in (PODS, NODES)
    )
    assert pods.spec["enableDefaultDeny"] == {"ingress": True, "egress": False}
    assert nodes.spec["enableDefaultDeny"] == {"ingress": False, "egress": False}
    assert "ingress" not in nodes.spec


def test_pods_take_icmp_and_every_port_that_is_not_fenced() -> None:
    judge = CILIUM.judge(CILIUM.objects(EXAMPLE, PODS), PODS)
    for family in Family:
        assert judge(Packet(family, "icmp", STRANGER))
        assert judge(Packet(family, "sctp", STRANGER, 36412))
        assert judge(Packet(family, "tcp", STRANGER, 65535))
        assert judge(Packet(family, "udp", STRANGER, 1))


@pytest.mark.parametrize("chosen", [PODS, NODES])
@pytest.mark.parametrize("role", ["except", "allow", "ban"])
def test_a_set_that_is_missing_opens_nothing(chosen: object, role: str) -> None:
    where = PODS if chosen is PODS else NODES
    objects = CILIUM.objects(EXAMPLE, where)
    left = [each for each in objects if f"-{role}-" not in each.name]
    judge = CILIUM.judge(left, where)
    asked = ("203.0.113.1", "198.51.100.9", "198.51.100.8", "1.0.16.1", "192.0.2.7")
    for source in asked:
        packet = Packet(Family.IPV4, "udp", space(f"{source}/32").ipv4.bounds[0], 5060)
        assert opened(EXAMPLE)(packet) or not judge(packet)


def test_nodes_without_the_set_of_everybody_are_read_as_open() -> None:
    objects = CILIUM.objects(EXAMPLE, NODES)
    left = [each for each in objects if "everybody" not in each.name]
    assert CILIUM.judge(left, NODES)(Packet(Family.IPV4, "udp", STRANGER, 5060))
    found = CILIUM.read(left, NODES)
    assert found.opens(Family.IPV4, "udp", STRANGER, 5060)
    assert found != CILIUM.held(EXAMPLE)
    requests = CILIUM.order(left, objects)
    assert [each.object.name[:22] for each in requests] == ["geofence-pbx-everybody"] * 2


def test_a_ban_holds_against_the_policies_of_others() -> None:
    banned = space("198.51.100.9/32").ipv4.bounds[0]
    theirs = allowing(None)
    judge = CILIUM.judge((*CILIUM.objects(EXAMPLE, PODS), theirs), PODS)
    assert judge(Packet(Family.IPV4, "udp", STRANGER, 5060))
    assert not judge(Packet(Family.IPV4, "udp", banned, 5060))


def test_an_exception_is_in_no_group_of_bans() -> None:
    everybody = space("0.0.0.0/0")
    fence = ClusterFence(
        (
            FenceGroup(
                (SIP,),
                excepted=space("198.51.100.9/32"),
                banned=everybody - space("198.51.100.9/32"),
            ),
        )
    )
    judge = CILIUM.judge(CILIUM.objects(fence, PODS), PODS)
    assert judge(Packet(Family.IPV4, "udp", space("198.51.100.9/32").ipv4.bounds[0], 5060))
    assert not judge(Packet(Family.IPV4, "udp", STRANGER, 5060))


def test_an_observed_service_is_open_and_has_no_objects() -> None:
    held = CILIUM.held(OBSERVING)
    assert held.groups == OBSERVING.groups[:1]
    assert CILIUM.objects(OBSERVING, BOTH) == CILIUM.objects(held, BOTH)
    assert CILIUM.objects(ClusterFence(OBSERVING.groups[1:]), BOTH) == ()


def test_many_ranges_of_ports_are_written_in_lists_that_cilium_takes() -> None:
    ports = tuple(Ports(Protocol.UDP, number, number) for number in range(1000, 1200, 2))
    fence = ClusterFence((FenceGroup((ServicePorts("many", ports),), allowed=space("10.0.0.0/8")),))
    objects = CILIUM.objects(fence, BOTH)
    assert [refused(each) for each in objects] == [[]] * len(objects)
    assert CILIUM.read(objects, BOTH) == fence
    judge = CILIUM.judge(objects, PODS)
    for port in range(990, 1210):
        packet = Packet(Family.IPV4, "udp", STRANGER, port)
        assert judge(packet) is opened(fence)(packet)


def test_entries_of_the_policy_map_are_counted_by_masks_and_groups() -> None:
    port: Json = {"port": "10000", "endPort": 20000, "protocol": "UDP"}
    rule: Json = {"fromCIDRSet": [], "toPorts": [{"ports": [port]}]}
    others: Json = {"fromEntities": ["all"], "toPorts": [{"ports": [{"port": "1"}]}]}
    one = made("CiliumNetworkPolicy", {"ingress": [rule, others]})
    assert policy_entries(one, groups=3) == 11 * 3 + 1


def test_limits_are_told_with_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_PREFIXES", 3)
    monkeypatch.setattr(limits, "MOST_ENTRIES", 10)
    told = [str(each) for each in CILIUM.limits(CILIUM.objects(EXAMPLE, PODS))]
    assert [text for text in told if "Cilium carries some 3 in groups" in text]
    assert [text for text in told if "entries in the policy map" in text]


@pytest.mark.parametrize(
    ("label", "ignored"),
    [
        ("kubernetes.io/os", True),
        ("beta.kubernetes.io/arch", True),
        ("pod-template-hash", True),
        ("app.kubernetes.io/name", False),
        ("node-role.kubernetes.io/pbx", False),
        ("geofence.io/fence", False),
    ],
)
def test_a_label_that_cilium_ignores_is_refused_since_it_selects_nothing(
    label: str, ignored: bool
) -> None:
    for chosen in (replace(PODS, pods=((label, "x"),)), replace(NODES, nodes=((label, "x"),))):
        told = [str(each) for each in CILIUM.limits(CILIUM.objects(EXAMPLE, chosen))]
        assert bool(told) is ignored
        assert all("so that nothing would be fenced" in text for text in told)


def test_what_cilium_cannot_is_told_for_pods_and_for_nodes() -> None:
    pods, nodes = (
        {str(note.data["what"]) for note in CILIUM.inexpressible(policy(), EXAMPLE, chosen)}
        for chosen in sides_of(KIND)
    )
    assert pods - nodes == {Gap.OWN_NODE, Gap.ORDER, Gap.OTHER_PROTOCOLS}


def group(name: str, labels: dict[str, str], *prefixes: str) -> ClusterObject:
    content: dict[str, Json] = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumCIDRGroup",
        "metadata": {"name": name, "labels": labels},
        "spec": {"externalCIDRs": list(prefixes)},
    }
    return ClusterObject.of(content)


def allowing(selector: Json) -> ClusterObject:
    """A policy of somebody else for the same pods."""
    source: dict[str, Json] = (
        {"fromCIDRSet": [{"cidrGroupSelector": selector}]}
        if selector
        else {"fromEntities": ["world"]}
    )
    return made(
        "CiliumNetworkPolicy",
        {"endpointSelector": {"matchLabels": {"app": "asterisk"}}, "ingress": [source]},
    )


def made(kind: str, spec: Json) -> ClusterObject:
    content: dict[str, Json] = {
        "apiVersion": "cilium.io/v2",
        "kind": kind,
        "metadata": {"name": "theirs", "namespace": "pbx"},
        "spec": spec,
    }
    return ClusterObject.of(content)
