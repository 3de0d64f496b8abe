"""Fetching of one list from its sources: mirrors in order, or DNS for a name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from geofence.errors import ListError
from geofence.fetch.dns import resolve, resolve_srv
from geofence.fetch.events import Outcome, Renewed, Unchanged
from geofence.fetch.grace import settle
from geofence.fetch.http import Body, Client, Missing, NotModified, PauseError
from geofence.fetch.questions import Ask
from geofence.fetch.urls import public
from geofence.lists.formats import format_of, parse_part
from geofence.lists.parsed import Candidate, ParsedList, joined
from geofence.model.lists import MOST_ADDRESSES, AcceptedList, ListId, ListKind, Provenance
from geofence.model.policy import Policy
from geofence.model.prefixes import Family, address_text
from geofence.translation import clause, join, sentence, tr

DNS_SCHEME = "dns:"
"""Begins the URL in the provenance of a name's addresses."""


class Source(NamedTuple):
    """Where one body of a list is."""

    url: str
    family: Family | None
    """The family that the body is for; None for a body with both."""
    format: str | None = None
    """Name of the body's format; None to find it out."""


Mirror = tuple[Source, ...]
"""The sources that make up a list together."""


class _Part(NamedTuple):
    provenance: Provenance
    body: bytes
    parsed: ParsedList


@dataclass(frozen=True, slots=True)
class Tools:
    """What fetching needs besides the rules."""

    client: Client
    now: datetime
    resolve_seconds: float
    ask: Ask
    patient: bool = True
    """Whether to wait for a host that asks for a pause."""


def mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    """Return the mirrors of a country list or a blocklist, in the order to try."""
    if wanted.kind is ListKind.COUNTRY:
        known, code = policy.country_format, wanted.name
        return tuple(_country_mirror(template, code, known) for template in policy.country_urls)
    blocklists = (each for each in policy.blocklists if each.name == wanted.name)
    return tuple((Source(url, None, each.format),) for each in blocklists for url in each.urls)


def _country_mirror(template: str, code: str, known: str | None) -> Mirror:
    url = template.replace("{cc}", code.lower())
    if "{family}" not in url:
        return (Source(url, None, known),)
    return tuple(Source(url.replace("{family}", family), family, known) for family in Family)


def renew(wanted: ListId, policy: Policy, stored: AcceptedList | None, tools: Tools) -> Outcome:
    """Have a list confirmed by its source, or get a new version.

    Args:
        wanted: which list.
        policy: has its sources.
        stored: the stored version.
        tools: what fetching needs besides the rules.

    Raises:
        ListError: no source gave it; names every source that was tried, and what was wrong.
    """
    if wanted.kind.is_from_dns:
        return _renew_name(wanted, policy, stored, tools)
    known = mirrors(wanted, policy)
    problems: list[str] = []
    busy: list[Mirror] = []
    # Busy hosts come last: another mirror may have the list now.
    for mirror, patient in _in_turn(known, busy):
        try:
            return _from_mirror(wanted, mirror, stored, replace(tools, patient=patient))
        except PauseError as error:
            if patient:
                problems.append(clause(str(error)))
            else:
                busy.append(mirror)
        except ListError as error:
            problems.append(clause(str(error)))
    if not problems:
        raise ListError(tr("The rules have no source for it."))
    raise ListError(sentence(join("; ", problems)))


def _in_turn(known: Sequence[Mirror], busy: list[Mirror]) -> Iterator[tuple[Mirror, bool]]:
    """Yield each mirror, and whether to wait for it; then those that turned out to be busy."""
    alone = len(known) == 1
    yield from ((mirror, alone) for mirror in known)
    yield from ((mirror, True) for mirror in busy)


