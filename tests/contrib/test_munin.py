"""The plugin for munin, asked by a real munin-node."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import IO

import pytest

from geofence.lab.host import Host
from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from tests.chaos.ground import Ground
from tests.contrib.watchers import CONTRIB, Watchers

PLUGIN = CONTRIB / "munin/geofence"
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.(label|value|type|min|draw|critical|warning) .+")


def plugin(file: Path, *arguments: str, **more: str) -> str:
    environment = {"PATH": os.environ["PATH"], "textfile": str(file), **more}
    return subprocess.run(
        [PLUGIN, *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


@contextmanager
def connected(host: Host) -> Iterator[IO[str]]:
    """A conversation with munin-node, after its greeting."""
    deadline = time.monotonic() + 20
    with host.entered():
        while True:
            try:
                link = socket.create_connection(("127.0.0.1", 4949), timeout=20)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    with link, link.makefile("rw", encoding="utf-8", newline="\n") as talk:
        assert talk.readline().startswith("# munin node at")
        yield talk


def ask(talk: IO[str], question: str) -> list[str]:
    """Ask, and return the lines of the answer up to its dot."""
    talk.write(f"{question}\n")
    talk.flush()
    return [line.rstrip("\n") for line in iter(talk.readline, ".\n")]


def test_munin_node_gets_its_graphs_and_what_was_dropped(
    watchers: Watchers, exported: tuple[Ground, Path]
) -> None:
    ground, file = exported
    stranger = Probe(ip_address("45.9.1.1"), PBX[Family.IPV4], Transport.UDP, 5060)
    ground.lab.fire([stranger] * 4)
    ground.machine.ok("remove")
    ground.machine.ok("refresh")
    settings = f"[geofence]\nenv.textfile {file}\n"
    munin = watchers.munin_node(ground.lab.pbx, file.parent / "munin", settings)
    with munin, connected(ground.lab.pbx) as talk:
        talk.write("cap multigraph dirtyconfig\n")
        talk.flush()
        assert "multigraph" in talk.readline()
        config, values = ask(talk, "config geofence"), ask(talk, "fetch geofence")
    assert [line for line in values if line.startswith("multigraph")] == [
        line for line in config if line.startswith("multigraph")
    ]
    assert "is_sip.value 4" in values
    assert "is_sip.type DERIVE" in config
    assert "is_ipv4.value 1" in values
    assert "as_applied.value 1" in values
    assert set(values) <= set(config)  # dirtyconfig: values may come along


def test_fields_are_those_that_munin_takes(exported: tuple[Ground, Path]) -> None:
    for line in (plugin(exported[1], "config") + plugin(exported[1])).splitlines():
        assert FIELD.fullmatch(line) or line.startswith(("multigraph ", "graph_"))


def test_autoconf_says_yes_or_why_not(exported: tuple[Ground, Path], tmp_path: Path) -> None:
    assert plugin(exported[1], "autoconf") == "yes\n"
    missing = tmp_path / "nothing.prom"
    assert plugin(missing, "autoconf") == f"no ({missing} cannot be read)\n"
    assert plugin(missing, "suggest") == ""


@pytest.mark.parametrize("old", [False, True])
def test_what_is_missing_or_old_is_unknown(
    exported: tuple[Ground, Path], tmp_path: Path, *, old: bool
) -> None:
    file = tmp_path / "nothing.prom"
    if old:
        file = exported[1]
        os.utime(file, (0, 0))
    values = [line.split()[1] for line in plugin(file).splitlines() if ".value" in line]
    assert set(values) == {"U"}
