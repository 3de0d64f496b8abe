"""Feeds of exceptions: what of a body is kept, and whether a stored one was read alike."""

from __future__ import annotations

from geofence.errors import ListError
from geofence.fetch.answers import Body
from geofence.fetch.urls import public
from geofence.lists import feed
from geofence.lists.parsed import Candidate
from geofence.lists.sniff import looks_like_json
from geofence.model.frozen import replace
from geofence.model.lists import AcceptedList
from geofence.translation import join, tr


def kept(body: Body, url: str, paths: tuple[str, ...]) -> Body:
    """Return what is stored of a feed: the prefixes of JSON, or a text list as it is.

    Args:
        body: as received.
        url: where it came from, for messages.
        paths: where the prefixes are in its JSON; empty: anywhere.

    Raises:
        ListError: it is not such a feed.
    """
    if paths and not looks_like_json(body.content):
        why = tr("The source sent no JSON, but the rules have paths in JSON.")
        raise ListError(join(": ", (public(url), why)))
    try:
        found = feed.extracted(body.content, paths) if looks_like_json(body.content) else None
    except ListError as error:
        raise ListError(join(": ", (public(url), str(error)))) from error
    return body if found is None else replace(body, content=found)


def is_read_alike(stored: AcceptedList, paths: tuple[str, ...]) -> bool:
    """Whether a stored feed was read by the same paths, so that its source may confirm it."""
    if all(part.format == feed.NAME for part in stored.provenance):
        return feed.paths_of(stored.carried) == paths
    return not paths


def require_alike(found: Candidate, paths: tuple[str, ...], url: str) -> None:
    """See that a mirror has read a feed by the paths of the rules here.

    Raises:
        ListError: it has not, so it may have other addresses than are meant.
    """
    if not is_read_alike(replace(found.accepted, carried=found.parsed.carried), paths):
        why = tr(
            "The mirror has read the list {list} by other paths than the rules here have.",
            list=found.accepted.id,
        )
        raise ListError(join(": ", (public(url), why)))
