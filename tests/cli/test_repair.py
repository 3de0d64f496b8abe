"""Repair brings back what others took away, and says so; else it says nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.model.notes import NoteKind
from tests.cli.facts import fact, kinds
from tests.cli.machine import BACKENDS, Machine, machine

TAKE_RULES = {
    "ipset": ("iptables", "-t", "mangle", "-F"),
    "nftables": ("nft", "flush", "ruleset"),
}


@pytest.fixture(scope="module", params=BACKENDS)
def fenced(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("fenced"), request.param) as made:
        made.ok("refresh")
        yield made


def test_a_whole_fence_is_left_alone_and_nothing_is_said(fenced: Machine) -> None:
    done = fenced.run("repair", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert fenced.ok("repair", "--json").json["changed"] is False


def test_a_fence_that_is_down_comes_back_and_the_journal_hears_of_it(fenced: Machine) -> None:
    healed = fenced.run("status", "--json").json["last_run"]["healed"]
    fenced.tool(*TAKE_RULES[fenced.backend])
    down = ["ipv4"] if fenced.backend == "ipset" else ["ipv4", "ipv6"]
    assert fenced.run("status").code == 1

    done = fenced.ok("repair", "--quiet", "--json")

    assert fact(done, NoteKind.FENCE_WAS_DOWN)[1]["families"] == down
    assert fenced.run("status").code == 0
    assert fenced.run("status", "--json").json["last_run"]["healed"] == healed + 1


def test_a_fence_removed_on_purpose_stays_down_until_it_is_wanted_again(fenced: Machine) -> None:
    fenced.ok("remove")
    done = fenced.run("repair", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert fenced.run("status").code == 1

    fenced.ok("restore")
    fenced.tool(*TAKE_RULES[fenced.backend])
    assert NoteKind.FENCE_WAS_DOWN in kinds(fenced.ok("repair", "--quiet", "--json"))
    assert fenced.run("status").code == 0


def test_a_removal_of_an_earlier_boot_does_not_count(fenced: Machine) -> None:
    fenced.ok("remove")
    (fenced.state / "removed").write_text("another boot\n")
    assert fenced.run("repair", "--quiet").code == 0
    assert fenced.run("status").code == 0
