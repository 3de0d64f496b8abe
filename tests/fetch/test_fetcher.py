from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from geofence.fetch import sources
from geofence.fetch.events import (
    Event,
    Failed,
    FetchReport,
    Finished,
    Received,
    Renewed,
    Retrying,
    Started,
    Unchanged,
)
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.fetch.records import Ask, Records
from geofence.lists.formats import parse_part
from geofence.lists.parsed import ParsedList
from geofence.model.lists import AcceptedList, DroppedAddress, ListId, ListKind
from geofence.model.policy import GRACE, Blocklist, NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family
from tests.fetch.test_dns import answering, of
from tests.lists.bodies import country_json, country_text
from tests.support.list_server import (
    CERTIFICATE,
    Handler,
    ListServer,
    Reply,
    bomb,
    content,
    cut_short,
    endless,
    redirect,
    silence,
    status,
    tagged,
)

JP = ListId(ListKind.COUNTRY, "JP")
US = ListId(ListKind.COUNTRY, "US")
DROP = ListId(ListKind.BLOCKLIST, "drop")
PUSH = ListId(ListKind.HOST, "push.example")
SIPS = ListId(ListKind.SRV, "_sips._tcp.provider.example")

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)

GOOD = country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"])


def fetch(
    limits: Limits,
    policy: Policy,
    *wanted: ListId,
    accepted: tuple[AcceptedList, ...] = (),
    now: datetime = NOON,
) -> FetchReport:
    at_hand = {each.id: each for each in accepted}
    return fetch_lists(wanted, policy, at_hand, lambda: now, limits=limits)


def countries(*urls: str) -> Policy:
    return Policy(country_urls=urls)


def accepted(report: FetchReport, wanted: ListId = JP) -> AcceptedList:
    outcome = report.outcomes[wanted]
    assert isinstance(outcome, Renewed), outcome
    return outcome.candidate.accepted


def why(report: FetchReport, wanted: ListId = JP) -> str:
    outcome = report.outcomes[wanted]
    assert isinstance(outcome, Failed), outcome
    return outcome.why


def failed(report: FetchReport) -> list[ListId]:
    return [wanted for wanted, each in report.outcomes.items() if isinstance(each, Failed)]


def texts(space: AddressSpace) -> list[str]:
    return [str(prefix) for family in Family for prefix in space[family].prefixes()]


@pytest.mark.parametrize("former_keys", [False, True])
def test_a_country_json_of_either_generation(
    server: ListServer, limits: Limits, former_keys: bool
) -> None:
    body = country_json("JP", ["192.0.2.0/24"], ["2001:db8::/32"], former_keys=former_keys)
    server.on("/jp.json", tagged(body, '"one"'))
    report = fetch(limits, countries(server.url("/{cc}.json")), JP)
    [candidate] = report.candidates
    assert texts(candidate.accepted.space) == ["192.0.2.0/24", "2001:db8::/32"]
    assert candidate.bodies == (body,)
    assert candidate.parsed.ipv4.entries == 1
    [part] = candidate.accepted.provenance
    assert (part.url, part.etag, part.family) == (server.url("/jp.json"), '"one"', None)
    assert part.fetched_at == part.checked_at == NOON


def test_the_format_is_stored_with_the_provenance(server: ListServer, limits: Limits) -> None:
    server.on("/jp", content(GOOD))
    [part] = accepted(fetch(limits, countries(server.url("/{cc}")), JP)).provenance
    assert part.format == "json"
    assert {
        part.format for part in accepted(fetch(limits, text_server(server), JP)).provenance
    } == {"text"}


def test_a_list_of_another_format_than_the_rules_give_is_refused(
    server: ListServer, limits: Limits
) -> None:
    url = server.on("/jp", content(GOOD))
    policy = replace(countries(server.url("/{cc}")), country_format="text")
    assert why(fetch(limits, policy, JP)) == (
        f"The list country JP could not be renewed: {url}: "
        "The source sent JSON instead of a text list."
    )


