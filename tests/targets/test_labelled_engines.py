"""Calico and Cilium: what is made is read back, judged as the fence says, and changed in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import RulesError, TargetError
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.target import Target, TargetKind
from geofence.targets.fence import ClusterFence, FenceGroup
from geofence.targets.labelled_sets import SetRole, parts, set_name
from geofence.targets.objects import (
    FENCE_ANNOTATION,
    ClusterObject,
    Json,
    Verb,
    as_mapping,
    as_sequence,
)
from geofence.targets.prefixes import without_mapped
from geofence.targets.registry import load
from tests.support.values import families, prefix_sets, space
from tests.targets.labelled import (
    EXAMPLE,
    FEW_PORTS,
    OBSERVING,
    RTP,
    SIP,
    Cluster,
    edges,
    fences,
    opened,
    packets,
    random_packets,
    sides_of,
    states,
    target,
    unchanged,
    wrong,
)

KINDS = (TargetKind.CALICO, TargetKind.CILIUM)
kinds = st.sampled_from(KINDS)
targets = st.builds(
    lambda kind, chosen: target(kind, pods=chosen != "nodes", nodes=chosen != "pods"),
    kinds,
    st.sampled_from(["pods", "nodes", "both"]),
)


@given(targets, fences())
def test_a_fence_is_read_back_as_it_is_held(chosen: Target, fence: ClusterFence) -> None:
    engine = load(chosen.kind)
    objects = engine.objects(fence, chosen)
    assert engine.read(objects, chosen) == engine.held(fence)
    assert engine.objects(engine.held(fence), chosen) == objects
    assert engine.order(objects, objects) == ()


@settings(max_examples=60)
@given(kinds, fences())
def test_objects_decide_packets_as_the_fence_does(kind: TargetKind, fence: ClusterFence) -> None:
    engine = load(kind)
    for chosen in sides_of(kind):
        judge = engine.judge(engine.objects(fence, chosen), chosen)
        says = opened(fence)
        for packet in packets(edges([fence])):
            assert judge(packet) is says(packet), packet


@settings(deadline=None, max_examples=40)
@given(kinds, fences(), fences())
def test_between_two_requests_the_fence_is_the_old_or_the_new_one(
    kind: TargetKind, old: ClusterFence, new: ClusterFence
) -> None:
    engine = load(kind)
    agreed = unchanged(opened(old), opened(new), packets(edges([old, new]), FEW_PORTS))
    for chosen in sides_of(kind):
        before = Cluster.of(engine.objects(old, chosen))
        for state in states(engine, before, engine.objects(new, chosen)):
            assert wrong(engine.judge(state.objects, chosen), agreed)[:3] == []


@st.composite
def similar(draw: st.DrawFn) -> tuple[ClusterFence, ClusterFence, ClusterFence]:
    """Three fences of the same services, so that sets keep their names."""
    made = [draw(fences(observe=False).filter(lambda each: bool(each.groups)))]
    for _ in range(2):
        groups = []
        for group in made[0].groups:
            other = draw(fences(observe=False).filter(lambda each: bool(each.groups))).groups[0]
            groups.append(replace(other, services=group.services))
        made.append(ClusterFence(tuple(groups)))
    return made[0], made[1], made[2]


@settings(deadline=None, max_examples=20)
@given(kinds, similar(), st.data())
def test_a_run_that_was_killed_is_continued_by_one_to_a_third_fence(
    kind: TargetKind,
    three: tuple[ClusterFence, ClusterFence, ClusterFence],
    data: st.DataObject,
) -> None:
    engine = load(kind)
    asked = list(packets(edges(three), FEW_PORTS))
    for chosen in sides_of(kind):
        first, second, third = (engine.objects(each, chosen) for each in three)
        passed = list(states(engine, Cluster.of(first), second))
        killed = data.draw(st.sampled_from(passed), label="killed")
        agreed = unchanged(engine.judge(killed.objects, chosen), opened(three[2]), asked)
        for state in states(engine, killed, third):
            assert wrong(engine.judge(state.objects, chosen), agreed)[:3] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("killed", "number"), [(0, 2_000), (1, 2_000)])
def test_random_packets_are_decided_as_the_fence_does(
    kind: TargetKind, killed: int, number: int
) -> None:
    engine = load(kind)
    chosen = sides_of(kind)[killed]
    judge = engine.judge(engine.objects(EXAMPLE, chosen), chosen)
    for packet in random_packets(edges([EXAMPLE]), number, seed=14):
        assert judge(packet) is opened(EXAMPLE)(packet), packet


@pytest.mark.parametrize("kind", KINDS)
def test_who_moves_between_exceptions_and_the_allow_set_is_not_blocked_meanwhile(
    kind: TargetKind,
) -> None:
    """Both ways at once, so that neither set may lose its addresses first."""
    engine, chosen = load(kind), target(kind)
    one, other = space("192.0.2.1/32"), space("192.0.2.2/32")
    both = space("198.51.100.0/24")
    old = ClusterFence((FenceGroup((SIP,), excepted=one | both, allowed=other | both),))
    new = ClusterFence((FenceGroup((SIP,), excepted=other | both, allowed=one | both),))
    before = Cluster.of(engine.objects(old, chosen))
    agreed = unchanged(opened(old), opened(new), packets(edges([old, new])))
    for state in states(engine, before, engine.objects(new, chosen)):
        assert wrong(engine.judge(state.objects, chosen), agreed)[:3] == []


@pytest.mark.parametrize("kind", KINDS)
def test_sets_come_before_the_rules_and_go_after_them(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind, nodes=True)
    objects = engine.objects(EXAMPLE, chosen)
    made = [request.object.kind for request in engine.order((), objects)]
    gone = [request.object.kind for request in engine.order(objects, ())]
    assert made.index(next(each for each in made if each.endswith("Policy"))) == len(made) - 2
    assert all(each.endswith("Policy") for each in gone[:2])
    assert all(request.verb is Verb.DELETE for request in engine.order(objects, ()))
    if kind is TargetKind.CALICO:
        assert (made[0], gone[-1]) == ("Tier", "Tier")


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_prefix_takes_one_request(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind, nodes=True)
    group = EXAMPLE.groups[0]
    changed = ClusterFence(
        (replace(group, allowed=group.allowed | space("192.0.2.0/24")), EXAMPLE.groups[1])
    )
    requests = engine.order(engine.objects(EXAMPLE, chosen), engine.objects(changed, chosen))
    assert [request.verb for request in requests] == [Verb.APPLY]


@pytest.mark.parametrize("kind", KINDS)
def test_services_with_other_ports_get_sets_of_their_own(kind: TargetKind) -> None:
    """Else what is new in a set would be open by the old rules to the old ports, too."""
    more = replace(SIP, ports=(*SIP.ports, *RTP.ports))
    names = {
        set_name(SetRole.ALLOW, FenceGroup((services,)), replace(target(kind), name=name))
        for services in (SIP, more)
        for name in ("pbx", "other")
    }
    assert len(names) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_somebody_changed_is_not_read_as_the_fence(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind, nodes=True)
    objects = engine.objects(EXAMPLE, chosen)
    for at, each in enumerate(objects):
        if each.kind.endswith("Policy"):
            spec = {key: value for key, value in each.spec.items() if key != "ingressDeny"}
            spec |= {"ingress": []}
            changed = (*objects[:at], altered(each, spec), *objects[at + 1 :])
            with pytest.raises(TargetError, match="is not as geofence makes it"):
                engine.read(changed, chosen)
            assert [each.object for each in engine.order(changed, objects)] == [each]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "damage", ["", "[]", "{}", '[{"at":0}]', '[{"at":0,"services":[{"name":"sip","ports":["x"]}]}]']
)
def test_a_damaged_annotation_is_told_and_replaced(kind: TargetKind, damage: str) -> None:
    engine, chosen = load(kind), target(kind)
    objects = engine.objects(EXAMPLE, chosen)
    policy = objects[-1]
    damaged = noted(policy, damage)
    with pytest.raises(TargetError, match="is not as geofence makes it"):
        engine.read((*objects[:-1], damaged), chosen)
    assert [each.object for each in engine.order((*objects[:-1], damaged), objects)] == [policy]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_prefix_in_a_set_is_told_and_replaced(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind)
    objects = engine.objects(EXAMPLE, chosen)
    at = next(at for at, each in enumerate(objects) if "-except-" in each.name)
    field = next(iter(objects[at].spec))
    for text in ("banana", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "::/129"):
        spoilt = altered(objects[at], {field: ["203.0.113.0/24", text]})
        changed = (*objects[:at], spoilt, *objects[at + 1 :])
        with pytest.raises(TargetError, match="prefix"):
            engine.read(changed, chosen)
        assert [each.object for each in engine.order(changed, objects)] == [objects[at]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_that_somebody_changed_is_read_as_it_is_and_healed(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind)
    objects = engine.objects(EXAMPLE, chosen)
    at = next(at for at, each in enumerate(objects) if "-except-" in each.name)
    field = next(iter(objects[at].spec))
    changed = (*objects[:at], altered(objects[at], {field: ["0.0.0.0/0"]}), *objects[at + 1 :])
    assert engine.read(changed, chosen).groups[0].excepted.ipv4.bounds == (0, 1 << 32)
    assert engine.order(changed, objects)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fence", [EXAMPLE, OBSERVING])
def test_what_one_side_lacks_is_not_read_as_fenced(kind: TargetKind, fence: ClusterFence) -> None:
    """A run was killed after the policy of the pods, before that of the nodes."""
    engine, chosen = load(kind), target(kind, nodes=True)
    objects = engine.objects(fence, chosen)
    policies = [each for each in objects if each.kind.endswith("Policy")]
    assert len(policies) > 1
    for missing in policies:
        left = [each for each in objects if each is not missing]
        assert engine.read(left, chosen) != engine.held(fence)


@pytest.mark.parametrize("kind", KINDS)
def test_what_servers_and_others_add_takes_no_request(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind, nodes=True)
    objects = engine.objects(EXAMPLE, chosen)
    stored = [ClusterObject.of(served(each)) for each in objects]
    assert engine.order(stored, objects) == ()
    assert engine.read(stored, chosen) == engine.held(EXAMPLE)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_of_another_target_are_not_read(kind: TargetKind) -> None:
    engine, chosen = load(kind), target(kind)
    other = replace(chosen, name="other")
    assert engine.read(engine.objects(EXAMPLE, other), chosen) == ClusterFence()


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_without_pods_and_nodes_is_refused(kind: TargetKind) -> None:
    engine = load(kind)
    with pytest.raises(RulesError, match="neither pods nor nodes"):
        engine.objects(EXAMPLE, Target("pbx", kind))
    with pytest.raises(RulesError, match="no namespace"):
        engine.objects(EXAMPLE, replace(target(kind), namespace=""))


@pytest.mark.parametrize("kind", KINDS)
def test_no_prefix_is_written_that_engines_would_take_for_another(kind: TargetKind) -> None:
    """``::ffff:192.0.2.0/120`` is IPv4 to them, and 0.0.0.0/0 nobody, or the end of an agent."""
    engine, chosen = load(kind), target(kind, nodes=True)
    mapped = space("::ffff:192.0.2.0/120", "2001:db8::/32", "::/1", "0.0.0.0/0")
    fence = ClusterFence((FenceGroup((SIP,), allowed=mapped),))
    texts = [text for each in engine.objects(fence, chosen) for text in set_texts(each)]
    assert "0.0.0.0/1" in texts
    assert not [text for text in texts if text.endswith("/0") or "ffff:" in text]


@given(prefix_sets(Family.IPV6))
def test_only_mapped_prefixes_are_left_out(prefixes: PrefixSet) -> None:
    mapped = space("::ffff:0:0/96").ipv6
    left = without_mapped(AddressSpace(ipv6=prefixes)).ipv6
    assert left | (prefixes & mapped) == prefixes
    assert not [
        each
        for each in left.prefixes()
        if PrefixSet.of(Family.IPV6, [each]) - mapped == (PrefixSet(Family.IPV6))
    ]


@given(families.flatmap(prefix_sets), st.integers(1, 4))
def test_parts_make_up_the_set_and_none_is_larger_than_it_may_be(
    prefixes: PrefixSet, most: int
) -> None:
    found = dict(parts(prefixes, most))
    texts = [str(text) for each in found.values() for text in each]
    assert all(len(each) <= most for each in found.values())
    assert len(texts) == len(set(texts))
    assert space(*texts)[prefixes.family] == prefixes


@given(families.flatmap(lambda family: st.tuples(prefix_sets(family), prefix_sets(family))))
def test_an_address_never_moves_between_parts_that_stay(two: tuple[PrefixSet, PrefixSet]) -> None:
    one, other = (
        {name: space(*map(str, texts))[each.family] for name, texts in parts(each, 2)}
        for each in two
    )
    for name in one.keys() & other.keys():
        for later in one.keys() & other.keys() - {name}:
            assert not one[name].meets(other[later])


def altered(one: ClusterObject, spec: Mapping[str, Json]) -> ClusterObject:
    return replace(one, content={**one.content, "spec": spec})


def noted(one: ClusterObject, text: str) -> ClusterObject:
    metadata = as_mapping(one.content["metadata"])
    annotated = {**metadata, "annotations": {FENCE_ANNOTATION: text}}
    return replace(one, content={**one.content, "metadata": annotated})


def served(one: ClusterObject) -> Mapping[str, Json]:
    """The object as a server may have it: with empty fields, and notes of others."""
    metadata = {
        **as_mapping(one.content["metadata"]),
        "labels": {**one.labels, "team": "voice"},
        "uid": "1",
        "resourceVersion": "7",
        "managedFields": [{}],
    }
    spec = dict(one.spec)
    if one.kind.endswith("Policy"):
        rules: list[Json] = [
            {"source": {}, **as_mapping(rule)} for rule in as_sequence(spec.get("ingress"))
        ]
        spec |= {"egress": [], "serviceAccountSelector": None, "ingress": rules}
    return {**one.content, "metadata": metadata, "spec": spec, "status": {"conditions": []}}


def set_texts(one: ClusterObject) -> list[str]:
    return [str(text) for value in one.spec.values() for text in as_sequence(value)]
