from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
NEEDED = ("sh", "dirname", "sed", "id", "cksum", "cat", "rm", "mktemp")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout, and a machine with hardly a program: ``bin`` is all of its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    for name in ("bootstrap", "pyproject.toml"):
        shutil.copy(TOP / name, tmp_path)
    # The script looks in the system's directories, too; not for this machine's programs.
    script = (tmp_path / "bootstrap").read_text()
    tail = ":/usr/local/sbin:/usr/sbin:/sbin\n"
    assert tail in script
    (tmp_path / "bootstrap").write_text(script.replace(tail, "\n").replace("/usr/bin/python3", ""))
    return tmp_path


def place(machine: Path, name: str, body: str) -> None:
    # Never through a link into this machine's own programs.
    (machine / "bin" / name).unlink(missing_ok=True)
    (machine / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
    (machine / "bin" / name).chmod(0o755)


def run(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / "bootstrap", *arguments],
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("nonsense",)])
def test_wrong_usage_is_told_what_there_is(machine: Path, arguments: tuple[str, ...]) -> None:
    done = run(machine, *arguments)
    assert done.returncode == 2
    for verb in ("demo", "test", "bench", "install"):
        assert f"./bootstrap {verb}" in done.stderr


def test_without_python_and_apt_it_says_what_is_needed(machine: Path) -> None:
    done = run(machine, "demo")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert "no apt-get" in done.stderr


def test_an_old_python_will_not_do(machine: Path) -> None:
    place(machine, "python3", "exit 1")
    assert "Needs python3 python3-venv" in run(machine, "demo").stderr


def test_missing_packages_are_installed_and_a_failure_is_shown(machine: Path) -> None:
    place(machine, "id", "echo 0")
    place(machine, "env", 'shift; exec "$@"')
    place(machine, "true", "")
    place(
        machine, "apt-get", 'echo "$@" >>"$HOME/asked"; echo "E: no route to the mirror"; exit 100'
    )
    done = run(machine, "demo")
    assert done.returncode == 1
    assert "E: no route to the mirror" in done.stderr
    assert "update" in (machine / "asked").read_text()


def test_prepared_it_goes_straight_to_the_demo(machine: Path) -> None:
    venv = machine / ".venv"
    (venv / "bin").mkdir(parents=True)
    place(machine, "geofence", 'echo "geofence $*"')
    (machine / "bin" / "geofence").rename(venv / "bin" / "geofence")
    (venv / "bin" / "python").symlink_to(machine / "bin" / "sh")
    stamp = subprocess.run(
        ["sh", "-c", f'echo "{machine} $(cksum <{machine}/pyproject.toml)"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (venv / "geofence-run.stamp").write_text(stamp)
    done = run(machine, "demo", "--backend", "nftables")
    assert (done.stdout, done.stderr) == ("geofence demo --backend nftables\n", "")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "exec ./bootstrap test\n" in (TOP / ".ci" / "run").read_text()
    assert "./bootstrap test\n" in (TOP / "README.md").read_text(encoding="utf-8")
