"""``geofence catalog``: what ships, searched by name, host and address."""

from __future__ import annotations

from typing import Any

import pytest

from geofence.model.reasons import HintKind
from tests.cli.machine import Machine
from tests.support.list_server import status
from tests.support.noted import note

OWN = """
[exception.desk]
description = "Our own provider"
hosts = ["sip.desk.invalid"]
prefixes = ["45.200.7.0/24"]
kind = "trunk"
trunk_hosts = ["*.customers.desk.invalid"]

[exception.plain]
prefixes = ["45.200.7.0/24"]

[blocklist.own]
prefixes = ["45.200.8.0/24"]
"""


def found(machine: Machine, *arguments: str) -> dict[str, dict[str, Any]]:
    """What is listed, by name."""
    done = machine.run("catalog", *arguments, "--json")
    entries = {each["entry"]: each for each in done.json["entries"]}
    assert done.code == (0 if entries else 1)
    return entries


def test_everything_that_ships_is_listed_and_off(settled: Machine) -> None:
    everything = found(settled)
    kinds = [each["kind"] for each in everything.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"push": 15, "trunk": 14, "blocklist": 6}
    assert not any(each["enabled"] or each["active"] for each in everything.values())
    for kind in ("push", "trunk", "blocklist"):
        assert {each["kind"] for each in found(settled, "--kind", kind).values()} == {kind}


def test_all_that_there_is_to_say_of_an_entry(settled: Machine) -> None:
    assert found(settled, "telnyx-sip")["telnyx-sip"] == {
        "entry": "telnyx-sip",
        "kind": "trunk",
        "group": "telnyx",
        "description": "Telnyx: signalling, United States",
        "sends": "signalling",
        "media": "listed",
        "services": ["sip"],
        "enabled": False,
        "active": False,
        "hosts": ["sip.telnyx.com"],
        "srv": [],
        "sip": [],
        "trunk_hosts": [],
        "urls": [],
        "addresses": ["64.16.250.10", "192.76.120.10", "192.76.120.14"],
        "published": True,
        "read": "2026-09-29",
        "page": "https://sip.telnyx.com/",
        "command": "geofence allow telnyx",
        "together": ["telnyx-sip", "telnyx-media"],
    }
    blocklist = found(settled, "dshield")["dshield"]
    assert blocklist["urls"] == ["https://feeds.dshield.org/block.txt"]
    nothing = ("active", "published", "read", "page", "command", "sends", "media")
    assert [blocklist[key] for key in nothing] == [None] * len(nothing)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["54.172.60.1"], ["twilio-sip"]),
        (["168.86.128.0/18"], ["twilio-media"]),
        (["168.86.0.0/16"], []),
        (["64.16.246.100"], ["telnyx-media"]),
        (["133.1.2.3"], []),
        (["me.pstn.twilio.com"], ["twilio-sip", "twilio-media"]),
        (["evilpstn.twilio.com"], []),
        (["TWILIO"], ["twilio-sip", "twilio-media"]),
        (["twilio", "media"], ["twilio-media"]),
        (["Oregon"], []),
        (["voip.ms", "paris"], ["voipms-paris"]),
        (["\N{FULLWIDTH LATIN SMALL LETTER V}api"], ["vapi"]),
        (["telnyx", "europe"], ["telnyx-other-regions"]),
        (["groundwire"], ["sipis"]),
        (["spamhaus"], ["spamhaus-drop"]),
        (["no-such-provider"], []),
    ],
)
def test_search(settled: Machine, words: list[str], names: list[str]) -> None:
    assert list(found(settled, *words)) == names


def test_the_text_tells_how_to_allow_and_where_it_is_from(settled: Machine) -> None:
    told = settled.ok("catalog", "54.172.60.1").out
    assert "'geofence allow twilio' allows twilio-sip, twilio-media." in told
    assert "https://www.twilio.com/docs/sip-trunking/ip-addresses (read 2026-11-26)" in told
    assert "54.172.60.0/30" in told
    media = settled.ok("catalog", "vapi").out
    assert "the addresses of its media are not published" in media
    assert "write [blocklist.dshield] and enabled = true" in settled.ok("catalog", "dshield").out
    assert "'geofence catalog NAME' shows" in settled.ok("catalog").out


