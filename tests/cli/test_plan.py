"""What plan shows, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from geofence.model.notes import NoteKind
from tests.cli.machine import Machine, machine
from tests.cli.test_revoke import CALLERS, talking
from tests.cli.world import japan_later, small

UNPRIVILEGED = ("setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a fence whose list has changed since."""
    with machine(tmp_path_factory.mktemp("changed")) as made:
        made.ok("refresh")
        made.serve("JP", japan_later())
        yield made


def test_the_text_has_changes_by_set_country_and_list(changed: Machine) -> None:
    lines = changed.ok("plan").out.splitlines()
    assert lines[0].startswith("Backend: nftables")
    assert ["allow4", "18", "26", "+65,536", "-65,536"] in [line.split() for line in lines]
    assert "  allow4 - 61.255.0.0/16" in lines
    assert "  allow4 + 203.180.0.0/16" in lines
    at = lines.index("What it means")
    assert (
        lines[at + 1]
        == "  Japan (JP): 65,536 IPv4 addresses allowed, 65,536 IPv4 addresses blocked"
    )
    [entry] = [line for line in lines if line.startswith("country JP")]
    assert "renewed" in entry
    assert changed.server.url("/jp.json") in changed.ok("plan", "--full").out
    assert lines[-1] == (
        "Would change 1 set, add 0 rules and remove 0 rules. Nothing has been changed."
    )


def test_a_machine_reads_the_same(changed: Machine) -> None:
    told = changed.ok("plan", "--json").json
    assert told["changes"] is True
    [change] = told["sets"]
    assert change == {
        "set": "allow4",
        "family": "ipv4",
        "prefixes_before": 18,
        "prefixes_after": 26,
        "addresses_added": 65_536,
        "addresses_removed": 65_536,
        "added": ["203.180.0.0/16"],
        "removed": ["61.255.0.0/16"],
    }
    assert told["rules"] == {"added": [], "removed": []}
    assert told["debris"] == []
    assert told["countries"] == [
        {
            "country": "JP",
            "asn": None,
            "addresses_allowed": {"ipv4": 65_536, "ipv6": 0},
            "addresses_blocked": {"ipv4": 65_536, "ipv6": 0},
        }
    ]
    assert told["refusals"] == []
    assert [each["list"] for each in told["lists"]] == ["country JP"]
    assert told["summary"].startswith("Would change 1 set, ")


def test_the_exit_code_needs_its_option(changed: Machine) -> None:
    assert changed.run("plan", "--exit-code").code == 6
    assert changed.run("plan", "--exit-code", "--offline").code == 0


def test_offline_downloads_nothing(changed: Machine) -> None:
    asked = len(changed.server.requests)
    told = changed.ok("plan", "--offline", "--json").json
    assert len(changed.server.requests) == asked
    assert told["changes"] is False


@pytest.mark.parametrize("arguments", [(), ("--full",), ("--json",), ("--offline",)])
def test_nothing_changes_on_disk_or_in_the_kernel(
    changed: Machine, arguments: tuple[str, ...]
) -> None:
    before = changed.files(), changed.fence()
    changed.ok("plan", *arguments)
    assert (changed.files(), changed.fence()) == before


def test_the_first_plan_makes_no_state_either(fresh: Machine) -> None:
    before = fresh.fence()
    told = fresh.ok("plan")
    assert not fresh.state.exists()
    assert fresh.fence() == before
    assert ["allow4", "none", "18", "+184,483,840", "-0"] in [
        line.split() for line in told.out.splitlines()
    ]
    assert "133.67.0.0/16" not in told.out
    assert "  allow4 + 133.67.0.0/16" in fresh.ok("plan", "--full").out.splitlines()
    assert told.out.splitlines()[-1].startswith("Would change 6 sets, ")


def _without_privilege(where: Machine, *arguments: str) -> Any:  # noqa: ANN401 - a Done or JSON
    where.wrapper = UNPRIVILEGED
    try:
        return where.ok("plan", "--json", *arguments).json
    finally:
        where.wrapper = ()


def test_without_privilege_it_plans_against_the_last_generation(changed: Machine) -> None:
    told = _without_privilege(changed)
    assert [change["set"] for change in told["sets"]] == ["allow4"]
    [note] = told["note_facts"]
    assert note["kind"] == NoteKind.PLAN_WITHOUT_KERNEL
    assert note["data"]["generation"] == 1
    assert "root" in note["text"]


def test_without_privilege_and_generation_the_plan_is_for_a_host_without_a_fence(
    fresh: Machine,
) -> None:
    told = _without_privilege(fresh)
    assert len(told["sets"]) == 6
    [note] = told["note_facts"]
    assert note["kind"] == NoteKind.PLAN_WITHOUT_KERNEL
    assert note["data"]["generation"] is None


def test_the_effect_is_shown_by_country_and_for_current_connections(one: Machine) -> None:
    one.serve("AD", small("AD"))
    one.ok("refresh")
    talking(one, *CALLERS)
    one.rule("60.toml", '[allow]\ncountries = ["AD"]\n')
    done = one.ok("plan")
    told = [line.strip() for line in done.out.splitlines()]
    at = told.index("What it means")
    assert told[at + 1 : at + 4] == [
        "Andorra (AD): 24,576 IPv4 addresses, 8 IPv6 /32 networks allowed",
        "Japan (JP): 184,483,840 IPv4 addresses, 8,191 IPv6 /32 networks blocked",
        "Connected now: 3 sources, of which 3 would be blocked; 0 more would be allowed.",
    ]
    assert told[-1].startswith("'geofence refresh' would be refused: ")
    assert "--accept live-sources" in told[-1]

    assert one.run("plan", "--exit-code").code == 3
    assert one.run("plan", "--exit-code", "--accept", "live-sources").code == 6
    [refusal] = one.ok("plan", "--json").json["refusals"]
    assert (refusal["guard"], refusal["accept"]) == ("live-sources", "live-sources")
    assert one.run("refresh").code == 3


def test_rules_are_shown_in_full_only(fresh: Machine) -> None:
    short, full = fresh.ok("plan").out, fresh.ok("plan", "--full").out
    assert "\nRules\n" not in short
    assert "  + " in full.partition("\nRules\n")[2]
    added = len(fresh.ok("plan", "--json").json["rules"]["added"])
    assert f", add {added} rules and remove 0 rules." in short.splitlines()[-1]
