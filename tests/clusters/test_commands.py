"""The verbs with ``--target`` as they are typed: output, JSON and exit codes."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from geofence.cli.app import app
from geofence.errors import GeofenceError, GuardRefusal, UsageError
from tests.cli.world import japan
from tests.clusters.scene import Scene, policy
from tests.support.list_server import ListServer, content


@pytest.fixture
def typed(scene: Scene, capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - see the class
    return Typed(scene, capsys)


class Typed:
    """Runs commands in this process."""

    def __init__(self, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene, self.capsys = scene, capsys
        self.out = self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run a command for the target; its output."""
        directories = (self.scene.directory / "rules", self.scene.directory / "state")
        where = ["--rules-dir", str(directories[0]), "--state-dir", str(directories[1])]
        ended = app([*where, *words, "--target", "k8s"], standalone_mode=False)
        self.out, self.err = self.capsys.readouterr()
        assert (ended or 0) == code, self.out + self.err
        return self.out

    def json(self, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
        """Run a command for the target; what it prints as JSON."""
        return json.loads(self(*words, "--json", code=code))


def test_a_day_with_a_cluster(typed: Typed) -> None:
    assert "NO FENCE in the cluster of k8s" in typed("status", code=1)
    assert "2 sets" not in typed("plan", "--offline", "--exit-code", code=6)
    assert "read back from the cluster" in typed("apply")
    assert "The fence of k8s is up" in typed("status")
    assert "Nothing to change" in typed("apply")
    assert "allowed" in typed("why", "133.1.2.3", "--port", "5060/udp")
    assert "blocked" in typed("why", "45.9.1.1", "--port", "5060/udp")
    assert "networkpolicy" in typed("history")
    assert "NO FENCE in the cluster now" in typed("remove")
    assert "There was no fence" in typed("remove")
    assert "generation 1" in typed("restore")


def test_the_plan_names_once_what_the_engine_cannot_do(typed: Typed) -> None:
    typed("plan", "--offline")
    told = " ".join(typed.err.split())
    assert told.count("ends no current connection") == 1
    facts = typed.json("plan", "--offline")["note_facts"]
    gaps = [each["data"]["what"] for each in facts if each["kind"] == "target-cannot"]
    assert len(gaps) == len(set(gaps)) >= 5


def test_the_plan_has_prefixes_and_addresses_by_service_and_country(typed: Typed) -> None:
    typed("apply")
    typed.scene.change('["JP"]', '["JP", "DE"]')
    plan = typed.json("plan", "--offline")
    sets = {each["set"]: each for each in plan["sets"]}
    assert sets["allow4-sip"]["added"] == ["91.0.0.0/10"]
    assert sets["allow6-rtp"]["prefixes_after"] == 2
    assert plan["countries"][0]["country"] == "DE"
    assert (plan["backend_name"], plan["backend_reason"]["target"]) == ("networkpolicy", "k8s")


def test_json_of_a_status_with_drift(typed: Typed) -> None:
    typed("apply")
    (held,) = typed.scene.in_cluster().objects
    typed.scene.make(policy(held.name, {**held.spec, "ingress": [{}]}))
    status = typed.json("status", code=6)
    assert (status["fence"], status["generation"], status["target"]) == (True, 1, "k8s")
    assert status["drift_facts"]
    why = typed.json("why", "45.9.1.1")
    assert {each["now"]["verdict"] for each in why["verdicts"]} == {"pass"}
    assert {each["now"]["by_generation"] for each in why["verdicts"]} == {"drop"}


def test_rollback_of_a_cluster_leaves_the_host_alone(typed: Typed) -> None:
    typed("apply")
    typed.scene.change('["JP"]', '["DE"]')
    typed("apply")
    assert typed.json("rollback")["generation"] == 3
    assert typed.scene.who() == "JP"
    assert [each["generation"] for each in typed.json("history")] == [3, 2, 1]
    state = typed.scene.directory / "state"
    assert sorted(each.name for each in state.iterdir()) == ["installation", "lists", "targets"]


def test_restore_overrides_the_check_that_its_refusal_names(typed: Typed) -> None:
    typed("apply")
    (ours,) = typed.scene.in_cluster().objects
    typed("remove")
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}
    typed.scene.make(policy(ours.name, spec))
    with pytest.raises(GuardRefusal, match="--accept foreign"):
        typed("restore")
    assert "generation 1" in typed("restore", "--accept", "foreign")
    assert typed.scene.who() == "JP"


def test_refresh_downloads_and_applies(typed: Typed) -> None:
    shutil.rmtree(typed.scene.directory / "state" / "lists")
    with ListServer() as server:
        url = server.on("/jp", content(japan())).removesuffix("jp")
        typed.scene.rules(f'{typed.scene.text}\n[source.country]\nurls = ["{url}{{cc}}"]\n')
        assert typed.json("refresh")["generation"] == 1
        assert server.asked("/jp") == 1
    assert typed.scene.who() == "JP"


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "--cut"),
        ("apply", "--confirm-within", "60s"),
        ("refresh", "--names-only"),
        ("plan", "--compare-mirrors"),
        ("status", "--nagios"),
        ("rollback", "--cut"),
        ("doctor", "--offline"),
    ],
)
def test_options_that_only_a_host_has(typed: Typed, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--target"):
        typed(*words)


def test_errors_are_sentences_with_documented_codes(typed: Typed) -> None:
    typed("apply")
    typed.scene.change('["JP"]', "[]")
    with pytest.raises(GuardRefusal) as refused:
        typed("apply")
    assert refused.value.exit_code == 3
    assert typed.json("plan", "--offline")["refusals"][0]["guard"] == "shut-out"
    typed.scene.change('kind = "networkpolicy"', 'kind = "flannel"')
    with pytest.raises(GeofenceError, match="unknown value"):
        typed("status")


def test_the_last_run_of_a_target_is_its_own(typed: Typed) -> None:
    typed("apply")
    typed.scene.change('["JP"]', "[]")
    with pytest.raises(GuardRefusal):
        typed("apply")
    assert typed.json("status")["last_run"]["ending"] == "refused"
    assert typed.scene.site.journal.outcome() is None
