from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"
DEBIAN = PACKAGING / "debian"
MAINTAINER = ("preinst", "postinst", "prerm", "postrm")
SCRIPTS = [*PACKAGING.glob("*.sh"), *(DEBIAN / f"geofence.{name}" for name in MAINTAINER)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_valid_and_end_at_a_failure(script: Path) -> None:
    assert re.search(r"^set -eu?$", script.read_text(), re.MULTILINE)
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_object_to(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "--exclude=SC1091", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""


@pytest.mark.parametrize("name", MAINTAINER)
def test_debhelper_has_its_place_in_each_maintainer_script(name: str) -> None:
    assert "\n#DEBHELPER#\n" in (DEBIAN / f"geofence.{name}").read_text()


def test_each_override_of_lintian_has_a_reason() -> None:
    lines = (DEBIAN / "geofence.lintian-overrides").read_text().splitlines()
    assert lines[0].startswith("#")
    assert all(line.startswith(("#", "geofence: ")) for line in lines)
    tags = [line.split()[1] for line in lines if not line.startswith("#")]
    assert len(tags) == len(set(tags))
    assert "*" not in tags


def test_a_purge_forgets_when_each_timer_ran_last() -> None:
    stamps = re.search(r"/timers/(stamp-\S+)", (DEBIAN / "geofence.postrm").read_text())
    assert stamps
    for timer in (PACKAGING.parent / "cron").glob("*.timer"):
        if "Persistent=true" in timer.read_text():
            assert fnmatch(f"stamp-{timer.name}", stamps[1])


def test_a_removal_takes_the_fence_down_only_if_asked() -> None:
    template = (DEBIAN / "geofence.templates").read_text()
    assert "\nType: boolean\nDefault: false\n" in template
    prerm = (DEBIAN / "geofence.prerm").read_text()
    assert prerm.count("geofence remove >&2") == 1
    assert prerm.index('"$RET" = true') < prerm.index("geofence remove >&2")


def test_the_release_workflow_builds_by_the_same_commands() -> None:
    workflow = (PACKAGING.parent / ".github/workflows/release.yml").read_text()
    assert "./bootstrap package" in workflow
    assert "./bootstrap test" in workflow
