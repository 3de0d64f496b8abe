"""NetworkPolicies: equal golden files, are read back, decide as the packet path does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import RulesError, TargetError
from geofence.model.policy import RepliesFrom
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.target import Target, TargetKind
from geofence.sentences import sentences
from geofence.targets.fence import ClusterFence, FenceGroup, ServicePorts, cluster_fence
from geofence.targets.networkpolicy import new_engine
from geofence.targets.networkpolicy import ranges as ranges_module
from geofence.targets.networkpolicy.limits import stored_size
from geofence.targets.objects import FENCE_ANNOTATION, ClusterObject
from geofence.verdict import Packet
from tests.oracle.policies import random_ruleset
from tests.support import values
from tests.support.values import space
from tests.targets import (
    FENCE,
    IAX,
    RTP,
    SIP,
    TARGET,
    edges,
    outside,
    packets,
    passes,
    ports_around,
    random_rulesets,
    seeded,
    spaces_of,
)

ENGINE = new_engine()
GOLDEN = Path(__file__).parent / "golden"
Manifest = dict[str, Any]


@pytest.fixture(params=[1_300_000, 6_000], ids=["one object", "ranges"])
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How much one object may hold."""
    most: int = request.param
    monkeypatch.setattr(ranges_module, "MOST_IN_ONE", most)
    monkeypatch.setattr(ranges_module, "MOST_IN_RANGE", most // 2)
    return most


def changed(found: ClusterObject, change: Callable[[Manifest], object]) -> ClusterObject:
    """An object after somebody changed its manifest."""
    content = json.loads(found.text)
    change(content)
    return ClusterObject.of(content)


def test_objects_equal_the_golden_file() -> None:
    objects = [each.content for each in ENGINE.objects(FENCE, TARGET)]
    assert objects == json.loads((GOLDEN / "networkpolicy.json").read_text())


def test_ranges_equal_the_golden_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges_module, "MOST_IN_ONE", 100)
    monkeypatch.setattr(ranges_module, "MOST_IN_RANGE", 100)
    objects = [each.content for each in ENGINE.objects(FENCE, TARGET)]
    assert objects == json.loads((GOLDEN / "networkpolicy-ranges.json").read_text())


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1 << 32))
def test_what_is_read_back_is_the_fence_without_bans(seed: int) -> None:
    fence = cluster_fence(outside(random_ruleset(seeded(seed))), TARGET)
    found = ENGINE.objects(fence, TARGET)
    stored = [ClusterObject.of(json.loads(each.text)) for each in found]
    assert ENGINE.read(stored, TARGET) == ENGINE.held(fence)
    assert ENGINE.objects(ENGINE.held(fence), TARGET) == found


def test_what_is_read_back_is_the_fence_of_all_ranges(most: int) -> None:
    for ruleset in random_rulesets(most, 15):
        fence = cluster_fence(ruleset, TARGET)
        found = ENGINE.objects(fence, TARGET)
        assert ENGINE.read(found, TARGET) == ENGINE.held(fence)


def test_every_packet_meets_what_the_packet_path_does(most: int) -> None:
    dice = seeded(most)
    seen, verdicts = 0, set()
    for ruleset in random_rulesets(most + 1, 12):
        fence = cluster_fence(ruleset, TARGET)
        judge = ENGINE.judge(ENGINE.objects(fence, TARGET), TARGET)
        ports = ports_around(each for service in ruleset.services for each in service.ports)
        for packet in packets(dice, edges(spaces_of(ruleset)), ports, 300):
            verdicts.add(passes(ruleset, packet))
            assert (
                judge(packet)
                == passes(ruleset, packet)
                == fence.opens(packet.family, packet.protocol, packet.source, packet.port)
            ), packet
            seen += 1
    assert (seen, verdicts) == (3_600, {True, False})


def test_only_port_0_is_shut_that_the_packet_path_leaves_alone() -> None:
    judge = ENGINE.judge(ENGINE.objects(FENCE, TARGET), TARGET)
    stranger = Packet(Family.IPV4, "udp", 0x08080808, 0)
    assert not judge(stranger)
    assert all(judge(replace(stranger, port=port)) for port in (1, 5059, 5061, 65_535))


def test_a_family_without_sources_is_shut() -> None:
    fence = ClusterFence((FenceGroup((SIP,), allowed=space("1.0.16.0/20")),))
    judge = ENGINE.judge(ENGINE.objects(fence, TARGET), TARGET)
    assert judge(Packet(Family.IPV4, "udp", 0x01001001, 5060))
    assert not judge(Packet(Family.IPV6, "udp", 0x2001 << 112, 5060))


