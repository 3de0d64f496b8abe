"""The world index, as an operator meets it: renewed by hand and by refresh, asked, damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from geofence.geoip.countries import countries
from geofence.model.notes import NoteKind
from geofence.model.prefixes import Family
from geofence.state.atlas import StoredAtlas, atlas_path, load_atlas, save_atlas
from tests.cli.facts import fact, kinds
from tests.cli.machine import Machine, machine
from tests.cli.world import japan
from tests.lists.bodies import country_json
from tests.support.list_server import status, tagged

CODES = [code for code, each in countries().items() if each.ipv4 is not None]
ENABLED = "[atlas]\nenabled = true\n"


def addresses(code: str) -> tuple[str, str]:
    """An address of each family in a country's list."""
    number = CODES.index(code)
    return f"11.{number}.7.7", f"2a00:{number + 256:x}::7"


def body(code: str) -> bytes:
    """A country's list; that of Japan is as large as the fence wants it."""
    number = CODES.index(code)
    if code == "JP":
        return japan()
    return country_json(code, [f"11.{number}.0.0/16"], [f"2a00:{number + 256:x}::/32"])


def serve_world(machine: Machine, codes: Iterable[str] = CODES) -> None:
    """Serve the lists of these countries, and of no others."""
    served = set(codes)
    for code in CODES:
        machine.serve(code, tagged(body(code), f'"{code}"') if code in served else status(404))


def asked(machine: Machine) -> set[str]:
    """The countries whose lists were asked for since the last time."""
    paths = [request.path for request in machine.server.requests]
    machine.server.requests.clear()
    return {path.removeprefix("/").removesuffix(".json").upper() for path in paths}


def located(machine: Machine, *texts: str) -> list[str | None]:
    return [each["country"] for each in machine.ok("atlas", "--json", *texts).json]


def stored(machine: Machine) -> StoredAtlas:
    found = load_atlas(machine.state)
    assert found is not None
    return found


def age(machine: Machine, span: timedelta, *codes: str) -> None:
    """Make it so long since these lists of the index were confirmed; all lists without codes."""
    found = stored(machine)
    lists = {
        code: tuple(
            replace(part, checked_at=part.checked_at - span) if code in (codes or CODES) else part
            for part in parts
        )
        for code, parts in found.lists.items()
    }
    save_atlas(machine.state, found._replace(lists=lists))


def make_index(machine: Machine) -> Machine:
    serve_world(machine)
    machine.ok("atlas", "--renew")
    machine.server.requests.clear()
    return machine


