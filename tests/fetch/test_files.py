"""Local files and directories as sources, and who may write them."""

from __future__ import annotations

import gzip
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.errors import ListError
from geofence.fetch.answers import Body, Missing
from geofence.fetch.events import Failed, FetchReport, Renewed, Unchanged
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.files import MOST_FILES, files_in, read_list
from geofence.fetch.limits import Limits
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import Family
from tests.lists.bodies import country_json, country_text
from tests.policy.rules import policy
from tests.support.values import space

JP = ListId(ListKind.COUNTRY, "JP")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
HELD = space("192.0.2.0/24", "2001:db8::/32")
AS_JSON = country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"])


def write(path: Path, content: bytes, mode: int = 0o644) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def fetch(rules: Policy, wanted: ListId = JP, *accepted: AcceptedList) -> FetchReport:
    stored = {each.id: each for each in accepted}
    return fetch_lists([wanted], rules, stored, lambda: NOON, limits=Limits(size=1 << 20))


def accepted(rules: Policy, wanted: ListId = JP) -> AcceptedList:
    outcome = fetch(rules, wanted).outcomes[wanted]
    assert isinstance(outcome, Renewed), outcome
    return outcome.candidate.accepted


def why(rules: Policy, wanted: ListId = JP) -> str:
    outcome = fetch(rules, wanted).outcomes[wanted]
    assert isinstance(outcome, Failed), outcome
    return outcome.why


def countries(*urls: object) -> Policy:
    listed = ", ".join(f'"{url}"' for url in urls)
    return policy(f"[source.country]\nurls = [{listed}]")


@pytest.mark.parametrize("scheme", ["", "file:", "file://", "file://localhost"])
def test_a_file_by_its_path_and_by_its_url(tmp_path: Path, scheme: str) -> None:
    write(tmp_path / "jp.json", AS_JSON)
    found = accepted(countries(f"{scheme}{tmp_path}/{{cc}}.json"))
    assert found.space == HELD
    assert [part.url for part in found.provenance] == [f"{tmp_path}/jp.json"]


def test_a_blank_and_other_characters_in_a_path(tmp_path: Path) -> None:
    write(tmp_path / "my lists" / "ü #1?.txt", b"192.0.2.0/24\n")
    url = f"file://{tmp_path}/my%20lists/%C3%BC%20%231%3F.txt"
    rules = policy(f'[blocklist.mine]\nurl = "{url}"')
    found = accepted(rules, ListId(ListKind.BLOCKLIST, "mine"))
    assert found.space == space("192.0.2.0/24")
    assert found.provenance[0].url.endswith("/my lists/ü #1?.txt")


def test_the_same_file_is_unchanged_and_another_is_not(tmp_path: Path) -> None:
    write(tmp_path / "jp.json", AS_JSON)
    rules = countries(f"{tmp_path}/{{cc}}.json")
    before = accepted(rules)
    assert isinstance(fetch(rules, JP, before).outcomes[JP], Unchanged)
    write(tmp_path / "jp.json", country_json("JP", ["198.51.100.0/24"]))
    assert isinstance(fetch(rules, JP, before).outcomes[JP], Renewed)


def test_a_file_for_each_family_and_none_for_ipv6(tmp_path: Path) -> None:
    rules = countries(f"{tmp_path}/{{cc}}-{{family}}.txt")
    ipv6 = write(tmp_path / "jp-ipv6.txt", country_text("JP", Family.IPV6, ["2001:db8::/32"]))
    assert "jp-ipv4.txt: there is no such file" in why(rules)
    write(tmp_path / "jp-ipv4.txt", country_text("JP", Family.IPV4, ["192.0.2.0/24"]))
    assert accepted(rules).space == HELD
    ipv6.unlink()
    assert accepted(rules).space == space("192.0.2.0/24")