@pytest.mark.parametrize(
    "fence",
    [
        ClusterFence((FenceGroup((SIP,)),)),
        ClusterFence((FenceGroup((SIP,), banned=space("1.0.16.0/20")), FenceGroup((IAX,)))),
    ],
)
def test_a_service_that_nobody_may_reach_has_no_rule_at_all(fence: ClusterFence) -> None:
    (found,) = ENGINE.objects(fence, TARGET)
    judge = ENGINE.judge([found], TARGET)
    assert not judge(Packet(Family.IPV4, "udp", 0x01001001, 5060))
    assert len(rules_of(found)) == 1
    assert ENGINE.read([found], TARGET) == ENGINE.held(fence)


def test_no_rule_has_an_empty_list(most: int) -> None:
    """An empty list of sources is everybody, and one of ports is every port."""
    for ruleset in random_rulesets(most + 2, 15):
        for found in ENGINE.objects(cluster_fence(ruleset, TARGET), TARGET):
            rules = rules_of(found)
            assert all(rule["ports"] and rule.get("from", True) for rule in rules)
            assert sum("from" not in rule for rule in rules) == (
                found.labels["geofence.io/role"] == "base"
            )


def test_prefixes_and_ports_are_as_an_api_server_takes_them(most: int) -> None:
    for ruleset in random_rulesets(most + 3, 15):
        for found in ENGINE.objects(cluster_fence(ruleset, TARGET), TARGET):
            for rule in rules_of(found):
                check_rule(rule)


def check_rule(rule: Manifest) -> None:
    for peer in rule.get("from", ()):
        assert peer.keys() == {"ipBlock"}
        assert peer["ipBlock"].keys() == {"cidr"}
        text = peer["ipBlock"]["cidr"]
        network = ip_network(text, strict=True)
        assert str(network) == text or network.version == 6
        assert not text.startswith("::ffff:")
    for port in rule["ports"]:
        assert port["protocol"] in ("UDP", "TCP", "SCTP")
        assert 1 <= port["port"] <= port.get("endPort", port["port"]) <= 65_535


def rules_of(found: ClusterObject) -> list[Manifest]:
    rules: list[Manifest] = json.loads(found.text)["spec"]["ingress"]
    return rules


def test_an_observed_service_is_open_as_in_the_packet_path() -> None:
    fence = ClusterFence((FenceGroup((SIP,), allowed=space("1.0.16.0/20"), observe=True),))
    objects = ENGINE.objects(fence, TARGET)
    assert ENGINE.judge(objects, TARGET)(Packet(Family.IPV4, "udp", 1, 5060))
    assert ENGINE.read(objects, TARGET) == ClusterFence((FenceGroup((SIP,), observe=True),))


def test_without_a_service_there_is_no_object() -> None:
    assert ENGINE.objects(ClusterFence(), TARGET) == ()
    assert ENGINE.read((), TARGET) == ClusterFence()


@pytest.mark.parametrize("lacking", [{"pods": ()}, {"namespace": ""}])
def test_a_target_that_would_select_all_pods_is_refused(lacking: dict[str, Any]) -> None:
    with pytest.raises(RulesError, match="namespace of the pods and their labels"):
        ENGINE.objects(FENCE, replace(TARGET, **lacking))


def base_rules(content: Manifest) -> list[Manifest]:
    rules: list[Manifest] = content["spec"]["ingress"]
    return rules


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: base_rules(found).append({}), "rules that geofence does not make"),
        (lambda found: base_rules(found).pop(), "rules of iax are not there"),
        (lambda found: base_rules(found)[1].pop("from"), "rules of sip.rtp are not there"),
        (lambda found: base_rules(found)[1].update({"from": []}), "allows everybody"),
        (lambda found: base_rules(found)[1].pop("ports"), "rules of sip.rtp are not there"),
        (lambda found: base_rules(found)[1]["ports"][1].pop("endPort"), "rules of sip.rtp"),
        (lambda found: base_rules(found)[0]["ports"].pop(), "first rule"),
        (lambda found: base_rules(found)[0]["ports"].clear(), "first rule"),
        (
            lambda found: base_rules(found)[1]["from"][0]["ipBlock"].update(
                {"except": ["203.0.113.9/32"]}
            ),
            "not one plain prefix",
        ),
        (lambda found: base_rules(found)[1]["from"].append({"podSelector": {}}), "plain prefix"),
        (lambda found: base_rules(found)[1]["from"].append({}), "plain prefix"),
        (
            lambda found: base_rules(found)[1]["from"].append({"ipBlock": {"cidr": "10.1.2.3/8"}}),
            "10.1.2.3/8",
        ),
        (lambda found: found["spec"].update({"podSelector": {}}), "selects other pods"),
        (lambda found: found["spec"]["policyTypes"].append("Egress"), "incoming"),
        (lambda found: found["metadata"].pop("annotations"), "annotation"),
        (lambda found: found["metadata"].pop("labels"), "role base"),
        (
            lambda found: found["metadata"]["annotations"].update({FENCE_ANNOTATION: "[1]"}),
            "annotation",
        ),
        (lambda found: found.pop("spec"), "selects other pods"),
    ],
)
def test_what_others_changed_is_never_taken_for_a_fence(
    change: Callable[[Manifest], object], reason: str
) -> None:
    (found,) = ENGINE.objects(FENCE, TARGET)
    with pytest.raises(TargetError, match=reason):
        ENGINE.read([changed(found, change)], TARGET)


