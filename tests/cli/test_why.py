"""Why tells what becomes of each kind of source, and what decides it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from geofence.model.notes import NoteKind
from geofence.model.reasons import HintKind, ReasonKind
from tests.cli.facts import fact, kinds
from tests.cli.machine import ROOT, Machine, machine
from tests.cli.world import JAPANESE, small
from tests.support.list_server import status

Fact = Mapping[str, object]

NO_COUNTRY = "not in an allowed country (JP)"
SHIPPED = ROOT / "rules.d"
JAPAN_ALLOWED = {
    "kind": ReasonKind.COUNTRY,
    "subject": "",
    "origin": f"{SHIPPED}/20-countries.toml:8",
    "data": {"countries": ["JP"], "asns": []},
    "text": f"in the list of JP, which is allowed ({SHIPPED}/20-countries.toml:8)",
}
NOWHERE = {
    "kind": ReasonKind.NO_COUNTRY,
    "subject": "",
    "origin": "",
    "data": {"countries": ["JP"], "asns": [], "missing": [], "local": False, "interfaces": []},
    "text": NO_COUNTRY,
}
NOWHERE_LOCAL = {
    "kind": ReasonKind.NO_COUNTRY,
    "subject": "",
    "origin": f"{SHIPPED}/30-local.toml:8",
    "data": {"countries": ["JP"], "asns": [], "missing": [], "local": True, "interfaces": []},
    "text": f"{NO_COUNTRY}; a local network ({SHIPPED}/30-local.toml:8), but no interface is "
    "connected or routed to it",
}
HOME = {
    "kind": ReasonKind.EXCEPTION,
    "subject": "home",
    "origin": "{rules}:16",
    "data": {},
    "text": "exception home ({rules}:16) allows it",
}
RUDE = {
    "kind": ReasonKind.BLOCKED_BY_LIST,
    "subject": "rude",
    "origin": "{rules}:19",
    "data": {},
    "text": "in the blocklist rude ({rules}:19)",
}


def to_allow(name: str) -> dict[str, str]:
    """Return the hint to enable an exception."""
    kind, text = HintKind.ALLOW_EXCEPTION, f"'geofence allow {name}' allows it"
    return {"kind": kind, "subject": name, "text": text}


def for_a_time(address: str) -> dict[str, str]:
    """Return the hint to allow an address for a time."""
    text = f"'geofence allow {address} --for 8h' allows it for 8 hours"
    return {"kind": HintKind.ALLOW_ADDRESS, "subject": address, "text": text}


def on_an_interface(prefix: str) -> dict[str, str]:
    """Return the hint to allow a local prefix on an interface."""
    where = f"{prefix}@INTERFACE"
    text = f'[local] prefixes with "{where}" allows it on that interface'
    return {"kind": HintKind.LOCAL_PREFIX, "subject": where, "text": text}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a fence; the list of a country that is no longer allowed is at hand too."""
    with machine(tmp_path_factory.mktemp("asked")) as made:
        made.serve("AD", small("AD"))
        path = made.rule("60-countries.toml", '[allow]\ncountries = ["JP", "AD"]\n')
        made.ok("refresh")
        path.unlink()
        made.ok("apply")
        yield made


def told(where: Machine, address: str, *ports: str) -> list[tuple[str, Fact, Fact | None]]:
    """Return verdict, reason and hint for each port; there is no note.

    Sentences are those of the facts.
    """
    options = [part for port in ports for part in ("--port", port)]
    answer = where.ok("why", address, *options, "--json").json
    assert answer["notes"] == answer["note_facts"] == []
    for each in answer["verdicts"]:
        assert each["because"] == each["because_fact"]["text"]
        assert each["hint"] == (each["hint_fact"] and each["hint_fact"]["text"])
    return [
        (each["verdict"], each["because_fact"], each["hint_fact"]) for each in answer["verdicts"]
    ]


