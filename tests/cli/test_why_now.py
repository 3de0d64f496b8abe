"""Why answers for the kernel as it is now, and for what the next run makes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from geofence.model.notes import NoteKind
from geofence.model.reasons import ReasonKind
from geofence.operations.why import DropKind
from tests.cli.facts import fact, kinds
from tests.cli.machine import Machine
from tests.cli.test_cut import PHONE, STRANGERS, Talk, talking
from tests.cli.world import FOREIGN, JAPANESE
from tests.support.list_server import Handler, status

SIP = ("--port", "5060/udp")


def verdicts(where: Machine, address: str) -> tuple[str, str]:
    """What becomes of a packet now, and after the next run."""
    [told] = where.ok("why", address, *SIP, "--json").json["verdicts"]
    return told["now"]["verdict"], told["verdict"]


def test_rules_that_wait_for_an_apply_do_not_speak_for_now(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.rule(
        "60.toml",
        '[exception.office]\nenabled = true\n[blocklist.x]\nprefixes = ["133.1.0.0/16"]\n',
    )
    assert [verdicts(fresh, each) for each in (FOREIGN[0], FOREIGN[1], "133.1.2.3")] == [
        ("drop", "pass"),
        ("drop", "pass"),
        ("pass", "drop"),
    ]
    assert fresh.gets_in(FOREIGN[0], FOREIGN[1], "133.1.2.3") == [False, False, True]

    lines = [line.split("  ") for line in fresh.ok("why", FOREIGN[0], *SIP).out.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    rules = fresh.rules / "60.toml"
    assert rows[1:7] == [
        ["service", "port", "verdict now", "because"],
        [
            "sip",
            "5060/udp",
            "blocked",
            "in none of the kernel's sets except4-sip, allow4",
        ],
        [],
        ["service", "port", "verdict after 'geofence apply'", "because"],
        ["sip", "5060/udp", "allowed", f"exception office ({rules}:1) allows it"],
        ["Lists with it: exception office."],
    ]
    assert rows[-1][0] == "Has no rule above allowed it?"
    assert rows[-1][1] == "yes, this decides"
    said = fresh.ok("why", "133.1.2.3", *SIP).out
    assert "allowed      in the kernel's set allow4" in said

    fresh.ok("apply")
    assert "after" not in fresh.ok("why", FOREIGN[0], *SIP).out
    assert verdicts(fresh, FOREIGN[0]) == ("pass", "pass")


def test_without_a_fence_every_address_is_allowed_now(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.ok("remove")
    assert verdicts(fresh, FOREIGN[0]) == ("pass", "drop")
    [told] = fresh.ok("why", FOREIGN[1], *SIP, "--json").json["verdicts"]
    fact = told["now"].pop("because_fact")
    assert (fact["kind"], fact["subject"]) == (ReasonKind.NO_FENCE, "ipv6")
    assert told["now"].pop("because") == fact["text"]
    assert told["now"] == {
        "fence": False,
        "service": None,
        "verdict": "pass",
        "observed": False,
        "steps": [],
    }
    fresh.ok("restore")
    assert verdicts(fresh, FOREIGN[0]) == ("drop", "drop")


def test_a_set_that_others_have_emptied_counts_as_it_is(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.break_set()
    assert verdicts(fresh, JAPANESE[0]) == ("drop", "pass")


def test_after_a_rollback_the_kernel_has_the_earlier_rules(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60.toml", '[service.rtp]\nenabled = false\n[service.web]\nports = ["443/tcp"]\n')
    one.ok("apply")
    one.ok("rollback")
    answer = one.ok("why", FOREIGN[0], "--json").json["verdicts"]
    now = {each["ports"]: (each["now"]["service"], each["now"]["verdict"]) for each in answer}
    then = {each["ports"]: (each["service"], each["verdict"]) for each in answer}
    assert (now["10000-20000/udp"], then["10000-20000/udp"]) == (("rtp", "drop"), (None, "pass"))
    assert (now["443/tcp"], then["443/tcp"]) == ((None, "pass"), ("web", "drop"))


def test_changed_rules_make_the_answer_uncertain(one: Machine) -> None:
    one.ok("refresh")
    assert NoteKind.RULES_CHANGED_BY_OTHERS not in kinds(one.ok("why", FOREIGN[0], "--json"))
    chain = next(
        line.split()[1]
        for line in one.tool("nft", "list", "table", "inet", "geofence").splitlines()
        if line.startswith("\tchain") and "sip" in line
    )
    one.tool("nft", "insert", "rule", "inet", "geofence", chain, "counter")
    assert NoteKind.RULES_CHANGED_BY_OTHERS in kinds(one.ok("why", FOREIGN[0], "--json"))


def test_without_privilege_it_says_that_the_answer_is_of_the_rules(one: Machine) -> None:
    one.ok("refresh")
    one.wrapper = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    done = one.ok("why", FOREIGN[0], *SIP, "--json")
    [told] = done.json["verdicts"]
    assert (told["now"], told["verdict"]) == (None, "drop")
    assert NoteKind.KERNEL_UNREAD in kinds(done)


@pytest.fixture
def talk(fresh: Machine) -> Iterator[Talk]:
    with talking(fresh) as made:
        yield made


def connections(where: Machine, address: str) -> list[tuple[str, str, bool, bool, int]]:
    told = where.ok("why", address, "--json").json["connections"]
    return [tuple(each.values()) for each in told]


def ending(where: Machine, address: str) -> tuple[str, str]:
    """Return how the connections of an address would be dropped."""
    told = where.ok("why", address, "--json").json["ending_fact"]
    return told["kind"], told["subject"]


def test_current_connections_are_shown_with_their_origin_and_the_remedy(
    fresh: Machine, talk: Talk
) -> None:
    stranger, other = STRANGERS[:2]
    fresh.ok("refresh")
    fresh.ok("allow", "office")
    assert talk.reaches(stranger, PHONE) == [True, True]
    assert connections(fresh, stranger) == [("sip", "peer", True, True, 1)]
    assert ending(fresh, stranger) == (DropKind.REVOKE, "office")
    assert ending(fresh, PHONE) == (DropKind.BLOCKLIST, f"{PHONE}/32")

    fresh.rule("99-zz.toml", "[exception.office]\nenabled = false\n")
    fresh.ok("apply")
    assert talk.reaches(stranger) == [True]
    assert connections(fresh, stranger) == [("sip", "peer", True, False, 1)]
    assert ending(fresh, stranger) == (DropKind.CUT, "apply")
    fresh.ok("apply", "--cut")
    assert talk.reaches(stranger) == [False]
    assert connections(fresh, stranger) == []

    assert connections(fresh, other) == []
    talk.calls(other)
    assert connections(fresh, other) == [("sip", "host", True, False, 1)]


def test_where_no_source_answers_it_says_so_within_seconds(one: Machine) -> None:
    def silent(handler: Handler) -> None:
        while not handler.wait(0.1):
            pass

    one.server.on("/jp.json", silent)
    begun = time.monotonic()
    done = one.ok("why", FOREIGN[0], *SIP, "--json")
    assert time.monotonic() - begun < 9
    assert fact(done, NoteKind.PROBLEM)[0] == "country JP"
    assert fact(done, NoteKind.LIST_MISSING)[0] == "country JP"
    [told] = done.json["verdicts"]
    assert told["now"]["because_fact"]["kind"] == ReasonKind.NO_FENCE


def test_a_source_that_fails_is_asked_once(one: Machine) -> None:
    one.server.on("/jp.json", status(503))
    one.ok("why", FOREIGN[0])
    assert one.server.asked("/jp.json") == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1.2.3.4:5060", "1.2.3.4"),
        ("[2001:db8::1]:5060", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:5060", "1.2.3.4"),
    ],
)
def test_addresses_as_logs_write_them(settled: Machine, typed: str, meant: str) -> None:
    assert settled.ok("why", typed, "--json").json["address"] == meant


@pytest.mark.parametrize("typed", ["1.2.3.4:99999", "2001:db8::1]:5060", "[1.2.3.4]", "1.2.3.4:"])
def test_an_invalid_address_is_refused(settled: Machine, typed: str) -> None:
    assert settled.run("why", typed).code == 2