def test_a_format_that_the_rules_give_anew_needs_the_body_again(
    server: ListServer, limits: Limits
) -> None:
    """The stored body may be of another format, so its source is not asked whether it changed."""
    server.on("/jp", tagged(GOOD, '"one"'))
    policy = countries(server.url("/{cc}"))
    before = accepted(fetch(limits, policy, JP))
    unknown = replace(before, provenance=(replace(before.provenance[0], format=None),))
    given = replace(policy, country_format="json")
    for stored, asked in ((before, True), (unknown, False)):
        report = fetch(limits, given, JP, accepted=(stored,))
        assert isinstance(report.outcomes[JP], Unchanged)
        assert ("if-none-match" in server.requests[-1].headers) is asked
        assert report.unchanged[0].provenance[0].format == "json"
    assert isinstance(fetch(limits, policy, JP, accepted=(unknown,)).outcomes[JP], Unchanged)
    assert "if-none-match" in server.requests[-1].headers


def text_server(server: ListServer) -> Policy:
    ipv4, ipv6 = (
        country_text("JP", Family.IPV4, ["192.0.2.0/24"]),
        country_text("JP", Family.IPV6, ["2001:db8::/32"]),
    )
    server.on("/jp/ipv4.txt", tagged(ipv4, '"four"'))
    server.on("/jp/ipv6.txt", tagged(ipv6, '"six"'))
    return countries(server.url("/{cc}/{family}.txt"))


def test_a_country_as_two_text_lists(server: ListServer, limits: Limits) -> None:
    found = accepted(fetch(limits, text_server(server), JP))
    assert texts(found.space) == ["192.0.2.0/24", "2001:db8::/32"]
    assert [(part.family, part.etag) for part in found.provenance] == [
        (Family.IPV4, '"four"'),
        (Family.IPV6, '"six"'),
    ]


def test_a_confirmed_list_stays_and_is_checked_anew(server: ListServer, limits: Limits) -> None:
    for policy in (countries(server.url("/{cc}.json")), text_server(server)):
        server.on("/jp.json", tagged(GOOD, '"one"'))
        before = accepted(fetch(limits, policy, JP))
        report = fetch(limits, policy, JP, accepted=(before,), now=LATER)
        [unchanged] = report.unchanged
        assert unchanged.space == before.space
        assert {part.checked_at for part in unchanged.provenance} == {LATER}
        assert {part.fetched_at for part in unchanged.provenance} == {NOON}


def test_the_same_body_without_an_etag_is_unchanged(server: ListServer, limits: Limits) -> None:
    server.on("/jp.json", content(GOOD))
    policy = countries(server.url("/{cc}.json"))
    before = accepted(fetch(limits, policy, JP))
    report = fetch(limits, policy, JP, accepted=(before,), now=LATER)
    assert report.unchanged[0].checked_at == LATER


def test_an_etag_is_only_shown_to_the_url_it_came_from(server: ListServer, limits: Limits) -> None:
    server.on("/a/jp", status(404), tagged(GOOD, '"one"'))
    server.on("/b/jp", tagged(GOOD, '"one"'))
    policy = countries(server.url("/a/{cc}"), server.url("/b/{cc}"))
    before = accepted(fetch(limits, policy, JP))
    assert before.provenance[0].url == server.url("/b/jp")
    fetch(limits, policy, JP, accepted=(before,))
    assert "if-none-match" not in server.requests[-1].headers


def test_one_text_list_changes_and_the_other_does_not(server: ListServer, limits: Limits) -> None:
    policy = text_server(server)
    before = accepted(fetch(limits, policy, JP))
    changed = country_text("JP", Family.IPV4, ["198.51.100.0/24"])
    server.on("/jp/ipv4.txt", tagged(changed, '"four, new"'))
    report = fetch(limits, policy, JP, accepted=(before,))
    [candidate] = report.candidates
    assert texts(candidate.accepted.space) == ["198.51.100.0/24", "2001:db8::/32"]
    assert len(candidate.bodies) == 2


def test_a_country_without_ipv6_has_no_ipv6_list(server: ListServer, limits: Limits) -> None:
    policy = text_server(server)
    server.on("/jp/ipv6.txt", status(404))
    found = accepted(fetch(limits, policy, JP))
    assert texts(found.space) == ["192.0.2.0/24"]
    assert [part.family for part in found.provenance] == [Family.IPV4]
    assert fetch(limits, policy, JP, accepted=(found,)).unchanged


def test_ipv6_that_appears_or_goes_is_a_new_version(server: ListServer, limits: Limits) -> None:
    policy = text_server(server)
    both = accepted(fetch(limits, policy, JP))
    server.on("/jp/ipv6.txt", status(404))
    one = accepted(fetch(limits, policy, JP, accepted=(both,)))
    assert texts(one.space) == ["192.0.2.0/24"]
    text_server(server)
    assert accepted(fetch(limits, policy, JP, accepted=(one,))).space == both.space


