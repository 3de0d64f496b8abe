"""Blocklists from a real server: gzip, parts, the least interval, and APIBAN's pages."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from geofence.fetch import apiban
from geofence.fetch.events import Event, Failed, FetchReport, Fresh, Renewed, Retrying, Unchanged
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.lists.parsed import Candidate
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Blocklist, Policy
from geofence.state.lists import ListStore
from tests.lists.bodies import drop_lines, dshield
from tests.support.list_server import (
    ListServer,
    Reply,
    content,
    cut_short,
    status,
    tagged,
)
from tests.support.values import space

BAD = ListId(ListKind.BLOCKLIST, "bad")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECRET = "s3cret-key-0123456789"  # noqa: S105 - a test's


def fetch(
    limits: Limits,
    blocklist: Blocklist,
    stored: AcceptedList | None = None,
    *,
    now: datetime = NOON,
    events: list[Event] | None = None,
) -> FetchReport:
    at_hand = {BAD: stored} if stored else {}
    heard: list[Event] = [] if events is None else events
    policy = Policy(blocklists=(blocklist,))
    return fetch_lists([BAD], policy, at_hand, lambda: now, heard.append, limits=limits)


def renewed(report: FetchReport) -> Candidate:
    outcome = report.outcomes[BAD]
    assert isinstance(outcome, Renewed), outcome
    return outcome.candidate


def why(report: FetchReport) -> str:
    outcome = report.outcomes[BAD]
    assert isinstance(outcome, Failed), outcome
    return outcome.why


LIST = b"198.51.100.0/24\r\n2001:db8::1-2001:db8::4 ; a few\r\n# the end\r\n"
HELD = space("198.51.100.0/24", "2001:db8::1/128", "2001:db8::2/127", "2001:db8::4/128")


@pytest.mark.parametrize("path", ["/bad.txt", "/bad.txt.gz", "/update/?bc=CN"])
def test_a_gzip_file_is_known_by_its_content(server: ListServer, limits: Limits, path: str) -> None:
    url = server.on(path, content(gzip.compress(b"\xef\xbb\xbf" + LIST)))
    assert renewed(fetch(limits, Blocklist("bad", urls=(url,)))).accepted.space == HELD


@pytest.mark.parametrize("end", [-8, -1, 20])
def test_a_gzip_file_that_was_cut_short_is_refused(
    server: ListServer, limits: Limits, end: int
) -> None:
    url = server.on("/bad", content(gzip.compress(LIST * 50)[:end]))
    said = why(fetch(limits, Blocklist("bad", urls=(url,))))
    assert f"{url}: The gzip file was cut short" in said


def test_a_gzip_file_is_not_unpacked_beyond_the_limit(server: ListServer, limits: Limits) -> None:
    url = server.on("/bad", content(gzip.compress(b"\n" * (100 << 20))))
    assert "more than 1,048,576 bytes" in why(fetch(limits, Blocklist("bad", urls=(url,))))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (cut_short(drop_lines(["192.0.2.0/24"]), 5), "before the body was complete"),
        (content(drop_lines(["192.0.2.0/24", "2001:db8::/32"])[:-40]), "The list was cut short"),
        (content(b'{"cidr":"192.0.2.0/24"}\n'), "The list was cut short: its last line"),
        (content(b'{"cidr":"192.0.2.0/24"}\n{"records":7}\n'), "but its last line says 7"),
        (content(dshield("192.0.2.0/24") + b"198.51.100.0\t198.5"), "cut short: line"),
        (status(429, retry_after="3600"), "asks for a longer pause"),
        (status(503), "HTTP 503"),
    ],
)
def test_what_is_wrong_leaves_the_stored_version_alone(
    server: ListServer, limits: Limits, tmp_path: Path, reply: Reply, said: str
) -> None:
    blocklist = Blocklist("bad", urls=(server.on("/bad", content(LIST), reply),))
    store = ListStore(tmp_path)
    store.save(renewed(fetch(limits, blocklist)))
    assert said in why(fetch(limits, blocklist, store.load(BAD).accepted))
    loaded = store.load(BAD)
    assert loaded.accepted is not None
    assert (loaded.accepted.space, loaded.warnings) == (HELD, ())


@pytest.mark.parametrize(
    "case",
    [
        (LIST, "text"),
        (drop_lines(["192.0.2.0/24"]), "json-lines"),
        (dshield("192.0.2.0/24"), "dshield"),
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_each_format_is_found_stored_and_confirmed(
    server: ListServer, limits: Limits, tmp_path: Path, case: tuple[bytes, str], given: bool
) -> None:
    body, name = case
    url = server.on("/bad", tagged(body, '"one"'))
    blocklist = Blocklist("bad", urls=(url,), format=name if given else None)
    store = ListStore(tmp_path)
    first = renewed(fetch(limits, blocklist))
    store.save(first)
    stored = store.load(BAD).accepted
    assert stored is not None
    assert stored.space == first.accepted.space
    assert [part.format for part in stored.provenance] == [name]
    later = fetch(limits, blocklist, stored, now=NOON + DAY).outcomes[BAD]
    assert isinstance(later, Unchanged)
    assert later.accepted.checked_at == NOON + DAY


def test_date_and_copyright_stay_with_the_stored_list(
    server: ListServer, limits: Limits, tmp_path: Path
) -> None:
    url = server.on("/bad", content(drop_lines(["192.0.2.0/24"])))
    store = ListStore(tmp_path)
    store.save(renewed(fetch(limits, Blocklist("bad", urls=(url,)))))
    stored = store.load(BAD).accepted
    assert stored is not None
    [part] = stored.provenance
    assert part.published_at == datetime(2025, 9, 5, 6, 40, tzinfo=UTC)
    assert part.copyright == "(c) 2025 The Example Project"


FOUR, SIX = drop_lines(["192.0.2.0/24"]), drop_lines(["2001:db8::/32"])


def in_parts(server: ListServer, four: list[Reply], six: list[Reply]) -> Blocklist:
    return Blocklist("bad", parts=(server.on("/4", *four), server.on("/6", *six)))


def test_parts_make_up_one_list(server: ListServer, limits: Limits) -> None:
    blocklist = in_parts(server, [tagged(FOUR, '"4"')], [tagged(SIX, '"6"')])
    first = renewed(fetch(limits, blocklist))
    assert first.accepted.space == space("192.0.2.0/24", "2001:db8::/32")
    assert len(first.bodies) == 2
    assert isinstance(fetch(limits, blocklist, first.accepted).outcomes[BAD], Unchanged)

    server.on("/6", tagged(drop_lines(["2001:db8:7::/48"]), '"7"'))
    second = renewed(fetch(limits, blocklist, first.accepted))
    assert second.accepted.space == space("192.0.2.0/24", "2001:db8:7::/48")


@pytest.mark.parametrize("reply", [status(404), status(400), content(SIX[:20])])
def test_a_list_without_one_of_its_parts_is_not_taken(
    server: ListServer, limits: Limits, reply: Reply
) -> None:
    blocklist = in_parts(server, [content(FOUR)], [reply])
    assert blocklist.parts[1] in why(fetch(limits, blocklist))


def test_a_source_is_not_asked_again_within_its_interval(
    server: ListServer, limits: Limits
) -> None:
    url = server.on("/bad", content(LIST))
    blocklist = Blocklist("bad", urls=(url,), refresh=4 * HOUR)
    stored = renewed(fetch(limits, blocklist)).accepted
    for later in (timedelta(), HOUR, 4 * HOUR - timedelta(seconds=1)):
        assert fetch(limits, blocklist, stored, now=NOON + later).outcomes[BAD] == Fresh(stored)
    assert server.asked("/bad") == 1
    for later in (4 * HOUR, -HOUR):
        assert isinstance(
            fetch(limits, blocklist, stored, now=NOON + later).outcomes[BAD], Unchanged
        )
    assert server.asked("/bad") == 3


def test_another_source_or_format_is_asked_at_once(server: ListServer, limits: Limits) -> None:
    url, other = server.on("/bad", content(LIST)), server.on("/other", content(LIST))
    blocklist = Blocklist("bad", urls=(url,), refresh=4 * HOUR)
    stored = renewed(fetch(limits, blocklist)).accepted
    for changed in (
        replace(blocklist, urls=(other,)),
        replace(blocklist, urls=(), parts=(url, other)),
        replace(blocklist, format="dshield"),
    ):
        assert not isinstance(fetch(limits, changed, stored).outcomes[BAD], Fresh)
    both = replace(blocklist, urls=(other, url))
    assert isinstance(fetch(limits, both, stored).outcomes[BAD], Fresh)


def test_files_on_this_host_are_parts_like_any_others(
    server: ListServer, limits: Limits, tmp_path: Path
) -> None:
    (tmp_path / "four.json.gz").write_bytes(gzip.compress(FOUR))
    six = server.on("/6", tagged(SIX, '"6"'))
    blocklist = Blocklist("bad", parts=(str(tmp_path / "four.json.gz"), six), refresh=HOUR)
    stored = renewed(fetch(limits, blocklist)).accepted
    assert stored.space == space("192.0.2.0/24", "2001:db8::/32")
    assert {part.format for part in stored.provenance} == {"json-lines"}
    assert isinstance(fetch(limits, blocklist, stored).outcomes[BAD], Fresh)
    (tmp_path / "four.json.gz").write_bytes(gzip.compress(FOUR[:30]))
    assert "The list was cut short" in why(fetch(limits, blocklist, stored, now=NOON + DAY))


# APIBAN


def page(*addresses: str, cursor: str) -> Reply:
    return content(json.dumps({"ipaddress": addresses, "ID": cursor}).encode())


END = content(b'{"ipaddress":["no new bans"], "ID":"none"}', code=400)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "apiban.key"
    path.write_text(f"{SECRET}\n", encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.fixture
def reported(server: ListServer, key_file: Path) -> Blocklist:
    return Blocklist("bad", urls=(server.url("/api"),), format="apiban", key_file=str(key_file))


def on(server: ListServer, cursor: str, *replies: Reply) -> None:
    server.on(f"/api/{SECRET}/banned/{cursor}", *replies)


def saved(store: ListStore, candidate: Candidate) -> AcceptedList:
    store.save(candidate)
    stored = store.load(BAD).accepted
    assert stored is not None
    return stored


def test_pages_are_followed_to_their_end(
    server: ListServer, limits: Limits, reported: Blocklist
) -> None:
    on(server, "100", page("192.0.2.7", "2001:db8::7", cursor="107"))
    on(server, "107", page("198.51.100.9", cursor="110"))
    on(server, "110", END)
    found = renewed(fetch(limits, reported))
    assert found.accepted.space == space("192.0.2.7/32", "198.51.100.9/32", "2001:db8::7/128")
    assert [part.format for part in found.accepted.provenance] == ["apiban"]


@pytest.mark.parametrize(
    "end", [END, content(b'{"ipaddress":["no new bans"],"ID":"none"}'), status(400)]
)
def test_each_form_of_the_end_is_one(
    server: ListServer, limits: Limits, reported: Blocklist, end: Reply
) -> None:
    on(server, "100", page("192.0.2.7", cursor="107"))
    on(server, "107", end)
    assert renewed(fetch(limits, reported)).accepted.space == space("192.0.2.7/32")


def test_a_later_run_asks_for_what_is_new_and_keeps_the_rest(
    server: ListServer, limits: Limits, reported: Blocklist, tmp_path: Path
) -> None:
    store = ListStore(tmp_path)
    on(server, "100", page("192.0.2.7", "192.0.2.8", cursor="107"))
    on(server, "107", END)
    first = saved(store, renewed(fetch(limits, reported)))
    assert isinstance(fetch(limits, reported, first, now=NOON + HOUR).outcomes[BAD], Unchanged)

    on(server, "107", page("192.0.2.8", "192.0.2.9", cursor="110"))
    on(server, "110", END)
    second = renewed(fetch(limits, reported, first, now=NOON + 3 * DAY))
    stored = saved(store, second)
    assert stored.space == space("192.0.2.7/32", "192.0.2.8/32", "192.0.2.9/32")
    assert server.asked(f"/api/{SECRET}/banned/100") == 1

    later = renewed(fetch(limits, reported, stored, now=NOON + 7 * DAY + HOUR))
    assert later.accepted.space == space("192.0.2.8/32", "192.0.2.9/32")
    assert later.expired == space("192.0.2.7/32")


def test_when_all_is_over_it_begins_again(
    server: ListServer, limits: Limits, reported: Blocklist, tmp_path: Path
) -> None:
    on(server, "100", page("192.0.2.7", cursor="107"), page("192.0.2.9", cursor="107"))
    on(server, "107", END)
    stored = saved(ListStore(tmp_path), renewed(fetch(limits, reported)))
    again = renewed(fetch(limits, reported, stored, now=NOON + 30 * DAY))
    assert again.accepted.space == space("192.0.2.9/32")
    assert again.expired == space("192.0.2.7/32")


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ([content(b'{"ipaddress":["unauthorized"],"ID":"unauthorized"}', code=400)], "your key"),
        ([content(b'{"ipaddress":"rate limit exceeded"}', code=400)], "asked too often"),
        ([content(b"<html>Bad Request</html>", code=400)], "HTTP 400 (Bad Request)"),
        ([status(404)], "HTTP 404"),
        ([status(500)], "HTTP 500"),
        ([status(429, retry_after="3600")], "asks for a longer pause"),
        ([content(b"<html>")], "something else than a page of APIBAN"),
        ([content(b"{}")], "something else than a page of APIBAN"),
        ([cut_short(b'{"ipaddress":["192.0.2.7"],"ID":', 5)], "before the body was complete"),
    ],
)
def test_a_failure_is_told_without_the_key(
    server: ListServer, limits: Limits, reported: Blocklist, replies: list[Reply], said: str
) -> None:
    events: list[Event] = []
    on(server, "100", *replies)
    failure = why(fetch(limits, reported, events=events))
    assert said in failure
    retries = [each.why for each in events if isinstance(each, Retrying)]
    assert all(SECRET not in each for each in (failure, *retries, *map(str, events)))


def test_pages_that_never_end_are_given_up(
    server: ListServer, limits: Limits, reported: Blocklist, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apiban, "MOST_PAGES", 20)
    for number in range(100, 200):
        on(server, str(number), page("192.0.2.7", cursor=str(number + 1)))
    assert "the pages do not end" in why(fetch(limits, reported))
    assert len(server.requests) == 20


def test_pages_that_together_are_too_large_are_given_up(
    server: ListServer, limits: Limits, reported: Blocklist
) -> None:
    for number in range(100, 110):
        on(server, str(number), page(*["192.0.2.7"] * 30_000, cursor=str(number + 1)))
    assert "the pages do not end" in why(fetch(limits, reported))
    assert len(server.requests) < 5


def test_a_page_that_leads_to_itself_is_the_last(
    server: ListServer, limits: Limits, reported: Blocklist
) -> None:
    on(server, "100", page("192.0.2.7", cursor="100"))
    assert renewed(fetch(limits, reported)).accepted.space == space("192.0.2.7/32")
    assert len(server.requests) == 1


def test_a_second_source_of_pages_is_asked_if_the_first_fails(
    server: ListServer, limits: Limits, reported: Blocklist
) -> None:
    on(server, "100", status(404))
    server.on(f"/other/{SECRET}/banned/100", page("192.0.2.7", cursor="107"))
    server.on(f"/other/{SECRET}/banned/107", END)
    both = replace(reported, urls=(*reported.urls, server.url("/other")))
    found = renewed(fetch(limits, both)).accepted
    assert found.space == space("192.0.2.7/32")
    assert [part.url for part in found.provenance] == [server.url("/other")]


def test_invalid_addresses_are_told_and_skipped(
    server: ListServer, limits: Limits, reported: Blocklist
) -> None:
    on(server, "100", page("192.0.2.7", "192.0.2.8", "nobody", cursor="107"))
    on(server, "107", END)
    [skipped] = renewed(fetch(limits, reported)).parsed.skipped
    assert "nobody" in skipped.problem


@pytest.mark.parametrize(
    "case",
    [
        (None, 0o600, "could not be read: No such file or directory"),
        (SECRET, 0o604, "can be read by everyone. Type 'chmod o-r"),
        ("", 0o600, "does not have a key"),
        ("short", 0o600, "does not have a key"),
        (f"{SECRET}\n{SECRET}", 0o600, "does not have a key"),
        (f"{SECRET}/../check", 0o600, "does not have a key"),
        ("x" * 5000, 0o600, "does not have a key"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_named(
    server: ListServer, limits: Limits, reported: Blocklist, case: tuple[str | None, int, str]
) -> None:
    text, mode, said = case
    key_file = Path(reported.key_file)
    key_file.unlink()
    if text is not None:
        key_file.write_text(text, encoding="ascii")
        key_file.chmod(mode)
    failure = why(fetch(limits, reported))
    assert said in failure
    assert str(key_file) in failure
    assert SECRET not in failure
    assert not server.requests


def test_the_key_is_in_nothing_that_is_stored(
    server: ListServer, limits: Limits, reported: Blocklist, tmp_path: Path
) -> None:
    on(server, "100", page("192.0.2.7", cursor="107"))
    on(server, "107", END)
    store = ListStore(tmp_path / "state")
    saved(store, renewed(fetch(limits, reported)))
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert files
    assert all(SECRET.encode() not in path.read_bytes() for path in files)
