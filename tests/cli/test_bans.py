"""``ban``, ``unban`` and ``bans``: what they say, what they refuse, and what they leave."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.machine import Machine
from tests.cli.world import JAPANESE

ATTACKER = "133.9.9.9"
LAN = "192.168.7.0/24"


def lines(machine: Machine, given: str) -> list[str]:
    """What ``ban --lines`` answers."""
    with machine.host.entered():
        done = subprocess.run(
            machine.command("ban", "--lines"),
            env=machine.variables(),
            cwd="/",
            input=given,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    assert done.stderr == ""
    return done.stdout.splitlines()


def banned(machine: Machine) -> dict[str, str]:
    """The reason of each ban."""
    return {each["prefix"]: each["reason"] for each in machine.ok("bans", "--json").json}


def test_a_ban_is_listed_with_its_time_and_its_reason_and_unbanned(fresh: Machine) -> None:
    fresh.ok("refresh")
    assert fresh.ok("bans").out == "Nothing is banned.\n"
    said = fresh.ok("ban", ATTACKER, "2400:4000:9::/64", "--for", "1h", "--reason", "scanner").out
    assert f"{ATTACKER} is banned until " in said
    assert "2400:4000:9::/64 is banned until " in said
    listed = fresh.ok("bans").out
    assert ATTACKER in listed
    assert "scanner" in listed
    found = {each["prefix"]: each for each in fresh.ok("bans", "--json").json}
    assert set(found) == {f"{ATTACKER}/32", "2400:4000:9::/64"}
    one = found[f"{ATTACKER}/32"]
    assert (one["reason"], one["packets"], one["bytes"], one["spared"]) == ("scanner", 0, 0, [])
    left = datetime.fromisoformat(one["until"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    assert fresh.ok("unban", ATTACKER).out == f"{ATTACKER} is no longer banned.\n"
    assert set(banned(fresh)) == {"2400:4000:9::/64"}
    assert fresh.ok("ban", ATTACKER).out == f"{ATTACKER} is banned until you unban it.\n"
    assert fresh.ok("unban", ATTACKER, "2400:4000:9::/64", "--json").json == {
        "banned": [],
        "unbanned": [f"{ATTACKER}/32", "2400:4000:9::/64"],
        "in_kernel": True,
    }
    assert banned(fresh) == {}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("133.9.9.9:5071", "133.9.9.9/32"),
        ("[2400:4000::9]:5071", "2400:4000::9/128"),
        ("::ffff:133.9.9.8", "133.9.9.8/32"),
    ],
)
def test_addresses_are_taken_as_logs_write_them(settled: Machine, written: str, meant: str) -> None:
    settled.ok("ban", written, "--for", "1h")
    assert meant in banned(settled)
    settled.ok("unban", written)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("ban",), 2, "Name an address"),
        (("ban", "nonsense"), 2, "is not an IP address"),
        (("ban", "133.9.9.9/33"), 2, "133.9.9.9/33"),
        (("ban", ATTACKER, "--for", "0s"), 2, "--for"),
        (("ban", ATTACKER, "--for", "soon"), 2, "--for"),
        (("ban", "--lines", ATTACKER), 2, "takes no addresses"),
        (("unban", ATTACKER), 2, "is not banned"),
        (("ban", "0.0.0.101"), 3, "no host has such an address"),
        (("ban", "127.0.0.1"), 3, "loopback"),
        (("ban", "::1"), 3, "loopback"),
        (("ban", "255.255.255.255"), 3, "no packet comes from"),
        (("ban", "45.88.0.7"), 3, "an exception allows it"),
        (("ban", "64.0.0.0/6"), 3, "broader than /8"),
        (("ban", ATTACKER, "127.0.0.1"), 3, "loopback"),
    ],
)
def test_what_is_refused_changes_nothing(
    settled: Machine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = settled.fence(), settled.files()
    done = settled.run(*arguments)
    assert done.code == code
    assert said in done.err
    assert done.out == ""
    assert settled.fence() == before[0]
    kept = {name: content for name, content in settled.files().items() if name != "bans"}
    assert kept == {name: content for name, content in before[1].items() if name != "bans"}


def test_own_addresses_and_local_networks_are_refused(one: Machine) -> None:
    one.ok("refresh")
    with one.in_lan():
        own, neighbour = one.run("ban", "192.168.7.2"), one.run("ban", "192.168.7.9")
    assert (own.code, neighbour.code) == (3, 3)
    assert "this host has an address in it" in own.err
    assert "local network" in neighbour.err


def test_a_part_of_a_ban_cannot_be_unbanned_alone(settled: Machine) -> None:
    settled.ok("ban", "133.9.0.0/16", "--for", "1h")
    done = settled.run("unban", ATTACKER)
    assert done.code == 2
    assert "geofence unban 133.9.0.0/16" in done.err
    settled.ok("unban", "133.9.0.0/16")


def test_a_broader_ban_leaves_exceptions_in_it_alone(settled: Machine) -> None:
    settled.ok("ban", "45.88.0.0/24", "--for", "1h")
    (found,) = settled.ok("bans", "--json").json
    assert found["spared"] == ["45.88.0.7/32"]
    assert "45.88.0.7" in settled.ok("bans").out
    settled.ok("unban", "45.88.0.0/24")


def test_without_a_fence_a_ban_is_recorded_for_the_next(fresh: Machine) -> None:
    fresh.state.mkdir(mode=0o700)
    done = fresh.ok("ban", ATTACKER, "--for", "1h")
    assert "No fence is up" in done.said
    assert lines(fresh, f"ban {JAPANESE[0]} 3600\n") == ["ok no-fence"]
    assert all(each["packets"] is None for each in fresh.ok("bans", "--json").json)
    fresh.ok("refresh")
    assert [each["packets"] for each in fresh.ok("bans", "--json").json] == [0, 0]


def test_each_line_is_answered_and_a_refused_one_refuses_no_other(fresh: Machine) -> None:
    fresh.ok("refresh")
    given = [
        f"ban {ATTACKER} 3600 fail2ban: five failures",
        "ban 127.0.0.1 60",
        "",
        "ban",
        "drop 192.0.2.1",
        "ban 133.9.9.10 - without end",
        "ban 133.9.9.11 1h",
        "ban 133.9.9.12 soon",
        "unban 133.9.9.13",
        "unban 133.9.9.11",
        "ban 133.9.9.11 600",
        "unban 133.9.9.10 3600",
        f"unban {ATTACKER} 3601",
        f"ban {ATTACKER} 60",
        "ban 45.88.0.7",
        "ban " + "1" * 2000,
        "ban \N{SNOWMAN}",
        "covering 45.88.0.7",
        "covering 2400:4000:9::9",
        "covering nobody",
        "ban 2400:4000:9::9 60 last",
    ]
    said = lines(fresh, "\n".join(given))
    assert [" ".join(each.split()[:2]) for each in said] == [
        "ok",
        "error refused",
        *["error usage"] * 3,
        *["ok"] * 2,
        "error usage",
        "error not-banned",
        *["ok"] * 2,
        "error lasts-longer",
        *["ok"] * 2,
        "error refused",
        *["error usage"] * 2,
        *("yes", "no", "error usage"),
        "ok",
    ]
    assert banned(fresh) == {
        f"{ATTACKER}/32": "",
        "133.9.9.10/32": "without end",
        "133.9.9.11/32": "",
        "2400:4000:9::9/128": "last",
    }
    assert all(each["packets"] == 0 for each in fresh.ok("bans", "--json").json)


def test_a_line_is_answered_before_the_next_one_comes(one: Machine) -> None:
    one.ok("refresh")
    with (
        one.host.entered(),
        subprocess.Popen(
            one.command("ban", "--lines"),
            env=one.variables(),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        for verb in ("ban", "ban", "unban"):
            process.stdin.write(f"{verb} {ATTACKER}")
            process.stdin.flush()
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ok\n"
        one.ok("ban", ATTACKER, "--for", "1h")
        process.stdin.write(f"unban {ATTACKER}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ok\n"
        process.stdin.close()
    assert process.returncode == 0
    assert banned(one) == {}


def test_fifty_thousand_bans_are_taken_at_once(fresh: Machine) -> None:
    fresh.ok("refresh")
    many = [f"133.{100 + at // 65_536}.{at // 256 % 256}.{at % 256}" for at in range(0, 100_000, 2)]
    assert lines(fresh, "".join(f"ban {each} 3600\n" for each in many)) == ["ok"] * len(many)
    listed = fresh.ok("bans", "--json").json
    assert len(listed) == len(many)
    assert all(each["packets"] == 0 for each in listed)
    fresh.ok("refresh")
    fresh.clear()
    fresh.ok("restore")
    assert all(each["packets"] == 0 for each in fresh.ok("bans", "--json").json)
    assert set(lines(fresh, "".join(f"unban {each}\n" for each in many))) == {"ok"}
    assert fresh.ok("bans", "--json").json == []
