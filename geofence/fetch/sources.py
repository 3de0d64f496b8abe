"""One list from its sources: mirrors in order, one body or one a family, or a host's addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from geofence.errors import ListError
from geofence.fetch.dns import Lookup, resolve
from geofence.fetch.events import Outcome, Renewed, Unchanged
from geofence.fetch.http import Body, BusyError, Client, Missing, NotModified
from geofence.fetch.urls import public
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate, ParsedList, joined
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family

DNS_SCHEME = "dns:"
"""Begins the URL in the provenance of a host's addresses."""


class Source(NamedTuple):
    """Where one body of a list is."""

    url: str
    family: Family | None
    """The family a text list is for; None for a body that holds both."""


Mirror = tuple[Source, ...]
"""The sources that together make up a list."""


class _Part(NamedTuple):
    provenance: Provenance
    body: bytes
    parsed: ParsedList


@dataclass(frozen=True, slots=True)
class Tools:
    """What fetching needs of the world."""

    client: Client
    now: datetime
    resolve_seconds: float
    lookup: Lookup
    patient: bool = True
    """Whether to wait for a host that asks to be left alone for a while."""


def mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    """Where a country list or a blocklist can be had, in the order to try."""
    if wanted.kind is ListKind.COUNTRY:
        return tuple(_country_mirror(template, wanted.name) for template in policy.country_urls)
    urls = (each.urls for each in policy.blocklists if each.name == wanted.name)
    return tuple((Source(url, None),) for mirror_urls in urls for url in mirror_urls)


def _country_mirror(template: str, code: str) -> Mirror:
    url = template.replace("{cc}", code.lower())
    if "{family}" not in url:
        return (Source(url, None),)
    return tuple(Source(url.replace("{family}", family), family) for family in Family)


def renew(wanted: ListId, policy: Policy, stored: AcceptedList | None, tools: Tools) -> Outcome:
    """Have a list confirmed or get a new version.

    Args:
        wanted: which list.
        policy: names its sources.
        stored: the version at hand.
        tools: what fetching needs of the world.

    Raises:
        ListError: no source gave it; names every source that was tried and why it did not do.
    """
    if wanted.kind is ListKind.HOST:
        return _renew_host(wanted, policy.within(wanted.name), stored, tools)
    known = mirrors(wanted, policy)
    problems: list[str] = []
    busy: list[Mirror] = []
    # Whoever is busy is left for the end: another mirror has the list now.
    for mirror, patient in _in_turn(known, busy):
        try:
            return _from_mirror(wanted, mirror, stored, replace(tools, patient=patient))
        except BusyError as error:
            if patient:
                problems.append(str(error).removesuffix("."))
            else:
                busy.append(mirror)
        except ListError as error:
            problems.append(str(error).removesuffix("."))
    if not problems:
        raise ListError("The rules name no source for it.")
    raise ListError("; ".join(problems) + ".")


def _in_turn(known: Sequence[Mirror], busy: list[Mirror]) -> Iterator[tuple[Mirror, bool]]:
    """Each mirror, and whether to be patient with it; then those that turned out to be busy."""
    alone = len(known) == 1
    yield from ((mirror, alone) for mirror in known)
    yield from ((mirror, True) for mirror in busy)


