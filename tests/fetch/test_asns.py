"""Lists of AS numbers from a real server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from geofence.fetch.events import Failed, FetchReport, Renewed
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.state.lists import ListStore
from tests.lists.bodies import asn_json, asn_text
from tests.support.list_server import ListServer, content
from tests.support.values import space

OCN = ListId(ListKind.ASN, "4713")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def fetch(limits: Limits, policy: Policy) -> FetchReport:
    return fetch_lists([OCN], policy, {}, lambda: NOON, limits=limits)


def held(limits: Limits, policy: Policy) -> object:
    outcome = fetch(limits, policy).outcomes[OCN]
    return outcome.candidate.accepted.space if isinstance(outcome, Renewed) else outcome


def test_json(server: ListServer, limits: Limits, tmp_path: Path) -> None:
    body = asn_json(4713, ["192.0.2.0/24"], ["2001:db8::/32"])
    server.on("/as/4713/aggregated.json", content(body))
    policy = Policy(asn_urls=(server.url("/as/{asn}/aggregated.json"),))
    assert held(limits, policy) == space("192.0.2.0/24", "2001:db8::/32")
    [candidate] = fetch(limits, policy).candidates
    store = ListStore(tmp_path)
    store.save(candidate)
    assert store.ids() == (OCN,)
    assert store.load(OCN).accepted == candidate.accepted


def test_text_of_either_family_or_both(server: ListServer, limits: Limits) -> None:
    policy = Policy(asn_urls=(server.url("/{asn}-{family}.txt"),))
    outcome = held(limits, policy)
    assert isinstance(outcome, Failed)
    assert "/4713-ipv4.txt: HTTP 404" in outcome.why
    server.on("/4713-ipv6.txt", content(asn_text(4713, ["2001:db8::/32"])))
    assert held(limits, policy) == space("2001:db8::/32")
    server.on("/4713-ipv4.txt", content(asn_text(4713, ["192.0.2.0/24"])))
    assert held(limits, policy) == space("192.0.2.0/24", "2001:db8::/32")


def test_the_list_of_another_network_is_refused(server: ListServer, limits: Limits) -> None:
    url = server.on("/4713.json", content(asn_json(2914, ["192.0.2.0/24"])))
    outcome = held(limits, Policy(asn_urls=(server.url("/{asn}.json"),)))
    assert isinstance(outcome, Failed)
    assert outcome.why == (
        f"The list asn 4713 could not be renewed: {url}: The list is that of AS2914, not of AS4713."
    )


def test_without_a_source_it_cannot_be_fetched(limits: Limits) -> None:
    outcome = held(limits, Policy())
    assert isinstance(outcome, Failed)
    assert "The rules have no source for it" in outcome.why