def test_nothing_found_is_exit_code_1(settled: Machine) -> None:
    done = settled.run("catalog", "no-such-provider")
    assert (done.code, done.out) == (
        1,
        "No entry of the catalogue fits. 'geofence catalog' lists all.\n",
    )


def test_an_unknown_kind_is_a_usage_error(settled: Machine) -> None:
    done = settled.run("catalog", "--kind", "trunks")
    assert (done.code, done.err) == (
        2,
        'geofence: --kind takes trunk, push or blocklist, not "trunks".\n',
    )


def test_the_state_follows_the_rules_and_the_fence(one: Machine) -> None:
    """Nothing of the Internet is asked: the feed and the names are ours."""
    url = one.server.on("/voice.json", status(404))
    one.rule("60-feed.toml", f'[exception.telnyx-media]\nfeed = "{url}"\n')
    one.ok("refresh")
    one.rule("61-on.toml", "[exception.twilio-media]\nenabled = true\n")
    waiting = found(one, "twilio-media")["twilio-media"]
    assert (waiting["enabled"], waiting["active"]) == (True, False)
    assert "not applied" in one.ok("catalog", "twilio-media").out
    one.ok("apply")
    on = found(one, "twilio-media")["twilio-media"]
    assert (on["enabled"], on["active"]) == (True, True)
    assert one.gets_in("168.86.140.1", service="rtp") == [True]
    assert one.gets_in("168.86.140.1", service="sip") == [False]
    one.run("allow", "telnyx-media")
    assert one.gets_in("64.16.226.9", service="rtp") == [True], "last_known"


def test_entries_of_the_operator_are_listed_with_those_that_ship(one: Machine) -> None:
    one.rule("60-own.toml", OWN)
    assert list(found(one, "45.200.7.7")) == ["desk"]
    assert list(found(one, "a.b.customers.desk.invalid")) == ["desk"]
    assert found(one, "own", "--kind", "blocklist") == {}


def test_a_fresh_machine_needs_no_state(one: Machine) -> None:
    assert not one.state.exists()
    assert len(found(one)) == 35


def test_why_recommends_signalling_together_with_its_media(settled: Machine) -> None:
    hints = {
        each["service"]: each["hint_fact"]
        for each in settled.ok("why", "54.172.60.1", "--json").json["verdicts"]
    }
    text = "'geofence allow twilio' allows it, with all of group twilio"
    assert hints["sip"] == {"kind": HintKind.ALLOW_GROUP, "subject": "twilio", "text": text}
    assert hints["rtp"]["kind"] == HintKind.ALLOW_ADDRESS, "signalling is not for rtp"
    told = settled.ok("why", "168.86.140.1").out
    assert text in told
    assert "--for 8h" in settled.ok("why", "45.200.0.1").out
    alone = settled.ok("why", "35.185.177.49", "--json").json["verdicts"][0]["hint_fact"]
    assert (alone["kind"], alone["subject"]) == (HintKind.ALLOW_EXCEPTION, "push-as")


def test_denied_recommends_entries_by_their_addresses(fresh: Machine) -> None:
    fresh.ok("refresh")
    note(fresh.host, fresh.backend, {"54.172.60.1": 3, "35.185.177.49": 2, "45.200.0.1": 1})
    lines = fresh.ok("denied").out.splitlines()
    assert (
        "54.172.60.1: this is twilio-sip. 'geofence allow twilio' allows it, with all of group "
        "twilio."
    ) in lines
    assert any("'geofence allow push-as' allows it." in line for line in lines)
    fresh.ok("allow", "twilio")
    assert fresh.gets_in("54.172.60.1", service="sip") == [True]
    assert fresh.gets_in("168.86.140.1", service="rtp") == [True]
