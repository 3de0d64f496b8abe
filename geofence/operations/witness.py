"""Single mirrors of a list: to compare them, and to have one confirm another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from geofence.fetch.events import Event, Outcome, Renewed
from geofence.guards.settling import agrees
from geofence.model.frozen import replace
from geofence.model.lists import AcceptedList, ListId
from geofence.model.policy import Blocklist, MirrorSource, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.site import Site
from geofence.state.backoff import load_busy
from geofence.state.mirrors import load_mirrors


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
    from geofence.fetch.places import signed_mirrors

    found: dict[ListId, Outcome] = {}
    names = tuple(wanted)
    through = [name for name in names if signed_mirrors(name, policy)]
    for some in (through, [name for name in names if name not in through]):
        if some:
            only = _only(policy, number, bool(through) and some is through)
            found |= _fetched_from(site, only, some, watch)
    return found


def _only(policy: Policy, number: int, through_mirrors: bool) -> Policy:
    """Return rules with one mirror of each list; signed mirrors come before the others."""
    signed = policy.mirror_source.urls if through_mirrors else ()
    if number < len(signed):
        one = policy.mirror_source._replace(urls=signed[number : number + 1], fallback=False)
        return replace(policy, mirror_source=one, blocklists=_asked_at_once(policy.blocklists))
    at = number - len(signed)
    blocklists = tuple(replace(each, urls=each.urls[at : at + 1]) for each in policy.blocklists)
    countries, asns = (urls[at : at + 1] for urls in (policy.country_urls, policy.asn_urls))
    return replace(
        policy,
        mirror_source=MirrorSource(),
        country_urls=countries,
        asn_urls=asns,
        blocklists=_asked_at_once(blocklists),
    )


def _asked_at_once(blocklists: Iterable[Blocklist]) -> tuple[Blocklist, ...]:
    return tuple(replace(each, refresh=None) for each in blocklists)


def _fetched_from(
    site: Site, policy: Policy, wanted: Iterable[ListId], watch: Callable[[Event], None]
) -> Mapping[ListId, Outcome]:
    from geofence.fetch.fetcher import fetch_lists
    from geofence.fetch.limits import Limits

    directory = site.state_directory
    report = fetch_lists(
        wanted,
        policy,
        {},
        lambda: datetime.now(UTC),
        watch,
        limits=Limits(body=site.patience),
        busy=load_busy(directory),
        mirrors=load_mirrors(directory),
    )
    return report.outcomes


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
    from geofence.fetch.places import all_mirrors, gave

    urls = {part.url for part in candidate.provenance}
    hosts = {_host(url) for url in urls}
    others = [
        (number, _host(mirror[0].url))
        for number, mirror in enumerate(all_mirrors(candidate.id, policy))
        if not gave(mirror, urls)
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
