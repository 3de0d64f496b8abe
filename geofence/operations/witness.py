"""Single mirrors of a list: to compare them, and to have one confirm another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from geofence.fetch.events import Event, Outcome, Renewed
from geofence.guards.settling import agrees
from geofence.model.lists import AcceptedList, ListId
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.site import Site
from geofence.state.backoff import load_busy


def from_mirror(
    site: Site,
    policy: Policy,
    wanted: Iterable[ListId],
    number: int,
    watch: Callable[[Event], None],
) -> dict[ListId, Outcome]:
    """Fetch lists from one mirror each, as if it were the only one, and store nothing.

    Args:
        site: the installation.
        policy: the rules.
        wanted: lists that have so many mirrors.
        number: which mirror, from 0.
        watch: called with each event.
    """
    from geofence.fetch.fetcher import fetch_lists
    from geofence.fetch.limits import Limits

    blocklists = tuple(
        replace(each, urls=each.urls[number : number + 1], refresh=None)
        for each in policy.blocklists
    )
    countries, asns = (urls[number : number + 1] for urls in (policy.country_urls, policy.asn_urls))
    only = replace(policy, country_urls=countries, asn_urls=asns, blocklists=blocklists)
    limits, busy = Limits(body=site.patience), load_busy(site.state_directory)
    report = fetch_lists(
        wanted, only, {}, lambda: datetime.now(UTC), watch, limits=limits, busy=busy
    )
    return dict(report.outcomes)


def confirms(
    site: Site,
    policy: Policy,
    candidate: AcceptedList,
    before: AddressSpace,
    watch: Callable[[Event], None],
) -> str:
    """Return the host of another mirror that confirms a change of a list; empty if none does.

    Mirrors on other hosts are asked first, and others only where there is none.

    Args:
        site: the installation.
        policy: the rules.
        candidate: the version in question.
        before: the addresses of the version before it.
        watch: called with each event.
    """
    from geofence.fetch.sources import mirrors

    gave = {part.url for part in candidate.provenance}
    hosts = {_host(url) for url in gave}
    others = [
        (number, _host(mirror[0].url))
        for number, mirror in enumerate(mirrors(candidate.id, policy))
        if gave.isdisjoint(source.url for source in mirror)
    ]
    elsewhere = [each for each in others if each[1] not in hosts]
    for number, host in elsewhere or others:
        outcome = from_mirror(site, policy, [candidate.id], number, watch)[candidate.id]
        if isinstance(outcome, Renewed):
            witness = outcome.candidate.accepted.space
            return host if agrees(witness, before, candidate.space) else ""
    return ""


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or "localhost"