@pytest.fixture
def mapped(one: Machine) -> Machine:
    """A machine with an index of all countries."""
    return make_index(one)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The same, for what changes nothing."""
    with machine(tmp_path_factory.mktemp("asking")) as made:
        yield make_index(made)


def test_without_an_index_it_says_what_to_do(one: Machine) -> None:
    for arguments in (("atlas",), ("atlas", "192.0.2.1")):
        done = one.run(*arguments)
        assert (done.code, done.out) == (1, "")
        assert done.err == (
            "geofence: There is no world index yet. Run 'geofence atlas --renew'.\n"
        )


def test_an_index_of_all_countries_answers_for_any_address(asking: Machine) -> None:
    wanted = [text for code in ("AD", "DE", "ZW") for text in addresses(code)]
    assert located(asking, *wanted, "133.1.2.3", "9.9.9.9", "::ffff:11.0.0.1") == [
        "AD", "AD", "DE", "DE", "ZW", "ZW", "JP", None, "AD",
    ]  # fmt: skip
    lines = asking.ok("atlas", *addresses("DE"), "9.9.9.9").out.splitlines()
    assert [line.split() for line in lines] == [
        ["address", "country", "name"],
        [addresses("DE")[0], "DE", "Germany"],
        [addresses("DE")[1], "DE", "Germany"],
        ["9.9.9.9", "-", "in", "no", "country's", "list"],
    ]


def test_it_tells_how_old_and_how_large_it_is(mapped: Machine) -> None:
    told = mapped.ok("atlas", "--json").json
    assert told["countries"] == CODES
    # Neighbours of different countries are separate intervals; Japan has as many as its list.
    assert told["intervals"] == {"ipv4": 247, "ipv6": 237}
    assert told["bytes"] == atlas_path(mapped.state).stat().st_size
    assert told["sources"] == [{"host": "127.0.0.1", "lists": 237}]
    assert (told["kept"], told["missing"], told["renew_seconds"]) == ([], [], None)
    assert told["made_at"] == stored(mapped).atlas.made.isoformat()
    first, second, *rest = mapped.ok("atlas").out.splitlines()
    assert first.startswith("World index of 2")
    assert second.startswith("237 countries, 247 IPv4 and 237 IPv6 intervals, 0.1 MB.")
    assert rest == [
        "Lists from 127.0.0.1.",
        "Only 'geofence atlas --renew' renews it ([atlas] enabled).",
    ]
    mapped.rule("60-atlas.toml", f'{ENABLED}renew = "2d"\n')
    assert "'geofence refresh' renews it after 2 d ([atlas] renew)." in mapped.ok("atlas").out
    assert mapped.ok("atlas", "--json").json["renew_seconds"] == 172_800


def test_lookups_need_neither_network_nor_rules(mapped: Machine) -> None:
    mapped.rule("60-wrong.toml", "nonsense\n")
    assert located(mapped, *addresses("FR")) == ["FR", "FR"]
    assert asked(mapped) == set()


def test_lists_that_have_not_changed_are_not_sent_again(mapped: Machine) -> None:
    before = stored(mapped)
    done = mapped.ok("atlas", "--renew", "--json").json
    assert {r.headers.get("if-none-match") for r in mapped.server.requests} == {
        f'"{code}"' for code in CODES
    }
    after = stored(mapped)
    assert after.atlas.spaces() == before.atlas.spaces()
    assert done["made_at"] == after.atlas.made.isoformat() > before.atlas.made.isoformat()
    assert all(
        after.lists[code][0].checked_at > before.lists[code][0].checked_at
        and after.lists[code][0].fetched_at == before.lists[code][0].fetched_at
        for code in CODES
    )


def test_a_list_that_fails_keeps_its_part_of_the_index(mapped: Machine) -> None:
    mapped.serve("AD", country_json("AD", ["12.0.0.0/16"], []))
    mapped.serve("DE", b"not a list")
    mapped.serve("FR", country_json("ES", ["12.1.0.0/16"], []))
    done = mapped.run("atlas", "--renew", "--json")
    assert done.code == 5
    assert (done.json["kept"], done.json["missing"]) == (["DE", "FR"], [])
    data = fact(done, NoteKind.ATLAS_INCOMPLETE)[1]
    assert (data["kept"], data["missing"]) == (["DE", "FR"], [])
    assert "country DE" in str(data["message"])
    assert located(mapped, "12.0.0.1", addresses("AD")[0], *addresses("DE"), *addresses("FR")) == [
        "AD", None, "DE", "DE", "FR", "FR",
    ]  # fmt: skip
    said = mapped.ok("atlas")
    assert "2 countries have earlier lists" in said.err


def test_an_index_of_some_countries_is_better_than_none(one: Machine) -> None:
    serve_world(one, ("AD", "JP"))
    done = one.run("atlas", "--renew", "--json")
    assert done.code == 5
    assert (done.json["countries"], len(done.json["missing"])) == (["AD", "JP"], 235)
    assert "The world index has no list of 235 countries: AE, AF, " in done.err
    assert located(one, *addresses("AD"), "133.1.2.3") == ["AD", "AD", "JP"]


def test_without_any_source_the_index_stays_and_few_lists_are_tried(mapped: Machine) -> None:
    before = atlas_path(mapped.state).read_bytes()
    serve_world(mapped, ())
    done = mapped.run("atlas", "--renew")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "geofence: No list for the world index could be renewed. The list country AD could not"
    )
    assert len(asked(mapped)) == 8
    assert atlas_path(mapped.state).read_bytes() == before


@pytest.mark.parametrize("at", [10, 200, -10_000, -1], ids=["head", "labels", "columns", "origins"])
def test_a_damaged_index_is_named_and_made_anew(mapped: Machine, at: int) -> None:
    path = atlas_path(mapped.state)
    content = bytearray(path.read_bytes())
    content[at] ^= 0x20
    path.write_bytes(content)
    done = mapped.run("atlas")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"geofence: The world index {path} cannot be used. ")
    assert done.err.endswith(" Run 'geofence atlas --renew'.\n")
    again = mapped.ok("atlas", "--renew", "--json")
    assert kinds(again) == [NoteKind.ATLAS_REPLACED]
    assert {r.headers.get("if-none-match") for r in mapped.server.requests} == {None}
    assert located(mapped, *addresses("DE")) == ["DE", "DE"]


def test_a_file_that_others_could_have_written_is_not_obeyed(mapped: Machine) -> None:
    atlas_path(mapped.state).chmod(0o622)
    done = mapped.run("atlas", "192.0.2.1")
    assert (done.code, done.out) == (1, "")
    assert "Others could have changed it" in done.err
    mapped.ok("atlas", "--renew")
    assert atlas_path(mapped.state).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--renew", "192.0.2.1"), "--renew takes no addresses"),
        (("192.0.2.300",), '"192.0.2.300" is not an IP address'),
    ],
)
def test_mistakes_change_nothing(asking: Machine, arguments: tuple[str, ...], said: str) -> None:
    before = asking.files()
    done = asking.run("atlas", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert asking.files() == before
    assert asked(asking) == set()


def test_a_refresh_leaves_the_index_alone_unless_the_rules_ask_for_it(one: Machine) -> None:
    serve_world(one)
    one.ok("refresh")
    assert asked(one) == {"JP"}
    assert not atlas_path(one.state).exists()


def test_a_refresh_renews_an_index_that_is_due(one: Machine) -> None:
    serve_world(one)
    one.rule("60-atlas.toml", ENABLED)
    first = one.ok("refresh", "--json")
    assert kinds(first) == []
    assert one.server.asked("/jp.json") == 1  # the fence had it already
    assert asked(one) == set(CODES)
    assert one.gets_in("133.1.2.3") == [True]
    assert located(one, "133.1.2.3", *addresses("DE")) == ["JP", "DE", "DE"]

    one.ok("refresh")
    assert asked(one) == {"JP"}

    age(one, timedelta(days=8), "DE", "FR")
    one.ok("refresh")
    assert asked(one) == {"JP", "DE", "FR"}

    age(one, timedelta(days=6))
    one.ok("refresh")
    assert asked(one) == {"JP"}
    one.rule("60-atlas.toml", f'{ENABLED}renew = "5d"\n')
    one.ok("refresh")
    assert asked(one) == set(CODES)


def test_a_clock_that_was_set_back_does_not_keep_an_index_for_good(mapped: Machine) -> None:
    mapped.rule("60-atlas.toml", ENABLED)
    age(mapped, timedelta(days=-30), "DE")
    mapped.ok("refresh")
    assert asked(mapped) == {"JP", "DE"}


def test_a_refresh_asks_again_for_what_failed_and_for_nothing_else(one: Machine) -> None:
    serve_world(one, [code for code in CODES if code not in ("DE", "FR")])
    one.rule("60-atlas.toml", ENABLED)
    done = one.ok("refresh", "--json")
    assert fact(done, NoteKind.ATLAS_INCOMPLETE)[1]["missing"] == ["DE", "FR"]
    asked(one)
    serve_world(one)
    assert kinds(one.ok("refresh", "--json")) == []
    assert asked(one) == {"JP", "DE", "FR"}
    assert located(one, *addresses("DE"), *addresses("AD")) == ["DE", "DE", "AD", "AD"]


def test_an_index_that_cannot_be_renewed_is_no_failure_of_the_refresh(one: Machine) -> None:
    serve_world(one, ["JP"])
    one.rule("60-atlas.toml", ENABLED)
    done = one.ok("refresh", "--json")
    assert (done.json["degraded"], done.json["changed"]) == (False, True)
    assert "No list for the world index could be renewed" in str(
        fact(done, NoteKind.ATLAS_NOT_RENEWED)[1]["message"]
    )
    assert one.gets_in("133.1.2.3") == [True]
    last: Any = one.ok("status", "--json").json["last_run"]
    assert (last["command"], last["ending"], last["unresolved"]) == ("refresh", "done", [])


def test_a_refresh_without_network_tries_no_list_of_the_index(mapped: Machine) -> None:
    mapped.ok("refresh")
    mapped.rule("60-atlas.toml", f'{ENABLED}renew = "1h"\n')
    age(mapped, timedelta(days=1))
    serve_world(mapped, ())
    asked(mapped)
    assert mapped.run("refresh").code == 5
    assert asked(mapped) == {"JP"}


def test_a_disk_that_takes_no_index_is_no_failure_of_the_refresh(one: Machine) -> None:
    serve_world(one)
    one.rule("60-atlas.toml", ENABLED)
    one.state.mkdir(mode=0o700)
    blocked(atlas_path(one.state))
    done = one.ok("refresh", "--json")
    assert NoteKind.ATLAS_NOT_RENEWED in kinds(done)
    assert one.gets_in("133.1.2.3") == [True]


def blocked(path: Path) -> None:
    """Make a directory in the place of a file."""
    path.mkdir()
    (path / "x").touch()


def test_the_index_has_both_families_of_all_lists(asking: Machine) -> None:
    spaces = stored(asking).atlas.spaces()
    assert list(spaces) == CODES
    assert all(spaces[code][family] for code in CODES for family in Family)
