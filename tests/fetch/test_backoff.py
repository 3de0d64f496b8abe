"""Hosts that ask to be left alone are."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from geofence.fetch.backoff import MOST, BusyHosts
from geofence.fetch.events import Failed, FetchReport, Renewed
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from tests.lists.bodies import country_json
from tests.support.list_server import ListServer, Reply, content, status

CODES = [f"{first}{second}" for first in "ABCDE" for second in "ABCDEF"]
LISTS = [ListId(ListKind.COUNTRY, code) for code in CODES]


def serve(server: ListServer, *replies: Reply) -> str:
    """The same replies for every country, or its list; a template."""
    for code in CODES:
        body = content(country_json(code, ["192.0.2.0/24"]))
        server.on(f"/{code.lower()}", *(replies or (body,)))
    return server.url("/{cc}")


def fetched(
    limits: Limits, *urls: str, busy: dict[str, datetime] | None = None, only: int = len(LISTS)
) -> FetchReport:
    policy = Policy(country_urls=urls)
    return fetch_lists(
        LISTS[:only], policy, {}, lambda: datetime.now(UTC), limits=limits, busy=busy
    )


def all_came(report: FetchReport) -> bool:
    return all(isinstance(each, Renewed) for each in report.outcomes.values())


@pytest.mark.parametrize(
    "answer",
    [
        status(429),
        status(429, retry_after="1800"),
        status(429, retry_after="5"),
        status(503, retry_after="1800"),
        status(503, retry_after="Wed, 21 Oct 2099 07:28:00 GMT"),
    ],
)
def test_after_one_refusal_the_other_lists_go_to_the_mirror(
    server: ListServer, limits: Limits, answer: Reply
) -> None:
    with ListServer() as mirror:
        first, second = serve(server, answer), serve(mirror)
        begun = time.monotonic()
        assert all_came(fetched(limits, first, second))
        assert time.monotonic() - begun < 5
    # Those that were on their way when the first answer came.
    assert len(server.requests) <= limits.workers


def test_with_one_worker_only_one_list_asks(server: ListServer, limits: Limits) -> None:
    with ListServer() as mirror:
        assert all_came(
            fetched(replace(limits, workers=1), serve(server, status(429)), serve(mirror))
        )
    assert len(server.requests) == 1


def test_a_busy_host_is_asked_again_where_no_mirror_has_the_list(
    server: ListServer, limits: Limits
) -> None:
    first = serve(server)
    body = content(country_json("AA", ["192.0.2.0/24"]))
    server.on("/aa", status(429, retry_after="0"), body)
    assert all_came(fetched(limits, first, server.url("/none/{cc}"), only=1))
    assert server.asked("/aa") == 2


def test_a_host_without_mirror_is_waited_for(server: ListServer, limits: Limits) -> None:
    first = serve(server)
    body = content(country_json("AA", ["192.0.2.0/24"]))
    server.on("/aa", status(429), status(429, retry_after="0"), body)
    assert all_came(fetched(limits, first, only=1))
    assert server.asked("/aa") == 3


def test_another_failure_of_a_list_does_not_keep_the_others_away(
    server: ListServer, limits: Limits
) -> None:
    first = serve(server)
    server.on("/aa", status(503))
    with ListServer() as mirror:
        assert all_came(fetched(limits, first, serve(mirror)))
        assert len(mirror.requests) == 1


def test_a_host_that_asked_an_earlier_run_is_left_alone(server: ListServer, limits: Limits) -> None:
    until = datetime.now(UTC) + timedelta(hours=2)
    host = f"127.0.0.1:{server.port}"
    with ListServer() as mirror:
        report = fetched(limits, serve(server), serve(mirror), busy={host: until})
    assert all_came(report)
    assert server.requests == []
    assert report.busy == {host: until}
    alone = fetched(limits, server.url("/{cc}"), busy={host: until}, only=1)
    [outcome] = alone.outcomes.values()
    assert isinstance(outcome, Failed)
    assert f"asked for a pause until {until:%Y-%m-%d %H:%M} UTC" in outcome.why
    assert server.requests == []


def test_a_requested_pause_is_kept_for_the_next_run(server: ListServer, limits: Limits) -> None:
    with ListServer() as mirror:
        first = serve(server, status(429, retry_after="1800"))
        report = fetched(limits, first, serve(mirror), only=1)
    left = report.busy[f"127.0.0.1:{server.port}"] - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)


def test_pauses_have_a_maximum() -> None:
    now = datetime.now(UTC)
    busy = BusyHosts({"old.example": now - timedelta(1), "far.example": now + timedelta(900)})
    busy.note("https://u:p@Lists.Example/jp", 1e12)
    busy.note("https://silent.example/jp", None)
    assert set(busy.told) == {"far.example", "lists.example"}
    assert all(until - now <= MOST + timedelta(seconds=9) for until in busy.told.values())
    assert busy.is_busy("https://silent.example/us")
    assert not busy.is_busy("https://old.example/")
