"""Parsing of prefixes, addresses and ranges: in bulk, and one by one for messages.

The world's lists are a quarter of a million prefixes, so the bulk path leaves every loop to C:
each step below is one ``map`` over all entries. It accepts exactly what the careful path accepts
but does not tell which entry is wrong and why; the careful path then does.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from itertools import repeat
from operator import add, mod

from geofence.errors import ListError
from geofence.lists.parsed import BadLine, Ranges
from geofence.model.prefixes import Family, address_text, unpack_addresses
from geofence.translation import tr

Range = tuple[int, int]
"""A half-open range of addresses: first, past."""

_SIZES = {
    family: {str(length): 1 << (family.bits - length) for length in range(family.bits + 1)}
    for family in Family
}
"""Number of addresses by the text of a prefix length; only valid texts are keys."""

_IN_ADDRESSES = b"0123456789abcdefABCDEF.:"
"""The characters of addresses and prefix lengths of either family."""

_CHUNK = 1 << 16
"""Characters parsed at a time: few enough that the results stay in the processor's cache, and that
their memory is used again."""
_PREFIXES = _CHUNK >> 4
"""Prefixes parsed at a time."""

_SHOWN = 60
"""Characters of an invalid entry that a message shows."""


def bulk_prefixes(family: Family, texts: list[str], *, canonical: bool = False) -> Ranges | None:
    """Return all entries, if each is a prefix of the family without host bits; else None.

    Args:
        family: the family that every prefix must have.
        texts: one prefix each, as ``192.0.2.0/24``. Entries that are no ``str`` are invalid, too,
            as JSON may have any.
        canonical: whether IPv6 must be written as RFC 5952 says. (``inet_pton`` takes only one
            spelling of an IPv4 address.)
    """
    ranges = Ranges(family)
    for at in range(0, len(texts), _PREFIXES):
        some = texts[at : at + _PREFIXES]
        try:
            lines = "\n".join(some)
        except TypeError:
            return None
        # As many ranges as texts: so every line end is one of those added here.
        if not _add(ranges, lines, canonical=canonical) or len(ranges.sizes) != at + len(some):
            return None
    return ranges


def bulk_lines(family: Family, lines: str) -> Ranges | None:
    """Return all lines of a text, if each is just a prefix of the family; else None."""
    ranges = Ranges(family)
    at, end = 0, len(lines.removesuffix("\n"))
    while at <= end:
        to = lines.find("\n", at + _CHUNK, end)
        to = end if to < 0 else to
        if not _add(ranges, lines[at:to], canonical=False):
            return None
        at = to + 1
    return ranges


def _add(ranges: Ranges, lines: str, *, canonical: bool) -> bool:
    """Add the prefix in each line; return whether there is exactly one in each.

    Without the characters of addresses and lengths, a slash and a line end must be left of each
    line. Then one split gives addresses and lengths in turn.
    """
    family = ranges.family
    if not _have_one_slash_each(lines):
        return False
    tokens = lines.replace("/", "\n").split("\n")
    addresses, lengths = tokens[0::2], tokens[1::2]
    try:
        firsts = _addresses(family, addresses, canonical=canonical)
        sizes = list(map(_SIZES[family].__getitem__, lengths))
    except (OSError, ValueError, KeyError):
        return False
    if any(map(mod, firsts, sizes)):  # host bits: the address is not a multiple of the size
        return False
    ranges.firsts.extend(firsts)
    ranges.pasts.extend(map(add, firsts, sizes))
    ranges.sizes.extend(sizes)
    return True


def _have_one_slash_each(lines: str) -> bool:
    left = lines.encode(errors="replace").translate(None, _IN_ADDRESSES)
    return left == (b"/\n" * (len(left) // 2 + 1))[:-1]


def _addresses(family: Family, texts: list[str], *, canonical: bool) -> list[int]:
    """Return the addresses as integers.

    Raises:
        OSError: one is not an address.
        ValueError: one is not canonical, or has characters that no address has.
    """
    packed = list(map(socket.inet_pton, repeat(family.socket_family), texts))
    if family is Family.IPV4:
        return unpack_addresses(family, b"".join(packed))
    if canonical:
        usual = map(socket.inet_ntop, repeat(socket.AF_INET6), packed)
        if list(usual) != texts:
            raise ValueError("An address is not canonical.")
    return list(map(int.from_bytes, packed))


def careful_prefix(family: Family, text: str, *, canonical: bool = False) -> Range:
    """Read one prefix, as ``bulk_prefixes`` takes it.

    Raises:
        ValueError: the entry is invalid; the message is a clause without a period.
    """
    return _careful_prefix(family, text, text, canonical=canonical)


def _careful_prefix(family: Family, text: str, entry: str, *, canonical: bool = False) -> Range:
    """Read one prefix; ``entry`` is what it is part of, for messages."""
    address, slash, length = text.partition("/")
    first = _careful_address(family, address, entry)
    size = _SIZES[family].get(length)
    if not slash:
        raise ValueError(tr("{entry} has no prefix length", entry=shown(entry)))
    if size is None:
        raise ValueError(
            tr(
                "{entry} has no prefix length from 0 to {longest}",
                entry=shown(entry),
                longest=family.bits,
            )
        )
    if first & (size - 1):
        meant = f"{address_text(family, first & -size)}/{length}"
        raise ValueError(
            tr(
                "{entry} has host bits set (the prefix would be {prefix})",
                entry=shown(entry),
                prefix=meant,
            )
        )
    usual = address_text(family, first)
    if canonical and address != usual:
        raise ValueError(
            tr(
                "{entry} is not in the usual form ({prefix})",
                entry=shown(entry),
                prefix=f"{usual}/{length}",
            )
        )
    return first, first + size


def careful_entry(text: str, family: Family | None) -> tuple[Family, Range]:
    """Read one prefix, single address or range ``a-b`` (both ends included).

    Args:
        text: the entry, stripped.
        family: the family that it must have; None allows both.

    Raises:
        ValueError: the entry is invalid; the message is a clause without a period.
    """
    mine = family or (Family.IPV6 if ":" in text else Family.IPV4)
    low, dash, high = text.partition("-")
    if not dash:
        prefix = text if "/" in text else f"{text}/{mine.bits}"
        return mine, _careful_prefix(mine, prefix, text)
    first = _careful_address(mine, low.rstrip(), text)
    last = _careful_address(mine, high.lstrip(), text)
    if last < first:
        raise ValueError(tr("{entry} is a range that ends before it begins", entry=shown(text)))
    return mine, (first, last + 1)


def bulk_entries(entries: list[str], family: Family | None) -> tuple[Ranges, Ranges] | None:
    """Return prefixes and single addresses, if each entry is a valid one; else None.

    Args:
        entries: stripped.
        family: the family that each must have; None allows both.
    """
    by_family: dict[Family, list[str]] = {Family.IPV4: [], Family.IPV6: []}
    if family is not None:
        by_family[family] = entries
    else:
        by_family[Family.IPV4] = [entry for entry in entries if ":" not in entry]
        by_family[Family.IPV6] = [entry for entry in entries if ":" in entry]
    ipv4, ipv6 = (bulk_prefixes(each, _with_lengths(each, by_family[each])) for each in Family)
    return None if ipv4 is None or ipv6 is None else (ipv4, ipv6)


def _with_lengths(family: Family, entries: list[str]) -> list[str]:
    """Return the entries with single addresses as prefixes of full length."""
    full = f"/{family.bits}"
    return [entry if "/" in entry else entry + full for entry in entries]


def careful_entries(
    numbered: Iterable[tuple[int, str]],
    family: Family | None,
    skipped: list[BadLine] | None = None,
) -> tuple[Ranges, Ranges]:
    """Read prefixes, single addresses and ranges one by one.

    Args:
        numbered: stripped, each with the number of its line.
        family: the family that each must have; None allows both.
        skipped: gets the invalid ones; None to stop at the first one.

    Raises:
        ListError: an entry is invalid, and they are not skipped.
    """
    found = {each: Ranges(each) for each in Family}
    for number, entry in numbered:
        try:
            mine, (first, past) = careful_entry(entry, family)
        except ValueError as error:
            bad = BadLine(number, str(error))
            if skipped is None:
                raise ListError(bad.sentence) from error
            skipped.append(bad)
        else:
            found[mine].append(first, past)
    return found[Family.IPV4], found[Family.IPV6]


def _careful_address(family: Family, text: str, entry: str) -> int:
    """Read an address; ``entry`` is what it is part of, for messages."""
    try:
        return int.from_bytes(socket.inet_pton(family.socket_family, text))
    except (OSError, ValueError):
        pass
    other = Family.IPV6 if family is Family.IPV4 else Family.IPV4
    try:
        socket.inet_pton(other.socket_family, text)
    except (OSError, ValueError):
        raise ValueError(
            tr("{entry} is not an {family} prefix", entry=shown(entry), family=family.label)
        ) from None
    raise ValueError(
        tr(
            "{entry} is {found}, but the list is for {wanted} only",
            entry=shown(entry),
            found=other.label,
            wanted=family.label,
        )
    )


def shown(entry: object) -> str:
    """Return an invalid entry as a message shows it: short, without control characters."""
    text = ascii(entry)
    if isinstance(entry, str):
        text = f'"{text[1:-1]}"'
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
