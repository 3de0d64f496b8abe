"""Why tells what becomes of each kind of source, and what decides it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping

import pytest

from geofence.model.reasons import HintKind, ReasonKind
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
    "data": {"countries": ["JP"]},
    "text": f"in the list of JP, which is allowed ({SHIPPED}/20-countries.toml:8)",
}
NOWHERE = {
    "kind": ReasonKind.NO_COUNTRY,
    "subject": "",
    "origin": "",
    "data": {"countries": ["JP"], "missing": [], "local": False, "interfaces": []},
    "text": NO_COUNTRY,
}
NOWHERE_LOCAL = {
    "kind": ReasonKind.NO_COUNTRY,
    "subject": "",
    "origin": f"{SHIPPED}/30-local.toml:8",
    "data": {"countries": ["JP"], "missing": [], "local": True, "interfaces": []},
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
        ("8.8.8.8", "drop", NOWHERE, None),
        ("2001:4860::8", "drop", NOWHERE, None),
        ("45.9.1.1", "drop", NOWHERE, to_allow("office")),
        ("2a00:1450::7", "drop", NOWHERE, to_allow("office")),
        ("35.185.177.49", "drop", NOWHERE, to_allow("push-as")),
        ("45.88.0.7", "pass", HOME, None),
        ("192.168.7.7", "drop", NOWHERE_LOCAL, on_an_interface("192.168.7.7/32")),
        ("fd00:99::7", "drop", NOWHERE_LOCAL, on_an_interface("fd00:99::7/128")),
        ("133.66.6.6", "drop", RUDE, None),
        ("2400:4066::6", "drop", RUDE, None),
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
    assert lines[5:] == [["'geofence allow office' allows it"]]


def test_several_ports_some_of_them_not_fenced(asked: Machine) -> None:
    done = asked.ok("why", "8.8.8.8", "--port", "5061/tcp", "--port", "22/tcp")
    rows = [" ".join(line.split()) for line in done.out.splitlines()[2:]]
    assert rows == [
        f"sip 5061/tcp blocked {NO_COUNTRY}",
        "- 22/tcp not fenced no fenced service has this port",
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


def test_machines_are_told_the_whole(asked: Machine) -> None:
    assert asked.ok("why", "::ffff:133.1.2.3", "--port", "22/tcp", "--json").json == {
        "address": "133.1.2.3",
        "countries": ["JP"],
        "countries_at_hand": ["AD", "JP"],
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
                "now": {
                    "fence": True,
                    "service": None,
                    "verdict": "pass",
                    "observed": False,
                    "because": "no fenced service has this port",
                    "because_fact": NOT_FENCED,
                },
            }
        ],
        "connections": [],
        "ending": None,
        "notes": [],
        "note_facts": [],
    }


def test_what_is_not_applied_yet_is_said_to_be_so(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.rule("60-block.toml", '[blocklist.more]\nprefixes = ["133.1.0.0/16"]\n')
    done = fresh.ok("why", "133.1.2.3", "--port", "5060/udp")
    assert "blocked" in done.out
    assert "blocklist more" in done.out
    assert done.err == (
        "The kernel does not hold the rules on disk yet; 'geofence plan --offline' shows the "
        "difference.\n"
    )


def test_before_any_refresh_the_lists_are_fetched_for_the_answer(one: Machine) -> None:
    done = one.ok("why", "133.1.2.3", "--port", "5060/udp")
    assert "allowed" in done.out
    assert done.err == (
        "These lists were downloaded for this answer and not stored: country JP.\n"
        "The kernel does not hold the rules on disk yet; 'geofence plan' shows the difference.\n"
    )
    assert not one.state.exists()


def test_only_lists_that_were_never_accepted_are_fetched(one: Machine) -> None:
    one.ok("refresh")
    before = one.files()
    one.serve("AD", small("AD"))
    one.rule("60-countries.toml", '[allow]\ncountries = ["JP", "AD"]\n')
    asked = one.server.asked("/jp.json")
    done = one.ok("why", "85.94.161.1", "--port", "5060/udp")
    assert done.out.startswith("85.94.161.1: Andorra (AD)\n")
    assert "allowed" in done.out
    assert "not stored: country AD.\n" in done.err
    assert one.server.asked("/jp.json") == asked
    assert one.files() == before


def test_with_all_country_lists_at_hand_no_source_is_asked(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60-far.toml", '[exception.far]\nhosts = ["far.example"]\n')
    asked = len(one.server.requests)
    assert one.ok("why", "133.1.2.3").err == ""
    assert len(one.server.requests) == asked


def test_what_could_not_be_fetched_is_said(one: Machine) -> None:
    one.rule("60-far.toml", '[exception.far]\nhosts = ["far.invalid"]\n')
    done = one.ok("why", "133.1.2.3", "--port", "5060/udp")
    assert "The list host far.invalid could not be renewed: " in done.err
    assert "not stored: country JP.\n" in done.err


def test_without_lists_and_sources_it_tells_what_the_closed_fence_does(one: Machine) -> None:
    one.ok("refresh")
    shutil.rmtree(one.state / "lists")
    for generation in one.generations():
        generation.unlink()
    one.clear()
    one.serve("JP", status(403))
    one.run("restore")
    done = one.ok("why", JAPANESE[0], "--port", "5060/udp")
    assert done.out.startswith(f"{JAPANESE[0]}: no country list is stored\n")
    assert "blocked" in done.out
    assert "not in an allowed country (JP; list missing: JP)\n" in done.out
    told, sources = one.ok("why", "192.168.7.7", "--port", "5060/udp"), "403 (Forbidden)"
    assert "no interface is connected or routed to it" in " ".join(told.out.split())
    for line in (done.err, told.err):
        assert sources in line
        assert line.endswith(
            "\nThe list country JP has not been downloaded yet and was treated as empty.\n"
        )
    one.rule("60-off.toml", "[exception.home]\nenabled = false\n")
    assert "The kernel does not hold the rules on disk yet" in one.ok("why", JAPANESE[0]).err


def test_one_list_that_is_missing_leaves_the_others_to_answer(one: Machine) -> None:
    one.ok("refresh")
    one.serve("AD", status(403))
    one.rule("60-countries.toml", '[allow]\ncountries = ["JP", "AD"]\n')
    assert "allowed" in one.ok("why", JAPANESE[0], "--port", "5060/udp").out
    done = one.ok("why", "85.94.161.1", "--port", "5060/udp")
    assert "not in an allowed country (JP, AD; list missing: AD)\n" in done.out


def test_it_looks_where_the_fence_is(fresh: Machine) -> None:
    fresh.environment["GEOFENCE_BACKEND"] = ""
    fresh.ok("--backend", fresh.backend, "refresh")
    assert fresh.ok("why", "133.1.2.3").err == ""


def test_that_a_trusted_interface_lets_in_what_is_dropped_is_said_once(one: Machine) -> None:
    one.rule("60-local.toml", '[local]\ninterfaces = ["lo", "wan", "tun*"]\n')
    one.ok("refresh")
    note = "From a trusted interface (wan, tun*) it is allowed ([local] interfaces)."

    dropped = one.ok("why", "8.8.8.8")
    assert dropped.err == f"{note}\n"
    assert one.ok("why", "8.8.8.8", "--json").json["notes"] == [note]
    assert one.ok("why", JAPANESE[0]).err == ""
    assert one.ok("why", "8.8.8.8", "--port", "22/tcp").err == ""
