"""State and rules of earlier versions are read, restored and carried on (see tests/recorded)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from geofence.backends import registry
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.state.backoff import load_busy
from geofence.state.generations import GenerationStore
from geofence.state.lists import ListStore
from geofence.state.outcomes import Journal
from geofence.state.refusals import RefusalStore
from geofence.state.versions import VersionStore
from tests import recorded
from tests.cli.machine import Machine
from tests.cli.world import COME, GONE

DIRECTORY = Path(recorded.__file__).parent
NAMES = sorted(path.parent.name for path in DIRECTORY.glob("*/facts.json"))
EARLY = "0.1-early-ipset"
"""Of before local networks, the histories of lists and refusals were kept."""
JAPAN_LIST = ListId(ListKind.COUNTRY, "JP")
MONACO_LIST = ListId(ListKind.COUNTRY, "MC")
PENDING = 6
"""Number of the generation that was not confirmed."""


@pytest.fixture(params=NAMES)
def facts(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - whatever was recorded
    """What the version that wrote the files understood."""
    text = (DIRECTORY / request.param / "facts.json").read_text(encoding="utf-8")
    return {"name": request.param, **json.loads(text)}


@pytest.fixture
def upgraded(facts: Any, tmp_path: Path) -> Iterator[Machine]:  # noqa: ANN401
    """A machine that was booted with this version on the disk of an earlier one."""
    with recorded.machine(tmp_path) as made:
        install(DIRECTORY / facts["name"], made)
        yield made


def install(source: Path, where: Machine) -> None:
    """Put recorded files in place, with the modes that Git does not keep."""
    shutil.rmtree(where.rules)
    shutil.copytree(source / "rules", where.rules)
    shutil.copytree(source / "state", where.state)
    for path in [where.state, *where.state.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    for path in [where.rules, *where.rules.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_every_generation_keeps_its_meaning(facts: Any, tmp_path: Path) -> None:  # noqa: ANN401
    shutil.copytree(DIRECTORY / facts["name"] / "state/generations", tmp_path / "generations")
    for path in (tmp_path / "generations").iterdir():
        path.chmod(0o600)
    store = GenerationStore(tmp_path)
    found = {str(each.number): each for each in store.walk() if isinstance(each, Generation)}
    assert {number: recorded.meaning(each) for number, each in found.items()} == facts[
        "generations"
    ]
    assert (len(found), store.next_number()) == (PENDING, PENDING + 1)


def test_stored_lists_are_read(upgraded: Machine) -> None:
    lists = ListStore(upgraded.state)
    assert {str(each) for each in lists.ids()} == {"country JP", "country MC", "blocklist listed"}
    accepted, warnings = lists.load_all(lists.ids())
    assert warnings == ()
    space = accepted[JAPAN_LIST].space
    assert [int(ip_address(each)) in space.ipv4 for each in (COME, GONE)] == [True, False]


def test_outcome_refusals_and_hosts_to_leave_alone_are_read(
    upgraded: Machine,
    facts: Any,  # noqa: ANN401
) -> None:
    journal = Journal(upgraded.state)
    outcome = journal.outcome()
    assert outcome is not None
    assert [each.command for each in outcome.unresolved] == ["refresh"]
    pending = journal.probation()
    assert pending is not None
    assert pending.former == facts["restored"]
    if facts["name"] != EARLY:  # which kept none of these
        assert list(load_busy(upgraded.state)) == [f"127.0.0.1:{recorded.PORT}"]
        assert list(RefusalStore(upgraded.state).load()) == [MONACO_LIST]
        assert len(VersionStore(upgraded.state).load(JAPAN_LIST).versions) == 2


def test_restore_brings_back_the_last_confirmed_fence(
    upgraded: Machine,
    facts: Any,  # noqa: ANN401
) -> None:
    assert restored(upgraded)["generation"] == facts["restored"]
    wanted = facts["generations"][str(facts["restored"])]
    assert held(upgraded, wanted["backend"]) == wanted["sets"]
    assert upgraded.ok("restore", "--json").json["changed"] is False


def test_the_unconfirmed_generation_is_deleted(upgraded: Machine) -> None:
    restored(upgraded)
    assert GenerationStore(upgraded.state).numbers() == [5, 4, 3, 2, 1]
    assert Journal(upgraded.state).probation() is None


def test_status_and_history_tell_of_it(upgraded: Machine, facts: Any) -> None:  # noqa: ANN401
    restored(upgraded)
    status = upgraded.run("status", "--json").json
    assert (status["fenced"], status["generation"]) == (True, 5)
    told = upgraded.ok("history", "--json").json
    reasons = {str(each["generation"]): each["reason"] for each in told}
    del facts["generations"][str(PENDING)]
    assert reasons == {n: each["reason"] for n, each in facts["generations"].items()}


@pytest.mark.parametrize("number", [1, 2])
def test_rollback_goes_back_to_it(
    upgraded: Machine,
    facts: Any,  # noqa: ANN401
    number: int,
) -> None:
    restored(upgraded)
    upgraded.ok("rollback", str(number))
    wanted = facts["generations"][str(number)]
    assert held(upgraded, wanted["backend"]) == wanted["sets"]
    # A number is given once, also that of the generation that was not confirmed.
    assert GenerationStore(upgraded.state).numbers()[0] == PENDING + 1


def test_plan_offline_reads_lists_and_rules(upgraded: Machine) -> None:
    restored(upgraded)
    before = upgraded.files()
    planned = upgraded.run("plan", "--offline", "--json")
    assert planned.code in (0, 5), planned
    # What the rules say and nobody confirmed: that "lab" is allowed.
    assert planned.json["sets"], planned
    assert upgraded.files() == before


def test_refresh_carries_on(upgraded: Machine, facts: Any) -> None:  # noqa: ANN401
    restored(upgraded)
    upgraded.ok("refresh")
    backend = facts["generations"]["5"]["backend"]
    wanted = facts["generations"][str(PENDING)]["sets"]
    if facts["name"] == EARLY:  # which had private networks among the exceptions
        assert held(upgraded, backend)["allow4"] == wanted["allow4"]
    else:
        assert held(upgraded, backend) == wanted
    assert "45.77.0.0/16" in held(upgraded, backend)["except4-rtp"]
    assert upgraded.run("status", "--json").json["generation"] == PENDING + 1
    newest, damaged = GenerationStore(upgraded.state).newest()
    assert newest is not None
    assert (newest.number, damaged) == (PENDING + 1, ())


def restored(where: Machine) -> Any:  # noqa: ANN401
    """Restore as at boot, and return what the command says."""
    done = where.ok("restore", "--json")
    return done.json


def held(where: Machine, backend: str) -> dict[str, list[str]]:
    """Return the sets in the kernel."""
    with where.host.entered():
        sets = registry.load(backend).observe().sets
    return {key.name: [str(p) for p in content.prefixes()] for key, content in sets.items()}
