"""One host signs its lists, and another verifies them: real commands, a real server."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from geofence.mirror import index as index_file
from geofence.model.notes import NoteKind
from tests.cli.facts import kinds
from tests.cli.machine import Machine, machine
from tests.cli.world import FOREIGN, JAPANESE, japan, japan_later
from tests.support.list_server import ListServer, content, status, tagged


def serve(server: ListServer, directory: Path) -> str:
    """Give a mirror's files as a web server does; its URL."""
    for path in directory.rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            server.on(f"/m/{path.relative_to(directory)}", tagged(body, f'"{hash(body)}"'))
    return server.url("/m/")


def signing(machine: Machine, directory: Path) -> dict[str, Any]:
    """Have a machine publish its lists; its key."""
    key: dict[str, Any] = machine.ok("mirror", "--new-key", str(directory / "key"), "--json").json
    machine.rule(
        "70-mirror.toml",
        f'[mirror]\ndirectory = "{directory / "www"}"\nkey_file = "{directory / "key"}"\n',
    )
    return key


def using(machine: Machine, url: str, key: str, more: str = "") -> None:
    machine.rule("70-mirror.toml", f'[source.mirror]\nurls = ["{url}"]\nkeys = ["{key}"]\n{more}')


def test_a_host_takes_what_another_has_checked_and_signed(one: Machine, tmp_path: Path) -> None:
    key = signing(one, tmp_path)
    one.serve("JP", japan())
    one.rule("60-drop.toml", f'[blocklist.drop]\nurl = "{one.server.url("/drop.txt")}"\n')
    one.server.on("/drop.txt", content(b"133.7.0.0/16\n"))
    done = one.ok("refresh", "--json")
    assert NoteKind.MIRROR_NOT_WRITTEN not in kinds(done)
    www = tmp_path / "www"
    assert {path.name for path in www.iterdir()} == {"index.signed", "lists"}
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in www.rglob("*") if path.is_file()} == {
        0o644
    }

    place = tmp_path / "other"
    place.mkdir()
    with machine(place) as other:
        other.server.on("/jp.json", status(500))
        using(other, serve(other.server, www), key["public_key"])
        other.rule("60-drop.toml", '[blocklist.drop]\nurl = "https://example.org/drop.txt"\n')
        other.ok("refresh")
        assert other.gets_in(*JAPANESE, *FOREIGN) == [True, True, False, False]
        assert other.gets_in("133.7.0.1") == [False]
        assert other.server.asked("/jp.json") == 0

        one.serve("JP", japan_later())
        one.ok("refresh")
        before = (www / "index.signed").read_bytes()
        serve(other.server, www)
        other.server.requests.clear()
        other.ok("refresh")
        assert sorted(each.path.split("/")[2] for each in other.server.requests) == [
            "index.signed",
            "lists",
        ]
        _attacks(other, www, before)


def _attacks(other: Machine, www: Path, before: bytes) -> None:
    """An index that was changed leaves list and fence as they are, and a key is no secret here."""
    fence = other.fence()
    other.server.on("/m/index.signed", content(before.replace(b'"JP"', b'"US"')))
    done = other.run("refresh", "--json")
    assert done.code == 5
    assert "It is not signed by a key of [source.mirror] keys" in done.out
    assert other.fence() == fence
    serve(other.server, www)
    assert other.run("refresh").code == 0


def test_the_index_of_before_still_finds_its_lists(one: Machine, tmp_path: Path) -> None:
    signing(one, tmp_path)
    lists = tmp_path / "www" / "lists"
    one.ok("refresh")
    [first] = names(lists)
    one.serve("JP", japan_later())
    one.ok("refresh")
    assert first in names(lists)
    assert len(names(lists)) == 2
    serials = [serial(tmp_path / "www")]
    one.ok("mirror")
    assert first not in names(lists)
    serials.append(serial(tmp_path / "www"))
    assert serials[1] > serials[0]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def serial(www: Path) -> int:
    document = (www / "index.signed").read_bytes()
    return index_file.read(document.split(b"\n", 4)[-1]).serial


def test_a_body_that_somebody_damaged_is_written_again(one: Machine, tmp_path: Path) -> None:
    signing(one, tmp_path)
    one.ok("refresh")
    [path] = (tmp_path / "www" / "lists").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    for name in ("0" * 64, "notes.txt"):
        (path.parent / name).write_text("x")
    one.ok("mirror")
    assert path.read_bytes() == whole
    assert names(path.parent) == sorted([path.name, "notes.txt"])  # only bodies are geofence's


def test_a_key_is_not_overwritten_and_others_must_not_read_it(one: Machine, tmp_path: Path) -> None:
    key = signing(one, tmp_path)
    secret = (tmp_path / "key").read_text().split()[-1]
    again = one.run("mirror", "--new-key", str(tmp_path / "key"))
    assert again.code == 1
    assert "is there already" in again.err
    one.ok("refresh")
    (tmp_path / "key").chmod(0o640)
    done = one.run("mirror")
    assert done.code == 1
    assert f"Type 'chmod 600 {tmp_path / 'key'}'" in done.err
    refreshed = one.ok("refresh", "--json")
    assert NoteKind.MIRROR_NOT_WRITTEN in kinds(refreshed)
    (tmp_path / "key").write_text("nonsense " + secret)
    (tmp_path / "key").chmod(0o600)
    assert "does not have a secret key" in one.run("mirror").err
    for said in (again, done, refreshed, one.run("mirror"), one.run("status", "--json")):
        assert secret not in said.said
    assert key["public_key"] not in one.run("mirror").said


def test_without_mirror_in_the_rules_there_is_a_sentence(one: Machine) -> None:
    done = one.run("mirror")
    assert done.code == 2
    assert "The rules have no [mirror]." in done.err


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_directory_that_others_can_write_is_refused(
    one: Machine, tmp_path: Path, mode: int
) -> None:
    signing(one, tmp_path)
    (tmp_path / "www").mkdir()
    (tmp_path / "www").chmod(mode)
    done = one.run("mirror")
    assert done.code == 1
    assert "Others could have changed it" in done.err


def test_a_refused_change_is_confirmed_by_the_other_sources_of_the_rules(
    one: Machine, tmp_path: Path
) -> None:
    """They give no list without ``fallback``, but may confirm what the mirror gives."""
    from tests.cli.world import JAPAN_IPV4, JAPAN_IPV6
    from tests.lists.bodies import country_json

    larger = country_json("JP", [*JAPAN_IPV4, "1.0.0.0/8", "14.0.0.0/8"], list(JAPAN_IPV6))
    key = signing(one, tmp_path)
    one.ok("refresh")
    place = tmp_path / "other"
    place.mkdir()
    with machine(place) as other:
        using(other, serve(other.server, tmp_path / "www"), key["public_key"])
        other.ok("refresh")
        one.serve("JP", larger)
        assert one.run("refresh").code == 5
        one.ok("refresh", "--accept", "growth=JP")
        serve(other.server, tmp_path / "www")
        other.serve("JP", japan())
        assert other.run("refresh").code == 5
        other.serve("JP", larger)
        assert other.run("refresh").code == 0