@pytest.mark.parametrize(
    "names",
    [
        ("jp.json",),
        ("jp/aggregated.json",),
        ("jp/jp.json",),
        ("jp-ipv4.txt", "jp-ipv6.txt"),
        ("jp/ipv4-aggregated.txt", "jp/ipv6-aggregated.txt"),
    ],
)
def test_a_directory_of_country_lists(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        by_family = "ipv" in name
        family = Family.IPV4 if "ipv4" in name else Family.IPV6
        prefixes = ["192.0.2.0/24"] if family is Family.IPV4 else ["2001:db8::/32"]
        write(tmp_path / name, country_text("JP", family, prefixes) if by_family else AS_JSON)
    assert accepted(countries(f"{tmp_path}/")).space == HELD


def test_a_directory_of_country_lists_of_a_given_format(tmp_path: Path) -> None:
    rules = policy(f'[source.country]\nurls = ["{tmp_path}/"]\nformat = "text"')
    assert all(each.endswith(".txt") for each in rules.country_urls)
    rules = policy(f'[source.country]\nurls = ["{tmp_path}/"]\nformat = "json"')
    assert all(each.endswith(".json") for each in rules.country_urls)


def test_a_directory_of_files_that_make_up_a_blocklist(tmp_path: Path) -> None:
    bad = ListId(ListKind.BLOCKLIST, "bad")
    rules = policy(f'[blocklist.bad]\nurl = "{tmp_path}/lists/"')
    assert "/lists/: cannot be read (No such file or directory)" in why(rules, bad)
    write(tmp_path / "lists" / "b.txt", b"198.51.100.0/24\n")
    write(tmp_path / "lists" / "a.txt", b"192.0.2.0/24\n")
    write(tmp_path / "lists" / ".hidden", b"not a list\n")
    (tmp_path / "lists" / "inner").mkdir()
    found = accepted(rules, bad)
    assert found.space == space("192.0.2.0/24", "198.51.100.0/24")
    assert [Path(part.url).name for part in found.provenance] == ["a.txt", "b.txt"]
    assert isinstance(fetch(rules, bad, found).outcomes[bad], Unchanged)
    (tmp_path / "lists" / "b.txt").unlink()
    assert accepted(rules, bad).space == space("192.0.2.0/24")
    (tmp_path / "lists" / "a.txt").unlink()
    assert "/lists/: there is no file in it" in why(rules, bad)


def test_a_gzip_file_is_unpacked_within_limits(tmp_path: Path) -> None:
    rules = countries(f"{tmp_path}/{{cc}}.json.gz")
    packed = gzip.compress(AS_JSON)
    path = write(tmp_path / "jp.json.gz", packed)
    assert accepted(rules).space == HELD
    path.write_bytes(packed[:-4])
    assert "The gzip file was cut short" in why(rules)
    path.write_bytes(packed[:20] + b"\xff\xff" + packed[22:])
    assert re.search(r"jp\.json\.gz: The gzip file (is damaged|was cut short)", why(rules))
    path.write_bytes(gzip.compress(b"\n" * (2 << 20)))
    assert "more than 1,048,576 bytes" in why(rules)


@pytest.mark.parametrize("mode", [0o666, 0o646, 0o664])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "jp.json", AS_JSON, mode)
    if mode == 0o664:
        os.chown(path, -1, 65534)
    told = why(countries(f"{tmp_path}/{{cc}}.json"))
    assert f"{path}: it can be written by" in told
    assert f"run: chmod go-w {path}" in told


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "jp.json", AS_JSON)
    os.chown(path, 65534, -1)
    assert "belongs to the user nobody" in why(countries(f"{tmp_path}/{{cc}}.json"))


def test_a_directory_on_the_way_that_others_may_write_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "open" / "jp.json", AS_JSON)
    (tmp_path / "open").chmod(0o777)
    told = why(countries(f"{tmp_path}/open/{{cc}}.json"))
    assert f"it is reached through {tmp_path}/open, which can be written by everyone" in told


def test_a_link_is_followed_only_where_others_cannot_change_it(tmp_path: Path) -> None:
    safe = write(tmp_path / "safe" / "real.json", AS_JSON)
    (tmp_path / "jp.json").symlink_to(safe)
    rules = countries(f"{tmp_path}/{{cc}}.json")
    assert accepted(rules).space == HELD
    (tmp_path / "safe").chmod(0o777)
    assert "it is reached through" in why(rules)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("directory", "it is not a regular file"),
        ("pipe", "it is not a regular file"),
        ("loop", "cannot be read (Too many levels of symbolic links)"),
        ("dangling", "there is no such file"),
        ("large", "more than 1,048,576 bytes"),
        ("name", "cannot be read (File name too long)"),
    ],
)
def test_what_is_no_list_is_refused_at_once(tmp_path: Path, kind: str, told: str) -> None:
    path = tmp_path / ("jp.json" if kind != "name" else "jp" * 200)
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "gone")
    elif kind == "large":
        write(path, b"\n" * ((1 << 20) + 1))
    name = "{cc}" * 200 if kind == "name" else "{cc}.json"
    assert told in why(countries(f"{tmp_path}/{name}"))


def test_the_next_source_is_tried(tmp_path: Path) -> None:
    write(tmp_path / "b" / "jp.json", AS_JSON)
    write(tmp_path / "a" / "jp.json", AS_JSON, 0o666)
    found = accepted(countries(f"{tmp_path}/a/{{cc}}.json", f"{tmp_path}/b/{{cc}}.json"))
    assert found.provenance[0].url == f"{tmp_path}/b/jp.json"


def test_a_directory_of_very_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}").touch()
    with pytest.raises(ListError, match="more than 1,000 files"):
        files_in(f"{tmp_path}/")


def test_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "x", b"abc")
    assert read_list(str(path), 3) == Body(b"abc", None)
    assert isinstance(read_list(f"{path}y", 3), Missing)


def test_a_server_cannot_lead_to_a_file(tmp_path: Path) -> None:
    from geofence.fetch.urls import redirected, target

    source = target("http://127.0.0.1/x")
    with pytest.raises(ListError, match="the redirect is refused"):
        redirected(source, f"file://{tmp_path}/x")
    assert redirected(source, "/etc/passwd").url == "http://127.0.0.1/etc/passwd"
