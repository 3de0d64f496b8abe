"""Databases of all countries from a real server: one request and one reading for all of them."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geofence.fetch import databases
from geofence.fetch.events import Failed, FetchReport, Renewed, Unchanged
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import Family
from geofence.state.lists import ListStore
from tests.lists.bodies import country_json, country_text
from tests.support.list_server import ListServer, content, status, tagged
from tests.support.mmdb import country, mmdb
from tests.support.values import space

JP, US, DE, FR = (ListId(ListKind.COUNTRY, code) for code in ("JP", "US", "DE", "FR"))
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
WORLD = {
    "192.0.2.0/24": country("JP"),
    "198.51.100.0/24": country("US"),
    "2001:db8::/32": country("JP"),
    "203.0.113.0/24": country("DE"),
}
BODY = mmdb(WORLD)
TABLE = b"192.0.2.0/24,JP\n198.51.100.0/24,US\n2001:db8::/32,JP\n203.0.113.0/24,DE\n"


def fetch(
    limits: Limits, policy: Policy, *wanted: ListId, accepted: tuple[AcceptedList, ...] = ()
) -> FetchReport:
    known = {each.id: each for each in accepted}
    return fetch_lists(wanted, policy, known, lambda: NOON, limits=limits)


def lists(report: FetchReport) -> dict[ListId, AcceptedList]:
    return {each.accepted.id: each.accepted for each in report.candidates}


def why(report: FetchReport, wanted: ListId) -> str:
    outcome = report.outcomes[wanted]
    assert isinstance(outcome, Failed), outcome
    return outcome.why


@pytest.mark.parametrize(("name", "body"), [("mmdb", BODY), ("csv", TABLE)])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_one_request_for_all_countries(  # noqa: PLR0913, PLR0917 - what varies
    server: ListServer, limits: Limits, given: bool, packed: bool, name: str, body: bytes
) -> None:
    url = server.on("/world.mmdb.gz", content(gzip.compress(body) if packed else body))
    policy = Policy(country_urls=(url,), country_format=name if given else None)
    found = lists(fetch(limits, policy, JP, US, DE))
    assert found[JP].space == space("192.0.2.0/24", "2001:db8::/32")
    assert found[US].space == space("198.51.100.0/24")
    assert server.asked("/world.mmdb.gz") == 1
    [part] = found[JP].provenance
    assert (part.url, part.format, part.family) == (url, name, None)


def test_the_hash_of_the_whole_is_stored_and_only_the_country(
    server: ListServer, limits: Limits, tmp_path: Path
) -> None:
    url = server.on("/world.mmdb", tagged(BODY, '"one"'))
    [candidate] = fetch(limits, Policy(country_urls=(url,)), JP).candidates
    [part] = candidate.accepted.provenance
    assert (part.sha256, part.etag) == (hashlib.sha256(BODY).hexdigest(), '"one"')
    assert candidate.bodies == (b"# Country: JP (JP)\n192.0.2.0/24\n2001:db8::/32\n",)
    ListStore(tmp_path).save(candidate)
    assert ListStore(tmp_path).load(JP).accepted == candidate.accepted


def test_an_unchanged_database_is_not_sent_again(server: ListServer, limits: Limits) -> None:
    policy = Policy(country_urls=(server.on("/world.mmdb", tagged(BODY, '"one"')),))
    before = tuple(lists(fetch(limits, policy, JP, US)).values())
    again = fetch(limits, policy, JP, US, accepted=before)
    assert all(isinstance(each, Unchanged) for each in again.outcomes.values())
    assert [r.headers.get("if-none-match") for r in server.requests] == [None, '"one"']


def test_a_database_that_is_the_same_is_not_read_again(
    server: ListServer, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(country_urls=(server.on("/world.mmdb", content(BODY)),))
    before = tuple(lists(fetch(limits, policy, JP, US)).values())
    monkeypatch.delattr(databases, "cut_out")
    again = fetch(limits, policy, JP, US, accepted=before)
    assert all(isinstance(each, Unchanged) for each in again.outcomes.values())


def test_a_country_that_is_new_in_the_rules_needs_the_whole(
    server: ListServer, limits: Limits
) -> None:
    policy = Policy(country_urls=(server.on("/world.mmdb", tagged(BODY, '"one"')),))
    before = tuple(lists(fetch(limits, policy, JP)).values())
    again = fetch(limits, policy, JP, US, accepted=before)
    assert isinstance(again.outcomes[JP], Unchanged)
    assert isinstance(again.outcomes[US], Renewed)


def test_a_new_version_changes_only_what_it_changes(server: ListServer, limits: Limits) -> None:
    policy = Policy(country_urls=(server.on("/world.mmdb", content(BODY)),))
    before = tuple(lists(fetch(limits, policy, JP, US)).values())
    server.on("/world.mmdb", content(mmdb({**WORLD, "198.51.100.0/24": country("JP")})))
    again = fetch(limits, policy, JP, US, accepted=before)
    assert lists(again)[JP].space.ipv4.size == 512
    assert "/world.mmdb: the database has no network of US." in why(again, US)


def test_a_country_that_is_not_in_it_is_told_and_the_next_source_tried(
    server: ListServer, limits: Limits
) -> None:
    policy = Policy(country_urls=(server.on("/world.mmdb", content(BODY)),))
    report = fetch(limits, policy, JP, FR)
    assert isinstance(report.outcomes[JP], Renewed)
    assert "the database has no network of FR" in why(report, FR)
    server.on("/fr.json", content(country_json("FR", ["192.0.2.0/25"])))
    both = replace(policy, country_urls=(*policy.country_urls, server.url("/{cc}.json")))
    assert lists(fetch(limits, both, JP, FR))[FR].space == space("192.0.2.0/25")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"192.0.2.0/24\n", "no database of all countries (mmdb or csv)"),
        (country_text("JP", Family.IPV4, ["192.0.2.0/24"]), "no database of all countries"),
        (country_json("JP", ["192.0.2.0/24"]), "no database of all countries"),
        (b"<html>", "no database of all countries"),
        (BODY[:-100], "The database is damaged"),
        (b"\x1f\x8b broken", "The gzip file is damaged"),
    ],
)
def test_what_is_no_database_is_refused_once_for_all(
    server: ListServer, limits: Limits, body: bytes, told: str
) -> None:
    url = server.on("/world.mmdb", content(body))
    report = fetch(limits, Policy(country_urls=(url,)), JP, US, DE)
    assert all(f"{url}: " in why(report, each) and told in why(report, each) for each in (JP, US))
    assert server.asked("/world.mmdb") == 1


def test_a_failure_is_not_repeated_for_every_country(server: ListServer, limits: Limits) -> None:
    url = server.on("/world.mmdb", status(404))
    report = fetch(limits, Policy(country_urls=(url,)), JP, US, DE)
    assert all("HTTP 404" in why(report, each) for each in (JP, US, DE))
    assert server.asked("/world.mmdb") == 1


def test_a_busy_host_is_left_for_the_next_source(server: ListServer, limits: Limits) -> None:
    url = server.on("/world.mmdb", status(429, retry_after="7200"))
    for code, prefix in (("jp", "192.0.2.0/24"), ("us", "198.51.100.0/24")):
        server.on(f"/{code}.json", content(country_json(code.upper(), [prefix])))
    with ListServer() as other:
        for code, prefix in (("jp", "192.0.2.0/24"), ("us", "198.51.100.0/24")):
            other.on(f"/{code}.json", content(country_json(code.upper(), [prefix])))
        policy = Policy(country_urls=(url, other.url("/{cc}.json")))
        assert set(lists(fetch(limits, policy, JP, US))) == {JP, US}
    assert server.asked("/world.mmdb") == 1


def test_a_checksum_of_the_database(server: ListServer, limits: Limits) -> None:
    url = server.on("/world.mmdb", content(BODY))
    server.on("/world.mmdb.sha256", content(hashlib.sha256(BODY).hexdigest().encode()))
    policy = Policy(country_urls=(url,), country_checksum="{url}.sha256")
    assert set(lists(fetch(limits, policy, JP, US))) == {JP, US}
    assert server.asked("/world.mmdb.sha256") == 1
    server.on("/world.mmdb", content(mmdb({**WORLD, "192.0.2.0/25": country("US")})))
    report = fetch(limits, policy, JP, US)
    assert all("does not match its checksum" in why(report, each) for each in (JP, US))


def test_a_table_for_each_family(server: ListServer, limits: Limits) -> None:
    server.on("/world-ipv4.csv", tagged(b'"3221225984","3221226239","JP","Japan"\n', '"4"'))
    first = 0x2001_0DB8 << 96
    ipv6 = f'"{first}","{first + (1 << 96) - 1}","JP","Japan"\n'.encode()
    server.on("/world-ipv6.csv", tagged(ipv6, '"6"'))
    policy = Policy(country_urls=(server.url("/world-{family}.csv"),))
    before = lists(fetch(limits, policy, JP))[JP]
    assert before.space == space("192.0.2.0/24", "2001:db8::/32")
    assert [part.family for part in before.provenance] == list(Family)
    unchanged = fetch(limits, policy, JP, accepted=(before,)).outcomes[JP]
    assert isinstance(unchanged, Unchanged)
    server.on("/world-ipv4.csv", tagged(b'"3221225984","3221226111","JP","Japan"\n', '"5"'))
    after = lists(fetch(limits, policy, JP, accepted=(before,)))[JP]
    assert after.space == space("192.0.2.0/25", "2001:db8::/32")


def test_a_local_database(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "world.mmdb"
    path.write_bytes(BODY)
    path.chmod(0o644)
    policy = Policy(country_urls=(str(path),))
    assert set(lists(fetch(limits, policy, JP, US, DE))) == {JP, US, DE}
    path.chmod(0o666)
    assert "can be written by everyone" in why(fetch(limits, policy, JP), JP)


def test_a_directory_of_databases(tmp_path: Path, limits: Limits) -> None:
    parts = {"ipv4.csv": b"192.0.2.0/24,JP\n", "ipv6.csv": b"2001:db8::/32,JP\n"}
    for name, body in parts.items():
        (tmp_path / name).write_bytes(body)
        (tmp_path / name).chmod(0o644)
    policy = Policy(country_urls=(f"{tmp_path}/",), country_format="csv")
    assert lists(fetch(limits, policy, JP))[JP].space == space("192.0.2.0/24", "2001:db8::/32")
