"""``geofence denied``: who was turned away, by the command itself."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from geofence.geoip.atlas import make_atlas
from geofence.model.sets import MOST_NOTED
from geofence.state.atlas import StoredAtlas, save_atlas
from tests.cli.machine import BACKENDS, Machine, machine
from tests.support.noted import note
from tests.support.terminals import said_at
from tests.support.values import space

PUSH = """\
[exception.push-xx]
prefixes = ["45.66.7.0/24", "2a00:99::7/128"]
services = ["sip"]
group = "softphones"
enabled = false
"""
IPV4 = {"45.9.1.1": 7, "45.66.7.8": 20, "203.0.113.7": 3}


@pytest.fixture(scope="module", params=BACKENDS)
def knocked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine with a fence and a world index, at which strangers have knocked."""
    with machine(tmp_path_factory.mktemp("knocked"), request.param) as made:
        made.rule("60-push.toml", PUSH)
        made.ok("refresh")
        spaces = {"DE": space("45.9.0.0/16", "2a00:99::/32"), "NL": space("45.66.0.0/16")}
        save_atlas(made.state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        note(made.host, made.backend, IPV4)
        note(made.host, made.backend, {"45.9.1.1": 2}, "rtp")
        note(made.host, made.backend, {"2a00:99::": 4}, digit="6")
        yield made


def rows(done: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    return [(row["source"], row["service"], row["packets"]) for row in done["sources"]]


def test_sources_are_listed_with_what_is_known_of_them(knocked: Machine) -> None:
    told = knocked.ok("denied", "--json").json
    assert rows(told) == [
        ("45.66.7.8", "sip", 20),
        ("45.9.1.1", "sip", 7),
        ("2a00:99::/64", "sip", 4),
        ("203.0.113.7", "sip", 3),
        ("45.9.1.1", "rtp", 2),
    ]
    first = told["sources"][0]
    for key in ("first", "last"):
        assert abs((datetime.now(UTC) - datetime.fromisoformat(first.pop(key))).seconds) < 120
    assert first == {
        "source": "45.66.7.8",
        "family": "ipv4",
        "service": "sip",
        "packets": 20,
        "bytes": 2000,
        "country": "NL",
        "network": "push-xx",
        "exception": "push-xx",
        "group": "softphones",
    }
    assert told["total"] == 4
    assert told["by"] is told["groups"] is None
    assert [each["country"] for each in told["sources"]] == ["NL", "DE", "DE", None, "DE"]
    assert [each["exception"] for each in told["sources"]] == [
        "push-xx",
        "office",
        "push-xx",
        None,
        None,
    ]
    services = {each.pop("service"): each for each in told["services"]}
    assert services["sip"] == {
        "observed": False,
        "sources": 4,
        "packets": 34,
        "bytes": 3400,
        "packets_dropped": 0,
        "octets_dropped": 0,
        "packets_not_noted": 0,
        "full": False,
    }


def test_people_read_a_table_and_what_to_type(knocked: Machine) -> None:
    lines = knocked.ok("denied").out.splitlines()
    assert lines[0].split() == [
        "source", "service", "packets", "bytes", "first", "last", "country", "network",
    ]  # fmt: skip
    assert lines[1].split()[:4] == ["45.66.7.8", "sip", "20", "2,000"]
    assert "Netherlands (NL)" in lines[1]
    assert " ago" in lines[1]
    assert (
        "45.66.7.8, 2a00:99::/64: this is push-xx of group softphones. 'geofence allow push-xx' "
        "allows it."
    ) in lines


def test_a_hint_works_as_it_is_written(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        made.rule("60-push.toml", PUSH)
        made.ok("refresh")
        note(made.host, made.backend, {"45.66.7.8": 1})
        (hint,) = (line for line in made.ok("denied").out.splitlines() if "push-xx of" in line)
        made.ok(*hint.split("'")[1].split()[1:])
        assert made.gets_in("45.66.7.8") == [True]


def test_rows_are_limited_and_it_is_said(knocked: Machine) -> None:
    out = knocked.ok("denied", "--limit", "2").out
    assert "The first 2 of 5 rows; '--limit 0' shows all." in out
    assert len(knocked.ok("denied", "--limit", "2", "--json").json["sources"]) == 2
    assert len(knocked.ok("denied", "--limit", "0", "--json").json["sources"]) == 5


def test_one_service_alone(knocked: Machine) -> None:
    told = knocked.ok("denied", "--service", "rtp", "--json").json
    assert rows(told) == [("45.9.1.1", "rtp", 2)]
    assert [each["service"] for each in told["services"]] == ["rtp"]
    done = knocked.run("denied", "--service", "web")
    assert (done.code, done.err) == (
        2,
        'geofence: The fence has no service "web"; it has rtp, sip.\n',
    )


def test_by_country_a_source_counts_once(knocked: Machine) -> None:
    told = knocked.ok("denied", "--by", "country", "--json").json
    assert told["sources"] is None
    assert told["groups"] == [
        {"country": "NL", "sources": 1, "packets": 20},
        {"country": "DE", "sources": 2, "packets": 13},
        {"country": None, "sources": 1, "packets": 3},
    ]
    lines = knocked.ok("denied", "--by", "country").out.splitlines()
    assert [line.split() for line in lines] == [
        ["country", "sources", "packets"],
        ["Netherlands", "(NL)", "1", "20"],
        ["Germany", "(DE)", "2", "13"],
        ["in", "no", "country", "list", "1", "3"],
    ]
    short = knocked.ok("denied", "--by", "country", "--limit", "1").out
    assert "2 more with 16 packets; '--limit 0' shows all." in short


def test_by_network_names_lists_or_else_addresses(knocked: Machine) -> None:
    told = knocked.ok("denied", "--by", "network", "--json").json
    assert [(each["network"], each["packets"]) for each in told["groups"]] == [
        ("push-xx", 24),
        ("office", 9),
        ("203.0.113.0/24", 3),
    ]


def test_bars_are_drawn_where_a_terminal_looks(knocked: Machine) -> None:
    ours, theirs = pty.openpty()
    with knocked.host.entered():
        pid = os.fork()
        if pid == 0:
            os.dup2(theirs, 1)
            os.execve(  # noqa: S606 - a fixed program
                knocked.command()[0],
                knocked.command("denied", "--by", "country"),
                {**knocked.variables(), "TERM": "xterm"},
            )
    os.close(theirs)
    said = said_at(ours)
    os.waitpid(pid, 0)
    lines = said.decode().splitlines()
    assert lines[1].endswith("     20  " + "█" * 30)
    assert lines[2].endswith("█▌")
    assert "█" not in knocked.ok("denied", "--by", "country").out


def test_without_a_world_index_the_stored_lists_tell_countries(fresh: Machine) -> None:
    fresh.ok("refresh")
    note(fresh.host, fresh.backend, {"133.1.2.3": 1, "45.9.1.1": 1})
    told = fresh.ok("denied", "--json").json
    assert {row["source"]: row["country"] for row in told["sources"]} == {
        "133.1.2.3": "JP",
        "45.9.1.1": None,
    }


def test_a_damaged_world_index_is_told_and_the_stored_lists_serve(one: Machine) -> None:
    one.ok("refresh")
    note(one.host, one.backend, {"133.1.2.3": 1})
    (one.state / "atlas").write_bytes(b"nonsense\n")
    done = one.ok("denied", "--by", "country", "--json")
    assert [each["country"] for each in done.json["groups"]] == ["JP"]
    assert done.json["note_facts"][0]["kind"] == "problem"


def test_rules_that_do_not_load_hide_no_source(one: Machine) -> None:
    one.ok("refresh")
    note(one.host, one.backend, {"45.9.1.1": 1})
    one.rule("90-wrong.toml", "nonsense = 1\n")
    done = one.ok("denied")
    assert "45.9.1.1" in done.out
    assert "90-wrong.toml" in done.err


def test_since_leaves_out_who_came_earlier(fresh: Machine) -> None:
    fresh.ok("refresh")
    note(fresh.host, fresh.backend, {"45.9.1.1": 1})
    time.sleep(3.1)
    note(fresh.host, fresh.backend, {"45.9.1.2": 1})
    assert fresh.ok("denied", "--since", "1h", "--json").json["total"] == 2
    told = fresh.ok("denied", "--since", "2s", "--json").json
    assert [row["source"] for row in told["sources"]] == ["45.9.1.2"]
    assert fresh.ok("denied", "--since", "2s", "--by", "country", "--json").json["total"] == 1


def test_all_or_one_service_is_forgotten(fresh: Machine) -> None:
    fresh.ok("refresh")
    note(fresh.host, fresh.backend, {"45.9.1.1": 1, "45.9.1.2": 1})
    note(fresh.host, fresh.backend, {"45.9.1.1": 1}, "rtp")
    assert fresh.ok("denied", "--clear", "--service", "rtp").out == "1 source was forgotten.\n"
    assert fresh.ok("denied", "--json").json["total"] == 2
    assert fresh.ok("denied", "--clear", "--json").json == {"forgotten": 2}
    assert fresh.ok("denied").out == "No source was noted.\n"


def test_new_sources_are_printed_as_they_come(fresh: Machine) -> None:
    fresh.rule("60-push.toml", PUSH)
    fresh.ok("refresh")
    note(fresh.host, fresh.backend, {"45.9.1.1": 1})
    process = fresh.start("denied", "--follow")
    assert process.stdout
    _wait_until_it_looks(fresh)
    note(fresh.host, fresh.backend, {"45.66.7.8": 1})
    line = process.stdout.readline()
    assert line.split()[1:3] == ["45.66.7.8", "sip"]
    assert "'geofence allow push-xx'" in line
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_new_sources_are_printed_as_json_a_line_each(one: Machine) -> None:
    one.ok("refresh")
    process = one.start("denied", "--follow", "--json", "--service", "sip")
    assert process.stdout
    _wait_until_it_looks(one)
    note(one.host, one.backend, {"45.9.1.3": 1}, "rtp")
    note(one.host, one.backend, {"45.9.1.2": 1})
    assert json.loads(process.stdout.readline())["source"] == "45.9.1.2"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def _wait_until_it_looks(_: Machine) -> None:
    """Long enough to have looked at the sets once."""
    time.sleep(3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "planet"], '--by takes country or network, not "planet".'),
        (["--limit", "-1"], "--limit takes a number of rows, or 0 for all, not -1."),
        (["--since", "soon"], "--since: "),
        (["--clear", "--follow"], "--clear and --follow exclude each other; use one of them."),
        (["--follow", "--by", "country"], "--follow and --by exclude each other; use one of them."),
        (["--clear", "--since", "2h"], "--clear and --since exclude each other; use one of them."),
    ],
)
def test_mistakes_are_named(knocked: Machine, arguments: list[str], said: str) -> None:
    done = knocked.run("denied", *arguments)
    assert done.code == 2
    assert said in done.err


