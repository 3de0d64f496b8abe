from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from geofence.backends import registry
from tests.demo.ordinary_user import CHECKOUT, run_as_ordinary_user

ROWS = {
    "phone in Japan": ["in", "in", "in", "in", "in"],
    "phone, new network": ["in*", "in*", "in*", "in", "in"],
    "push server abroad": ["in", "in", "dropped", "in", "in"],
    "attacker abroad": ["dropped", "dropped", "dropped", "in", "in"],
    "phone in the LAN": ["in", "in", "in", "in", "in"],
}
"""The last table, after the exception was allowed and the list had changed; of both families."""


def demo(*options: str) -> list[str]:
    return [sys.executable, "-m", "geofence", *options, "demo"]


def assert_complete(shown: str) -> None:
    last_table = shown.rsplit("packets from", maxsplit=1)[-1].splitlines()[1:]
    for number, (name, marks) in enumerate(ROWS.items()):
        ipv4, ipv6 = last_table[2 * number : 2 * number + 2]
        assert ipv4.startswith(name)
        assert ipv4.split()[-5:] == marks
        assert ipv6.split()[-5:] == marks
    assert re.search(r"phone in Japan: [\d,]+ packets sent, 0 lost", shown)
    assert re.search(r"attacker abroad: [\d,]+ packets sent, 0 got in", shown)
    assert "Every packet did what the rules say." in shown


@pytest.mark.parametrize("backend", sorted(registry.MODULES))
def test_the_demo_shows_the_whole_way_on_real_packets(backend: str) -> None:
    done = subprocess.run(
        demo("--backend", backend), capture_output=True, text=True, check=False, cwd=CHECKOUT
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert f"Applied with {backend} and verified: 6 sets and the rules changed" in done.stdout
    assert "by the fence so far: sip 12, rtp 6." in done.stdout
    assert "by the fence so far: sip 20, rtp 12." in done.stdout
    assert f"The fence ({backend}) is down." in done.stdout
    assert_complete(done.stdout)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_ordinary_user_sees_the_same() -> None:
    done = run_as_ordinary_user(*demo())

    assert (done.returncode, done.stderr) == (0, "")
    assert_complete(done.stdout)


def test_the_demo_leaves_no_trace(tmp_path: Path) -> None:
    interfaces, here = socket.if_nameindex(), Path("/proc/self/ns/net").readlink()

    subprocess.run(
        demo(),
        capture_output=True,
        check=True,
        cwd=CHECKOUT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )

    assert list(tmp_path.iterdir()) == []
    assert (socket.if_nameindex(), Path("/proc/self/ns/net").readlink()) == (interfaces, here)


def test_without_privilege_and_user_namespaces_one_sentence_names_the_remedy() -> None:
    """Root without capabilities may not even map itself into a user namespace."""
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]

    done = subprocess.run(
        [*bare, *demo()], capture_output=True, text=True, check=False, cwd=CHECKOUT
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("geofence: No throw-away network namespace can be made here")
    assert done.stderr.count("\n") == 1
    assert "Run it as root" in done.stderr
