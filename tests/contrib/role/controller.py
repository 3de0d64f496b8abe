"""Ansible on the Internet, and a PBX that it reaches by SSH's port."""

from __future__ import annotations

import json
import os
import re
import shlex
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geofence.lab.host import Host
from geofence.lab.network import PBX, Lab
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground, ground

ROLE = Path(__file__).parents[3] / "contrib/ansible/roles/geofence"
SSH = 22
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
_RECAP = re.compile(r"^pbx +: .*changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """A run of ansible-playbook that has ended."""

    said: str

    @property
    def text(self) -> str:
        """All that it said, with line breaks as they were meant."""
        return self.said.replace("\\n", "\n").replace('\\"', '"')

    def _recap(self) -> tuple[int, int, int]:
        found = _RECAP.search(self.said)
        assert found, self.said
        changed, unreachable, failed = map(int, found.groups())
        return changed, unreachable, failed

    @property
    def changed(self) -> int:
        """How many tasks changed something; none may have failed."""
        changed, unreachable, failed = self._recap()
        assert (unreachable, failed) == (0, 0), self.said
        return changed

    @property
    def failed(self) -> int:
        """How many tasks failed; the host must be reachable at the end."""
        _, unreachable, failed = self._recap()
        assert unreachable == 0, self.said
        return failed


def play(
    lab: Lab, directory: Path, variables: Mapping[str, object], options: Sequence[str] = ()
) -> Played:
    """Run the role from the Internet, in a directory of the controller's own."""
    playbook, made = directory / "play.yml", directory / "variables.json"
    playbook.write_text("- hosts: all\n  gather_facts: false\n  roles: [geofence]\n")
    there = {
        "ansible_connection": "lab",
        "ansible_host": str(PBX[Family.IPV4]),
        "ansible_port": SSH,
        "geofence_connect_timeout": 1,
    }
    made.write_text(json.dumps({**there, **variables}), encoding="utf-8")
    with lab.internet.entered():
        done = subprocess.run(
            [PROGRAM, "-i", "pbx,", "-e", f"@{made}", *options, playbook],
            env=environment(directory),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
    assert "DEPRECATION" not in done.stdout, done.stdout
    return Played(done.stdout)


def environment(directory: Path) -> Mapping[str, str]:
    """The environment of Ansible's programs, in a directory of the controller's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_ROLES_PATH": str(ROLE.parent),
        "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).parent / "connection"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOLOR": "1",
    }


@dataclass(frozen=True)
class Controller:
    """Where the role is run from, and the PBX of a lab."""

    ground: Ground
    directory: Path

    def play(self, *options: str, **variables: object) -> Played:
        """Run the role with variables beside those that say where geofence is."""
        return play(self.ground.lab, self.directory, {**self._variables(), **variables}, options)

    def rules(self) -> dict[str, str]:
        """The rules of the PBX, and whatever lies beside them."""
        beside = self.ground.machine.rules.parent.glob("rules*/*")
        return {f"{each.parent.name}/{each.name}": each.read_text("utf-8") for each in beside}

    def _variables(self) -> Mapping[str, object]:
        machine = self.ground.machine
        wrapper = self.directory / "geofence"
        words = [f"{name}={value}" for name, value in machine.variables().items()]
        command = shlex.join(["env", "-i", *words, *machine.command()])
        wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        wrapper.chmod(0o755)
        network = f"/proc/{os.getpid()}/fd/{machine.host.fd}"
        return {
            "ansible_lab_entering": ["nsenter", f"--net={network}"],
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
            "geofence_install": "none",
            "geofence_units": "none",
            "geofence_command": str(wrapper),
            "geofence_rules_dir": str(machine.rules),
        }


class _Closing(socketserver.BaseRequestHandler):
    """A server that takes every connection, and ends it."""


@contextmanager
def listening(host: Host, address: str) -> Iterator[None]:
    """Something at the port of SSH, which ends each connection."""
    with host.entered():
        server = socketserver.TCPServer((address, SSH), _Closing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def controller(directory: Path) -> Iterator[Controller]:
    """A PBX on which nothing was done yet, and its controller."""
    place, away = directory / "pbx", directory / "controller"
    place.mkdir()
    away.mkdir()
    with (
        Lab() as lab,
        ground(place, "nftables", lab) as made,
        listening(lab.pbx, str(PBX[Family.IPV4])),
    ):
        yield Controller(made, away)