def test_without_a_fence_nothing_is_noted(fresh: Machine) -> None:
    assert "No fence is up, so no source is noted." in fresh.ok("denied").out
    assert fresh.ok("denied", "--json").json["services"] == []
    assert fresh.ok("denied", "--clear").out == "0 sources were forgotten.\n"


def test_the_command_needs_root(one: Machine) -> None:
    one.wrapper = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    done = one.run("denied")
    assert done.code != 0
    assert "needs" in done.err


def test_a_full_set_is_told_and_the_next_run_makes_room(fresh: Machine) -> None:
    fresh.ok("refresh")
    spoofed = {f"45.{n >> 16}.{n >> 8 & 255}.{n & 255}": 1 for n in range(MOST_NOTED - 1)}
    note(fresh.host, fresh.backend, {"203.0.113.7": 5, **spoofed})
    assert "sip: no room for more sources." in fresh.ok("denied", "--limit", "1").out
    fresh.ok("repair")
    told = fresh.ok("denied", "--limit", "1", "--json").json
    assert told["total"] == MOST_NOTED // 2
    assert rows(told) == [("203.0.113.7", "sip", 5)]
    assert not told["services"][1]["full"]
    note(fresh.host, fresh.backend, {"203.0.113.8": 1})
    assert fresh.ok("denied", "--json", "--limit", "1").json["total"] == MOST_NOTED // 2 + 1
    fresh.ok("repair")
    assert fresh.ok("denied", "--json", "--limit", "1").json["total"] == MOST_NOTED // 2 + 1
