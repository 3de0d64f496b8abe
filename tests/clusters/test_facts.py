"""Facts of API servers on which geofence relies; against the fake server, and a real one."""

from __future__ import annotations

from typing import Any

import pytest

from geofence.cluster.client import Cluster, Version
from geofence.errors import ClusterError
from geofence.operations.targets.evidence import POLICIES
from geofence.targets.objects import ClusterObject, Resource
from tests.clusters.scene import NAMESPACE, Scene, blocks, policy

FILLS_REQUEST = 90_000
"""Prefixes that make more than 3 MiB of JSON."""
FILLS_ETCD = 55_000
"""Prefixes that make less than that, and more than 1.5 MiB where they are stored."""


def spec(*prefixes: str, **port: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A policy that allows some prefixes to reach a port."""
    ports = [{"port": 5060, "protocol": "UDP", **port}]
    return {
        "podSelector": {"matchLabels": {"app": "asterisk"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": blocks(*prefixes), "ports": ports}],
    }


def code(scene: Scene, thing: dict[str, Any], **more: str) -> int:
    """The code with which an apply is refused; 0 if it is not."""
    try:
        scene.make(thing, **more)
    except ClusterError as error:
        return error.status
    return 0


@pytest.mark.parametrize(
    ("prefixes", "port"),
    [
        (["1.0.0.1/8"], {}),
        (["01.0.0.0/8"], {}),
        (["::ffff:1.0.0.0/104"], {}),
        (["1.0.0.0"], {}),
        (["1.0.0.0/33"], {}),
        (["1.0.0.0/8"], {"protocol": "udp"}),
        (["1.0.0.0/8"], {"protocol": "ICMP"}),
        (["1.0.0.0/8"], {"port": 0}),
        (["1.0.0.0/8"], {"endPort": 5059}),
        (["1.0.0.0/8"], {"endPort": 65_536}),
    ],
)
def test_what_is_not_canonical_is_refused(
    scene: Scene, prefixes: list[str], port: dict[str, Any]
) -> None:
    assert code(scene, policy("p", spec(*prefixes, **port))) == 422
    assert code(scene, policy("p", spec("1.0.0.0/8"))) == 0


def test_unknown_fields_are_refused_under_server_side_apply(scene: Scene) -> None:
    assert code(scene, policy("p", {**spec("1.0.0.0/8"), "except": []})) in (400, 422, 500)


def test_duplicates_are_taken_and_stored_as_they_are(scene: Scene) -> None:
    thing = policy("p", spec("1.0.0.0/8", "1.0.0.0/8"))
    scene.make(thing)
    assert scene.stored(thing)["spec"] == thing["spec"]


def test_port_ranges_are_stored_by_a_server_of_today(scene: Scene) -> None:
    thing = policy("p", spec("1.0.0.0/8", port=10_000, endPort=20_000))
    assert scene.make(thing)["spec"] == thing["spec"]
    with connected(scene) as cluster:
        assert cluster.version() >= Version(1, 25)


def test_an_equal_apply_leaves_the_resource_version_alone(scene: Scene) -> None:
    thing = policy("p", spec("1.0.0.0/8"))
    first = scene.make(thing)["metadata"]["resourceVersion"]
    assert scene.make(thing)["metadata"]["resourceVersion"] == first
    assert scene.make(policy("p", spec("2.0.0.0/8")))["metadata"]["resourceVersion"] != first


def test_another_manager_conflicts_unless_it_forces(scene: Scene) -> None:
    scene.make(policy("p", spec("1.0.0.0/8")), "one")
    other = policy("p", spec("2.0.0.0/8"))
    assert code(scene, other, manager="other", force="false") == 409
    assert scene.make(other, "other")["spec"] == other["spec"]
    assert code(scene, policy("p", spec("1.0.0.0/8")), manager="one", force="false") == 409


def test_fields_of_others_survive_an_apply_by_force(scene: Scene) -> None:
    scene.make(policy("p", spec("1.0.0.0/8")), "one")
    scene.make(policy("p", {**spec("1.0.0.0/8"), "egress": [{}]}), "other")
    made = scene.make(policy("p", spec("2.0.0.0/8")), "one")
    assert made["spec"]["egress"] == [{}]


def test_a_list_of_peers_is_one_managed_field(scene: Scene) -> None:
    thing = policy("p", spec(*(f"{n}.0.0.0/8" for n in range(1, 100))))
    made = scene.make(thing)
    (entry,) = made["metadata"]["managedFields"]
    assert entry["manager"] == "kubectl"
    assert set(entry["fieldsV1"]["f:spec"]) == {"f:ingress", "f:podSelector", "f:policyTypes"}
    assert entry["fieldsV1"]["f:spec"]["f:ingress"] == {}


def test_a_try_stores_nothing_and_tells_what_would_be_stored(scene: Scene) -> None:
    thing = policy("p", spec("1.0.0.0/8"))
    with connected(scene) as cluster:
        would = cluster.apply(ClusterObject.of(thing), POLICIES, only_try=True)
        assert would["spec"] == thing["spec"]
        assert cluster.get(POLICIES, NAMESPACE, "p") is None


def test_what_is_too_large_is_refused_and_changes_nothing(scene: Scene) -> None:
    thing = policy("p", spec("1.0.0.0/8"))
    scene.make(thing)
    peers = [f"{100 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24" for n in range(FILLS_REQUEST)]
    assert code(scene, policy("p", spec(*peers))) == 413
    longer = [f"2001:db8:{n:04x}:ffff::/64" for n in range(FILLS_ETCD)]
    assert code(scene, policy("p", spec(*longer))) in (413, 500)
    assert scene.stored(thing)["spec"] == thing["spec"]


def test_us_fits_into_one_policy(scene: Scene) -> None:
    peers = [f"{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24" for n in range(29_133)]
    peers += [f"2001:db8:{n:x}::/48" for n in range(10_277)]
    assert code(scene, policy("p", spec(*peers))) == 0


def test_a_delete_is_of_the_object_that_was_meant(scene: Scene) -> None:
    thing = policy("p", spec("1.0.0.0/8"))
    uid = str(scene.make(thing)["metadata"]["uid"])
    with connected(scene) as cluster:
        with pytest.raises(ClusterError) as refused:
            cluster.delete(ClusterObject.of(thing), POLICIES, "another-uid")
        assert refused.value.status == 409
        cluster.delete(ClusterObject.of(thing), POLICIES, uid)
        cluster.delete(ClusterObject.of(thing), POLICIES, uid)
        assert cluster.get(POLICIES, NAMESPACE, "p") is None


def test_lists_are_by_label_and_in_pages(scene: Scene) -> None:
    for number in range(55):
        scene.make(policy(f"p{number:02d}", spec("1.0.0.0/8"), team="a" if number else "b"))
    with connected(scene) as cluster:
        found = cluster.list(POLICIES, NAMESPACE, {"team": "a"})
        assert len({each["metadata"]["name"] for each in found}) == len(found) == 54
        assert {each["kind"] for each in found} == {"NetworkPolicy"}


def test_kinds_that_are_not_served(scene: Scene) -> None:
    with connected(scene) as cluster:
        assert cluster.serves(POLICIES)
        unknown = Resource("example.invalid/v1", "Nothing", "nothings")
        assert not cluster.serves(unknown)
        assert cluster.list(unknown, NAMESPACE) == ()
        assert cluster.get(unknown, NAMESPACE, "x") is None


def connected(scene: Scene) -> Cluster:
    """A client; a context manager."""
    return Cluster(scene.place.target, 20.0)
