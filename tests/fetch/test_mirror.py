"""Signed mirrors, honest and hostile, on a real server."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from geofence.fetch.events import Failed, FetchReport, Outcome, Renewed, Unchanged
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.fetch.places import all_mirrors, mirrors
from geofence.mirror.index import Entry
from geofence.mirror.memory import MirrorMemory
from geofence.mirror.signature import key_id, new_key
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Blocklist, MirrorSource, NamedException, Policy
from tests.lists.bodies import country_json
from tests.mirror.made import JP, KEY, NOON, MadeMirror, index, part
from tests.support.list_server import ListServer, content, cut_short, endless, status

US = ListId(ListKind.COUNTRY, "US")
DROP = ListId(ListKind.BLOCKLIST, "drop")
LIST = country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"])
LATER = country_json("JP", ["192.0.2.0/24", "198.51.100.0/24"], ["2001:db8::/32"])
AMERICAN = country_json("US", ["203.0.113.0/24"], [])
INDEX = "/m/index.signed"


@pytest.fixture
def mirror(server: ListServer) -> MadeMirror:
    return MadeMirror(server)


def fetch(
    limits: Limits,
    policy: Policy,
    *stored: AcceptedList,
    memory: MirrorMemory | None = None,
    now: datetime = NOON,
    wanted: tuple[ListId, ...] = (JP,),
) -> FetchReport:
    known = {each.id: each for each in stored}
    return fetch_lists(wanted, policy, known, lambda: now, limits=limits, mirrors=memory)


def taken(outcome: Outcome) -> AcceptedList:
    assert isinstance(outcome, Renewed), outcome
    return outcome.candidate.accepted


def why(report: FetchReport, name: ListId = JP) -> str:
    outcome = report.outcomes[name]
    assert isinstance(outcome, Failed), outcome
    return outcome.why


def test_a_list_is_taken_and_is_as_old_as_it_is_on_the_mirror(
    mirror: MadeMirror, limits: Limits
) -> None:
    yesterday = NOON - timedelta(days=1)
    mirror.put(index({JP: LIST}, at=yesterday), LIST)
    found = taken(fetch(limits, mirror.rules()).outcomes[JP])
    assert found.checked_at == yesterday
    assert found.provenance[0].fetched_at == NOON
    assert found.provenance[0].url == f"{mirror.url}lists/{sha256(LIST).hexdigest()}"


def test_an_unchanged_mirror_costs_one_request_without_a_body(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.put(index({JP: LIST, US: AMERICAN}), LIST, AMERICAN)
    both = (JP, US)
    first = fetch(limits, mirror.rules(), wanted=both)
    stored = [taken(each) for each in first.outcomes.values()]
    mirror.server.requests.clear()
    again = fetch(limits, mirror.rules(), *stored, memory=first.mirrors, wanted=both)
    assert all(isinstance(each, Unchanged) for each in again.outcomes.values())
    [request] = mirror.server.requests
    assert request.path == INDEX
    assert "if-none-match" in request.headers


def test_only_what_has_changed_is_fetched(mirror: MadeMirror, limits: Limits) -> None:
    mirror.put(index({JP: LIST, US: AMERICAN}), LIST, AMERICAN)
    both = (JP, US)
    first = fetch(limits, mirror.rules(), wanted=both)
    stored = [taken(each) for each in first.outcomes.values()]
    mirror.put(index({JP: LATER, US: AMERICAN}, 2), LATER)
    mirror.server.requests.clear()
    again = fetch(limits, mirror.rules(), *stored, memory=first.mirrors, wanted=both)
    assert isinstance(again.outcomes[US], Unchanged)
    assert taken(again.outcomes[JP]).space != stored[0].space
    assert len(mirror.server.requests) == 2


def test_a_list_whose_source_confirmed_it_later_stays_that_young(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.put(index({JP: LIST}), LIST)
    first = fetch(limits, mirror.rules())
    [one] = taken(first.outcomes[JP]).provenance
    tomorrow = NOON + timedelta(days=1)
    stored = AcceptedList(JP, taken(first.outcomes[JP]).space, (replace(one, checked_at=tomorrow),))
    outcome = fetch(limits, mirror.rules(), stored, now=tomorrow).outcomes[JP]
    assert isinstance(outcome, Unchanged)
    assert outcome.accepted.checked_at == tomorrow


def test_an_unsigned_index_is_refused(mirror: MadeMirror, limits: Limits) -> None:
    document = mirror.put(index({JP: LIST}), LIST)
    mirror.put_document(document.split(b"\n", 4)[-1])
    told = why(fetch(limits, mirror.rules()))
    assert f"{mirror.url}index.signed: It does not begin with a signature of minisign" in told


def test_an_index_of_another_key_is_refused(mirror: MadeMirror, limits: Limits) -> None:
    mirror.key = new_key()
    mirror.put(index({JP: LIST}), LIST)
    assert "not signed by a key of [source.mirror]" in why(fetch(limits, mirror.rules()))


def test_another_list_under_the_right_name_is_refused(mirror: MadeMirror, limits: Limits) -> None:
    mirror.put(index({JP: LIST}), LIST)
    mirror.server.on(f"/m/lists/{sha256(LIST).hexdigest()}", content(LATER))
    told = why(fetch(limits, mirror.rules()))
    assert f"the mirror gives {len(LATER)} bytes that are not those of its signed index" in told


@pytest.mark.parametrize(
    "reply",
    [content(LIST[:-1]), cut_short(LIST[:-1], 1), content(b""), content(LIST + b" "), endless()],
    ids=["short", "cut", "empty", "long", "endless"],
)
def test_a_list_of_another_length_is_refused(
    mirror: MadeMirror, limits: Limits, reply: object
) -> None:
    mirror.put(index({JP: LIST}), LIST)
    mirror.server.on(f"/m/lists/{sha256(LIST).hexdigest()}", reply)  # type: ignore[arg-type]
    assert why(fetch(replace(limits, retries=0), mirror.rules()))


def test_an_index_without_end_is_refused(mirror: MadeMirror, limits: Limits) -> None:
    mirror.server.on(INDEX, endless())
    assert "no list is so large" in why(fetch(limits, mirror.rules()))


def test_a_list_of_one_country_signed_as_another_is_refused(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.put(index({JP: AMERICAN}), AMERICAN)
    assert "US" in why(fetch(limits, mirror.rules()))


def test_an_old_index_that_is_given_again_is_refused(mirror: MadeMirror, limits: Limits) -> None:
    old = mirror.put(index({JP: LIST}, 1), LIST)
    mirror.put(index({JP: LATER}, 2), LATER)
    first = fetch(limits, mirror.rules())
    mirror.put_document(old)
    told = why(fetch(limits, mirror.rules(), taken(first.outcomes[JP]), memory=first.mirrors))
    assert "old index again: its serial number is 1, but 2 was seen before" in told


def test_an_index_that_never_changes_is_refused_once_it_has_expired(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.put(index({JP: LIST}), LIST)
    first = fetch(limits, mirror.rules())
    stored, week = taken(first.outcomes[JP]), timedelta(days=7)
    same = fetch(limits, mirror.rules(), stored, memory=first.mirrors, now=NOON + week)
    assert isinstance(same.outcomes[JP], Unchanged)
    late = fetch(
        limits,
        mirror.rules(),
        stored,
        memory=first.mirrors,
        now=NOON + week + timedelta(seconds=1),
    )
    assert "The index has expired: it was signed on 2026-02-01 12:00 UTC" in why(late)


def test_an_index_that_was_stored_is_verified_again(mirror: MadeMirror, limits: Limits) -> None:
    """Who answers 304 to everything gets nothing by it after a key was withdrawn."""
    mirror.put(index({JP: LIST}), LIST)
    first = fetch(limits, mirror.rules())
    mirror.trusted = (new_key().public,)
    assert "not signed by a key" in why(fetch(limits, mirror.rules(), memory=first.mirrors))


@pytest.mark.parametrize("damage", [b"", b"untrusted comment: x\n", b"\xef\xbf\xbd" * 500])
def test_an_index_whose_memory_is_damaged_is_fetched_again(
    mirror: MadeMirror, limits: Limits, damage: bytes
) -> None:
    mirror.put(index({JP: LIST}), LIST)
    first = fetch(limits, mirror.rules())
    seen = {url: replace(each, document=damage) for url, each in first.mirrors.seen.items()}
    again = fetch(limits, mirror.rules(), memory=replace(first.mirrors, seen=seen))
    assert taken(again.outcomes[JP]).space == taken(first.outcomes[JP]).space


def test_an_index_of_the_future_is_refused_and_its_number_forgotten(
    mirror: MadeMirror, limits: Limits
) -> None:
    day = timedelta(days=1)
    mirror.put(index({JP: LIST}, 1 << 40, NOON + day + timedelta(seconds=1)), LIST)
    first = fetch(limits, mirror.rules())
    assert "signed in the future, on 2026-02-02 12:00 UTC" in why(first)
    mirror.put(index({JP: LIST}, 7, NOON + day), LIST)
    assert taken(fetch(limits, mirror.rules(), memory=first.mirrors).outcomes[JP])


def test_a_new_key_takes_over_while_both_are_trusted(mirror: MadeMirror, limits: Limits) -> None:
    mirror.put(index({JP: LIST}, 5), LIST)
    first = fetch(limits, mirror.rules())
    new = new_key()
    mirror.trusted = (KEY.public, new.public)
    old = mirror.put(index({JP: LIST}, 5), LIST)
    mirror.key = new
    mirror.put(index({JP: LATER}, 6), LATER)
    second = fetch(limits, mirror.rules(), memory=first.mirrors)
    assert taken(second.outcomes[JP]).space
    assert second.mirrors.serials == {key_id(KEY.public): 5, key_id(new.public): 6}
    mirror.put_document(old)
    assert "old index again" in why(fetch(limits, mirror.rules(), memory=second.mirrors))
    mirror.trusted = (new.public,)
    assert "not signed by a key" in why(fetch(limits, mirror.rules(), memory=second.mirrors))


def test_a_stolen_key_that_signed_a_high_number_stops_nothing_once_withdrawn(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.put(index({JP: LIST}, 1 << 52), LIST)
    first = fetch(limits, mirror.rules())
    mirror.key = new_key()
    mirror.trusted = (mirror.key.public,)
    mirror.put(index({JP: LATER}, 2), LATER)
    assert taken(fetch(limits, mirror.rules(), memory=first.mirrors).outcomes[JP])


def test_a_dead_mirror_is_asked_once_and_others_only_if_the_rules_say_so(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.server.on(INDEX, status(403))
    mirror.server.on("/jp.json", content(LIST))
    mirror.server.on("/us.json", content(AMERICAN))
    rules = mirror.rules(country_urls=(mirror.server.url("/{cc}.json"),))
    both = (JP, US)
    report = fetch(limits, rules, wanted=both)
    assert "HTTP 403" in why(report)
    assert "HTTP 403" in why(report, US)
    assert mirror.server.asked(INDEX) == 1
    assert mirror.server.asked("/jp.json") == 0
    named = replace(rules, mirror_source=rules.mirror_source._replace(fallback=True))
    report = fetch(limits, named, wanted=both)
    assert taken(report.outcomes[JP]).provenance[0].url == mirror.server.url("/jp.json")


def test_the_second_mirror_is_asked_where_the_first_fails(
    mirror: MadeMirror, limits: Limits
) -> None:
    mirror.put(index({JP: LIST}), LIST)
    rules = mirror.rules()
    urls = (mirror.server.url("/gone/"), mirror.url)
    both = replace(rules, mirror_source=MirrorSource(urls, mirror.trusted))
    assert taken(fetch(limits, both).outcomes[JP]).provenance[0].url.startswith(mirror.url)


def test_a_list_that_the_mirror_lacks_is_named(mirror: MadeMirror, limits: Limits) -> None:
    mirror.put(index({}))
    assert "the mirror does not have the list country JP. Add it to the rules" in why(
        fetch(limits, mirror.rules())
    )


def test_files_and_lists_for_one_key_do_not_come_from_the_mirror(mirror: MadeMirror) -> None:
    blocklists = (
        Blocklist("drop", urls=("https://example.org/drop.txt",)),
        Blocklist("mine", urls=("/etc/mine.txt",)),
        Blocklist("apiban", urls=("https://apiban.org/api",), format="apiban"),
    )
    rules = mirror.rules(blocklists=blocklists)
    asked = {
        each.name: mirrors(ListId(ListKind.BLOCKLIST, each.name), rules)[0][0].url
        for each in blocklists
    }
    assert asked == {
        "drop": mirror.url,
        "mine": "/etc/mine.txt",
        "apiban": "https://apiban.org/api",
    }
    assert [each[0].url for each in all_mirrors(DROP, rules)] == [
        mirror.url,
        "https://example.org/drop.txt",
    ]


def test_a_feed_that_the_mirror_read_by_other_paths_is_refused(
    mirror: MadeMirror, limits: Limits
) -> None:
    body = b'{"paths": ["sip[]"], "prefixes": ["192.0.2.0/24"]}'
    name = ListId(ListKind.FEED, "trunk")
    made = index({})
    mirror.put(replace(made, lists={name: Entry(NOON, (part(body, "feed"),))}), body)

    def rules(path: str) -> Policy:
        trunk = NamedException("trunk", feed="https://example.org/f.json", paths=(path,))
        return mirror.rules(exceptions=(trunk,))

    assert taken(fetch(limits, rules("sip[]"), wanted=(name,)).outcomes[name]).space
    told = why(fetch(limits, rules("media[]"), wanted=(name,)), name)
    assert "has read the list feed trunk by other paths" in told
