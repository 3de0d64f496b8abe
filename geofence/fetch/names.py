"""The list of a name in DNS: its addresses, as text, with those that stay for the grace time."""

from __future__ import annotations

import hashlib
from datetime import datetime
from itertools import islice

from geofence.fetch.dns import resolver
from geofence.fetch.events import Outcome, Renewed, Unchanged
from geofence.fetch.grace import settle
from geofence.fetch.records import Ask
from geofence.lists import text
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate
from geofence.model.lists import MOST_ADDRESSES, AcceptedList, ListId, Provenance
from geofence.model.policy import Policy
from geofence.model.prefixes import Family, address_text

_SCHEME = "dns:"
"""Begins the URL in the provenance of a name's addresses."""


def renew_name(  # noqa: PLR0913 - what DNS is asked, and with what
    wanted: ListId,
    policy: Policy,
    stored: AcceptedList | None,
    ask: Ask,
    *,
    seconds: float,
    now: datetime,
) -> Outcome:
    """Resolve a name.

    Args:
        wanted: which list.
        policy: tells how long an address stays, and where it must lie.
        stored: the stored version.
        ask: asks DNS.
        seconds: how long all questions may take together.
        now: the time, UTC.

    Raises:
        ListError: DNS does not give addresses, or gives some that must not be used.
    """
    answer = resolver(wanted.kind)(wanted.name, seconds, ask, policy.within(wanted))
    allowed = settle(_known(stored), answer, now, policy.grace(wanted))
    body = "".join(f"{line}\n" for line in allowed.addresses).encode()
    parsed = parse_part(wanted, None, body, text.FORMAT.name)
    sha256 = hashlib.sha256(body).hexdigest()
    provenance = Provenance(
        f"{_SCHEME}{wanted.name}",
        None,
        sha256,
        fetched_at=now,
        checked_at=now,
        format=text.FORMAT.name,
        ttl=answer.ttl,
        dropped=allowed.dropped,
    )
    accepted = AcceptedList(wanted, parsed.space, (provenance,))
    if stored is not None and [part.sha256 for part in stored.provenance] == [sha256]:
        return Unchanged(accepted)
    return Renewed(Candidate(accepted, (body,), parsed))


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
    return {each: dropped.get(each) for each in islice(found, MOST_ADDRESSES)}
