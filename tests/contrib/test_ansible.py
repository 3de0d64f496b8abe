"""The Ansible role on one host, run by a real ansible-core; ``test_fleet`` has the rest."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.world import FOREIGN, JAPANESE
from tests.contrib.role.controller import PROGRAM, ROLE, Controller, Played, controller, environment

WANTED: dict[str, object] = {
    "geofence_countries": ["JP"],
    "geofence_exceptions": {
        "branch": {"prefixes": ["45.9.0.0/16"], "services": ["sip"], "description": 'Büro "2"'}
    },
    "geofence_rules": {"60-iax.toml": '[service.iax]\nports = ["4569/udp"]\n'},
}


@dataclass(frozen=True)
class Managed:
    """A PBX after the first run."""

    controller: Controller
    before: Played
    """What a run in check mode said before."""
    untouched: bool
    """Whether that changed nothing."""
    first: Played

    def state(self) -> tuple[object, ...]:
        """What no failed run may change."""
        return *self.controller.ground.fence(), self.controller.rules()


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    """A PBX whose rules are the role's."""
    with controller(tmp_path_factory.mktemp("ansible")) as made:
        rules, fence = made.rules(), made.ground.machine.fence()
        before = made.play("--check", **WANTED)
        untouched = (made.rules(), made.ground.machine.fence()) == (rules, fence)
        yield Managed(made, before, untouched, made.play(**WANTED))


def test_check_mode_on_a_new_host_shows_the_plan_and_changes_nothing(managed: Managed) -> None:
    assert managed.before.changed > 0
    assert "Nothing has been changed." in managed.before.text
    assert managed.untouched


def test_the_first_run_makes_the_fence_and_confirms_it(managed: Managed) -> None:
    assert managed.first.changed > 0
    machine = managed.controller.ground.machine
    assert machine.gets_in(*JAPANESE, *FOREIGN) == [True, True, True, False]
    status = machine.ok("status", "--json").json
    assert (status["probation"], status["rules_edited"], status["drift"]) == (None, False, [])
    assert {each["service"] for each in status["services"]} == {"iax", "rtp", "sip"}
    assert set(managed.controller.rules()) == {
        "rules/40-ansible.toml",
        "rules/50-test.toml",
        "rules/60-iax.toml",
    }


def test_the_second_run_changes_nothing(managed: Managed) -> None:
    before = managed.state()
    assert managed.controller.play(**WANTED).changed == 0
    assert managed.state() == before


def test_a_mistake_is_told_in_geofences_words_and_nothing_changes(managed: Managed) -> None:
    before = managed.state()
    played = managed.controller.play(**{**WANTED, "geofence_countries": ["UK"]})
    assert played.failed == 1
    assert 'unknown country "UK"' in played.text
    assert "rules/40-ansible.toml:2" in played.text
    assert managed.state() == before


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/geofence.deb", "HTTP://127.0.0.1:9/g.deb"])
def test_a_package_by_plain_http_without_checksum_is_not_downloaded(
    tmp_path: Path, url: str
) -> None:
    playbook = tmp_path / "play.yml"
    role = {"name": "geofence", "tasks_from": "package"}
    task = {"ansible.builtin.include_role": role, "vars": {"geofence_package": url}}
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    done = subprocess.run(
        [PROGRAM, "--check", "-i", "localhost,", "-c", "local", playbook],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode
    assert "Anybody on the way could exchange a package" in done.stdout
    assert "Download the package" not in done.stdout


def test_each_variable_has_a_default_a_check_and_a_line_in_the_readme() -> None:
    defaults: dict[str, Any] = yaml.safe_load((ROLE / "defaults/main.yml").read_text("utf-8"))
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text("utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    assert defaults == {name: each["default"] for name, each in options.items()}
    table = re.findall(r"^\| `(\w+)` \|", (ROLE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(defaults)
