"""The whole cycle with Calico's and Cilium's objects, against the fake server."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.operations.commit import Wish
from geofence.operations.targets.remove import remove_from_cluster
from geofence.operations.targets.restore import restore_cluster
from tests.clusters.fake import FakeApi
from tests.clusters.scene import GERMAN, JAPANESE, RULES, STRANGER, Scene

NODES = 'pods = ["app=asterisk"]\nnodes = ["geofence.io/fence=pbx-node"]'


@pytest.fixture(params=["calico", "cilium"])
def labelled(tmp_path: Path, api: FakeApi, request: pytest.FixtureRequest) -> Scene:
    text = RULES.replace('"networkpolicy"', f'"{request.param}"')
    return Scene(
        tmp_path,
        api.kubeconfig(tmp_path),
        text=text.replace('pods = ["app=asterisk"]', NODES),
    )


def test_a_fence_is_applied_changed_restored_and_removed(labelled: Scene) -> None:
    assert labelled.who() == "JDPS"
    assert labelled.apply().generation == 1
    assert labelled.who() == "JP"
    status = labelled.status()
    assert (status.fenced, status.drift, status.generation) == (True, (), 1)
    assert labelled.plan().is_empty
    labelled.change('["JP"]', '["DE"]')
    labelled.apply()
    assert labelled.who() == "DP"
    assert labelled.plan().is_empty
    remove_from_cluster(labelled.place)
    assert labelled.who() == "JDPS"
    assert labelled.in_cluster().is_empty
    restore_cluster(labelled.place, Wish("restore"))
    assert labelled.who() == "DP"


def test_a_service_with_other_ports_gets_sets_of_other_names(labelled: Scene) -> None:
    labelled.apply()
    before = {each.name for each in labelled.in_cluster().objects}
    labelled.rules(f'{labelled.text}\n[service.rtp]\nports = ["30000-31000/udp"]\n')
    labelled.apply()
    assert labelled.plan().is_empty
    assert {each.name for each in labelled.in_cluster().objects} != before
    for source, passes in ((JAPANESE, True), (STRANGER, False), (GERMAN, False)):
        assert labelled.reaches(source, 30500) is passes
    assert labelled.reaches(STRANGER, 15000)


def test_who_moves_between_exceptions_and_the_allow_set_is_applied_in_three_steps(
    labelled: Scene,
) -> None:
    """The set of exceptions is applied twice: first with what it had."""
    labelled.change('["203.0.113.0/24"]', '["45.9.1.0/24"]')
    labelled.apply()
    assert labelled.who() == "JS"
    labelled.change('["45.9.1.0/24"]', '["133.1.0.0/16"]')
    labelled.list("JP", "133.0.0.0/16", "133.2.0.0/15", "133.4.0.0/14", "45.9.1.0/24", "61.0.0.0/8")
    labelled.apply()
    assert labelled.who() == "JS"
    assert labelled.plan().is_empty
