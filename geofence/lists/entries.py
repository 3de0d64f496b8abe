"""Texts of prefixes, addresses and ranges to integers: in bulk, and one by one for the message.

The world's lists are a quarter of a million prefixes, so the bulk path leaves every loop to C:
each step below is one ``map`` over all entries. It accepts exactly what the careful path accepts
and says no more than that something is wrong; the careful path then finds which entry and why.
"""

from __future__ import annotations

import socket
from itertools import repeat
from operator import add, mod

from geofence.lists.parsed import Ranges
from geofence.model.prefixes import Family, address_text, unpack_addresses

Range = tuple[int, int]
"""A half-open range of addresses: first, past."""

_SIZES = {
    family: {str(length): 1 << (family.bits - length) for length in range(family.bits + 1)}
    for family in Family
}
"""Number of addresses by the text of a prefix length: any other text is no key."""

_IN_ADDRESSES = b"0123456789abcdefABCDEF.:"
"""What an address and a prefix length are made of, in either family."""

_CHUNK = 1 << 16
"""Characters taken apart at a time: so few that what comes of it stays in the processor's cache,
and that its memory serves the next as well."""
_PREFIXES = _CHUNK >> 4
"""As many, in prefixes."""

_SHOWN = 60
"""Characters of an offending entry that a message shows."""


def bulk_prefixes(family: Family, texts: list[str], *, canonical: bool = False) -> Ranges | None:
    """All entries, if each is a prefix of the family without host bits; else None.

    Args:
        family: what every prefix must be of.
        texts: one prefix each, as ``192.0.2.0/24``. What is no ``str`` is a wrong entry, too, as
            JSON may hold anything.
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
        # As many ranges as texts: so every line end is one of those put in here.
        if not _add(ranges, lines, canonical=canonical) or len(ranges.sizes) != at + len(some):
            return None
    return ranges


def bulk_lines(family: Family, lines: str) -> Ranges | None:
    """All lines of a text, if each is a prefix of the family and nothing else; else None."""
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
    """Add the prefix in each line; whether there is just one in each.

    Without what addresses and lengths are made of, a slash and a line end must be left of each
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
    if any(map(mod, firsts, sizes)):  # host bits: an address that no multiple of the size is
        return False
    ranges.firsts.extend(firsts)
    ranges.pasts.extend(map(add, firsts, sizes))
    ranges.sizes.extend(sizes)
    return True


def _have_one_slash_each(lines: str) -> bool:
    left = lines.encode(errors="replace").translate(None, _IN_ADDRESSES)
    return left == (b"/\n" * (len(left) // 2 + 1))[:-1]


def _addresses(family: Family, texts: list[str], *, canonical: bool) -> list[int]:
    """The addresses as integers.

    Raises:
        OSError: one is not an address.
        ValueError: one is not canonical, or holds what no address can.
    """
    packed = list(map(socket.inet_pton, repeat(family.socket_family), texts))
    if canonical and family is Family.IPV6:
        usual = map(socket.inet_ntop, repeat(socket.AF_INET6), packed)
        if list(usual) != texts:
            raise ValueError("An address is not canonical.")
    return unpack_addresses(family, b"".join(packed))


def careful_prefix(family: Family, text: str, *, canonical: bool = False) -> Range:
    """One prefix, as ``bulk_prefixes`` takes it.

    Raises:
        ValueError: what is wrong with it, to follow the entry in a sentence.
    """
    address, slash, length = text.partition("/")
    first = _careful_address(family, address)
    if not slash:
        raise ValueError("has no prefix length")
    size = _SIZES[family].get(length)
    if size is None:
        raise ValueError(f"has no prefix length between 0 and {family.bits}")
    if first & (size - 1):
        meant = address_text(family, first & -size)
        raise ValueError(f"has host bits set (the prefix would be {meant}/{length})")
    usual = address_text(family, first)
    if canonical and address != usual:
        raise ValueError(f"is not in its usual form ({usual}/{length})")
    return first, first + size


def careful_entry(text: str, family: Family | None) -> tuple[Family, Range]:
    """One prefix, single address or range ``a-b`` (both ends included).

    Args:
        text: the entry, stripped.
        family: what it must be of; None takes either.

    Raises:
        ValueError: what is wrong with it, to follow the entry in a sentence.
    """
    mine = family or (Family.IPV6 if ":" in text else Family.IPV4)
    low, dash, high = text.partition("-")
    if not dash:
        return mine, careful_prefix(mine, text if "/" in text else f"{text}/{mine.bits}")
    first = _careful_address(mine, low.rstrip())
    last = _careful_address(mine, high.lstrip())
    if last < first:
        raise ValueError("is a range that ends before it begins")
    return mine, (first, last + 1)


def _careful_address(family: Family, text: str) -> int:
    try:
        return int.from_bytes(socket.inet_pton(family.socket_family, text))
    except (OSError, ValueError):
        pass
    other = Family.IPV6 if family is Family.IPV4 else Family.IPV4
    try:
        socket.inet_pton(other.socket_family, text)
    except (OSError, ValueError):
        raise ValueError(f"is no {_spelled(family)} prefix") from None
    raise ValueError(f"is {_spelled(other)}, where only {_spelled(family)} belongs")


def _spelled(family: Family) -> str:
    return "IPv4" if family is Family.IPV4 else "IPv6"


def shown(entry: object) -> str:
    """An offending entry as a message may show it: short, and without control characters."""
    text = ascii(entry)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
