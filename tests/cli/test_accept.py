"""What a guard says to pass works word for word, whichever verb it stopped."""

from __future__ import annotations

import re

import pytest

from geofence.model.notes import NoteKind
from tests.cli.facts import fact
from tests.cli.machine import Machine
from tests.cli.test_revoke import CALLERS, talking
from tests.cli.world import JAPAN_IPV4, JAPAN_IPV6
from tests.lists.bodies import country_json

SHUT = "[allow]\ncountries = []\n"


@pytest.mark.parametrize(
    "verb",
    [["refresh"], ["apply"], ["allow", "office"], ["revoke", "home"], ["rollback"]],
    ids=" ".join,
)
def test_the_overrides_named_by_a_check_let_the_verb_pass(one: Machine, verb: list[str]) -> None:
    one.rule("60-ssh.toml", '[service.ssh]\nports = ["22/tcp"]\n')
    shut = one.rule("70-shut.toml", SHUT)
    one.ok("refresh", "--accept", "shut-out")
    shut.unlink()
    one.ok("refresh")
    talking(one, *CALLERS)
    one.environment["SSH_CONNECTION"] = f"{CALLERS[0]} 50000 198.51.100.10 22"
    if verb != ["rollback"]:
        one.rule(shut.name, SHUT)

    refused = one.run(*verb)
    assert (refused.code, one.gets_in(*CALLERS)) == (3, [True, True, True])
    passing = re.findall(r"add '(--accept [a-z-]+)'", refused.err)
    assert passing == ["--accept shut-out", "--accept ssh", "--accept live-sources"]

    one.ok(*verb, *" ".join(passing).split())
    assert one.gets_in(*CALLERS) == [False, False, False]


def test_the_overrides_named_by_a_check_let_plan_and_refresh_pass(one: Machine) -> None:
    one.serve("JP", country_json("JP", ["133.0.0.0/8"], ["2400:4000::/19"]))
    refused = one.run("plan")
    assert (refused.code, refused.out) == (3, "")
    passing = re.findall(r"add '(--accept [A-Za-z=-]+)'", refused.err)
    assert passing == ["--accept first-run=JP"]
    words = passing[0].split()
    assert one.ok("plan", *words, "--json").json["changes"]
    assert one.generations() == []
    one.ok("refresh", *words)

    talking(one, *CALLERS)
    one.rule("70-shut.toml", SHUT)
    assert "'--accept live-sources'." in one.ok("plan").out
    assert "live-sources" not in one.ok("plan", "--accept", "live-sources").said


def test_callers_blocked_by_the_kernel_already_do_not_count(fresh: Machine) -> None:
    """Somebody has emptied the set of countries since; what was recorded still allows them."""
    fresh.ok("refresh")
    fresh.break_set()
    talking(fresh, *CALLERS)
    fresh.rule("60.toml", '[blocklist.x]\nprefixes = ["133.1.0.0/16", "133.2.0.0/15"]\n')
    fresh.ok("apply")
    assert fresh.gets_in(*CALLERS) == [False, False, False]


def test_callers_on_a_blocklist_are_blocked_on_purpose(one: Machine) -> None:
    one.ok("refresh")
    talking(one, *CALLERS)
    one.rule("60.toml", "[allow]\ncountries = []\n")
    assert "live-sources" in one.run("apply", "--accept", "shut-out").err
    one.rule("60.toml", '[blocklist.x]\nprefixes = ["133.1.0.0/16", "133.2.0.0/15"]\n')
    one.ok("apply")
    assert one.gets_in(*CALLERS) == [False, False, False]


def test_a_list_that_grows_too_much_is_refused_by_the_command_and_for_how_long(
    one: Machine,
) -> None:
    one.ok("refresh")
    grown = [*JAPAN_IPV4, "1.0.0.0/8", "2.0.0.0/8"]
    one.serve("JP", country_json("JP", grown, list(JAPAN_IPV6)))
    refused = one.run("refresh")
    assert refused.code == 5
    assert "--accept growth=JP" in refused.err
    assert one.gets_in(CALLERS[0], "2.1.2.3") == [True, False]

    path = one.state / "lists" / "refusals.json"
    path.write_text(re.sub(r"2026-\d\d-\d\dT", "2026-01-01T", path.read_text()))
    again = one.run("refresh")
    assert "It has been refused since 2026-01-01, for " in again.err
    told = one.ok("status", "--json")
    assert fact(told, NoteKind.LIST_REFUSED) == ("country JP", {"since": "2026-01-01"})
