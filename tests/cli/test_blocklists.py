"""Blocklists by the command line: refused, left out of, recognised, fresh enough, by key."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from geofence.lists.apiban import NAME, Reported, written
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.notes import NoteKind
from geofence.state.lists import ListStore
from tests.cli.facts import fact, kinds, problem_with
from tests.cli.machine import Done, Machine
from tests.cli.world import COME, FOREIGN, GONE, JAPANESE, SMALL, japan_later, small
from tests.lists.bodies import drop_lines
from tests.support.list_server import Reply, content, status, tagged

HELD = JAPANESE[0]
FEW = b"133.1.0.0/16\n"
NOTHING = "Until it is downloaded, it blocks nothing."


def serve(machine: Machine, reply: Reply, more: str = "") -> None:
    address = machine.server.on("/bad.txt", reply)
    machine.rule("60-bad.toml", f'[blocklist.bad]\nurl = "{address}"\n{more}')


def test_the_rest_is_renewed_and_applied_and_it_is_said(fresh: Machine) -> None:
    fresh.ok("refresh")
    serve(fresh, status(404))
    fresh.serve("JP", japan_later())

    done = fresh.run("refresh", "--json")

    assert done.code == 5
    assert "404 (Not Found)" in problem_with(done, "blocklist bad")
    assert NOTHING in done.err
    assert fresh.gets_in(GONE, COME) == [False, True]
    assert fresh.run("allow", "office").code == 5
    never = "has not been downloaded yet. Run 'geofence refresh'. Until"
    assert never in fresh.run("apply").err
    assert FOREIGN[0] in fresh.ok("why", FOREIGN[0]).out

    serve(fresh, content(FEW))
    fresh.ok("refresh")
    assert fresh.gets_in(HELD, COME) == [False, True]


@pytest.mark.parametrize("first", ["first", "second"])
def test_one_that_takes_countries_away_waits_for_its_override(fresh: Machine, first: str) -> None:
    if first == "second":
        serve(fresh, content(FEW))
    fresh.ok("refresh")
    serve(fresh, content(FEW + b"".join(b"%d.0.0.0/8\n" % octet for octet in range(100, 120))))

    refused = fresh.run("refresh")

    guard = "first-run=bad" if first == "first" else "growth=bad"
    assert refused.code == 5
    assert f"--accept {guard}" in refused.err
    assert fresh.gets_in("101.1.1.1") == [True]
    assert (NOTHING in refused.err) is (first == "first")

    fresh.ok("refresh", "--accept", guard)
    assert fresh.gets_in("101.1.1.1") == [False]


def test_the_list_of_a_removed_source_blocks_nobody(fresh: Machine) -> None:
    """It stays on disk, and why looks into all that is there."""
    serve(fresh, content(FEW))
    fresh.ok("refresh")
    assert "blocklist bad" in fresh.ok("why", HELD).out

    fresh.rule("60-bad.toml", '[blocklist.bad]\nprefixes = ["133.2.0.0/16"]\n')
    fresh.ok("apply")

    assert fresh.gets_in(HELD) == [True]
    told = fresh.ok("why", HELD, "--json").json
    assert {each["verdict"] for each in told["verdicts"]} == {"pass"}
    assert told["notes"] == []

    fresh.rule("60-bad.toml", '[blocklist.bad]\nprefixes = ["133.1.2.0/24"]\n')
    assert "blocklist bad" in fresh.ok("why", HELD).out


def test_one_that_takes_an_allowed_country_away_waits_for_its_override(fresh: Machine) -> None:
    fresh.serve("VA", small("VA"))
    fresh.rule("70-allow.toml", '[allow]\ncountries = ["VA"]\n')
    ipv4, ipv6 = SMALL["VA"]
    serve(fresh, content("".join(f"{prefix}\n" for prefix in (*ipv4, ipv6)).encode()))
    objection = (
        "The list blocklist bad would block 100 % of the 8,192 IPv4 addresses of country VA at once"
    )

    assert objection in fresh.run("plan").said
    refused = fresh.run("refresh")

    assert refused.code == 5
    assert objection in refused.err
    inside = str(ip_network(ipv4[0])[1])
    assert fresh.gets_in(inside) == [True]

    fresh.ok("refresh", "--accept", "first-run=bad", "--accept", "shut-out")
    assert fresh.gets_in(inside) == [False]


BOGONS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "192.168.0.0/16",
    "224.0.0.0/3",
)
FIREHOL = "\n".join(["# level 1", *BOGONS, "133.1.0.0/16", "2400:4000::/64", ""]).encode()


def left_out(done: Done) -> dict[str, Any]:
    """The data of the notes on what is left out, by reason."""
    notes = [each for each in done.json["note_facts"] if each["kind"] == "blocklist-left-out"]
    assert {each["subject"] for each in notes} <= {"blocklist bad"}
    return {each["data"]["why"]: each["data"] for each in notes}


def test_private_space_is_left_out_and_counted(one: Machine) -> None:
    one.ok("refresh")
    serve(one, content(FIREHOL))
    one.rule("70-own.toml", '[exception.phone]\nprefixes = ["133.1.9.9/32"]\n')

    planned = one.ok("plan", "--json")
    assert left_out(planned)["special-purpose"]["addresses"]["ipv4"] == sum(
        ip_network(each).num_addresses for each in BOGONS
    )
    assert left_out(planned)["exception"]["addresses"] == {"ipv4": 1, "ipv6": 0}
    assert "10.0.0.0/8 (private use)" in left_out(planned)["special-purpose"]["blocks"]
    assert "private or other special-purpose space" in one.ok("plan").said

    assert set(left_out(one.ok("refresh", "--json"))) == {"special-purpose", "exception"}
    assert left_out(one.ok("refresh", "--json")) == {}
    assert set(left_out(one.ok("status", "--json"))) == {"special-purpose", "exception"}
    assert "special-purpose space" in one.ok("status", "--full").said
    assert "special-purpose space" not in one.ok("status").said
    assert one.gets_in("133.1.2.3", "133.1.9.9", "133.2.0.1") == [False, True, True]


def test_a_format_that_was_found_out_is_told_in_the_plan(one: Machine) -> None:
    for body, name in ((FEW, "text"), (drop_lines(["133.1.0.0/16"]), "json-lines")):
        serve(one, content(body))
        planned = one.ok("plan", "--json")
        assert fact(planned, NoteKind.FORMAT_FOUND) == ("blocklist bad", {"format": name})
        lists = {each["list"]: each for each in planned.json["lists"]}
        assert [part["format"] for part in lists["blocklist bad"]["parts"]] == [name]
        told = f"The format of the list blocklist bad was recognised by its content: {name}."
        assert told in one.ok("plan").said
    serve(one, content(FEW), 'format = "text"\n')
    assert "format-found" not in kinds(one.ok("plan", "--json"))
    serve(one, content(FEW), 'format = "dshield"\n')
    assert "three columns" in one.run("plan").said


def test_ranges_both_families_and_gzip_reach_the_kernel(fresh: Machine) -> None:
    lines = "133.1.0.4-133.1.1.2 ; a range\r\n2400:4000::5 # one\r\n133.2.0.0/16\r\n"
    serve(fresh, content(gzip.compress(b"\xef\xbb\xbf" + lines.encode())))
    fresh.ok("refresh")
    asked = ("133.1.0.3", "133.1.0.4", "133.1.1.2", "133.1.1.3", "2400:4000::5", "2400:4000::6")
    assert fresh.gets_in(*asked) == [True, False, False, True, False, True]


def test_a_source_is_not_asked_again_too_soon(one: Machine) -> None:
    serve(one, tagged(FEW, '"one"'), 'refresh = "1h"\n')
    one.ok("refresh")
    again = one.ok("refresh", "--json")
    states = {each["list"]: each["state"] for each in again.json["lists"]}
    assert states["blocklist bad"] == "fresh"
    assert states["country JP"] != "fresh"
    assert "fresh enough" in one.ok("plan").out
    assert one.server.asked("/bad.txt") == 1

    one.age_lists(timedelta(hours=2))
    one.ok("refresh")
    assert one.server.asked("/bad.txt") == 2


def test_an_override_counts_at_once_for_a_list_with_an_interval(one: Machine) -> None:
    serve(one, content(FEW), 'refresh = "1h"\n')
    one.ok("refresh")
    one.age_lists(timedelta(hours=2))
    serve(one, content(FEW.replace(b"133.1.", b"133.2.")), 'refresh = "1h"\n')
    assert "--accept shrink=bad" in one.run("refresh").err
    one.age_lists(timedelta(hours=-2))

    assert one.run("refresh").code == 5
    one.ok("refresh", "--accept", "shrink=bad")
    assert one.gets_in(HELD, "133.2.0.1") == [True, False]


SECRET = "k3y-of-an-account"  # noqa: S105 - a test's
BAD = ListId(ListKind.BLOCKLIST, "bad")


def page(cursor: str, *addresses: str) -> Reply:
    return content(json.dumps({"ipaddress": addresses, "ID": cursor}).encode())


@pytest.fixture
def apiban(one: Machine, tmp_path: Path) -> Machine:
    key = tmp_path / "apiban.key"
    key.write_text(f"{SECRET}\n", "ascii")
    key.chmod(0o600)
    url = one.server.url("/api")
    text = f'[blocklist.bad]\nurl = "{url}"\nformat = "apiban"\nkey_file = "{key}"\n'
    one.rule("60-bad.toml", text)
    one.server.on(f"/api/{SECRET}/banned/100", page("107", "133.1.2.3", "133.9.9.9"))
    one.server.on(f"/api/{SECRET}/banned/107", content(b"no more", code=400))
    return one


def test_apiban_blocks_and_its_key_is_nowhere(apiban: Machine) -> None:
    done = [apiban.ok("plan", "--json"), apiban.ok("refresh", "--json")]
    assert apiban.gets_in("133.1.2.3", "133.1.2.4") == [False, True]
    done += [apiban.ok("status", "--full"), apiban.ok("why", "133.1.2.3", "--json")]
    apiban.server.on(f"/api/{SECRET}/banned/107", status(500))
    failed = apiban.run("refresh")
    assert failed.code == 5
    done += [failed, apiban.run("status", "--json"), apiban.run("history", "--json")]
    assert apiban.gets_in("133.1.2.3") == [False]
    assert all(SECRET not in each.said for each in done)
    assert all(SECRET.encode() not in body for _, body in apiban.files().values())


def test_addresses_whose_time_is_over_are_no_loss(apiban: Machine) -> None:
    apiban.ok("refresh")
    old = datetime.now(UTC) - timedelta(days=8)
    recent = datetime.now(UTC) - timedelta(days=6)
    seen = {f"133.5.0.{number}": old for number in range(200)} | {"133.6.0.1": recent}
    body = written(Reported("107", seen))
    store = ListStore(apiban.state)
    before = store.load(BAD).accepted
    assert before is not None
    parsed = parse_part(BAD, None, body, NAME)
    part: Provenance = replace(before.provenance[0], sha256="0" * 64)
    store.save(Candidate(AcceptedList(BAD, parsed.space, (part,)), (body,), parsed))

    apiban.ok("refresh")

    assert apiban.gets_in("133.5.0.7", "133.6.0.1") == [True, False]