@pytest.mark.parametrize(
    ("address", "verdict", "because", "hint"),
    [
        (JAPANESE[0], "pass", JAPAN_ALLOWED, None),
        (JAPANESE[1], "pass", JAPAN_ALLOWED, None),
        ("::ffff:133.1.2.3", "pass", JAPAN_ALLOWED, None),
        ("8.8.8.8", "drop", NOWHERE, for_a_time("8.8.8.8")),
        ("2001:4860::8", "drop", NOWHERE, for_a_time("2001:4860::8")),
        ("45.9.1.1", "drop", NOWHERE, to_allow("office")),
        ("2a00:1450::7", "drop", NOWHERE, to_allow("office")),
        ("35.185.177.49", "drop", NOWHERE, to_allow("push-as")),
        ("45.88.0.7", "pass", HOME, None),
        ("192.168.7.7", "drop", NOWHERE_LOCAL, on_an_interface("192.168.7.7/32")),
        ("fd00:99::7", "drop", NOWHERE_LOCAL, on_an_interface("fd00:99::7/128")),
        ("133.66.6.6", "drop", RUDE, for_a_time("133.66.6.6")),
        ("2400:4066::6", "drop", RUDE, for_a_time("2400:4066::6")),
        ("133.66.9.9", "drop", RUDE, to_allow("forgiven")),
    ],
)
def test_each_kind_of_source(
    asked: Machine, address: str, verdict: str, because: Fact, hint: Fact | None
) -> None:
    rules = asked.rules / "50-test.toml"
    reason = {
        key: value.format(rules=rules) if isinstance(value, str) else value
        for key, value in because.items()
    }
    assert told(asked, address, "5060/udp") == [(verdict, reason, hint)]


def test_a_person_reads_all_services(asked: Machine) -> None:
    lines = [line.split("  ") for line in asked.ok("why", "45.9.1.1").out.splitlines()]
    assert lines[0] == ["45.9.1.1: in none of the stored country lists (AD, JP)"]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines[2:5]]
    denied = ["blocked", NO_COUNTRY]
    assert rows == [
        ["sip", "5060/udp", *denied],
        ["sip", "5060-5061/tcp", *denied],
        ["rtp", "10000-20000/udp", *denied],
    ]
    assert lines[5:] == [
        ["Lists with it: exception office (not used)."],
        ["'geofence allow office' allows it"],
    ]


def test_several_ports_some_of_them_not_fenced(asked: Machine) -> None:
    done = asked.ok("why", "8.8.8.8", "--port", "5061/tcp", "--port", "22/tcp")
    rows = [" ".join(line.split()) for line in done.out.splitlines()[2:]]
    assert rows == [
        f"sip 5061/tcp blocked {NO_COUNTRY}",
        "- 22/tcp not fenced no fenced service has this port",
        "'geofence allow 8.8.8.8 --for 8h' allows it for 8 hours",
    ]


def test_a_country_that_is_not_allowed_is_named_where_its_list_is_at_hand(asked: Machine) -> None:
    done = asked.ok("why", "85.94.161.1", "--port", "5060/udp")
    assert done.out.startswith("85.94.161.1: Andorra (AD)\n")
    assert "blocked" in done.out


NOT_FENCED = {
    "kind": "not-fenced",
    "subject": "",
    "origin": "",
    "data": {},
    "text": "no fenced service has this port",
}


def test_json_has_the_whole_answer(asked: Machine) -> None:
    answer = asked.ok("why", "::ffff:133.1.2.3", "--port", "22/tcp", "--json").json
    [listed] = answer.pop("lists")
    assert datetime.fromisoformat(listed.pop("checked_at")) <= datetime.now(UTC)
    assert listed == {"kind": "country", "name": "JP", "used": True}
    assert answer == {
        "address": "133.1.2.3",
        "countries": ["JP"],
        "countries_at_hand": ["AD", "JP"],
        "asns": [],
        "verdicts": [
            {
                "service": None,
                "ports": "22/tcp",
                "fenced": False,
                "verdict": "pass",
                "observed": False,
                "because": "no fenced service has this port",
                "because_fact": NOT_FENCED,
                "hint": None,
                "hint_fact": None,
                "hints": [],
                "steps": [],
                "now": {
                    "fence": True,
                    "service": None,
                    "verdict": "pass",
                    "observed": False,
                    "because": "no fenced service has this port",
                    "because_fact": NOT_FENCED,
                    "steps": [],
                },
            }
        ],
        "country": {"code": "JP", "name": "Japan", "by": "lists"},
        "bans": [],
        "turned_away": [],
        "kernel": [],
        "connections": [],
        "ending": None,
        "ending_fact": None,
        "notes": [],
        "note_facts": [],
    }


