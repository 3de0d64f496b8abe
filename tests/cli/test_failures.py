"""Lists that cannot be had: the fence stays, the message says which and why, the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from geofence.model.lists import ListId, ListKind
from geofence.model.notes import NoteKind
from geofence.state.lists import ListStore
from tests.cli.facts import problem_with, states
from tests.cli.machine import BACKENDS, Done, Machine, machine
from tests.cli.world import COME, GONE, JAPANESE, SMALL, japan_later, small
from tests.lists.bodies import country_json
from tests.support.list_server import (
    ListServer,
    Reply,
    content,
    cut_short,
    endless,
    garbage,
    hang_up,
    redirect,
    silence,
    status,
)

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to the hotel's network.</body></html>\n"
WITHOUT_ONE = country_json("SM", [SMALL["SM"][0][0]], [SMALL["SM"][1]])
WITH_PRIVATE = country_json("MC", [*SMALL["MC"][0], "10.0.0.0/8"], [SMALL["MC"][1]])
FAILURES: dict[str, tuple[Reply, str]] = {
    "AD": (status(500), "HTTP 500 (Internal Server Error)"),
    "VA": (status(404), "HTTP 404 (Not Found)"),
    "AX": (
        redirect("http://203.0.113.1/ax.json"),
        "the redirect is refused (http://203.0.113.1/ax.json",
    ),
    "BL": (endless(), "more than 67,108,864 bytes; no list is so large"),
    "TV": (hang_up(), "closes the connection without an answer"),
    "TK": (silence(), "no complete answer within 8 seconds"),
    "FK": (content(PAGE), "an HTML page instead of a list"),
    "NU": (content(small("NU")[:100]), "nu.json: "),
    "IO": (content(small("AX")), "AX"),
    "GL": (content(country_json("GL", [])), "gl.json: "),
    "FO": (cut_short(small("FO")[:100], 50), "ended before the body was complete"),
    "SM": (content(WITHOUT_ONE), "--accept shrink=SM"),
    "MC": (content(WITH_PRIVATE), "--accept special-purpose=MC"),
}
"""What becomes of a country's list, and what the message says of it."""
RULES = """\
[allow]
countries = ["JP", {countries}]

[blocklist.callers]
url = "{callers}"

[blocklist.scanners]
url = "{scanners}"
"""
CALLERS, SCANNERS = "133.5.0.0/16", "133.7.0.0/16"


@dataclass(frozen=True)
class Failed:
    """A refresh whose lists all failed or were what they had been."""

    where: Machine
    done: Done
    fence: tuple[str, str]
    """Before and after it."""


@pytest.fixture(scope="module", params=BACKENDS)
def failed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Failed]:
    """A machine whose fence was made of many lists, all but one of which then failed."""
    with machine(tmp_path_factory.mktemp("failed"), request.param) as made:
        with made.another_server() as other:
            other.on("/callers.txt", content(f"{CALLERS}\n".encode()))
            made.server.on("/scanners.txt", content(f"{SCANNERS}\n".encode()))
            _write_rules(made, other)
            for code in FAILURES:
                made.serve(code, small(code))
            made.ok("refresh")
        before = made.fence()
        for code, (reply, _) in FAILURES.items():
            made.serve(code, reply)
        made.server.on("/scanners.txt", garbage())
        done = made.run("--patience", "8", "refresh", "--json")
        yield Failed(made, done, (before, made.fence()))


def _write_rules(made: Machine, other: ListServer) -> None:
    made.rule(
        "60-lists.toml",
        RULES.format(
            countries=", ".join(f'"{code}"' for code in FAILURES),
            callers=other.url("/callers.txt"),
            scanners=made.server.url("/scanners.txt"),
        ),
    )


def test_the_fence_stays_as_it_was_and_the_exit_code_says_so(failed: Failed) -> None:
    assert failed.done.code == 5
    before, after = failed.fence
    assert after == before
    assert failed.done.json["changed"] is False


@pytest.mark.parametrize("code", FAILURES)
def test_the_message_names_the_list_and_why(failed: Failed, code: str) -> None:
    told = failed.done.json["note_facts"]
    [note] = [each for each in told if each["subject"] == f"country {code}"]
    assert note["kind"] == NoteKind.PROBLEM
    assert FAILURES[code][1] in note["text"]
    assert FAILURES[code][1] in failed.done.err


@pytest.mark.parametrize(
    ("name", "why"),
    [("callers", "connection failed (Connection refused)"), ("scanners", "does not speak HTTP")],
)
def test_blocklists_are_named_too(failed: Failed, name: str, why: str) -> None:
    assert why in problem_with(failed.done, f"blocklist {name}")


def test_the_others_are_renewed_on_disk_and_in_the_kernel(failed: Failed) -> None:
    where = failed.where
    for code in FAILURES:
        where.serve(code, status(403))
    where.server.on("/scanners.txt", status(403))
    where.serve("JP", japan_later())
    assert where.gets_in(GONE, COME) == [True, False]

    done = where.run("--patience", "8", "refresh", "--json")

    assert done.code == 5
    kept = states(done)
    assert kept.pop("country JP") == "renewed"
    assert set(kept.values()) == {"kept"}
    assert (done.json["degraded"], done.json["generation"]) == (True, 2)
    assert where.gets_in(GONE, COME, *JAPANESE) == [False, True, True, True]
    in_all = [ipv4[0].partition("/")[0] for ipv4, _ in SMALL.values()]
    assert all(where.gets_in(*in_all))
    assert where.gets_in("133.5.0.1", "133.7.0.1") == [False, False]
    stored = ListStore(where.state).load(ListId(ListKind.COUNTRY, "JP")).accepted
    assert stored is not None
    assert "203.180.0.0/16" in map(str, stored.space.ipv4.prefixes())


def test_status_names_a_list_that_was_not_renewed(failed: Failed) -> None:
    told = failed.where.ok("status", "--json").json
    assert told["last_run"]["ending"] == "degraded"
    assert "country VA" in told["last_run"]["message"]


@pytest.mark.parametrize("reply", [status(404), content(PAGE), content(country_json("JP", []))])
def test_a_failed_list_on_the_first_run_stops_the_fence_and_keeps_the_others(
    one: Machine, reply: Reply
) -> None:
    one.rule("60-lists.toml", '[allow]\ncountries = ["JP", "VA"]\n')
    one.serve("VA", small("VA"))
    one.serve("JP", reply)
    before = one.fence()

    done = one.run("refresh")

    assert (done.code, done.out) == (1, "")
    assert "country JP" in done.err
    assert one.fence() == before
    assert [wanted.name for wanted in ListStore(one.state).ids()] == ["VA"]


def test_a_first_list_that_is_far_too_small_is_refused_unless_accepted(one: Machine) -> None:
    one.serve("JP", country_json("JP", ["133.0.0.0/8"], ["2400:4000::/19"]))
    before = one.fence()
    refused = one.run("refresh")
    assert (refused.code, refused.out) == (3, "")
    assert "--accept first-run=JP" in refused.err
    assert one.fence() == before
    one.ok("refresh", "--accept", "first-run=JP")
    assert one.gets_in(*JAPANESE) == [True, True]


def test_plan_names_failed_lists_and_goes_on(one: Machine) -> None:
    one.ok("refresh")
    one.serve("JP", status(403))
    done = one.ok("plan", "--json")
    assert states(done) == {"country JP": "kept"}
    assert "403 (Forbidden)" in problem_with(done, "country JP")