def test_a_prefix_that_others_added_is_read_as_it_is() -> None:
    (found,) = ENGINE.objects(FENCE, TARGET)
    opened = changed(
        found, lambda it: base_rules(it)[2]["from"].append({"ipBlock": {"cidr": "0.0.0.0/0"}})
    )
    assert ENGINE.read([opened], TARGET).groups[0].allowed.ipv4.size == 1 << 32


def test_what_a_server_adds_does_not_matter() -> None:
    (found,) = ENGINE.objects(FENCE, TARGET)

    def served(content: Manifest) -> None:
        content["metadata"].update(
            {"uid": "1", "resourceVersion": "2", "managedFields": [{}], "generation": 3}
        )
        content["status"] = {}

    assert changed(found, served).content == found.content


def test_missing_ranges_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges_module, "MOST_IN_ONE", 4_000)
    monkeypatch.setattr(ranges_module, "MOST_IN_RANGE", 4_000)
    dice = seeded(5)
    for ruleset in random_rulesets(5, 4, 800):
        fence = cluster_fence(ruleset, TARGET)
        objects = ENGINE.objects(fence, TARGET)
        ports = ports_around(each for group in fence.groups for each in group.ports)
        for lost in objects[:6]:
            left = ENGINE.judge([each for each in objects if each is not lost], TARGET)
            if len(objects) == 1:
                continue
            for packet in packets(dice, edges(spaces_of(ruleset)), ports, 20):
                assert passes(ruleset, packet) or not left(packet)


def test_the_bounds_of_ranges_depend_on_no_count_of_what_is_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranges_module, "MOST_IN_ONE", 2_000)
    monkeypatch.setattr(ranges_module, "MOST_IN_RANGE", 1_000)
    prefixes = [Prefix(Family.IPV4, at << 24, 24) for at in range(1, 200)]
    fewer, more = (
        ENGINE.objects(
            ClusterFence((FenceGroup((SIP,), allowed=AddressSpace.of(allowed)),)), TARGET
        )
        for allowed in (prefixes[1:], prefixes)
    )
    assert len(more) > 3
    assert [each.key for each in fewer] == [each.key for each in more]
    assert [one.key for one, other in zip(fewer, more, strict=True) if one != other] == [
        more[1].key
    ]


def some_targets() -> Iterator[Target]:
    yield Target("a", TargetKind.NETWORKPOLICY, "x", (("a", "b"), ("c", "d")))
    yield Target("a", TargetKind.NETWORKPOLICY, "x", (("a", "b"),), services=("iax",))


def test_a_target_may_fence_some_services_only() -> None:
    every, few = some_targets()
    for ruleset in random_rulesets(9, 10):
        assert len(cluster_fence(ruleset, every).groups) >= len(cluster_fence(ruleset, few).groups)
        assert {name for group in cluster_fence(ruleset, few).groups for name in group.names} <= {
            "iax"
        }


def test_services_of_equal_policy_share_and_the_first_has_a_port() -> None:
    group = FenceGroup((SIP, RTP))
    assert group.name == "sip.rtp"
    assert FenceGroup((RTP, SIP)).digest != group.digest
    long = FenceGroup(tuple(ServicePorts(f"service-{at}", ()) for at in range(9)))
    other = FenceGroup(long.services[:-1])
    assert len(long.name) < 40
    assert long.name != other.name


def large(number: int, family: Family = Family.IPV4) -> ClusterObject:
    """An object whose one rule has so many prefixes, whatever ``render`` does."""
    step = family.bits - 24
    prefixes = (Prefix(family, at << step, 24) for at in range(number))
    peers = [{"ipBlock": {"cidr": str(each)}} for each in prefixes]
    (found,) = ENGINE.objects(FENCE, TARGET)
    return changed(found, lambda it: base_rules(it)[1].update({"from": peers}))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (30_000, []),
        (66_000, ["A rule of NetworkPolicy/pbx/geofence-pbx has 66,000 IPv4 prefixes."]),
        (
            90_000,
            [
                "NetworkPolicy/pbx/geofence-pbx has",
                "A rule of NetworkPolicy/pbx/geofence-pbx has 90,000 IPv4 prefixes.",
            ],
        ),
    ],
)
def test_limits_that_are_exceeded_are_told_with_the_numbers(number: int, said: list[str]) -> None:
    found = ENGINE.limits([large(number)])
    assert [one.saw.startswith(text) for one, text in zip(found, said, strict=True)] == [
        True
    ] * len(said)
    assert {one.accept for one in found} <= {"target-limit"}