@pytest.mark.parametrize("ipv6", [404, 200])
def test_a_place_must_have_an_ipv4_list(server: ListServer, limits: Limits, ipv6: int) -> None:
    policy = text_server(server)
    server.on("/jp/ipv4.txt", status(404))
    if ipv6 == 404:
        server.on("/jp/ipv6.txt", status(404))
    url = server.url("/jp/ipv4.txt")
    assert why(fetch(limits, policy, JP)) == (
        f"The list country JP could not be renewed: {url}: HTTP 404 (Not Found)."
    )


def test_a_failed_ipv6_list_is_not_a_missing_one(server: ListServer, limits: Limits) -> None:
    policy = text_server(server)
    server.on("/jp/ipv6.txt", status(500))
    assert "ipv6.txt: HTTP 500" in why(fetch(limits, policy, JP))


def test_mirrors_are_tried_in_order_and_no_further_than_needed(
    server: ListServer, limits: Limits
) -> None:
    server.on("/a/jp", status(404))
    server.on("/b/jp", content(b"<html>"))
    server.on("/c/jp", content(GOOD))
    server.on("/d/jp", content(GOOD))
    policy = countries(*(server.url(f"/{mirror}/{{cc}}") for mirror in "abcd"))
    assert accepted(fetch(limits, policy, JP)).provenance[0].url == server.url("/c/jp")
    assert [request.path for request in server.requests] == ["/a/jp", "/b/jp", "/c/jp"]


def test_the_failure_names_every_mirror_and_its_reason(server: ListServer, limits: Limits) -> None:
    server.on("/a/jp", status(404))
    server.on("/b/jp", content(country_json("US", ["192.0.2.0/24"])))
    policy = countries(server.url("/a/{cc}"), server.url("/b/{cc}"), "http://b.example/{cc}")
    assert why(fetch(limits, policy, JP)) == (
        "The list country JP could not be renewed: "
        f"{server.url('/a/jp')}: HTTP 404 (Not Found); "
        f"{server.url('/b/jp')}: The list is that of US, not of JP; "
        "http://b.example/jp: only https is allowed, and plain http only from loopback."
    )


