"""Fetching of one list from its sources: mirrors in order, or DNS for a host name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from geofence.errors import ListError
from geofence.fetch.apiban import collect
from geofence.fetch.dns import Lookup, resolve
from geofence.fetch.events import Fresh, Outcome, Renewed, Unchanged
from geofence.fetch.http import Body, Client, NotModified, PauseError
from geofence.fetch.keys import read_key
from geofence.fetch.unpacking import unpacked
from geofence.fetch.urls import public
from geofence.lists import apiban
from geofence.lists.formats import format_of, parse_part
from geofence.lists.parsed import Candidate, ParsedList, joined
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.policy import Blocklist, Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.translation import clause, join, sentence, tr

DNS_SCHEME = "dns:"
"""Begins the URL in the provenance of a host's addresses."""


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
    lookup: Lookup
    patient: bool = True
    """Whether to wait for a host that asks for a pause."""


def mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    """Return the mirrors of a country list or a blocklist, in the order to try."""
    if wanted.kind is ListKind.COUNTRY:
        known, code = policy.country_format, wanted.name
        return tuple(_country_mirror(template, code, known) for template in policy.country_urls)
    blocklist = policy.blocklist(wanted)
    if blocklist is None:
        return ()
    if blocklist.parts:
        return (tuple(Source(url, None, blocklist.format) for url in blocklist.parts),)
    return tuple((Source(url, None, blocklist.format),) for url in blocklist.urls)


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
    if wanted.kind is ListKind.HOST:
        return _renew_host(wanted, policy.within(wanted.name), stored, tools)
    known = mirrors(wanted, policy)
    blocklist = policy.blocklist(wanted)
    if stored is not None and blocklist is not None and _is_fresh(blocklist, known, stored, tools):
        return Fresh(stored)
    reported = blocklist is not None and blocklist.format == apiban.NAME
    ask = partial(_from_pages, blocklist) if blocklist and reported else _from_mirror
    problems: list[str] = []
    busy: list[Mirror] = []
    # Busy hosts come last: another mirror may have the list now.
    for mirror, patient in _in_turn(known, busy):
        try:
            return ask(wanted, mirror, stored, replace(tools, patient=patient))
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


def _is_fresh(
    blocklist: Blocklist, known: Sequence[Mirror], stored: AcceptedList, tools: Tools
) -> bool:
    """Whether one of the sources gave or confirmed the list too short a time ago to be asked."""
    passed = tools.now - stored.checked_at
    if blocklist.refresh is None or not timedelta() <= passed < blocklist.refresh:
        return False
    parts = stored.provenance
    return any(len(m) == len(parts) and all(map(_is_from, parts, m)) for m in known)


def _from_pages(
    blocklist: Blocklist, wanted: ListId, mirror: Mirror, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """Add what a source reports anew to a list whose addresses live for a time.

    Raises:
        ListError: the key cannot be read, or the source did not give its pages.
    """
    (source,) = mirror
    known = stored if stored is not None and _is_from(stored.provenance[0], source) else None
    before = apiban.read(known.carried) if known is not None else apiban.Reported()
    found, skipped = collect(
        source.url,
        read_key(blocklist.key_file),
        before,
        blocklist.keep,
        client=tools.client,
        now=tools.now,
        patient=tools.patient,
    )
    part = _part(wanted, source, Body(apiban.written(found), None), tools)
    outcome = _outcome(
        wanted, [part._replace(parsed=replace(part.parsed, skipped=skipped))], stored
    )
    if isinstance(outcome, Renewed) and known is not None:
        expired = known.space - outcome.candidate.accepted.space
        return Renewed(replace(outcome.candidate, expired=expired))
    return outcome


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
    if isinstance(answer, Body):
        return _unpacked(source, answer, tools)
    if isinstance(answer, NotModified):
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
        return _unpacked(source, answer, tools)
    raise ListError(
        tr(
            "{url}: the server said that the list is unchanged, and then did not send it.",
            url=public(source.url),
        )
    )


def _unpacked(source: Source, body: Body, tools: Tools) -> Body:
    """Return a body, decompressed if it is a gzip file itself.

    Raises:
        ListError: it is a damaged one.
    """
    try:
        return replace(body, content=unpacked(body.content, tools.client.limits.size))
    except ListError as error:
        raise ListError(join(": ", (public(source.url), str(error)))) from error


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
        published_at=parsed.publication.at,
        copyright=parsed.publication.copyright,
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


def _renew_host(
    wanted: ListId, within: AddressSpace | None, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """Resolve a host name; its addresses are stored as a text list.

    Raises:
        ListError: DNS does not give them, or gives addresses that must not be used.
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
    """Return the addresses of one family; the stored ones if DNS could not tell."""
    if resolved is not None:
        return resolved
    return [] if stored is None else [str(prefix) for prefix in stored.space[family].prefixes()]
