"""A PBX that fetches its rules by a real ansible-pull, as the role's README shows it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from geofence.lab.host import Host
from geofence.lab.network import GATEWAY, Lab
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground, ground
from tests.cli.world import FOREIGN, JAPANESE
from tests.contrib.role.controller import ROLE, environment
from tests.contrib.role.fleet import Recap, wrapper

README = (ROLE / "README.md").read_text("utf-8")
URL = "https://git.example.com/pbx.git"
_PROGRAM = Path(sys.executable).with_name("ansible-pull")
_GIT_PORT = 9418
_CHECKED = 9419
"""Where the check of the play asks."""
_SERVER = str(GATEWAY[Family.IPV4])


@dataclass(frozen=True)
class Pulled:
    """A PBX, and the repository that it fetches."""

    ground: Ground
    directory: Path

    @property
    def repository(self) -> Path:
        return self.directory / "served" / "pbx.git"

    def commit(self) -> None:
        """Make the repository as the README says: its files, and the role."""
        self.repository.mkdir(parents=True)
        shutil.copytree(ROLE, self.repository / "roles/geofence")
        for name, text in recipe().items():
            here = url(_CHECKED) if name == "still-connected.yml" else url()
            (self.repository / name).write_text(text.replace(URL, here), "utf-8")
        git = [
            "git",
            "-C",
            str(self.repository),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@a.example",
        ]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Rules"]):
            subprocess.run([*git, *words], check=True)

    def pull(self, confirm_within: int) -> Recap:
        """Run the command of the README on the PBX."""
        words = [url() if each == URL else each for each in command()]
        words[words.index("--sleep") + 1] = "1"
        machine = self.ground.machine
        variables = {
            "ansible_python_interpreter": Path(sys.executable).resolve(),
            "geofence_command": wrapper(machine, self.directory),
            "geofence_rules_dir": machine.rules,
            "geofence_units": "none",
            "geofence_confirm_within": confirm_within,
            "geofence_connect_timeout": 1,
        }
        extra = [each for pair in variables.items() for each in ("-e", "=".join(map(str, pair)))]
        with self.ground.lab.pbx.entered():
            done = subprocess.run(
                [_PROGRAM, *words[1:], *extra],
                env=environment(self.directory),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
        return Recap(done.returncode, done.stdout)


def url(port: int = _GIT_PORT) -> str:
    """Where the lab's Internet has the repository."""
    return f"git://{_SERVER}:{port}/pbx.git"


def recipe() -> dict[str, str]:
    """The files of the README's section on ansible-pull, by name."""
    found = re.findall(r"```yaml\n# ([a-z-]+\.yml)[^\n]*\n(.*?)```", section(), re.DOTALL)
    assert [name for name, _ in found] == ["local.yml", "still-connected.yml"]
    return dict(found)


def command() -> list[str]:
    """Its command."""
    (found,) = re.findall(r"```sh\n(ansible-pull .*)\n```", section())
    return str(found).split()


def section() -> str:
    return README.split("## Hosts that fetch their rules: ansible-pull\n")[1].split("\n## ")[0]


@contextmanager
def git_server(host: Host, directory: Path, port: int) -> Iterator[None]:
    """A git server on a host of the lab."""
    place = ["--export-all", f"--base-path={directory}", str(directory)]
    words = ["git", "daemon", f"--listen={_SERVER}", f"--port={port}", *place]
    with host.entered():
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 20
        while not answers(host, port):
            assert time.monotonic() < until
            time.sleep(0.05)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # git starts the server as a process of its own
        process.wait(10)


def answers(host: Host, port: int) -> bool:
    with host.entered():
        try:
            socket.create_connection((_SERVER, port), 1).close()
        except OSError:
            return False
    return True


@pytest.fixture
def pulled(tmp_path: Path) -> Iterator[Pulled]:
    place, away = tmp_path / "pbx", tmp_path / "away"
    place.mkdir()
    away.mkdir()
    with Lab() as lab, ground(place, "nftables", lab) as made:
        found = Pulled(made, away)
        found.commit()
        with git_server(lab.internet, found.repository.parent, _GIT_PORT):
            yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the check fail first only with ``--thorough``: a run takes ten seconds of processor."""
    if "fails_first" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough")
        metafunc.parametrize("fails_first", [False, True] if thorough else [False])


def test_a_host_applies_what_it_fetches_once_its_check_succeeds(
    pulled: Pulled, *, fails_first: bool
) -> None:
    """Where the check fails first, the next run is of the same commit."""
    machine, before = pulled.ground.machine, pulled.ground.fence()
    if fails_first:
        failed = pulled.pull(6)
        assert failed.code != 0
        assert "The change was not confirmed, and the host took it back" in failed.text
        assert pulled.ground.fence() == before
        assert not (machine.rules / "40-ansible.toml").exists()
    with git_server(pulled.ground.lab.internet, pulled.repository.parent, _CHECKED):
        done = pulled.pull(60)
    assert done.code == 0, done.said
    assert machine.gets_in(*JAPANESE, *FOREIGN) == [True, True, False, False]
    status = machine.ok("status", "--json").json
    assert (status["probation"], status["rules_edited"], status["drift"]) == (None, False, [])
    assert (machine.rules / "40-ansible.toml").exists()
