"""What status tells at a glance: on one screen, the verdict first and last, with what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.machine import Machine
from tests.cli.test_cut import PHONE, STRANGERS, Talk, talking
from tests.cli.world import small

LINES, COLUMNS = 24, 80
UP = "The fence is up as applied."
EDITED = (
    "The rules or lists on disk differ from what was applied. 'geofence plan --offline' shows the "
    "difference."
)


def lines_on_screen(text: str) -> int:
    return sum(max(1, math.ceil(len(line) / COLUMNS)) for line in text.splitlines())


def test_it_fits_on_a_screen_with_the_verdict_first_and_last(fresh: Machine) -> None:
    countries = ("AD", "MC", "SM", "VA")
    for code in countries:
        fresh.serve(code, small(code))
    listed = ", ".join(f'"{code}"' for code in ("JP", *countries))
    fresh.rule("60.toml", f"[allow]\ncountries = [{listed}]\n")
    fresh.rule("61.toml", '[blocklist.mine]\nprefixes = ["192.0.2.0/24"]\n')
    fresh.ok("refresh")

    done = fresh.ok("status")
    lines = done.out.splitlines()
    assert (lines[0], lines[-1]) == (UP, UP)
    assert lines_on_screen(done.said) <= LINES
    assert [line.split()[1] for line in lines if line.startswith("country")] == ["JP", *countries]
    assert "allow4" not in done.out

    full = fresh.ok("status", "--full").out
    assert "allow4" in full
    assert "5060" in full.partition("Rules in the kernel:")[2]
    assert fresh.server.url("/jp.json") in full


def test_many_lists_and_names_do_not_push_the_rest_off_the_screen(one: Machine) -> None:
    names = "".join(f'[exception.trunk-{n}]\nhosts = ["t{n}.invalid"]\n' for n in range(40))
    one.ok("refresh")
    one.rule("60.toml", names)
    listed = one.ok("status").out
    assert sum(line.startswith("host ") for line in listed.splitlines()) == 40  # all are missing
    one.rule("60.toml", names.replace("hosts", "enabled = false\nhosts"))
    off = one.ok("status").out
    assert lines_on_screen(off) <= LINES
    assert "trunk-39" not in off
    assert "trunk-39" in one.ok("status", "--full").out


def test_rules_edited_since_the_last_apply_are_reported(fresh: Machine) -> None:
    fresh.ok("refresh")
    assert fresh.ok("status", "--json").json["rules_edited"] is False
    assert EDITED not in fresh.ok("status").out

    path = fresh.rule("60.toml", '[blocklist.x]\nprefixes = ["133.1.0.0/16"]\n')
    assert fresh.ok("status", "--json").json["rules_edited"] is True
    assert EDITED in fresh.ok("status").out.splitlines()
    fresh.ok("apply")
    assert fresh.ok("status", "--json").json["rules_edited"] is False
    path.unlink()
    assert fresh.ok("status", "--json").json["rules_edited"] is True

    fresh.rule("60.toml", '[allow]\ncountries = ["JP", "AD"]\n')  # its list is still to be fetched
    assert fresh.ok("status", "--json").json["rules_edited"] is True
    fresh.rule("60.toml", "[alow]\n")
    assert fresh.run("status", "--json").json["rules_edited"] is None


def test_a_recorded_fence_is_brought_back_by_restore(fresh: Machine) -> None:
    assert fresh.run("status").out.startswith(
        "There is NO FENCE. 'geofence refresh' sets one up.\n"
    )
    assert fresh.run("status", "--json").json["restorable"] is False
    fresh.ok("refresh")
    fresh.ok("remove")
    done = fresh.run("status")
    said = "There is NO FENCE. 'geofence restore' restores generation 1."
    assert (done.code, done.out.splitlines()[0], done.out.splitlines()[-1]) == (1, said, said)
    assert lines_on_screen(done.said) <= LINES
    assert fresh.run("status", "--json").json["restorable"] is True
    fresh.ok("restore")
    assert fresh.ok("status").out.startswith(UP)


def test_since_when_counters_count(fresh: Machine) -> None:
    def since() -> datetime:
        return datetime.fromisoformat(fresh.ok("status", "--json").json["counting_since"])

    before = datetime.now(UTC)
    fresh.ok("refresh")
    made = since()
    assert before <= made <= datetime.now(UTC)
    fresh.rule("60.toml", '[blocklist.x]\nprefixes = ["133.1.0.0/16"]\n')
    fresh.ok("apply")  # sets alone: the rules stay, and so do their counters
    assert since() == made
    path = fresh.state / "counting.json"
    facts = json.loads(path.read_text())
    longer = {**facts, "since": str(made - timedelta(hours=5))}
    path.write_text(json.dumps(longer))
    assert "packets dropped in 5 h" in fresh.ok("status").out

    fresh.clear()
    assert fresh.run("status", "--json").json["counting_since"] is None
    fresh.ok("restore")
    assert since() > made
    path.write_text(json.dumps({**facts, "boot": "another"}))  # as after a boot of a read-only disk
    assert fresh.ok("status", "--json").json["counting_since"] is None
    assert "packets dropped  " in fresh.ok("status").out


@pytest.fixture
def talk(fresh: Machine) -> Iterator[Talk]:
    with talking(fresh) as made:
        yield made


def test_connections_that_could_not_begin_now_are_reported(fresh: Machine, talk: Talk) -> None:
    fresh.ok("refresh")
    fresh.ok("allow", "office")
    assert talk.reaches(STRANGERS[0], PHONE) == [True, True]
    assert fresh.ok("status", "--json").json["outliving"] == []
    fresh.rule("99-zz.toml", "[exception.office]\nenabled = false\n")
    fresh.ok("apply")

    said = (
        f"1 connection goes on, but would be blocked if begun now: {STRANGERS[0]} (sip 1). "
        "'geofence apply --cut' drops it."
    )
    assert said in fresh.ok("status").err.splitlines()
    [told] = fresh.ok("status", "--json").json["outliving"]
    assert told == {"address": STRANGERS[0], "flows": {"sip": 1}}
    fresh.ok("apply", "--cut")
    assert fresh.ok("status", "--json").json["outliving"] == []


def test_a_trunk_without_a_rule_is_reported_by_plan_refresh_and_status(
    fresh: Machine, talk: Talk
) -> None:
    trunk = STRANGERS[1]
    talk.calls(trunk)
    talk.answers(trunk)
    talk.calls(PHONE)
    talk.answers(PHONE)
    said = (
        f"This host contacts 1 peer that no rule allows: {trunk} (sip 1). Its calls are dropped "
        "when the connection was silent for some minutes. If it is a trunk, write an exception."
    )
    assert said in fresh.ok("plan").err
    assert fresh.ok("plan", "--json").json["live"]["unnamed_peers"] == [
        {"address": trunk, "flows": {"sip": 1}}
    ]
    assert said in fresh.ok("refresh").err
    talk.calls(trunk)
    talk.answers(trunk)
    assert said in fresh.ok("status").err
    fresh.rule("60.toml", f'[exception.trunk]\nprefixes = ["{trunk}/32"]\n')
    fresh.ok("apply")
    assert said not in fresh.ok("status").err
    assert fresh.ok("status", "--json").json["unnamed_peers"] == []


def test_notrack_and_redirects_of_others_are_reported(one: Machine) -> None:
    one.ok("refresh")
    told = one.ok("status", "--json").json
    assert (told["untracked"], told["redirected"]) == ([], [])
    for line in (
        "add table inet host",
        "add chain inet host raw { type filter hook prerouting priority -300; }",
        "add rule inet host raw udp dport 5060 notrack",
        "add chain inet host nat { type nat hook prerouting priority -100; }",
        "add rule inet host nat udp dport 5566 redirect to :5060",
    ):
        one.tool("nft", line)
    untracked, redirected = one.ok("status").err.splitlines()
    assert untracked == (
        "nft inet host raw keeps packets to sip (5060/udp) out of connection tracking (NOTRACK). "
        "Replies to this host are dropped unless their source is allowed. Remove that rule."
    )
    assert redirected.startswith("nft inet host nat redirects packets from 5566/udp to 5060/udp")
    told = one.ok("status", "--json").json
    assert [each["ports"] for each in told["untracked"]] == ["5060/udp"]
    assert [(each["named"], each["service"]) for each in told["redirected"]] == [
        ("5566/udp", "sip")
    ]
