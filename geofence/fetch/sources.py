"""Fetching of one list from its sources: mirrors in order, or DNS for a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from geofence.errors import ListError
from geofence.fetch.answers import Body, Missing, NotModified, PauseError, Rejected
from geofence.fetch.apiban import collect
from geofence.fetch.checksums import MOST_BYTES, require_match
from geofence.fetch.databases import Database, Databases, Extract
from geofence.fetch.events import Fresh, Outcome, Renewed, Unchanged
from geofence.fetch.feeds import is_read_alike, kept, require_alike
from geofence.fetch.files import files_in, is_local, read_list
from geofence.fetch.http import Client
from geofence.fetch.keys import read_key
from geofence.fetch.mirror import Indexes, body_of, confirmed, entry_of, is_stored
from geofence.fetch.places import Mirror, Source, mirrors
from geofence.fetch.records import Ask
from geofence.fetch.unpacking import unpacked
from geofence.fetch.urls import public
from geofence.lists import apiban
from geofence.lists.formats import format_of, parse_part
from geofence.lists.parsed import Candidate, ParsedList, joined
from geofence.model.changes import sharing
from geofence.model.digest import sha256_of
from geofence.model.frozen import NamedTuple, dataclass, replace
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.policy import Blocklist, Policy
from geofence.model.prefixes import Family
from geofence.translation import clause, join, sentence, tr


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
    databases: Databases
    """Those of the run."""
    indexes: Indexes
    """Of the signed mirrors of the run."""
    most: int
    """Bytes that a file may have, unpacked."""
    patient: bool = True
    """Whether to wait for a host that asks for a pause."""


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
        from geofence.fetch.names import renew_name  # dnspython takes long to import

        return renew_name(
            wanted, policy, stored, tools.ask, seconds=tools.resolve_seconds, now=tools.now
        )
    known = mirrors(wanted, policy)
    blocklist = policy.blocklist(wanted)
    if wanted.kind is ListKind.FEED and stored is not None:
        stored = stored if is_read_alike(stored, policy.source(wanted).paths) else None
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


def _from_signed(
    wanted: ListId, mirror: Mirror, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """Return the list from a signed mirror.

    Raises:
        ListError: the mirror does not have it, or cannot be verified.
    """
    (source,) = mirror
    url, patient = source.url, tools.patient
    index = tools.indexes.ask(url, tools.client, tools.now, patient=patient)
    entry = entry_of(index, wanted, url)
    if stored is not None and is_stored(entry, stored):
        return Unchanged(confirmed(entry, stored, url, tools.now))
    parts = []
    for each in entry.parts:
        body = Body(body_of(each, url, tools.client, patient=patient), None)
        place = Source(f"{url}{each.path}", each.family, each.format)
        part = _part(wanted, place, body, tools)
        there = min(entry.checked_at, tools.now)
        provenance = replace(
            part.provenance,
            checked_at=there,
            published_at=each.published_at,
            copyright=each.copyright,
        )
        parts.append(part._replace(provenance=provenance))
    found = _outcome(wanted, parts, stored)
    if wanted.kind is ListKind.FEED and isinstance(found, Renewed):
        require_alike(found.candidate, source.paths, url)
    return found


def _from_mirror(
    wanted: ListId, mirror: Mirror, stored: AcceptedList | None, tools: Tools
) -> Outcome:
    """Return the list from the sources of one mirror.

    Raises:
        ListError: a source did not give its body, or the body is not what it should be.
    """
    if mirror[0].signed:
        return _from_signed(wanted, mirror, stored, tools)
    parts = _parts(mirror)
    answers = {source: _ask(wanted, source, stored, tools) for source in parts}
    problem = _missing(wanted, answers)
    if problem:
        raise ListError(problem)
    present = {source: each for source, each in answers.items() if not isinstance(each, Missing)}
    if stored is not None and _confirmed(present, stored):
        return Unchanged(stored.confirmed(tools.now))
    bodies = {
        source: _whole(wanted, source, tools) if isinstance(answer, NotModified) else answer
        for source, answer in present.items()
    }
    return _outcome(
        wanted, [_part(wanted, source, body, tools) for source, body in bodies.items()], stored
    )


def _parts(mirror: Mirror) -> Mirror:
    """Return the sources of a mirror; a directory's files in its place.

    Raises:
        ListError: a directory cannot be read or trusted.
    """
    return tuple(part for source in mirror for part in _files_of(source))


def _files_of(source: Source) -> Mirror:
    if not (is_local(source.url) and source.url.endswith("/")):
        return (source,)
    return tuple(source._replace(url=path) for path in files_in(source.url))


def _ask(
    wanted: ListId, source: Source, stored: AcceptedList | None, tools: Tools
) -> Body | Extract | NotModified | Missing:
    """Return what a source answers.

    Raises:
        ListError: the source did not give its body.
    """
    if source.database:
        return _from_database(wanted, source, tools)
    answer = _get(source, _etag(source, stored), tools)
    if wanted.kind is ListKind.FEED and isinstance(answer, Body):
        return kept(answer, source.url, source.paths)
    return answer


def _from_database(
    wanted: ListId, source: Source, tools: Tools, *, whole: bool = False
) -> Extract | NotModified:
    """Return a country's list from a database.

    Raises:
        ListError: the source did not give the database, or it does not have the country.
    """

    def fetch(etag: str | None) -> Body | NotModified:
        answer = _get(source, etag, tools)
        if isinstance(answer, Missing):
            raise ListError(answer.problem)
        return answer

    database = Database(source.url, source.family, source.format)
    return tools.databases.ask(wanted.name, database, fetch, whole=whole)


def _get(source: Source, etag: str | None, tools: Tools) -> Body | NotModified | Missing:
    """Get a body, compare it with its checksum, and unpack it.

    Raises:
        ListError: the source did not give it, or it does not match its checksum.
    """
    answer = _read(source.url, etag, tools, tools.most)
    if isinstance(answer, Body) and source.checksum is not None:
        beside = _read(source.checksum, None, tools, MOST_BYTES)
        if not isinstance(beside, Body):
            why = beside.problem if isinstance(beside, Missing) else public(source.checksum)
            raise ListError(
                tr(
                    "{url}: its checksum could not be fetched ({reason}).",
                    url=public(source.url),
                    reason=clause(why),
                )
            )
        require_match(answer.content, source.url, beside.content, source.checksum)
    return _unpacked(source, answer, tools) if isinstance(answer, Body) else answer


def _unpacked(source: Source, body: Body, tools: Tools) -> Body:
    try:
        return replace(body, content=unpacked(body.content, tools.most))
    except ListError as error:
        raise ListError(join(": ", (public(source.url), str(error)))) from error


def _read(url: str, etag: str | None, tools: Tools, most: int) -> Body | NotModified | Missing:
    if is_local(url):
        return read_list(url, most)
    answer = tools.client.get(url, etag, patient=tools.patient)
    if isinstance(answer, Rejected):
        raise ListError(answer.problem)
    return answer


def _missing(
    wanted: ListId, answers: Mapping[Source, Body | Extract | NotModified | Missing]
) -> str:
    """Return why a body that is missing is needed; empty if it is right that there is none.

    Some countries have no IPv6 prefix, and their publisher then has no such text list. An
    autonomous system may have prefixes of either family only.
    """
    absent = {source: each for source, each in answers.items() if isinstance(each, Missing)}
    optional = (Family.IPV6,) if wanted.kind is ListKind.COUNTRY else tuple(Family)
    some = len(absent) < len(answers)
    needed = [each for source, each in absent.items() if not (some and source.family in optional)]
    return needed[0].problem if needed else ""


def _etag(source: Source, stored: AcceptedList | None) -> str | None:
    """Return the ETag of the stored body, if it came from this source."""
    parts = () if stored is None else stored.provenance
    return next((part.etag for part in parts if _is_from(part, source)), None)


def _is_from(part: Provenance, source: Source) -> bool:
    """Whether a stored body came from a source, and in the format that the rules give it."""
    if source.format is not None and source.format != part.format:
        return False
    return (part.url, part.family) == (source.url, source.family)


def _confirmed(
    present: Mapping[Source, Body | Extract | NotModified], stored: AcceptedList
) -> bool:
    """Whether every part of the stored list, and no other, was confirmed."""
    same = len(stored.provenance) == len(present) and all(map(_is_from, stored.provenance, present))
    return same and all(isinstance(answer, NotModified) for answer in present.values())


def _whole(wanted: ListId, source: Source, tools: Tools) -> Body | Extract:
    """Fetch an unchanged body in full, because the list's other part has changed.

    Raises:
        ListError: the source did not give it.
    """
    answer: Body | Extract | NotModified | Missing
    if source.database:
        answer = _from_database(wanted, source, tools, whole=True)
    else:
        answer = _get(source, None, tools)
    if isinstance(answer, Body | Extract):
        return answer
    raise ListError(
        tr(
            "{url}: the server said that the list is unchanged, and then did not send it.",
            url=public(source.url),
        )
    )


def _part(wanted: ListId, source: Source, body: Body | Extract, tools: Tools) -> _Part:
    """Check and parse a body.

    Raises:
        ListError: it is not what it should be.
    """
    try:
        given = body.format if isinstance(body, Extract) else source.format
        known = format_of(wanted.kind, body.content, given).name
        parsed = parse_part(wanted, source.family, body.content, known)
    except ListError as error:
        raise ListError(join(": ", (public(source.url), str(error)))) from error
    provenance = Provenance(
        url=source.url,
        etag=body.etag,
        sha256=body.sha256 if isinstance(body, Extract) else _hash(body.content),
        fetched_at=tools.now,
        checked_at=tools.now,
        family=source.family,
        format=known,
        published_at=parsed.publication.at,
        copyright=parsed.publication.copyright,
    )
    return _Part(provenance, body.content, parsed)


def _hash(content: bytes) -> str:
    return sha256_of(content)


def _outcome(wanted: ListId, parts: list[_Part], stored: AcceptedList | None) -> Outcome:
    """Return a candidate; an unchanged list if the same bodies are stored."""
    parsed = joined(part.parsed for part in parts)
    if stored is not None:
        parsed = replace(parsed, space=sharing(parsed.space, stored.space))
    accepted = AcceptedList(wanted, parsed.space, tuple(part.provenance for part in parts))
    if stored is not None and _hashes(accepted) == _hashes(stored) and parsed.space == stored.space:
        return Unchanged(accepted)
    return Renewed(Candidate(accepted, tuple(part.body for part in parts), parsed))


def _hashes(accepted: AcceptedList) -> list[tuple[Family | None, str]]:
    return [(part.family, part.sha256) for part in accepted.provenance]