def test_rules_that_are_not_applied_yet_are_reported(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.rule("60-block.toml", '[blocklist.more]\nprefixes = ["133.1.0.0/16"]\n')
    done = fresh.ok("why", "133.1.2.3", "--port", "5060/udp")
    assert "blocked" in done.out
    assert "blocklist more" in done.out
    [note] = fresh.ok("why", "133.1.2.3", "--json").json["note_facts"]
    assert note["kind"] == NoteKind.NOT_APPLIED_YET
    assert note["data"] == {"command": "geofence plan --offline"}


def test_before_any_refresh_the_lists_are_fetched_for_the_answer(one: Machine) -> None:
    done = one.ok("why", "133.1.2.3", "--port", "5060/udp", "--json")
    assert [each["verdict"] for each in done.json["verdicts"]] == ["pass"]
    assert fact(done, NoteKind.LISTS_FETCHED_FOR_ANSWER)[1] == {"lists": ["country JP"]}
    assert fact(done, NoteKind.NOT_APPLIED_YET)[1] == {"command": "geofence plan"}
    assert not one.state.exists()


def test_only_lists_that_were_never_accepted_are_fetched(one: Machine) -> None:
    one.ok("refresh")
    before = one.files()
    one.serve("AD", small("AD"))
    one.rule("60-countries.toml", '[allow]\ncountries = ["JP", "AD"]\n')
    asked = one.server.asked("/jp.json")
    done = one.ok("why", "85.94.161.1", "--port", "5060/udp", "--json")
    assert done.json["countries"] == ["AD"]
    assert [each["verdict"] for each in done.json["verdicts"]] == ["pass"]
    assert fact(done, NoteKind.LISTS_FETCHED_FOR_ANSWER)[1] == {"lists": ["country AD"]}
    assert one.server.asked("/jp.json") == asked
    assert one.files() == before


def test_with_all_country_lists_at_hand_no_source_is_asked(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60-far.toml", '[exception.far]\nhosts = ["far.example"]\n')
    asked = len(one.server.requests)
    assert one.ok("why", "133.1.2.3").err == ""
    assert len(one.server.requests) == asked


def test_a_failed_download_is_reported(one: Machine) -> None:
    one.rule("60-far.toml", '[exception.far]\nhosts = ["far.invalid"]\n')
    done = one.ok("why", "133.1.2.3", "--port", "5060/udp", "--json")
    assert fact(done, NoteKind.PROBLEM)[0] == "host far.invalid"
    assert fact(done, NoteKind.LISTS_FETCHED_FOR_ANSWER)[1] == {"lists": ["country JP"]}


def test_without_lists_and_sources_it_answers_for_the_closed_fence(one: Machine) -> None:
    one.ok("refresh")
    shutil.rmtree(one.state / "lists")
    for generation in one.generations():
        generation.unlink()
    one.clear()
    one.serve("JP", status(403))
    one.run("restore")
    for address, local in ((JAPANESE[0], False), ("192.168.7.7", True)):
        done = one.ok("why", address, "--port", "5060/udp", "--json")
        assert done.json["countries_at_hand"] == []
        [answer] = done.json["verdicts"]
        assert (answer["verdict"], answer["because_fact"]["kind"]) == (
            "drop",
            ReasonKind.NO_COUNTRY,
        )
        data = answer["because_fact"]["data"]
        assert (data["missing"], data["local"], data["interfaces"]) == (["JP"], local, [])
        assert kinds(done) == [NoteKind.PROBLEM, NoteKind.LIST_MISSING]
        assert "403 (Forbidden)" in str(fact(done, NoteKind.PROBLEM)[1]["message"])
    one.rule("60-off.toml", "[exception.home]\nenabled = false\n")
    assert NoteKind.NOT_APPLIED_YET in kinds(one.ok("why", JAPANESE[0], "--json"))


def test_one_list_that_is_missing_leaves_the_others_to_answer(one: Machine) -> None:
    one.ok("refresh")
    one.serve("AD", status(403))
    one.rule("60-countries.toml", '[allow]\ncountries = ["JP", "AD"]\n')
    assert "allowed" in one.ok("why", JAPANESE[0], "--port", "5060/udp").out
    done = one.ok("why", "85.94.161.1", "--port", "5060/udp", "--json")
    [answer] = done.json["verdicts"]
    data = answer["because_fact"]["data"]
    assert (data["countries"], data["missing"]) == (["JP", "AD"], ["AD"])


def test_it_looks_where_the_fence_is(fresh: Machine) -> None:
    fresh.environment["GEOFENCE_BACKEND"] = ""
    fresh.ok("--backend", fresh.backend, "refresh")
    assert fresh.ok("why", "133.1.2.3").err == ""


def test_a_trusted_interface_is_mentioned_once_for_dropped_ports(one: Machine) -> None:
    one.rule("60-local.toml", '[local]\ninterfaces = ["lo", "wan", "tun*"]\n')
    one.ok("refresh")
    dropped = one.ok("why", "8.8.8.8", "--json")
    assert kinds(dropped) == [NoteKind.ALLOWED_BY_INTERFACE]
    assert fact(dropped, NoteKind.ALLOWED_BY_INTERFACE)[1] == {"interfaces": ["wan", "tun*"]}
    assert len(one.ok("why", "8.8.8.8").err.splitlines()) == 1
    assert one.ok("why", JAPANESE[0]).err == ""
    assert one.ok("why", "8.8.8.8", "--port", "22/tcp").err == ""
