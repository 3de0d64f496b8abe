"""What a revoke may do to those who talk, beside what it revokes."""

from __future__ import annotations

from tests.cli.machine import Machine

BRANCH = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"]
CALLERS = ["133.1.2.1", "133.2.2.2", "133.3.2.3"]
"""Of a network each."""


def talking(machine: Machine, *callers: str) -> None:
    for caller in callers:
        machine.tool(
            *("conntrack", "-I", "-p", "udp", "-s", caller, "-d", "127.0.0.1"),
            *("--sport", "5060", "--dport", "5060", "-t", "300", "-u", "SEEN_REPLY,ASSURED"),
        )


def test_a_revoke_passes_though_it_blocks_most_current_peers(fresh: Machine) -> None:
    fresh.rule("60-branch.toml", '[exception.branch]\nprefixes = ["198.51.100.0/24"]\n')
    fresh.ok("refresh")
    assert fresh.gets_in(BRANCH[0]) == [True]
    talking(fresh, *BRANCH, CALLERS[0])
    fresh.ok("revoke", "branch")
    assert fresh.gets_in(BRANCH[0], CALLERS[0]) == [False, True]


def test_a_revoke_brings_no_other_edit_past_the_guards(fresh: Machine) -> None:
    fresh.rule("60-branch.toml", '[exception.branch]\nprefixes = ["198.51.100.0/24"]\n')
    fresh.ok("refresh")
    talking(fresh, *CALLERS, BRANCH[0])
    fresh.rule("70-mine.toml", "[allow]\ncountries = []\n")
    assert fresh.run("apply").code == 3
    refused = fresh.run("revoke", "branch")
    assert refused.code == 3
    assert "--accept live-sources" in refused.err
    assert fresh.gets_in(BRANCH[0], CALLERS[0]) == [True, True]
