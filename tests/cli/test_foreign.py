"""Other programs' objects under geofence's names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.guards.objection import Guard
from geofence.model.notes import NoteKind
from tests.cli.facts import kinds
from tests.cli.machine import Machine, machine

SCRIPT = (
    "add table inet geofence;"
    "add set inet geofence whitelist { type ipv4_addr; };"
    "add chain inet geofence input { type filter hook input priority 0; };"
    "add rule inet geofence input tcp dport 22 ip saddr != @whitelist drop"
)
"""A table that somebody else's script makes."""
WEB = "GEOFENCE-web"
FAMILIES = ("iptables", "ip6tables")


def listing(made: Machine) -> str:
    return made.tool("nft", "list", "table", "inet", "geofence")


def mangle(made: Machine, program: str = "iptables") -> list[str]:
    return made.tool(program, "-t", "mangle", "-S").splitlines()


def own_chain(made: Machine, name: str) -> list[str]:
    """Make a chain of somebody else's, with a rule, in both families; its lines."""
    for program in FAMILIES:
        for rule in (
            ("-N", name),
            ("-A", name, "-p", "tcp", "--dport", "8443", "-j", "DROP"),
            ("-A", "PREROUTING", "-j", name),
        ):
            made.tool(program, "-t", "mangle", *rule)
    return [line for line in mangle(made) if name in line]


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose fence ipset holds."""
    with machine(tmp_path, "ipset") as made:
        yield made


def test_a_table_of_another_program_is_recognized(fresh: Machine) -> None:
    fresh.tool("nft", SCRIPT)
    before = listing(fresh)

    refused = fresh.run("refresh")

    assert refused.code == 3
    assert "set whitelist in the table inet geofence" in refused.err
    assert "chain input in the table inet geofence" in refused.err
    assert "'--accept foreign'." in refused.err
    [refusal] = fresh.ok("plan", "--json").json["refusals"]
    assert (refusal["guard"], refusal["accept"]) == (Guard.FOREIGN, "foreign")
    assert listing(fresh) == before
    assert fresh.generations() == []
    fresh.ok("refresh", "--accept", "foreign")
    assert "whitelist" not in fresh.tool("nft", "list", "ruleset")


def test_restore_and_remove_leave_it_alone(fresh: Machine) -> None:
    fresh.tool("nft", SCRIPT)
    before = listing(fresh)

    restored = fresh.run("restore", "--json")
    removed = fresh.run("remove")

    assert (restored.code, removed.code) == (5, 3)
    assert NoteKind.NOTHING_APPLIED in kinds(restored)
    assert listing(fresh) == before


def test_a_fence_with_a_lost_record_is_recognized(fresh: Machine) -> None:
    fresh.ok("refresh")
    shutil.rmtree(fresh.state)
    fresh.ok("refresh")
    shutil.rmtree(fresh.state)
    assert fresh.ok("remove", "--json").json == {"removed": [fresh.backend]}


def test_nor_is_one_that_others_have_emptied(classic: Machine) -> None:
    classic.ok("refresh")
    shutil.rmtree(classic.state)
    for program in FAMILIES:
        classic.tool(program, "-t", "mangle", "-F")
    classic.ok("refresh")


def test_a_set_added_to_our_table_is_removed(one: Machine) -> None:
    one.ok("refresh")
    one.tool("nft", "add set inet geofence whitelist { type ipv4_addr; }")
    one.ok("refresh")
    assert "whitelist" not in listing(one)


def test_a_chain_that_only_others_lead_to_stays(classic: Machine) -> None:
    theirs = own_chain(classic, WEB)

    classic.ok("refresh")
    assert set(theirs) < set(mangle(classic))
    assert WEB not in classic.ok("plan").out
    classic.ok("remove")

    assert mangle(classic)[-len(theirs) :] == theirs[-len(theirs) :]
    assert not any("GEOFENCE" in line and WEB not in line for line in mangle(classic))


def test_a_name_in_use_is_reported(classic: Machine) -> None:
    theirs = own_chain(classic, WEB)
    classic.rule("60-web.toml", '[service.web]\nports = ["8443/tcp"]\n')

    done = classic.run("refresh")

    assert done.code == 1
    assert "'iptables -t mangle -E GEOFENCE-web NEW-NAME'" in done.err
    assert [line for line in mangle(classic) if WEB in line] == theirs


def test_a_chain_of_another_program_with_our_name_is_recognized(
    classic: Machine,
) -> None:
    theirs = own_chain(classic, "GEOFENCE")
    refused = classic.run("refresh")
    assert refused.code == 3
    assert "chain GEOFENCE in the table mangle of iptables" in refused.err
    assert mangle(classic)[-len(theirs) :] == theirs[-len(theirs) :]
    classic.ok("refresh", "--accept", "foreign")
    assert not any("8443" in line for line in mangle(classic))


def test_our_chain_stays_ours_with_a_rule_of_an_operator(
    classic: Machine,
) -> None:
    classic.ok("refresh")
    whole = mangle(classic)
    classic.tool("iptables", "-t", "mangle", "-A", "INPUT", "-j", "GEOFENCE-sip")
    classic.tool("iptables", "-t", "mangle", "-F", "GEOFENCE")
    classic.ok("restore")
    assert set(whole) <= set(mangle(classic))


def test_a_stale_chain_that_a_rule_leads_to_is_named(classic: Machine) -> None:
    classic.rule("60-web.toml", '[service.web]\nports = ["8443/tcp"]\n')
    classic.ok("refresh")
    classic.tool("iptables", "-t", "mangle", "-A", "INPUT", "-j", WEB)
    classic.rule("60-web.toml", "")

    done = classic.run("refresh")

    assert done.code == 1
    assert f'a rule of another program leads to the chain "{WEB}"' in done.err
    classic.tool("iptables", "-t", "mangle", "-D", "INPUT", "-j", WEB)
    classic.ok("refresh")