def test_the_world_stays_below_every_limit() -> None:
    """As many prefixes as the world's lists have, and longer ones."""
    dice = seeded(8)
    four = [Prefix(Family.IPV4, dice.getrandbits(24) << 8, 24) for _ in range(50_000)]
    six = [Prefix(Family.IPV6, 0x2 << 124 | dice.getrandbits(61) << 63, 65) for _ in range(62_000)]
    fence = ClusterFence((FenceGroup((SIP,), allowed=AddressSpace.of([*four, *six])),))
    objects = ENGINE.objects(fence, TARGET)
    assert ENGINE.limits(objects) == ()
    assert 5 < len(objects) < 50
    assert ENGINE.read(objects, TARGET) == fence
    assert max(stored_size(each) for each in objects) < 700_000


ALWAYS = {
    *("live-flows", "counters", "silent-drop", "order", "ends"),
    *("own-node", "other-protocols", "public-port"),
}


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        ({"interfaces": ("lo",), "local": AddressSpace()}, {}),
        ({"interfaces": ("lo", "tun0"), "local": AddressSpace()}, {"trusted-interfaces": ["tun0"]}),
        ({"local": space("10.0.0.0/8")}, {"local-networks": ["10.0.0.0/8"]}),
        (
            {"services": (replace(values.SIP, observe=True, helpers=("sip",)), values.RTP)},
            {"observe": ["sip"], "helpers": ["sip"], "local-networks": ["10.0.0.0/8", "fc00::/7"]},
        ),
        (
            {
                "services": (replace(values.SIP, replies_from=RepliesFrom.EXCEPTIONS),),
                "local": AddressSpace(),
            },
            {"replies-from": ["sip"]},
        ),
    ],
)
def test_what_it_cannot_do_is_told_once_by_name(
    rules: dict[str, object], more: dict[str, list[str]]
) -> None:
    notes = ENGINE.inexpressible(values.policy(**rules), FENCE, TARGET)
    told = [(str(note.data["what"]), note.data["names"]) for note in notes]
    assert dict(told) == {**{what: [] for what in ALWAYS}, **more}
    assert len(told) == len(ALWAYS) + len(more)
    assert all(len(text) > 20 for text in sentences(notes))


def test_prefixes_that_an_api_server_takes_for_ipv4_are_left_out() -> None:
    """No packet has such a source."""
    mapped = space("::ffff:0:0/96")
    holed = space("::/0") - space("::ffff:192.0.2.0/128")
    fence = ClusterFence(
        (FenceGroup((SIP,), excepted=mapped, allowed=space("2001:db8::/32")), FenceGroup((IAX,)))
    )
    assert "ffff" not in "".join(each.text for each in ENGINE.objects(fence, TARGET))
    whole = ClusterFence((FenceGroup((SIP,), allowed=space("::/0")),))
    assert [peer["ipBlock"]["cidr"] for peer in peers_of(whole)] == ["::/0"]
    cut = ClusterFence((FenceGroup((SIP,), allowed=holed),))
    assert not [peer for peer in peers_of(cut) if ":ffff:" in peer["ipBlock"]["cidr"]]
    for each in (fence, whole, cut):
        assert ENGINE.read(ENGINE.objects(each, TARGET), TARGET) == ENGINE.held(each)


def peers_of(fence: ClusterFence) -> list[Manifest]:
    (found,) = ENGINE.objects(fence, TARGET)
    peers: list[Manifest] = rules_of(found)[1]["from"]
    return peers


@pytest.mark.parametrize(
    "services",
    [
        {"\x1b[2J": ["5060/udp"]},
        {"sip": ["0/udp"]},
        {"sip": ["9-5/udp"]},
        {"sip": ["1-70000/udp"]},
        {"sip": ["5060/sctp"]},
        {"sip": ["٥٠٦٠/udp"]},
        {"sip": [5060]},
        ["sip"],
    ],
)
def test_an_annotation_that_others_wrote_is_not_believed(services: object) -> None:
    (found,) = ENGINE.objects(FENCE, TARGET)
    text = json.dumps([{"services": services, "observe": False, "rules": []}])
    for damaged in (text, "[" * 200_000):
        with pytest.raises(TargetError, match="annotation"):
            ENGINE.read([annotated(found, damaged)], TARGET)


def annotated(found: ClusterObject, text: str) -> ClusterObject:
    def put(content: Manifest) -> None:
        content["metadata"]["annotations"][FENCE_ANNOTATION] = text

    return changed(found, put)