BAD: dict[str, tuple[Reply, str]] = {
    "500": (status(500), "HTTP 500"),
    "404": (status(404), "HTTP 404"),
    "HTML": (content(b"<!DOCTYPE html><html>"), "HTML page instead of a list"),
    "half": (content(GOOD[: len(GOOD) // 2]), "was cut short"),
    "wrong country": (content(country_json("US", ["192.0.2.0/24"])), "is that of US, not of JP"),
    "no prefix": (content(country_json("JP", [])), "contains no prefix"),
    "plain http": (redirect("http://lists.example/jp"), "only https is"),
    "loop": (redirect("/jp"), "more than 5 redirects"),
    "endless": (endless(), "more than 1,048,576 bytes"),
    "bomb": (bomb(64 << 20), "more than 1,048,576 bytes"),
    "silence": (silence(), "sends nothing for"),
    "cut": (cut_short(GOOD, 1), "ended before the body was complete"),
    "host bits": (content(country_json("JP", ["192.0.2.1/24"])), 'Entry 1 of "prefixes.ipv4"'),
}


@pytest.mark.parametrize("case", BAD)
def test_one_bad_list_is_named_and_the_others_are_renewed(
    server: ListServer, limits: Limits, case: str
) -> None:
    reply, expected = BAD[case]
    url = server.on("/jp", reply)
    server.on("/us", content(country_json("US", ["198.51.100.0/24"])))
    quick = replace(limits, read=0.3, retries=1)
    report = fetch(quick, countries(server.url("/{cc}")), JP, US)
    assert why(report).startswith(f"The list country JP could not be renewed: {url}")
    assert expected in why(report)
    assert texts(accepted(report, US).space) == ["198.51.100.0/24"]
    assert failed(report) == [JP]


def test_a_bad_new_version_leaves_the_one_at_hand_alone(server: ListServer, limits: Limits) -> None:
    server.on("/jp", tagged(GOOD, '"one"'))
    policy = countries(server.url("/{cc}"))
    before = accepted(fetch(limits, policy, JP))
    server.on("/jp", content(b"<html>"))
    report = fetch(limits, policy, JP, accepted=(before,))
    assert JP in failed(report)
    assert not report.candidates
    assert not report.unchanged


def test_no_source_at_all(limits: Limits) -> None:
    report = fetch(limits, Policy(), JP, DROP)
    assert why(report).endswith("The rules have no source for it.")
    assert why(report, DROP).startswith("The list blocklist drop could not be renewed")


def test_a_blocklist_is_text_of_both_families(server: ListServer, limits: Limits) -> None:
    server.on("/drop", content(b"; DROP\n192.0.2.0/24 ; one\n2001:db8::/32 ; two\n"))
    policy = Policy(blocklists=(Blocklist("drop", urls=(server.url("/x"), server.url("/drop"))),))
    found = accepted(fetch(limits, policy, DROP), DROP)
    assert texts(found.space) == ["192.0.2.0/24", "2001:db8::/32"]


def test_more_lists_than_workers_and_each_once(server: ListServer, limits: Limits) -> None:
    codes = [f"{a}{b}" for a in "ABCDE" for b in "ABCDE"]
    for code in codes:
        server.on(f"/{code.lower()}", content(country_json(code, ["192.0.2.0/24"])))
    wanted = [ListId(ListKind.COUNTRY, code) for code in codes]
    report = fetch(limits, countries(server.url("/{cc}")), *wanted, *wanted)
    assert list(report.outcomes) == wanted
    assert len(report.candidates) == 25
    assert len(server.requests) == 25


def test_without_lists_the_report_is_empty(limits: Limits) -> None:
    assert fetch(limits, Policy()) == FetchReport({})


def test_lists_are_fetched_at_once(server: ListServer, limits: Limits) -> None:
    meeting = threading.Barrier(4)

    def meet(handler: Handler) -> None:
        meeting.wait(timeout=20)
        content(country_json(handler.path[1:].upper(), ["192.0.2.0/24"]))(handler)

    wanted = [ListId(ListKind.COUNTRY, code) for code in ("AA", "BB", "CC", "DD")]
    for each in wanted:
        server.on(f"/{each.name.lower()}", meet)
    report = fetch(replace(limits, read=30, body=60), countries(server.url("/{cc}")), *wanted)
    assert not failed(report)


def test_events_tell_the_story(server: ListServer, limits: Limits) -> None:
    server.on("/jp", status(503), content(GOOD))
    events: list[Event] = []
    policy = countries(server.url("/{cc}"))
    report = fetch_lists([JP], policy, {}, lambda: NOON, events.append, limits=limits)
    assert [type(event) for event in events] == [Started, Retrying, Received, Finished]
    assert events[2] == Received(JP, len(GOOD))
    assert events[-1] == Finished(JP, report.outcomes[JP])


def test_an_error_of_the_listener_ends_the_run(server: ListServer, limits: Limits) -> None:
    def stumble(_event: Event) -> None:
        raise KeyboardInterrupt

    server.on("/jp", content(GOOD))
    with pytest.raises(KeyboardInterrupt):
        fetch_lists([JP], countries(server.url("/{cc}")), {}, lambda: NOON, stumble, limits=limits)


def test_a_bug_in_a_worker_is_not_swallowed(server: ListServer, limits: Limits) -> None:
    def broken_clock() -> datetime:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch_lists([JP], countries(server.url("/{cc}")), {}, broken_clock, limits=limits)


def test_an_unexpected_exception_fails_its_list_only(
    server: ListServer, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(wanted: ListId, family: Family | None, body: bytes, given: str) -> ParsedList:
        some = body if wanted == US else int("token")
        return parse_part(wanted, family, some, given)  # type: ignore[arg-type]

    monkeypatch.setattr(sources, "parse_part", stumble)
    server.on("/jp", content(GOOD))
    server.on("/us", content(country_json("US", ["198.51.100.0/24"])))
    report = fetch(limits, countries(server.url("/{cc}")), JP, US)
    assert re.fullmatch(
        r"The list country JP could not be renewed: an unexpected ValueError "
        r"\(geofence/fetch/sources\.py:\d+\) occurred; please report this as a bug of geofence\.",
        why(report),
    )
    assert texts(accepted(report, US).space) == ["198.51.100.0/24"]


def test_lists_not_fetched_at_the_end_of_the_run_have_failed(
    server: ListServer, limits: Limits
) -> None:
    server.on("/jp", silence())
    server.on("/us", content(country_json("US", ["198.51.100.0/24"])))
    short = replace(limits, run=0.5, read=30, body=60)
    report = fetch(short, countries(server.url("/{cc}")), US, JP)
    assert why(report) == ("The list country JP was not fetched within the 0.5 seconds of the run.")
    assert US not in failed(report)


def resolved(
    ask: Ask,
    wanted: ListId = PUSH,
    known: AcceptedList | None = None,
    at: datetime = NOON,
    grace: timedelta = GRACE,
) -> FetchReport:
    """What a name's answer makes of its list."""
    trunk = NamedException("trunk", hosts=(PUSH.name,), srv=(SIPS.name,), grace=grace)
    rules = Policy(exceptions=(trunk,))
    stored = {} if known is None else {wanted: known}
    return fetch_lists([wanted], rules, stored, lambda: at, limits=Limits(run=60), ask=ask)


def test_a_host_is_a_list_of_its_addresses() -> None:
    ask = of(PUSH.name, "192.0.2.1", "2001:db8::1")
    [candidate] = resolved(ask).candidates
    assert texts(candidate.accepted.space) == ["192.0.2.1/32", "2001:db8::1/128"]
    [part] = candidate.accepted.provenance
    assert (part.url, part.ttl, part.dropped) == ("dns:push.example", 60, ())
    again = resolved(ask, known=candidate.accepted, at=LATER)
    assert isinstance(again.outcomes[PUSH], Unchanged)
    assert again.unchanged[0].checked_at == LATER


def test_srv_records_are_a_list_of_the_addresses_of_their_servers() -> None:
    ask = answering({SIPS.name: ["a.example", "b.example"], "a.example": ["192.0.2.1"]})
    known = accepted(resolved(ask, SIPS), SIPS)
    assert texts(known.space) == ["192.0.2.1/32"]
    assert known.provenance[0].url == "dns:_sips._tcp.provider.example"
    assert "has no SRV record" in why(resolved(answering({}), SIPS, known), SIPS)


def test_an_address_that_dns_no_longer_gives_stays_for_the_grace_time() -> None:
    known = accepted(resolved(of(PUSH.name, "192.0.2.1", "192.0.2.2")), PUSH)
    ask = of(PUSH.name, "192.0.2.3")
    known = accepted(resolved(ask, known=known, at=LATER), PUSH)
    assert texts(known.space) == ["192.0.2.1/32", "192.0.2.2/31"]
    assert known.provenance[0].dropped == (
        DroppedAddress("192.0.2.1", LATER),
        DroppedAddress("192.0.2.2", LATER),
    )
    over = resolved(ask, known=known, at=LATER + GRACE)
    assert texts(accepted(over, PUSH).space) == ["192.0.2.3/32"]
    longer = resolved(ask, known=known, at=LATER + GRACE, grace=2 * GRACE)
    assert isinstance(longer.outcomes[PUSH], Unchanged)


def test_an_answer_that_lacks_an_address_is_unchanged_and_begins_its_grace() -> None:
    known = accepted(resolved(of(PUSH.name, "192.0.2.1", "192.0.2.2")), PUSH)
    [confirmed] = resolved(of(PUSH.name, "192.0.2.2"), known=known, at=LATER).unchanged
    assert confirmed.space == known.space
    assert confirmed.provenance[0].dropped == (DroppedAddress("192.0.2.1", LATER),)


def test_addresses_that_dns_cannot_tell_now_stay() -> None:
    known = accepted(resolved(of(PUSH.name, "192.0.2.1", "2001:db8::1")), PUSH)
    ask = answering({PUSH.name: ["192.0.2.2"], f"{PUSH.name}/AAAA": Records(failure="SERVFAIL")})
    report = resolved(ask, known=known, at=LATER, grace=timedelta())
    assert texts(accepted(report, PUSH).space) == ["192.0.2.2/32", "2001:db8::1/128"]


def test_a_host_without_address_has_failed() -> None:
    assert why(resolved(answering({})), PUSH) == (
        "The list host push.example could not be renewed: "
        "DNS has no address for push.example. Is the name correct?"
    )


def test_many_lists_at_once_over_tls(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    """All workers share what is trusted."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    names = [ListId(ListKind.BLOCKLIST, f"list-{number}") for number in range(40)]
    with ListServer(tls=True) as tls:
        blocklists = tuple(
            Blocklist(each.name, urls=(tls.on(f"/{each.name}", content(b"192.0.2.0/24\n")),))
            for each in names
        )
        report = fetch(limits, Policy(blocklists=blocklists), *names)
    assert failed(report) == []
    assert len(report.candidates) == len(names)
