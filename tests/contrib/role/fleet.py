"""Ansible on one host, and a fleet of PBXs that it reaches by SSH's port, each by its own cable."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geofence.lab.host import Host
from geofence.lab.wiring import connect, loopback_up, plug
from tests.cli.machine import Machine
from tests.cli.world import japan
from tests.contrib.role.controller import PROGRAM, ROLE, SSH, environment, listening
from tests.support.list_server import ListServer

PLAYBOOKS = ROLE.parents[1]


@dataclass(frozen=True)
class Member:
    """A PBX of the fleet."""

    name: str
    machine: Machine
    address: str
    wrapper: Path

    def state(self) -> tuple[object, ...]:
        """What must not change where nothing is to be touched."""
        rules = {each.name: each.read_text("utf-8") for each in self.machine.rules.iterdir()}
        return rules, self.machine.fence(), [each.name for each in self.machine.generations()]

    def variables(self) -> dict[str, object]:
        network = f"/proc/{os.getpid()}/fd/{self.machine.host.fd}"
        return {
            "ansible_connection": "lab",
            "ansible_become": False,
            "ansible_host": self.address,
            "ansible_port": SSH,
            "ansible_lab_entering": ["nsenter", f"--net={network}"],
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
            "geofence_connect_timeout": 1,
            "geofence_install": "none",
            "geofence_units": "none",
            "geofence_command": str(self.wrapper),
            "geofence_rules_dir": str(self.machine.rules),
        }


@dataclass(frozen=True)
class Recap:
    """How a playbook ended."""

    code: int
    said: str

    @property
    def text(self) -> str:
        """All that it said, with line breaks as they were meant."""
        return self.said.replace("\\n", "\n").replace('\\"', '"')

    def of(self, host: str) -> dict[str, int] | None:
        """What the recap says of a host; None if the play did not come to it."""
        lines = [line for line in self.said.splitlines() if line.startswith(f"{host} ")]
        facts = [each.split("=") for each in lines[-1].split(":")[1].split()] if lines else []
        return {name: int(number) for name, number in facts} or None


@dataclass(frozen=True)
class Fleet:
    """Three PBXs, of which the first is the canary, and who manages them."""

    controller: Host
    directory: Path
    members: tuple[Member, ...]

    def member(self, name: str) -> Member:
        return next(each for each in self.members if each.name == name)

    def play(
        self,
        playbook: str,
        *options: str,
        every: Mapping[str, object] | None = None,
        canary: Mapping[str, object] | None = None,
        hosts: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Recap:
        """Run one of the playbooks of contrib, with variables of groups and of hosts."""
        inventory = self.directory / "inventory.json"
        made = {
            each.name: {**each.variables(), **(hosts or {}).get(each.name, {})}
            for each in self.members
        }
        groups: dict[str, Any] = {
            "geofence": {"hosts": made, "vars": dict(every or {})},
            "geofence_canary": {"hosts": {self.members[0].name: {}}, "vars": dict(canary or {})},
        }
        inventory.write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
        return self._run([str(PLAYBOOKS / playbook), "-i", str(inventory), *options])

    def _run(self, arguments: Sequence[str]) -> Recap:
        with self.controller.entered():
            done = subprocess.run(
                [PROGRAM, *arguments],
                env=environment(self.directory),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )
        assert "DEPRECATION" not in done.stdout, done.stdout
        return Recap(done.returncode, done.stdout)


@contextmanager
def fleet(directory: Path, names: Sequence[str] = ("alpha", "beta", "gamma")) -> Iterator[Fleet]:
    """PBXs on which nothing was done yet; each has a list server on its loopback."""
    away = directory / "controller"
    away.mkdir()
    with ExitStack() as closing:
        controller = closing.enter_context(Host("controller"))
        loopback_up(controller)
        made = [
            closing.enter_context(_member(controller, directory, name, number))
            for number, name in enumerate(names)
        ]
        yield Fleet(controller, away, tuple(made))


@contextmanager
def _member(controller: Host, directory: Path, name: str, number: int) -> Iterator[Member]:
    place = directory / name
    place.mkdir()
    with Host(name) as host, ExitStack() as closing:
        loopback_up(host)
        net, address = f"198.51.{100 + number}", f"198.51.{100 + number}.10"
        connect(
            plug(controller, f"to{number}", f"02:00:00:00:01:{number:02x}", f"{net}.1/24"),
            plug(host, "wan", f"02:00:00:00:02:{number:02x}", f"{address}/24"),
        )
        server = ListServer()
        with host.entered():
            closing.enter_context(server)
        machine = Machine(host, server, place, "nftables")
        machine.serve("JP", japan())
        closing.enter_context(listening(host, address))
        yield Member(name, machine, address, wrapper(machine, place))


def wrapper(machine: Machine, place: Path) -> Path:
    """The program that runs geofence on a host, whatever environment it is called in."""
    wrapper = place / "geofence"
    words = [f"{name}={value}" for name, value in machine.variables().items()]
    command = shlex.join(["env", "-i", *words, *machine.command()])
    wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper
