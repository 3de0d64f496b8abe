"""Allow and revoke: persisted in the command line's own file, and applied at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geofence.allowed.active_exceptions import Obstacle
from geofence.model.notes import NoteKind
from geofence.policy import OWNED_FILE
from tests.cli.facts import fact, kinds, problem_with
from tests.cli.machine import Gate, Machine, ended
from tests.cli.world import COME, japan_later
from tests.support.list_server import content

OFFICE = ("45.9.1.1", "2a00:1450::7")
LAB = "45.77.0.1"
PUSH = ("35.185.177.49", "102.133.161.81", "216.93.246.120")


def switches(path: Path) -> list[str]:
    """The file without its comments."""
    text = path.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_an_exception_is_allowed_and_revoked(fresh: Machine) -> None:
    fresh.ok("refresh")
    assert fresh.gets_in(*OFFICE) == [False, False]

    allowed = fresh.ok("allow", "office", "--json").json
    assert (allowed["changed"], allowed["generation"]) == (True, 2)
    assert fresh.gets_in(*OFFICE) == [True, True]
    assert fresh.gets_in(*OFFICE, service="rtp") == [False, False]
    assert switches(fresh.owned) == ["[exception.office]", "enabled = true"]
    assert fresh.ok("allow", "office", "--json").json["changed"] is False

    fresh.ok("revoke", "office")
    assert fresh.gets_in(*OFFICE) == [False, False]
    assert switches(fresh.owned) == ["[exception.office]", "enabled = false"]


def test_a_group_is_allowed_and_a_member_is_revoked(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", "offices")
    assert one.gets_in(*OFFICE, LAB) == [True, True, True]
    one.ok("revoke", "lab")
    assert one.gets_in(*OFFICE, LAB) == [True, True, False]
    assert switches(one.owned) == [
        "[exception.lab]",
        "enabled = false",
        "[exception.office]",
        "enabled = true",
    ]


def test_an_exception_of_the_rules_can_be_revoked(one: Machine) -> None:
    one.ok("refresh")
    assert one.gets_in("45.88.0.7") == [True]
    one.ok("revoke", "home")
    assert one.gets_in("45.88.0.7") == [False]


def test_without_dns_the_last_known_address_is_allowed(one: Machine) -> None:
    one.ok("refresh")
    done = one.run("allow", "bria", "--json")
    assert done.code == 5
    assert problem_with(done, "host push-as.softphone.com")
    assert one.gets_in(*PUSH) == [True, True, True]
    assert one.run("revoke", "bria").code == 0
    assert one.gets_in(*PUSH) == [False, False, False]


def test_rules_with_an_unresolved_host_name_do_not_look_applied(one: Machine) -> None:
    one.ok("refresh")
    trunk = '[exception.trunk]\nhosts = ["sip.provider.example"]\n'
    told = ("trunk", {"hosts": ["sip.provider.example"]})
    one.rule("60-trunk.toml", trunk)
    for verb in (("plan", "--offline"), ("apply",), ("plan",), ("refresh",)):
        assert fact(one.run(*verb, "--json"), NoteKind.EXCEPTION_UNRESOLVED) == told
    status = one.ok("status", "--json")
    waiting = {each["exception"]: each["kind"] for each in status.json["exceptions_waiting"]}
    assert waiting["trunk"] == Obstacle.UNRESOLVED
    assert NoteKind.EXCEPTION_UNRESOLVED not in kinds(status)  # said once

    one.rule("60-trunk.toml", trunk + 'prefixes = ["198.51.100.0/24"]\n')
    assert fact(one.ok("apply", "--json"), NoteKind.EXCEPTION_UNRESOLVED) == told
    assert one.gets_in("198.51.100.7") == [True]
    assert fact(one.ok("status", "--json"), NoteKind.EXCEPTION_UNRESOLVED) == told

    one.rule("60-trunk.toml", trunk + 'last_known = ["198.51.100.0/24"]\n')
    for asked in ("apply", "status"):
        done = one.ok(asked, "--json")
        assert fact(done, NoteKind.LAST_KNOWN_USED)[1] == {"exceptions": ["trunk"]}
        assert NoteKind.EXCEPTION_UNRESOLVED not in kinds(done)


def test_unknown_names_change_nothing(one: Machine) -> None:
    one.ok("refresh")
    before = one.files(), one.fence()
    for name, meant in (("ofice", "office"), ("push_as", "push-as"), ("BRIA", "bria")):
        done = one.run("allow", "home", name)
        assert (done.code, done.out) == (2, "")
        assert f'Unknown exception or group "{name}"; did you mean {meant}?' in done.err
    assert not one.owned.exists()
    assert (one.files(), one.fence()) == before


def test_a_switch_that_a_later_file_overrides_is_refused(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", "lab")
    later = one.rule("99-z.toml", "\n[exception.office]\nenabled = false\n")
    before, fence = one.owned.read_bytes(), one.fence()
    owned = "99-command-line.toml"

    done = one.run("allow", "office")

    assert (done.code, done.out) == (2, "")
    assert f"{later}:2 sets 'enabled' of the exception office and overrides {owned}" in done.err
    assert (one.owned.read_bytes(), one.fence()) == (before, fence)


def test_rules_that_do_not_load_keep_the_file_as_it_was(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", "lab")
    before, fence = one.owned.read_bytes(), one.fence()
    one.rule("60-wrong.toml", "[allow]\ncountries = 7\n")
    assert one.run("allow", "office").code == 2
    assert (one.owned.read_bytes(), one.fence()) == (before, fence)


def test_hand_written_rules_in_the_file_are_kept(one: Machine) -> None:
    one.ok("refresh")
    by_hand = one.rule(one.owned.name, '[allow]\ncountries = ["JP"]\n')
    done = one.run("allow", "office")
    assert done.code == 2
    assert f"{one.owned.name}:2: " in done.err
    assert by_hand.read_text() == '[allow]\ncountries = ["JP"]\n'


def test_an_exception_that_is_taken_out_of_the_rules_leaves_no_trouble_behind(one: Machine) -> None:
    one.ok("refresh")
    one.ok("allow", "office", "lab")
    rules = one.rules / "50-test.toml"
    before, office, after = re.split(
        r"(\[exception\.office\].*?\n\n)", rules.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert "45.9.0.0/16" in office
    one.rule(rules.name, before + after)

    one.ok("refresh")
    assert one.gets_in(*OFFICE, LAB) == [False, False, True]
    for verb in (("status",), ("plan", "--offline"), ("why", LAB)):
        one.ok(*verb)
    done = one.run("allow", "ofice")
    assert (done.code, done.out) == (2, "")
    assert 'Unknown exception or group "ofice"; did you mean offices?' in done.err
    assert one.run("allow", "office").code == 2
    assert "[exception.office]" in switches(one.owned)

    one.ok("revoke", "lab")
    assert switches(one.owned) == ["[exception.lab]", "enabled = false"]


def renamed(machine: Machine, old: str, new: str) -> None:
    """Give an exception of the rules another name."""
    rules = machine.rules / "50-test.toml"
    text = rules.read_text(encoding="utf-8")
    machine.rule(rules.name, text.replace(f"[exception.{old}]", f"[exception.{new}]"))


def _switch(verb: str) -> dict[str, object]:
    return {"enabled": verb == "allow", "file": OWNED_FILE}


LOST = [("allow", "office", OFFICE[0]), ("revoke", "home", "45.88.0.7")]


@pytest.mark.parametrize(("verb", "name", "address"), LOST)
def test_a_switch_of_a_renamed_exception_is_reported_until_switched(
    one: Machine, verb: str, name: str, address: str
) -> None:
    one.ok("refresh")
    one.ok(verb, name)
    meant = one.gets_in(address)
    renamed(one, name, "bureau")
    what = "enables" if verb == "allow" else "disables"
    told = (
        f"{OWNED_FILE} {what} the exception {name}, but no rule defines it. If it has a new name, "
        f"run 'geofence {verb}' with that. If not, run 'geofence revoke {name}'.\n"
    )
    verbs = (("plan", "--offline"), ("plan",), ("refresh",), ("apply",), ("status",))
    for asked in verbs:
        assert one.ok(*asked).err.count(told) == 1
    assert one.gets_in(address) != meant
    status = one.ok("status", "--json")
    assert fact(status, NoteKind.SWITCH_UNDEFINED) == (name, _switch(verb))
    done = one.ok(verb, "bureau", "--json")
    assert fact(done, NoteKind.SWITCH_REMOVED)[0] == name
    assert f"no longer mentions the exception {name}, which no rule defines." in done.err
    assert one.gets_in(address) == meant
    for asked in verbs:
        assert name not in one.ok(*asked).err


@pytest.mark.parametrize(("verb", "name", "address"), LOST)
def test_a_switch_without_an_exception_can_be_revoked(
    one: Machine, verb: str, name: str, address: str
) -> None:
    one.ok("refresh")
    one.ok(verb, name)
    one.ok("allow", "lab")
    renamed(one, name, "bureau")
    one.ok("apply")
    before = one.gets_in(address, LAB)
    assert one.run("allow", name).code == 2
    status = one.ok("status", "--json")
    assert fact(status, NoteKind.SWITCH_UNDEFINED) == (name, _switch(verb))

    one.ok("revoke", name)
    assert switches(one.owned) == ["[exception.lab]", "enabled = true"]
    assert one.gets_in(address, LAB) == before
    assert name not in one.ok("status").err


@pytest.mark.parametrize("verb", ["allow", "revoke"])
def test_without_lists_a_switch_changes_nothing(one: Machine, verb: str) -> None:
    done = one.run(verb, "office")
    assert done.code == 1
    assert "country JP" in done.err
    assert not one.owned.exists()


def test_allow_during_a_refresh_held_up_by_a_slow_server_is_not_lost(fresh: Machine) -> None:
    fresh.ok("refresh")
    gate = Gate(content(japan_later()))
    fresh.serve("JP", gate)
    refresh = fresh.start("refresh")
    gate.wait_until_asked()

    fresh.ok("allow", "office")
    assert fresh.gets_in(*OFFICE, COME) == [True, True, False]
    gate.opened.set()

    assert ended(refresh).code == 0
    assert fresh.gets_in(*OFFICE, COME) == [True, True, True]
