"""Cilium 1.17 has CIDR groups in v2alpha1 only, 1.18 in v2, too; and clusters are upgraded."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.doctor.findings import FindingKind
from geofence.errors import ClusterError, VerificationError
from geofence.model.address import Address
from geofence.operations.commit import Wish
from geofence.operations.doctor import examine_cluster
from geofence.operations.targets.remove import remove_from_cluster
from geofence.operations.targets.restore import restore_cluster, rollback_cluster
from geofence.operations.targets.why import why_in_cluster
from tests.clusters.fake import FakeApi, Fault, FaultKind
from tests.clusters.fake.kinds import BUILT_IN, CALICO, cilium
from tests.clusters.fake.server import Seen
from tests.clusters.scene import GERMAN, RULES, STRANGER, Scene

NODES = 'pods = ["app=asterisk"]\nnodes = ["geofence.io/fence=pbx-node"]'
VERSIONS = {"1.17": ("v2alpha1",), "1.18": ("v2", "v2alpha1"), "later": ("v2",)}
"""Versions of CIDR groups, the one in which they are stored first."""


def release(api: FakeApi, name: str) -> None:
    """Make it a cluster with a release of Cilium; its objects stay."""
    api.cluster.kinds = (*BUILT_IN, *CALICO, *cilium(*VERSIONS[name]))


@pytest.fixture
def scene(tmp_path: Path, api: FakeApi) -> Scene:
    """An installation with a target in a cluster with Cilium 1.17."""
    release(api, "1.17")
    text = RULES.replace('"networkpolicy"', '"cilium"')
    return Scene(
        tmp_path, api.kubeconfig(tmp_path), text=text.replace('pods = ["app=asterisk"]', NODES)
    )


def groups(api: FakeApi) -> dict[str, tuple[str, str]]:
    """The CIDR groups of the cluster: the version in which each is stored, and its UID."""
    return {
        name: (each.thing["apiVersion"], each.thing["metadata"]["uid"])
        for (plural, _, name), each in api.cluster.objects.items()
        if plural == "ciliumcidrgroups"
    }


def versions_written(api: FakeApi, since: int = 0) -> set[str]:
    """The versions in which CIDR groups were written since some request."""
    paths = [each.path for each in api.seen[since:] if each.writes]
    return {path.split("/")[3] for path in paths if "ciliumcidrgroups" in path}


def test_the_whole_cycle_on_a_server_that_has_groups_in_v2alpha1_only(
    scene: Scene, api: FakeApi
) -> None:
    assert scene.who() == "JDPS"
    assert scene.apply().generation == 1
    assert scene.who() == "JP"
    assert scene.status().drift == ()
    assert scene.plan().is_empty
    scene.change('["JP"]', '["DE"]')
    assert scene.apply().generation == 2
    assert scene.who() == "DP"
    found = why_in_cluster(scene.place, Address.parse(GERMAN), ())
    assert found.notes == ()
    assert all(answer.passes for answer in found.now)
    rollback_cluster(scene.place, None, Wish("rollback"))
    assert scene.who() == "JP"
    remove_from_cluster(scene.place)
    assert (scene.who(), groups(api)) == ("JDPS", {})
    restore_cluster(scene.place, Wish("restore"))
    assert scene.who() == "JP"
    assert {version for version, _ in groups(api).values()} == {"cilium.io/v2alpha1"}
    assert versions_written(api) == {"v2alpha1"}


@pytest.mark.parametrize(
    ("before", "after"), [("1.17", "1.18"), ("1.18", "later"), ("1.18", "1.17")]
)
def test_another_release_has_the_same_objects_which_are_changed_in_place_and_removed(
    scene: Scene, api: FakeApi, before: str, after: str
) -> None:
    release(api, before)
    scene.apply()
    made, since = groups(api), len(api.seen)
    release(api, after)
    assert (scene.who(), scene.status().drift, scene.plan().is_empty) == ("JP", (), True)
    assert scene.apply().generation == 1
    assert (groups(api), versions_written(api, since)) == (made, set())
    scene.change('["JP"]', '["DE"]')
    scene.apply()
    assert scene.who() == "DP"
    assert {name: uid for name, (_, uid) in groups(api).items()} == {
        name: uid for name, (_, uid) in made.items()
    }
    assert not [each for each in api.seen[since:] if each.method == "DELETE"]
    assert versions_written(api, since) == {VERSIONS[after][0]}
    rollback_cluster(scene.place, 1, Wish("rollback"))
    assert scene.who() == "JP"
    assert scene.status().drift == ()
    remove_from_cluster(scene.place)
    assert (scene.who(), groups(api)) == ("JDPS", {})
    restore_cluster(scene.place, Wish("restore"))
    assert scene.who() == "JP"


def test_what_somebody_changed_before_the_upgrade_is_drift_after_it_and_is_repaired(
    scene: Scene, api: FakeApi
) -> None:
    scene.apply()
    opened = next(
        name for name in groups(api) if name.startswith("geofence-k8s-allow") and "v4" in name
    )
    path = f"/apis/cilium.io/v2alpha1/ciliumcidrgroups/{opened}"
    thing = {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumCIDRGroup",
        "metadata": {"name": opened},
        "spec": {"externalCIDRs": ["0.0.0.0/1", "128.0.0.0/1"]},
    }
    scene.call("PATCH", path, thing, fieldManager="somebody", force="true")
    release(api, "1.18")
    assert scene.reaches(STRANGER)
    assert scene.status().drift
    restore_cluster(scene.place, Wish("restore"))
    assert not scene.reaches(STRANGER)
    assert scene.status().drift == ()


def test_upgraded_in_the_middle_of_a_run_the_run_ends_well(scene: Scene, api: FakeApi) -> None:
    """At any of its requests: every fifth is tried."""
    scene.apply()
    wanted = "JP"
    for at in range(0, 60, 5):
        before = wanted
        wanted = "DP" if wanted == "JP" else "JP"
        scene.change(*('["JP"]', '["DE"]') if wanted == "DP" else ('["DE"]', '["JP"]'))
        release(api, "1.17")
        first = len(api.seen)

        def upgrade(_: Seen, until: int = first + at) -> None:
            if len(api.seen) > until:
                release(api, "1.18")

        api.at_request = upgrade
        scene.apply()
        requests, api.at_request = len(api.seen) - first, None
        assert scene.who() == wanted != before
        assert scene.status().drift == ()
        if at >= requests:
            return
    pytest.fail("a run takes more requests than it should")


def test_where_neither_version_is_served_the_run_and_doctor_tell(
    scene: Scene, api: FakeApi
) -> None:
    every = api.cluster.kinds
    api.cluster.kinds = tuple(each for each in every if each.name != "CiliumCIDRGroup")
    with pytest.raises(ClusterError, match="that the cluster serves this kind"):
        scene.apply()
    unserved = [
        found.data["kinds"]
        for found in examine_cluster(scene.place).findings
        if found.kind is FindingKind.KIND_NOT_SERVED
    ]
    assert unserved == [["CiliumCIDRGroup"]]
    api.cluster.kinds = every
    scene.apply()
    kinds = [each.kind for each in examine_cluster(scene.place).findings]
    assert FindingKind.KIND_NOT_SERVED not in kinds


def test_a_role_that_may_not_ask_what_is_served_gets_the_newest_version(
    scene: Scene, api: FakeApi
) -> None:
    release(api, "1.18")
    api.faults[len(api.seen)] = Fault(FaultKind.REFUSED, 403, "forbidden", "Forbidden")
    scene.apply()
    assert versions_written(api) == {"v2"}


def test_a_server_that_fails_when_asked_gets_nothing(scene: Scene, api: FakeApi) -> None:
    """Else a cluster that is only slow would be taken for one without objects."""
    scene.apply()
    before = api.cluster.writes
    scene.change('["JP"]', '["DE"]')
    api.faults[len(api.seen)] = Fault(FaultKind.REFUSED, 500)
    with pytest.raises(ClusterError, match="tell what it serves of"):
        scene.apply()
    assert (api.cluster.writes, scene.who()) == (before, "JP")


def test_a_version_that_goes_in_the_middle_of_a_run_is_an_error_and_the_next_run_heals(
    scene: Scene, api: FakeApi
) -> None:
    release(api, "1.18")
    scene.apply()
    scene.change('["JP"]', '["DE"]')
    first = len(api.seen)

    def without_v2(_: Seen) -> None:
        if len(api.seen) > first + 3:
            release(api, "1.17")

    api.at_request = without_v2
    with pytest.raises((ClusterError, VerificationError)):
        scene.apply()
    api.at_request = None
    scene.apply()
    assert (scene.who(), scene.status().drift) == ("DP", ())
