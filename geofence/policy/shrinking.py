"""``[guard.shrink]``: how much lists may lose at once."""

from __future__ import annotations

from collections.abc import Collection

from geofence.model.lists import ListId, ListKind
from geofence.policy.asns import asn
from geofence.policy.countries import country_code
from geofence.policy.mistakes import Mistake
from geofence.policy.references import blocklist_name, exception_name
from geofence.policy.table_reader import Section
from geofence.spelling import nearest, quoted
from geofence.translation import tr


def shrink_limits(
    shrink: Section, blocklists: Collection[str], exceptions: Collection[str]
) -> dict[str, float]:
    """Return percentages by the names of lists, and by kinds for all of their lists.

    Args:
        shrink: the table.
        blocklists: names of those that the rules define.
        exceptions: the same.
    """
    limits: dict[str, float] = {}
    for key in shrink:
        limit = shrink.percent(key)
        try:
            wanted = _list_name(key, blocklists, exceptions)
        except Mistake as mistake:
            shrink.complain(mistake, key)
            continue
        if wanted in limits:
            again = tr("{list} is repeated", list=wanted)
            shrink.complain(Mistake(again, tr("each list only once")), key)
        limits[wanted] = limit
    return limits


_KINDS = (ListKind.COUNTRY, ListKind.ASN, ListKind.BLOCKLIST, ListKind.FEED)
"""Kinds of lists that have a shrink guard; a host name may resolve to other addresses entirely."""


def _list_name(text: str, blocklists: Collection[str], exceptions: Collection[str]) -> str:
    """Read ``country JP``, ``asn 4713``, ``blocklist NAME`` or ``feed NAME``, or a kind for all."""
    kind, blank, name = text.partition(" ")
    if kind not in _KINDS:
        expected = tr(
            '"country JP", "asn 4713", "blocklist NAME" or "feed NAME"; a kind alone stands for '
            "all its lists"
        )
        wrong = tr("{value} is not the name of a list", value=quoted(text))
        raise Mistake(wrong, expected, *nearest(kind, _KINDS))
    if not blank:
        return kind
    if kind == ListKind.COUNTRY:
        return str(ListId(ListKind.COUNTRY, country_code(name)))
    if kind == ListKind.ASN:
        return str(ListId(ListKind.ASN, str(asn(name))))
    if kind == ListKind.FEED:
        return str(ListId(ListKind.FEED, exception_name(exceptions)(name)))
    return str(ListId(ListKind.BLOCKLIST, blocklist_name(blocklists)(name)))
