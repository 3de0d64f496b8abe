"""Fetching of APIBAN's pages, from where the last run stopped."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from http import HTTPStatus

from geofence.errors import ListError
from geofence.fetch.answers import Body, Rejected
from geofence.fetch.http import Client
from geofence.fetch.urls import public
from geofence.lists.apiban import START, Page, Refusal, Reported, read_page, read_refusal
from geofence.lists.parsed import BadLine
from geofence.translation import join, tr

MOST_PAGES = 1_000
"""Of 250 addresses each: more than twice what the largest lists of attackers have."""
_ANSWERS = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""Statuses that may mean that there is no more page."""


def collect(  # noqa: PLR0913 - the source, what is known, and when
    url: str,
    key: str,
    known: Reported,
    keep: timedelta,
    *,
    client: Client,
    now: datetime,
    patient: bool = True,
) -> tuple[Reported, tuple[BadLine, ...]]:
    """Return what is known with all new pages, less what was reported too long ago.

    Args:
        url: of the API.
        key: of the operator's account.
        known: what earlier runs got.
        keep: how long an address stays after it was reported.
        client: for the requests.
        now: the time, UTC.
        patient: whether to wait if the host asks for a pause.

    Returns:
        The addresses, and those of the new pages that were invalid.

    Raises:
        ListError: a page could not be fetched, or there are too many.
    """
    seen = {address: when for address, when in known.seen.items() if now - when <= keep}
    cursor = known.cursor if seen else START
    skipped: list[BadLine] = []
    size, deadline = 0, time.monotonic() + client.limits.body
    for _ in range(MOST_PAGES):
        body = _ask(url, key, cursor, client, patient=patient)
        page = Page((), "") if body is None else _read(url, body)
        size += len(body or b"")
        seen.update(dict.fromkeys(page.addresses, now))
        skipped += page.skipped
        if page.cursor in ("", cursor):
            return Reported(cursor, seen), tuple(skipped)
        cursor = page.cursor
        if size > client.limits.size or time.monotonic() > deadline:
            break
    raise ListError(tr("{url}: the pages do not end.", url=public(url)))


def _ask(url: str, key: str, cursor: str, client: Client, *, patient: bool) -> bytes | None:
    """Return a page; None if there is no more.

    Raises:
        ListError: the source gives none.
    """
    page = f"{url.rstrip('/')}/{key}/banned/{cursor}"
    answer = client.get(page, patient=patient, secret=key, answers=_ANSWERS)
    if isinstance(answer, Body):
        return answer.content
    if not isinstance(answer, Rejected):
        raise ListError(tr("{url}: the answer is not a page.", url=public(url)))
    match read_refusal(answer.status, answer.content):
        case Refusal.END:
            return None
        case Refusal.KEY:
            raise ListError(tr("{url}: the source does not know your key.", url=public(url)))
        case Refusal.RATE:
            raise ListError(
                tr("{url}: the source was asked too often with your key.", url=public(url))
            )
    raise ListError(answer.problem)


def _read(url: str, body: bytes) -> Page:
    try:
        return read_page(body)
    except ListError as error:
        raise ListError(join(": ", (public(url), str(error)))) from error
