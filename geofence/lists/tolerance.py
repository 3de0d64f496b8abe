"""Tolerance for a few invalid entries of a blocklist, and for IPv4 addresses written as IPv6."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from geofence.errors import ListError
from geofence.lists.entries import bulk_entries, careful_entries
from geofence.lists.parsed import BadLine, ParsedList, Ranges, parsed_list
from geofence.translation import join, tr, trn

FEW_BAD_LINES = 5
"""Invalid lines that any blocklist may have, if more are valid."""
BAD_LINES_PERCENT = 1
"""Share of its entries that may be invalid in a long blocklist."""

_MAPPED = 0xFFFF << 32
"""``::ffff:0:0``: an IPv4 address written as IPv6 (RFC 4291, 2.5.5.2), as dual-stack daemons do."""
_MAPPED_SIZE = 1 << 32


def tolerant_list(
    entries: list[str],
    numbered: Callable[[], Iterable[tuple[int, str]]],
    *,
    unfinished: int | None = None,
) -> ParsedList:
    """Return the list of these prefixes, addresses and ranges; a few may be invalid.

    Args:
        entries: stripped.
        numbered: gives the same with the numbers of their lines, if one is invalid or a range.
        unfinished: the number of a last line without its end, which may be cut off; None if the
            format shows in another way that the list is whole.

    Raises:
        ListError: too many are invalid, or the last one looks cut off.
    """
    skipped: list[BadLine] = []
    found = bulk_entries(entries, None) or careful_entries(numbered(), None, skipped)
    refuse_many(skipped, len(entries), unfinished)
    take_mapped(*found)
    return parsed_list(*found, skipped)


def refuse_many(skipped: list[BadLine], entries: int, unfinished: int | None = None) -> None:
    """Refuse a blocklist with too many invalid lines.

    Args:
        skipped: the invalid ones.
        entries: the number of all, these among them.
        unfinished: see ``tolerant_list``.

    Raises:
        ListError: there are too many, or the last one looks cut off.
    """
    if not skipped:
        return
    right = entries - len(skipped)
    allowed = max(FEW_BAD_LINES, entries * BAD_LINES_PERCENT // 100)
    if right == 0 or len(skipped) > min(allowed, right):
        raise ListError(_too_many(skipped, entries))
    if skipped[-1].number == unfinished:
        raise ListError(tr("The list was cut short: {line}.", line=str(skipped[-1])))


def _too_many(skipped: list[BadLine], entries: int) -> str:
    """Return the first invalid line, and how many more there are."""
    more = len(skipped) - 1
    if not more:
        return skipped[0].sentence
    others = trn(
        more,
        "{number} more of its {entries} entries is invalid, too.",
        "{number} more of its {entries} entries are invalid, too.",
        entries=f"{entries:,}",
    )
    return join(" ", (skipped[0].sentence, others))


def take_mapped(ipv4: Ranges, ipv6: Ranges) -> None:
    """Move IPv4 addresses written as IPv6 to IPv4.

    The whole of ``::ffff:0:0/96`` is left as it is: a list with it means that form of address,
    which no packet has, and not all of IPv4.
    """
    for first, past in ipv6.moved(_MAPPED, _MAPPED + _MAPPED_SIZE):
        if past - first == _MAPPED_SIZE:
            ipv6.append(first, past)
        else:
            ipv4.append(first - _MAPPED, past - _MAPPED)
