"""History and the way back; and the guards that stand before every change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.guards.objection import Guard
from geofence.model.notes import NoteKind
from tests.cli.facts import fact, kinds
from tests.cli.machine import BACKENDS, Machine, machine
from tests.cli.world import COME, FOREIGN, GONE, JAPANESE, japan_later

OFFICE = "45.9.1.1"


@pytest.fixture
def fenced(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a fence."""
    with machine(tmp_path) as made:
        made.ok("refresh")
        yield made


@pytest.mark.parametrize("backend", BACKENDS)
def test_there_and_back(tmp_path: Path, backend: str) -> None:
    with machine(tmp_path, backend) as made:
        assert made.ok("history", "--json").json == []
        assert made.run("rollback").code == 2
        made.ok("refresh")
        assert made.run("rollback").code == 2
        made.serve("JP", japan_later())
        made.ok("refresh")
        made.ok("allow", "office")

        rows = [line.split() for line in made.ok("history").out.splitlines()]
        assert [row[0] for row in rows] == ["generation", "3", "2", "1"]
        assert rows[1][4:7] == ["allow", "office", made.backend]
        assert rows[2][-3:] == ["allow4", "+65,536", "-65,536"]

        made.ok("rollback")
        assert made.gets_in(GONE, COME, OFFICE) == [False, True, False]
        assert NoteKind.ROLLED_BACK in kinds(made.ok("rollback", "--json"))
        assert made.gets_in(GONE, COME, OFFICE) == [True, False, False], "a second goes further"
        assert made.run("rollback").code == 2
        made.ok("rollback", "2")
        made.ok("rollback", "1")
        assert made.gets_in(GONE, COME, OFFICE) == [True, False, False]
        told = made.ok("history", "--json").json
        assert [(each["generation"], each["reason"]) for each in told] == [
            (7, "rollback 1"),
            (6, "rollback 2"),
            (5, "rollback"),
            (4, "rollback"),
            (3, "allow office"),
            (2, "refresh"),
            (1, "refresh"),
        ]
        assert [each["lists"] for each in told[:2]] == [told[6]["lists"], told[5]["lists"]]
        assert [len(each["lists"]) for each in told] == [1] * 7
        assert told[0]["lists"] != told[1]["lists"]
        assert told[0]["sets"] == [
            {"set": "allow4", "addresses_added": 65_536, "addresses_removed": 65_536}
        ]
        assert made.ok("restore", "--json").json["changed"] is False

        made.ok("apply")
        assert made.gets_in(GONE, COME, OFFICE) == [False, True, True]


def test_an_interface_that_comes_to_be_trusted_is_a_difference(fenced: Machine) -> None:
    path = fenced.rule("60-local.toml", '[local]\ninterfaces = ["lo", "eth0", "tun*"]\n')
    fenced.ok("apply")
    path.unlink()
    fenced.ok("apply")

    rows = [row.rstrip() for row in fenced.ok("history").out.splitlines()]
    assert rows[1].endswith("  trusted interfaces -eth0 -tun*")
    assert rows[2].endswith("  trusted interfaces +eth0 +tun*")
    told = fenced.ok("history", "--json").json
    assert [each["interfaces"] for each in told] == [
        {"added": [], "removed": ["eth0", "tun*"]},
        {"added": ["eth0", "tun*"], "removed": []},
        {"added": ["lo"], "removed": []},
    ]


def test_a_damaged_generation_is_shown_and_not_gone_back_to(fenced: Machine) -> None:
    fenced.serve("JP", japan_later())
    fenced.ok("refresh")
    first, _ = fenced.generations()
    first.write_bytes(first.read_bytes()[:-1])
    fence = fenced.fence()

    history, rollback = fenced.ok("history", "--json"), fenced.run("rollback", "1")

    _, damaged = history.json
    assert damaged["damaged"] == str(first)
    assert rollback.code == 2
    assert str(first) in rollback.err
    assert fenced.run("rollback", "9").code == 2
    assert fenced.fence() == fence


