"""Services that are only observed, as each command tells it."""

from __future__ import annotations

from tests.cli.machine import Machine
from tests.cli.world import FOREIGN, JAPANESE
from tests.support.noted import note

OBSERVE = "[mode]\nobserve = true\n"
SIP_ONLY = "[service.sip]\nobserve = true\n"
BOTH = "sip, rtp are observed: nothing is dropped."


def test_status_says_first_that_nothing_is_dropped(fresh: Machine) -> None:
    fresh.rule("60-observe.toml", OBSERVE)
    fresh.ok("refresh")
    lines = fresh.ok("status").out.splitlines()
    assert lines[0] == lines[-1] == f"{BOTH} The fence is up as applied."
    told = fresh.ok("status", "--json").json
    assert {each["service"]: each["observed"] for each in told["services"]} == {
        "sip": True,
        "rtp": True,
    }
    assert told["fenced"]


def test_one_service_is_observed(one: Machine) -> None:
    one.rule("60-observe.toml", SIP_ONLY)
    one.ok("refresh")
    out = one.ok("status").out
    assert out.startswith("sip is observed: nothing is dropped. The fence is up as applied.\n")
    assert "sip (observed)" in out
    assert "rtp (observed)" not in out
    told = one.ok("status", "--json").json
    assert {each["service"]: each["observed"] for each in told["services"]} == {
        "sip": True,
        "rtp": False,
    }


def test_switching_it_on_is_told_and_needs_no_override(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.rule("60-observe.toml", OBSERVE)
    planned = fresh.ok("plan", "--offline", "--json").json
    kinds = [(note["kind"], note["subject"]) for note in planned["note_facts"]]
    assert ("observing-begins", "sip") in kinds
    assert ("observing-begins", "rtp") in kinds
    assert sorted(planned["observed"]) == ["rtp", "sip"]
    assert planned["refusals"] == []
    text = fresh.ok("plan", "--offline")
    assert BOTH in text.out
    assert "sip is only observed: everybody reaches it, and nothing is dropped." in text.err

    done = fresh.ok("apply")
    assert "sip is only observed: everybody reaches it" in done.err
    assert done.out.splitlines()[-1].endswith(BOTH)
    again = fresh.ok("apply", "--json").json
    assert sorted(again["observed"]) == ["rtp", "sip"]
    assert [n for n in again["note_facts"] if n["kind"].startswith("observing")] == []
    assert fresh.ok("status").code == 0


def test_switching_it_off_is_told(one: Machine) -> None:
    file = one.rule("60-observe.toml", OBSERVE)
    one.ok("refresh")
    file.unlink()
    done = one.ok("apply", "--json").json
    kinds = [note["kind"] for note in done["note_facts"]]
    assert kinds.count("observing-ends") == 2
    assert done["observed"] == []
    assert one.ok("status").out.startswith("The fence is up as applied.\n")


def test_why_says_what_would_be_dropped(fresh: Machine) -> None:
    fresh.rule("60-observe.toml", SIP_ONLY)
    fresh.ok("refresh")
    asked = ("--port", "5060/udp", "--port", "10000/udp")
    verdicts = fresh.ok("why", FOREIGN[0], *asked, "--json").json["verdicts"]
    assert [(v["service"], v["verdict"], v["observed"]) for v in verdicts] == [
        ("sip", "pass", True),
        ("rtp", "drop", False),
    ]
    assert [(v["now"]["verdict"], v["now"]["observed"]) for v in verdicts] == [
        ("pass", True),
        ("drop", False),
    ]
    assert verdicts[0]["because_fact"] == verdicts[1]["because_fact"]
    assert verdicts[0]["because_fact"] == verdicts[0]["now"]["because_fact"]
    out = fresh.ok("why", FOREIGN[0], *asked).out
    assert "only observed" in out
    assert "would be dropped, but the service is only observed: " in out
    (allowed,) = fresh.ok("why", JAPANESE[0], "--port", "5060/udp", "--json").json["verdicts"]
    assert not allowed["observed"]


def test_why_tells_a_switch_that_is_not_applied_yet(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60-observe.toml", SIP_ONLY)
    (verdict,) = one.ok("why", FOREIGN[0], "--port", "5060/udp", "--json").json["verdicts"]
    assert (verdict["verdict"], verdict["now"]["verdict"]) == ("pass", "drop")
    assert (verdict["observed"], verdict["now"]["observed"]) == (True, False)
    assert "verdict after 'geofence apply'" in one.ok("why", FOREIGN[0], "--port", "5060/udp").out


def test_denied_shows_who_would_be_blocked(fresh: Machine) -> None:
    fresh.rule("60-observe.toml", OBSERVE)
    fresh.ok("refresh")
    note(fresh.host, fresh.backend, {FOREIGN[0]: 3})
    for by in ((), ("--by", "country")):
        lines = fresh.ok("denied", *by).out.splitlines()
        assert lines[0] == (
            "Services are only observed: nothing is dropped. These sources would be blocked:"
        )
    told = fresh.ok("denied", "--json").json
    assert [each["observed"] for each in told["services"]] == [True, True]
    fresh.rule("60-observe.toml", SIP_ONLY)
    fresh.ok("apply")
    assert fresh.ok("denied").out.splitlines()[0] == (
        "sip is only observed: nothing is dropped there, and its sources below would be blocked."
    )
