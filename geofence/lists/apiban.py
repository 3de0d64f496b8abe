"""The format ``apiban``: addresses that APIBAN reports page by page, and that live for a time.

A page is ``{"ipaddress": ["192.0.2.7", …], "ID": "1764120000"}``; the ID tells where the next page
begins. APIBAN never says that an address is clean again, so each is kept with the time when it was
last reported. What is stored is a text of geofence's own::

    # apiban 1764120000
    192.0.2.7 2026-11-26T03:20:00+00:00
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import cast

from geofence.errors import ListError
from geofence.lists.entries import careful_entry
from geofence.lists.format import Format
from geofence.lists.parsed import BadLine, ParsedList
from geofence.lists.tolerance import refuse_many, tolerant_list
from geofence.model.frozen import NamedTuple, dataclass, field, replace
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family
from geofence.translation import tr

NAME = "apiban"
START = "100"
"""The ID of the first page, by APIBAN's own clients."""
_CURSOR = re.compile(r"[0-9]{1,20}")
_HEAD = re.compile(rb"# apiban ([0-9]{1,20})\n")


@dataclass(frozen=True, slots=True)
class Reported:
    """The addresses of all pages so far."""

    cursor: str = START
    """The ID of the page to ask for next."""
    seen: Mapping[str, datetime] = field(default_factory=dict)
    """When each was last reported, UTC."""


class Page(NamedTuple):
    """One page."""

    addresses: tuple[str, ...]
    cursor: str
    """The ID of the next page; empty if this is the last."""
    skipped: tuple[BadLine, ...] = ()
    """Invalid addresses, by their place in the page."""


class Refusal(Enum):
    """Why APIBAN gives no page."""

    END = "end"
    """There is nothing new."""
    KEY = "key"
    """It does not know the key."""
    RATE = "rate"
    """It was asked too often."""
    OTHER = "other"


def read_page(body: bytes) -> Page:
    """Read one page.

    Raises:
        ListError: it is not one, or too many of its addresses are invalid.
    """
    found = _json(body)
    addresses, cursor = found.get("ipaddress"), found.get("ID")
    if cursor == "none":
        return Page((), "")
    if not isinstance(addresses, list) or not (isinstance(cursor, str) and _is_cursor(cursor)):
        raise ListError(
            tr("The source sent something else than a page of APIBAN, with ipaddress and ID.")
        )
    good: list[str] = []
    skipped: list[BadLine] = []
    for number, each in enumerate(addresses, start=1):
        entry = "".join((each if isinstance(each, str) else json.dumps(each)).split())
        try:
            careful_entry(entry, None)
        except ValueError as error:
            skipped.append(BadLine(number, str(error)))
        else:
            good.append(entry)
    refuse_many(skipped, len(addresses))
    return Page(tuple(good), cursor, tuple(skipped))


def read_refusal(status: int, body: bytes) -> Refusal:
    """Return what an answer with an HTTP status of failure means.

    APIBAN says 400 for "no more", for an unknown key and for too many requests alike.
    """
    found = _json(body)
    said, cursor = found.get("ipaddress"), found.get("ID")
    texts = {str(each).strip().lower() for each in (*_items(said), cursor)}
    if "unauthorized" in texts:
        return Refusal.KEY
    if "rate limit exceeded" in texts:
        return Refusal.RATE
    is_page = status == HTTPStatus.BAD_REQUEST and not body.lstrip().startswith(b"<")
    return Refusal.END if cursor == "none" or is_page else Refusal.OTHER


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_cursor(text: str) -> bool:
    return bool(_CURSOR.fullmatch(text))


def _json(body: bytes) -> dict[str, object]:
    """Return the object that a body holds; an empty one if it holds none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def written(reported: Reported) -> bytes:
    """Return the text to store."""
    lines = [f"{address} {seen.isoformat()}\n" for address, seen in reported.seen.items()]
    return f"# {NAME} {reported.cursor}\n{''.join(lines)}".encode()


def read(body: bytes) -> Reported:
    """Read what ``written`` returns.

    Raises:
        ListError: it is something else.
    """
    head = _HEAD.match(body)
    if head is None:
        raise ListError(tr("This is not a stored list of APIBAN."))
    try:
        lines = body[head.end() :].decode("ascii").splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines]
        seen = {address: _moment(text) for address, text in pairs}
    except ValueError as error:
        raise ListError(tr("The stored list of APIBAN is damaged.")) from error
    return Reported(head[1].decode(), seen)


def _moment(text: str) -> datetime:
    """Read a time.

    Raises:
        ValueError: it is not one, or does not tell its zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("A time must tell its zone.")
    return found


def _parse(_wanted: ListId, _family: Family | None, body: bytes) -> ParsedList:
    """Parse what is stored; see ``Format.parse``."""
    entries = list(read(body).seen)
    parsed = tolerant_list(entries, lambda: enumerate(entries, start=2))
    return replace(parsed, carried=body)


def _recognise(_body: bytes) -> bool:
    """Whether the body is known by its content: never, since a key is needed to get it."""
    return False


FORMAT = Format(NAME, frozenset({ListKind.BLOCKLIST}), False, _recognise, _parse)
