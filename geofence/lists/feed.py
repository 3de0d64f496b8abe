"""Feeds: the addresses of a provider as it publishes them for programs, in JSON of any shape.

Where they are is told by paths, such as ``media[].prefix``: keys joined by dots, ``[]`` for the
elements of an array, ``*`` for all keys. Without paths, every prefix and address anywhere in the
document is taken::

    {"version": "2026-05-25", "media": [{"prefix": "192.0.2.0/24"}, {"prefix": "2001:db8::/48"}]}

What was read is stored in a form of its own, the format ``feed``, so that a stored list does not
depend on the paths of today's rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import cast

from geofence.errors import ListError
from geofence.lists.entries import careful_entries, careful_entry, shown
from geofence.lists.format import Format
from geofence.lists.json_body import loaded
from geofence.lists.parsed import ParsedList, parsed_list
from geofence.lists.sniff import looks_like_json
from geofence.model.frozen import replace
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.spelling import quoted
from geofence.translation import tr

NAME = "feed"
_PREFIXES, _PATHS = "prefixes", "paths"
_EACH, _ANY = "[]", "*"
_PREFIX_LIKE = re.compile(
    r"(?:[0-9]{1,4}(?:\.[0-9]{1,4}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f.]{0,15}){2,8})/[0-9]{1,3}"
)
"""A text that is meant as a prefix, right or wrong."""


def extracted(body: bytes, paths: Iterable[str] = ()) -> bytes:
    """Return a feed's prefixes in the form in which they are stored.

    Args:
        body: the JSON as received.
        paths: where they are; none: anywhere.

    Raises:
        ListError: the body is not JSON, or has no prefix where they should be, or something else.
    """
    known = tuple(paths)
    document = loaded(body)
    found = [each for path in known for each in _at(document, path)]
    prefixes = found if known else list(_anywhere(document))
    if not prefixes:
        raise ListError(tr("The list contains no prefix."))
    return json.dumps({_PATHS: known, _PREFIXES: list(dict.fromkeys(prefixes))}).encode()


def paths_of(carried: bytes) -> tuple[str, ...]:
    """Return the paths by which a stored list was read."""
    return tuple(carried.decode().splitlines())


def parse_feed(body: bytes) -> ParsedList:
    """Return the prefixes of a feed as it is stored; ``carried`` are the paths.

    Raises:
        ListError: an entry is not a prefix or an address, or there are none.
    """
    document = loaded(body)
    stored = cast("dict[str, list[str]]", document) if _is_stored(document) else None
    if stored is None:
        raise ListError(tr("The list is not what was read of a feed."))
    if not stored[_PREFIXES]:
        raise ListError(tr("The list contains no prefix."))
    ranges = careful_entries(enumerate(stored[_PREFIXES], start=1), None)
    return replace(parsed_list(*ranges), carried="\n".join(stored[_PATHS]).encode())


def _is_stored(document: object) -> bool:
    """Whether a document is what ``extracted`` returns."""
    if not isinstance(document, dict) or document.keys() != {_PATHS, _PREFIXES}:
        return False
    parts = document.values()
    return all(isinstance(p, list) and all(isinstance(e, str) for e in p) for p in parts)


def _at(document: object, path: str) -> Iterator[str]:
    """Yield the prefixes at a path.

    An element without the key is passed over, as providers have ``ipv4Prefix`` in some and
    ``ipv6Prefix`` in others; a path that leads to nothing at all is an error.

    Raises:
        ListError: something else than a prefix or an address is there, or nothing.
    """
    nodes: list[object] = [document]
    for step in path.split("."):
        nodes = [inner for node in nodes for inner in _step(node, step)]
    if not nodes:
        raise ListError(tr("The list has nothing at {path}.", path=quoted(path)))
    for node in nodes:
        yield _prefix(node, path)


def _step(node: object, step: str) -> Iterator[object]:
    """Yield what is one step below a node: a key, perhaps with ``[]`` after it."""
    key, arrays = step.rstrip(_EACH), step.count(_EACH)
    found: list[object] = [node]
    if key == _ANY:
        found = list(node.values()) if isinstance(node, dict) else []
    elif key:
        found = [node[key]] if isinstance(node, dict) and key in node else []
    for _ in range(arrays):
        found = [element for each in found if isinstance(each, list) for element in each]
    yield from found


def _prefix(node: object, path: str) -> str:
    if isinstance(node, str) and _is_entry(node.strip()):
        return node.strip()
    if isinstance(node, list):
        raise ListError(
            tr(
                "At {path} the list has an array; write {meant}.",
                path=quoted(path),
                meant=quoted(f"{path}[]"),
            )
        )
    raise ListError(
        tr(
            "At {path} the list has {entry}, which is not a prefix or an address.",
            path=quoted(path),
            entry=shown(node),
        )
    )


def _anywhere(document: object) -> Iterator[str]:
    """Yield each prefix and address in a document, whatever its keys.

    Raises:
        ListError: a text is meant as a prefix and is invalid.
    """
    nodes = [document]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            nodes.extend(reversed(node.values()))
        elif isinstance(node, list):
            nodes.extend(reversed(node))
        elif isinstance(node, str) and (text := node.strip()):
            if _is_entry(text):
                yield text
            elif _PREFIX_LIKE.fullmatch(text):
                raise ListError(tr("{entry} is not a valid prefix.", entry=shown(text)))


def _is_entry(text: str) -> bool:
    """Whether a text is a prefix without host bits, or an address."""
    try:
        careful_entry(text, None)
    except ValueError:
        return False
    return "-" not in text


def _parse(_wanted: ListId, _family: Family | None, body: bytes) -> ParsedList:
    """Parse a feed as it is stored; see ``Format.parse``."""
    return parse_feed(body)


FORMAT = Format(NAME, frozenset({ListKind.FEED}), False, looks_like_json, _parse)