def test_blocking_the_own_ssh_session_is_refused(fenced: Machine) -> None:
    fenced.rule("60-ssh.toml", '[service.ssh]\nports = ["22/tcp"]\n')
    fenced.environment["SSH_CONNECTION"] = f"{FOREIGN[0]} 50000 192.0.2.1 22"
    fence = fenced.fence()

    planned, refused = fenced.ok("plan", "--offline", "--json").json, fenced.run("apply")

    [refusal] = planned["refusals"]
    assert (refusal["guard"], refusal["accept"]) == (Guard.SSH, "ssh")
    assert (refused.code, refused.out) == (3, "")
    assert FOREIGN[0] in refused.err
    assert "--accept ssh" in refused.err
    assert fenced.fence() == fence
    assert len(fenced.generations()) == 1

    fenced.environment["SSH_CONNECTION"] = f"{JAPANESE[0]} 50000 192.0.2.1 22"
    fenced.ok("apply")
    fenced.environment["SSH_CONNECTION"] = f"{FOREIGN[0]} 50000 192.0.2.1 22"
    fenced.ok("apply")  # it is shut out already, so nothing would change for it


def test_an_override_lets_that_one_guard_s_objection_pass(fenced: Machine) -> None:
    fenced.rule("60-ssh.toml", '[service.ssh]\nports = ["22/tcp"]\n')
    fenced.environment["SSH_CONNECTION"] = f"{FOREIGN[0]} 50000 192.0.2.1 22"
    assert fenced.run("apply", "--accept", "live-sources").code == 3
    fenced.ok("apply", "--accept", "ssh")


def test_blocking_most_current_peers_is_refused(fenced: Machine) -> None:
    callers = [GONE, "61.255.2.2", "61.255.3.3", JAPANESE[0]]
    for caller in callers:
        fenced.tool(
            *("conntrack", "-I", "-p", "udp", "-s", caller, "-d", "127.0.0.1"),
            *("--sport", "5060", "--dport", "5060", "-t", "300", "-u", "SEEN_REPLY,ASSURED"),
        )
    fenced.serve("JP", japan_later())
    fence = fenced.fence()

    planned, refused = fenced.ok("plan", "--json").json, fenced.run("refresh")

    assert [each["address"] for each in planned["live"]["denied"]] == callers[:3]
    [refusal] = planned["refusals"]
    assert refusal["guard"] == Guard.LIVE_SOURCES
    assert refused.code == 3
    assert "--accept live-sources" in refused.err
    assert fenced.fence() == fence
    fenced.ok("refresh", "--accept", "live-sources")
    assert fenced.gets_in(GONE, COME) == [False, True]
    assert GONE in fenced.tool("conntrack", "-L")


def test_an_unattended_run_applies_all_that_blocks_no_current_peer(fenced: Machine) -> None:
    callers = [GONE, "61.255.2.2", "61.255.3.3", JAPANESE[0]]
    for caller in callers:
        fenced.tool(
            *("conntrack", "-I", "-p", "udp", "-s", caller, "-d", "127.0.0.1"),
            *("--sport", "5060", "--dport", "5060", "-t", "300", "-u", "SEEN_REPLY,ASSURED"),
        )
    fenced.serve("JP", japan_later())

    done = fenced.run("refresh", "--unattended", "--json")

    assert done.code == 5
    _, delayed = fact(done, NoteKind.BLOCK_DELAYED)
    assert "--accept live-sources" in str(delayed["message"])
    beside = "61.255.99.1"
    assert fenced.gets_in(*callers, COME, beside) == [True] * 5 + [False]
    fenced.tool("conntrack", "-F")
    fenced.ok("refresh", "--unattended")
    assert fenced.gets_in(*callers, COME) == [False, False, False, True, True]
