"""Objects of Calico and Cilium in the fake cluster, whose lists of prefixes differ in kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geofence.cluster.client import Thing
from geofence.errors import ClusterError
from geofence.operations.targets.remove import remove_from_cluster
from tests.clusters.fake import FakeApi
from tests.clusters.scene import Scene

ENGINES = ["calico", "cilium"]


@pytest.fixture(params=ENGINES)
def engine(scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """A target of another kind."""
    scene.change('"networkpolicy"', f'"{request.param}"')
    return scene


def network_set(name: str, *nets: str) -> dict[str, Any]:
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkSet",
        "metadata": {"name": name},
        "spec": {"nets": list(nets)},
    }


def test_the_cycle(engine: Scene) -> None:
    assert engine.apply().generation == 1
    assert engine.who() == "JP"
    assert engine.plan().is_empty
    assert engine.status().drift == ()
    engine.change('["JP"]', '["JP", "DE"]')
    gained = {each.key.name: each.added.size for each in engine.plan().set_changes}
    assert gained["allow4-sip"] == 1 << 22
    engine.apply()
    assert engine.who() == "JDP"
    remove_from_cluster(engine.place)
    assert (engine.who(), engine.in_cluster().objects) == ("JDPS", ())


def test_an_equal_apply_writes_nothing(engine: Scene, api: FakeApi) -> None:
    engine.apply()
    before = api.cluster.writes
    engine.apply()
    assert api.cluster.writes == before


def test_what_another_program_adds_to_a_set_is_taken_out(scene: Scene) -> None:
    scene.change('"networkpolicy"', '"calico"')
    scene.apply()
    allowed = next(
        each for each in scene.in_cluster().objects if "-allow-" in each.name and "v4" in each.name
    )
    opened = scene.make(network_set(allowed.name, "0.0.0.0/1"), "somebody")
    assert "0.0.0.0/1" in opened["spec"]["nets"]
    assert scene.who() == "JDPS"
    scene.apply()
    assert scene.who() == "JP"
    assert "0.0.0.0/1" not in scene.stored(network_set(allowed.name))["spec"]["nets"]
    scene.change('["JP"]', '["DE"]')
    scene.apply()
    assert scene.who() == "DP"


def managers(thing: Thing) -> dict[str, int]:
    return {
        each["manager"]: len(json.dumps(each["fieldsV1"]))
        for each in thing["metadata"]["managedFields"]
    }


def test_a_set_has_a_managed_field_for_each_member(scene: Scene) -> None:
    nets = [f"{number}.0.0.0/8" for number in range(1, 100)]
    made = scene.make(network_set("s", *nets))
    (entry,) = made["metadata"]["managedFields"]
    assert len(entry["fieldsV1"]["f:spec"]["f:nets"]) == 99
    one = scene.make(network_set("s", *nets[:50]), "other")
    assert one["spec"]["nets"] == nets
    assert managers(one).keys() == {"kubectl", "other"}
    left = scene.make(network_set("s", *nets[60:]))
    assert left["spec"]["nets"] == [*nets[60:], *nets[:50]]


def test_a_set_refuses_a_member_twice(scene: Scene) -> None:
    with pytest.raises(ClusterError, match="duplicate entries"):
        scene.make(network_set("s", "1.0.0.0/8", "1.0.0.0/8"))


def test_us_is_too_large_for_one_set_and_fits_into_several(scene: Scene) -> None:
    nets = [f"{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.0/24" for n in range(29_133)]
    nets += [f"2001:db8:{n:x}::/48" for n in range(10_277)]
    with pytest.raises(ClusterError, match="request is too large"):
        scene.make(network_set("s", *nets))
    assert scene.make(network_set("s", *nets[:10_000]))["spec"]["nets"] == nets[:10_000]


def test_calico_takes_what_is_no_net(scene: Scene) -> None:
    assert scene.make(network_set("s", "banana"))["spec"]["nets"] == ["banana"]
