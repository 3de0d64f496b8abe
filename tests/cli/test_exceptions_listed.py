"""``geofence exceptions``: what is allowed, where that is written, and what covers an address."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from geofence.policy import OWNED_FILE
from tests.cli.machine import Done, Machine, ended
from tests.cli.world import LANS

GUEST = "45.9.9.9"


def entries(done: Done) -> dict[str, dict[str, Any]]:
    """What is said of each exception, by name."""
    return {each["exception"]: each for each in done.json["exceptions"]}


def test_all_that_there_is_to_say_of_an_exception(one: Machine) -> None:
    one.ok("refresh")
    guest = (GUEST, "--name", "guest", "--until", "2027-06-01T12:00Z", "--service", "sip")
    one.ok("allow", *guest, "--note", "Sato")
    one.ok("allow", "office")
    told = one.ok("exceptions", "--json")
    found = entries(told)
    assert found["guest"] == {
        "exception": "guest",
        "description": "",
        "group": None,
        "defined_in": f"{one.owned}:4",
        "by_hand": True,
        "enabled": True,
        "active": True,
        "kind": None,
        "why": None,
        "hosts": [],
        "srv": [],
        "feed": None,
        "sip": [],
        "derived_from": [],
        "addresses": [GUEST],
        "services": ["sip"],
        "until": "2027-06-01T12:00:00+00:00",
        "ended": False,
        "note": "Sato",
        "packets": 0,
    }
    office = found["office"]
    assert office["defined_in"] == f"{one.rules}/50-test.toml:4", "not where it was enabled"
    assert (office["by_hand"], office["active"], office["until"]) == (False, True, None)
    assert found["lab"]["enabled"] is found["lab"]["active"] is False
    assert found["push-as"]["hosts"] == ["push-as.softphone.com"]


def test_the_table_has_enabled_ones_and_all_of_them_on_request(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", GUEST, "--name", "guest", "--for", "8h", "--note", "Sato")
    one.serve("MC", b"")
    said = one.ok("exceptions").out
    row = next(line for line in said.splitlines() if line.startswith("guest "))
    assert all(part in row for part in (GUEST, "all", "active", " left)", OWNED_FILE, "Sato"))
    assert "home" in said
    assert "push-as" not in said
    assert "--all shows them." in said
    everything = one.ok("exceptions", "--all").out
    assert "push-as" in everything
    assert "disabled" in everything
    assert "--all shows" not in everything


def test_an_exception_that_is_not_applied_says_so(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60.toml", '[exception.new]\nprefixes = ["45.70.0.0/16"]\n')
    told = one.ok("exceptions")
    assert "Exception new is inactive: not applied yet; run 'geofence apply'" in told.err
    found = entries(one.ok("exceptions", "--json"))["new"]
    assert (found["active"], found["kind"]) == (False, "not-applied")


def test_countries_by_hand_are_listed(one: Machine) -> None:
    one.ok("refresh")
    one.ok("revoke", "--country", "JP", "--accept", "shut-out")
    assert one.ok("exceptions", "--json").json["countries"] == [
        {"country": "JP", "allowed": False, "services": [], "until": None, "note": ""}
    ]
    assert "JP (Japan)" in one.ok("exceptions").out


def cover(machine: Machine, *arguments: str) -> tuple[int, str]:
    """Exit code, and what is printed."""
    done = machine.run("exceptions", "--covering", *arguments)
    assert done.err == ""
    return done.code, done.out.strip()


def test_what_covers_an_address(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", GUEST, "--name", "guest", "--for", "8h", "--service", "sip")
    with one.in_lan():
        found = {
            address: cover(one, address)
            for address in (
                *(GUEST, "45.9.9.10", "45.88.0.7", "45.88.0.7/32", "45.88.0.0/24"),
                *("127.0.0.1", "127.1.2.3", "::1", "192.168.7.2", "192.168.7.77", "fd00:99::77"),
                *("192.168.8.1", "133.1.2.3"),
            )
        }
        assert cover(one, "192.168.7.77", "--service", "rtp")[0] == 0
    assert found == {
        GUEST: (0, "guest"),
        "45.9.9.10": (1, ""),
        "45.88.0.7": (0, "home"),
        "45.88.0.7/32": (0, "home"),
        "45.88.0.0/24": (1, ""),
        "127.0.0.1": (0, "loopback"),
        "127.1.2.3": (0, "loopback"),
        "::1": (0, "loopback"),
        "192.168.7.2": (0, "own"),
        "192.168.7.77": (0, f"{LANS[0]}@lan"),
        "fd00:99::77": (0, f"{LANS[1]}@lan"),
        "192.168.8.1": (1, ""),
        "133.1.2.3": (1, ""),
    }
    assert cover(one, GUEST, "--service", "sip") == (0, "guest")
    assert cover(one, GUEST, "--service", "rtp") == (1, "")
    told = one.run("exceptions", "--covering", GUEST, "--json").json
    assert told == {"covered": True, "by": "exception", "name": "guest"}
    told = one.run("exceptions", "--covering", "45.9.9.10", "--json").json
    assert told == {"covered": False, "by": None, "name": None}


def test_an_exception_without_an_answer_of_dns_covers_its_last_known_address(one: Machine) -> None:
    one.ok("refresh")
    assert cover(one, "35.185.177.49") == (1, "")
    one.run("allow", "push-as")  # DNS fails here
    assert cover(one, "35.185.177.49") == (0, "push-as")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--covering", "45.9.9"), '"45.9.9" is not a prefix'),
        (("--service", "sip"), "--service needs --covering"),
    ],
)
def test_a_wrong_question(settled: Machine, arguments: tuple[str, ...], message: str) -> None:
    done = settled.run("exceptions", *arguments)
    assert done.code == 2
    assert message in done.err


def test_it_needs_no_root_where_rules_and_state_can_be_read(one: Machine) -> None:
    one.ok("refresh")
    with tempfile.TemporaryDirectory() as name:
        open_to_all = Path(name)
        open_to_all.chmod(0o755)
        for each in (one.rules, one.state):
            copy = shutil.copytree(each, open_to_all / each.name)
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)
            one.environment[f"GEOFENCE_{each.name.upper()}_DIR"] = str(copy)
        one.wrapper = ("setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all")
        done = one.run("exceptions", "--covering", "45.88.0.7")
    assert (done.code, done.out, done.err) == (0, "home\n", "")


def test_asking_imports_little(one: Machine) -> None:
    one.ok("refresh")
    one.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    done = ended(one.start("exceptions", "--covering", "133.1.2.3"))
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.err.splitlines()}
    assert done.code == 1
    assert not names & {
        "requests",
        "rich",
        "netaddr",
        "pyroute2",
        "dns",
        "maxminddb",
        "apscheduler",
    }
