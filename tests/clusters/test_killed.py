"""Killed between two requests, refused, or cut off: old or new holds, and the next run heals."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.cluster import connection
from geofence.errors import ClusterError, GeofenceError, VerificationError
from geofence.operations.targets.remove import remove_from_cluster
from tests.clusters.fake import FakeApi, Fault, FaultKind, Quota, Webhook
from tests.clusters.killing import (
    SMALL_RANGES,
    Killer,
    Verdicts,
    between,
    chunked,
    verdicts,
)
from tests.clusters.scene import Scene


@pytest.fixture
def scene(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(connection, "_pause", lambda _after, _number: 0.0)
    return Scene(tmp_path, api.kubeconfig(tmp_path))


def prepared(
    scene: Scene, before: str = '["JP"]', after: str = '["DE"]'
) -> tuple[Verdicts, Verdicts]:
    """What is in force before and after a change of the rules, which is not applied yet."""
    scene.change(before, after)
    scene.apply()
    new = verdicts(scene)
    scene.change(after, before)
    scene.apply()
    old = verdicts(scene)
    scene.change(before, after)
    return old, new


def test_killed_at_any_request_of_one_object(scene: Scene, api: FakeApi) -> None:
    old, new = prepared(scene)
    assert old != new
    killer = Killer(scene, api, reads_too=True)

    def check(found: Verdicts) -> None:
        assert found in (old, new)
        scene.apply()
        assert verdicts(scene) == new

    assert killer.kill_everywhere(check) >= 4
    assert {old, new} == set(killer.seen)


def test_killed_at_any_request_of_several_objects(scene: Scene, api: FakeApi) -> None:
    with chunked(SMALL_RANGES):
        old, new = prepared(scene)
        assert len(scene.in_cluster().objects) > 3
        killer = Killer(scene, api, sizes=SMALL_RANGES)

        def check(found: Verdicts) -> None:
            assert between(found, old, new)
            scene.apply()
            assert verdicts(scene) == new
            assert scene.plan().is_empty

        assert killer.kill_everywhere(check) >= 4
        assert {old, new} < set(killer.seen)


@pytest.mark.parametrize("kind", ["calico", "cilium"])
def test_killed_at_any_request_of_another_engine(scene: Scene, api: FakeApi, kind: str) -> None:
    scene.change('"networkpolicy"', f'"{kind}"')
    ports = '[service.sip]\nports = ["5060/udp", "443/tcp"]\n'
    old, new = prepared(scene, '["JP"]\n', f'["DE"]\n{ports}')
    killer = Killer(scene, api, kinds=(FaultKind.LOST,))

    def check(found: Verdicts) -> None:
        assert between(found, old, new)
        scene.apply()
        assert verdicts(scene) == new
        assert scene.plan().is_empty

    assert killer.kill_everywhere(check) >= 4
    assert new in killer.seen


def test_the_first_apply_killed_at_any_request(scene: Scene, api: FakeApi) -> None:
    nothing = verdicts(scene)
    assert all(nothing)
    with chunked(SMALL_RANGES):

        def check(found: Verdicts) -> None:
            scene.apply()
            new = verdicts(scene)
            assert between(found, nothing, new)
            assert not all(new)

        killer = Killer(scene, api, sizes=SMALL_RANGES, kinds=(FaultKind.LOST,))
        assert killer.kill_everywhere(check) >= 4


def test_remove_killed_at_any_request(scene: Scene, api: FakeApi) -> None:
    with chunked(SMALL_RANGES):
        scene.apply()
        old = verdicts(scene)

        def check(found: Verdicts) -> None:
            assert between(found, old, (True,) * len(old))
            remove_from_cluster(scene.place)
            assert all(verdicts(scene))

        killer = Killer(scene, api, "remove", SMALL_RANGES, (FaultKind.LOST,))
        assert killer.kill_everywhere(check) >= 4


REFUSALS = [
    Fault(FaultKind.REFUSED, 403, "exceeded quota", "Forbidden"),
    Fault(FaultKind.REFUSED, 409, "the object has been modified", "Conflict"),
    Fault(FaultKind.REFUSED, 422, "admission webhook denied the request", "Invalid"),
    Fault(FaultKind.REFUSED, 429, "too many requests", "TooManyRequests", {"Retry-After": "9"}),
    Fault(FaultKind.REFUSED, 500, "etcdserver: leader changed", "InternalError"),
    Fault(FaultKind.DROPPED),
    Fault(FaultKind.LOST),
]


def how_it_ends(scene: Scene) -> GeofenceError | None:
    """The error of an apply; None if it has none."""
    try:
        scene.apply()
    except GeofenceError as error:
        return error
    return None


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: f"{fault.kind.value}-{fault.code}")
def test_refused_or_cut_off_at_any_request(scene: Scene, api: FakeApi, fault: Fault) -> None:
    with chunked(SMALL_RANGES):
        old, new = prepared(scene)
        stored = dict(api.cluster.objects)
        for number in range(100):
            api.cluster.objects, begun = dict(stored), len(api.seen)
            api.faults = {begun + each: fault for each in range(number, 200)}
            ended = how_it_ends(scene)
            api.faults = {}
            if ended is None:
                break
            assert isinstance(ended, ClusterError | VerificationError)
            assert between(verdicts(scene), old, new)
        else:
            pytest.fail("It never ended well.")
        assert number >= 6
        assert verdicts(scene) == new
        assert scene.plan().is_empty


def test_a_quota_stops_new_objects_before_anything_is_changed(scene: Scene, api: FakeApi) -> None:
    with chunked(SMALL_RANGES):
        api.cluster.quotas = [Quota("networkpolicies", 0)]
        with pytest.raises(ClusterError, match=r"quota.* The fence in the cluster is unchanged"):
            scene.apply()
        assert not [each for each in api.writes if each.path.endswith("k8s")][1:]
        assert scene.in_cluster().is_empty
        api.cluster.quotas = []
        scene.apply()
        assert scene.who() == "JP"


def test_a_webhook_stops_before_anything_is_changed(scene: Scene, api: FakeApi) -> None:
    scene.apply()
    api.cluster.webhooks = [Webhook("policies.example", "no policies on Fridays")]
    scene.change('["JP"]', '["DE"]')
    with pytest.raises(ClusterError, match=r"no policies on Fridays.*is unchanged"):
        scene.apply()
    assert scene.who() == "JP"
    api.cluster.webhooks = []
    scene.apply()
    assert scene.who() == "DP"