def _from_mirror(
    wanted: ListId, mirror: Mirror, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """Return the list from the sources of one mirror.

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
    """Return what a source answers; None if it is right that there is no such body.

    Some countries have no IPv6 prefix, and their publisher then has no such text list.

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
    """Return the ETag of the stored body, if it came from this source."""
    parts = () if stored is None else stored.provenance
    return next((part.etag for part in parts if _is_from(part, source)), None)


def _is_from(part: Provenance, source: Source) -> bool:
    """Whether a stored body came from a source, and in the format that the rules give it."""
    if source.format is not None and source.format != part.format:
        return False
    return (part.url, part.family) == (source.url, source.family)


def _confirmed(present: Mapping[Source, Body | NotModified], stored: AcceptedList) -> bool:
    """Whether every part of the stored list, and no other, was confirmed."""
    same = len(stored.provenance) == len(present) and all(map(_is_from, stored.provenance, present))
    return same and all(isinstance(answer, NotModified) for answer in present.values())


def _whole(source: Source, tools: Tools) -> Body:
    """Fetch an unchanged body in full, because the list's other part has changed.

    Raises:
        ListError: the source did not give it.
    """
    answer = tools.client.get(source.url, patient=tools.patient)
    if isinstance(answer, Body):
        return answer
    raise ListError(
        tr(
            "{url}: the server said that the list is unchanged, and then did not send it.",
            url=public(source.url),
        )
    )


def _part(wanted: ListId, source: Source, body: Body, tools: Tools) -> _Part:
    """Check and parse a body.

    Raises:
        ListError: it is not what it should be.
    """
    try:
        known = format_of(wanted.kind, body.content, source.format).name
        parsed = parse_part(wanted, source.family, body.content, known)
    except ListError as error:
        raise ListError(join(": ", (public(source.url), str(error)))) from error
    provenance = Provenance(
        url=source.url,
        etag=body.etag,
        sha256=hashlib.sha256(body.content).hexdigest(),
        fetched_at=tools.now,
        checked_at=tools.now,
        family=source.family,
        format=known,
    )
    return _Part(provenance, body.content, parsed)


def _outcome(wanted: ListId, parts: list[_Part], stored: AcceptedList | None) -> Outcome:
    """Return a candidate; an unchanged list if the same bodies are stored."""
    parsed = joined(part.parsed for part in parts)
    accepted = AcceptedList(wanted, parsed.space, tuple(part.provenance for part in parts))
    if stored is not None and _hashes(accepted) == _hashes(stored) and parsed.space == stored.space:
        return Unchanged(accepted)
    return Renewed(Candidate(accepted, tuple(part.body for part in parts), parsed))


def _hashes(accepted: AcceptedList) -> list[tuple[Family | None, str]]:
    return [(part.family, part.sha256) for part in accepted.provenance]


def _renew_name(
    wanted: ListId, policy: Policy, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """Resolve a name; its addresses are stored as a text list.

    Raises:
        ListError: DNS does not give them, or gives addresses that must not be used.
    """
    resolver = resolve_srv if wanted.kind is ListKind.SRV else resolve
    answer = resolver(wanted.name, tools.resolve_seconds, tools.ask, policy.within(wanted))
    allowed = settle(_known(stored), answer, tools.now, policy.grace(wanted))
    body = "".join(f"{line}\n" for line in allowed.addresses).encode()
    source = Source(f"{DNS_SCHEME}{wanted.name}", None)
    part = _part(wanted, source, Body(body, None), tools)
    provenance = replace(part.provenance, ttl=answer.ttl, dropped=allowed.dropped)
    return _outcome(wanted, [part._replace(provenance=provenance)], stored)


def _known(stored: AcceptedList | None) -> dict[str, datetime | None]:
    """Return the addresses that a name stands for, and since when answers lack them."""
    if stored is None:
        return {}
    dropped = {each.address: each.since for part in stored.provenance for each in part.dropped}
    found = (
        address_text(family, address)
        for family in Family
        for bounds in stored.space[family].intervals()
        for address in range(*bounds)
    )
    return {text: dropped.get(text) for text in islice(found, MOST_ADDRESSES)}