def _from_mirror(
    wanted: ListId, mirror: Mirror, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """The list from the sources of one mirror.

    Raises:
        ListError: a source did not give its body, or the body is not what it should be.
    """
    answers = {source: _ask(source, _etag(source, stored), mirror, tools) for source in mirror}
    present = {source: answer for source, answer in answers.items() if answer is not None}
    if stored is not None and _confirmed(present, stored):
        parts = tuple(replace(part, checked_at=tools.now) for part in stored.provenance)
        return Unchanged(replace(stored, provenance=parts))
    bodies = {
        source: answer if isinstance(answer, Body) else _whole(source, tools)
        for source, answer in present.items()
    }
    return _outcome(
        wanted, [_part(wanted, source, body, tools) for source, body in bodies.items()], stored
    )


def _ask(
    source: Source, etag: str | None, mirror: Mirror, tools: Tools
) -> Body | NotModified | None:
    """What a source answers; None where it is right that there is no such body.

    Several places have no IPv6 prefix at all, and their publisher then has no such text list.

    Raises:
        ListError: the source did not give its body.
    """
    answer = tools.client.get(source.url, etag, patient=tools.patient)
    if not isinstance(answer, Missing):
        return answer
    if source.family is Family.IPV6 and len(mirror) > 1:
        return None
    raise ListError(answer.problem)


def _etag(source: Source, stored: AcceptedList | None) -> str | None:
    """The ETag of the body at hand, if it came from this source."""
    parts = () if stored is None else stored.provenance
    return next((part.etag for part in parts if _source(part) == source), None)


def _source(part: Provenance) -> Source:
    return Source(part.url, part.family)


def _confirmed(present: Mapping[Source, Body | NotModified], stored: AcceptedList) -> bool:
    """Whether every part of the list at hand, and no other, was confirmed."""
    same = [_source(part) for part in stored.provenance] == list(present)
    return same and all(isinstance(answer, NotModified) for answer in present.values())


def _whole(source: Source, tools: Tools) -> Body:
    """A body that is unchanged, in full, as the list's other part has changed.

    Raises:
        ListError: the source did not give it.
    """
    answer = tools.client.get(source.url, patient=tools.patient)
    if isinstance(answer, Body):
        return answer
    raise ListError(f"{public(source.url)} first confirmed its list and then did not have it.")


def _part(wanted: ListId, source: Source, body: Body, tools: Tools) -> _Part:
    """A body, checked.

    Raises:
        ListError: it is not what it should be.
    """
    try:
        parsed = parse_part(wanted, source.family, body.content)
    except ListError as error:
        raise ListError(f"{public(source.url)}: {error}") from error
    provenance = Provenance(
        url=source.url,
        etag=body.etag,
        sha256=hashlib.sha256(body.content).hexdigest(),
        fetched_at=tools.now,
        checked_at=tools.now,
        family=source.family,
    )
    return _Part(provenance, body.content, parsed)


def _outcome(wanted: ListId, parts: list[_Part], stored: AcceptedList | None) -> Outcome:
    """A candidate, unless the very same bodies are at hand."""
    parsed = parts[0].parsed if len(parts) == 1 else joined(part.parsed for part in parts)
    accepted = AcceptedList(wanted, parsed.space, tuple(part.provenance for part in parts))
    if stored is not None and _hashes(accepted) == _hashes(stored):
        return Unchanged(accepted)
    return Renewed(Candidate(accepted, tuple(part.body for part in parts), parsed))


def _hashes(accepted: AcceptedList) -> list[tuple[Family | None, str]]:
    return [(part.family, part.sha256) for part in accepted.provenance]


def _renew_host(
    wanted: ListId, within: AddressSpace | None, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """A host's addresses, kept as a text list.

    Raises:
        ListError: DNS does not give them, or gives what must not be used.
    """
    resolution = resolve(wanted.name, tools.resolve_seconds, tools.lookup, within)
    ipv4 = _known(resolution.ipv4, Family.IPV4, stored)
    ipv6 = _known(resolution.ipv6, Family.IPV6, stored)
    body = "".join(f"{line}\n" for line in (*ipv4, *ipv6)).encode()
    source = Source(f"{DNS_SCHEME}{wanted.name}", None)
    return _outcome(wanted, [_part(wanted, source, Body(body, None), tools)], stored)


def _known(
    resolved: tuple[str, ...] | None, family: Family, stored: AcceptedList | None
) -> Sequence[str]:
    """The addresses of one family; those at hand where DNS could not tell."""
    if resolved is not None:
        return resolved
    return [] if stored is None else [str(prefix) for prefix in stored.space[family].prefixes()]
