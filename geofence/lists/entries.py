"""Texts of prefixes, addresses and ranges to integers: in bulk, and one by one for the message.

The world's lists are a quarter of a million prefixes, so the bulk path leaves every loop to C:
each step below is one ``map`` over all entries. It accepts exactly what the careful path accepts
and says no more than that something is wrong; the careful path then finds which entry and why.
"""

from __future__ import annotations

import socket
import struct
from functools import partial
from operator import add, mod

from geofence.lists.parsed import Ranges
from geofence.model.prefixes import Family, address_text

Range = tuple[int, int]
"""A half-open range of addresses: first, past."""

_SIZES = {
    family: {f"{length}\n": 1 << (family.bits - length) for length in range(family.bits + 1)}
    for family in Family
}
"""Number of addresses by the text of a length and a line end: any other text is no key."""

_BETWEEN = "\n/"

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
    if not texts:
        return Ranges(family, [], [], [])
    try:
        joined = _BETWEEN.join(texts)
    except TypeError:
        return None
    ranges = _bulk(family, joined, canonical=canonical)
    # As many ranges as texts: so every line end is one of those put in here, and no text held two.
    return ranges if ranges is not None and len(ranges.sizes) == len(texts) else None


def bulk_lines(family: Family, lines: str) -> Ranges | None:
    """All lines of a text, if each is a prefix of the family and nothing else; else None."""
    return _bulk(family, lines.removesuffix("\n").replace("\n", _BETWEEN), canonical=False)


def _bulk(family: Family, joined: str, *, canonical: bool) -> Ranges | None:
    """Prefixes with a line end and a slash between them.

    One split at the slashes then gives addresses and lengths in turn, each length with the line
    end that closes it; so a line with no slash, or with two, gets out of turn and is found out.
    """
    tokens = f"{joined}\n".split("/")
    addresses, lengths = tokens[0::2], tokens[1::2]
    if len(addresses) != len(lengths):
        return None
    try:
        firsts = _addresses(family, addresses, canonical=canonical)
        sizes = list(map(_SIZES[family].__getitem__, lengths))
    except (OSError, ValueError, KeyError):
        return None
    if any(map(mod, firsts, sizes)):  # host bits: an address that no multiple of the size is
        return None
    return Ranges(family, firsts, list(map(add, firsts, sizes)), sizes)


def _addresses(family: Family, texts: list[str], *, canonical: bool) -> list[int]:
    """The addresses as integers.

    Raises:
        OSError: one is not an address.
        ValueError: one is not canonical, or holds what no address can.
    """
    packed = list(map(partial(socket.inet_pton, family.socket_family), texts))
    if family is Family.IPV4:
        return list(struct.unpack(f">{len(packed)}I", b"".join(packed)))
    if canonical and list(map(partial(socket.inet_ntop, socket.AF_INET6), packed)) != texts:
        raise ValueError("An address is not canonical.")
    from_bytes = int.from_bytes
    return [from_bytes(address) for address in packed]


def careful_prefix(family: Family, text: str, *, canonical: bool = False) -> Range:
    """One prefix, as ``bulk_prefixes`` takes it.

    Raises:
        ValueError: what is wrong with it, to follow the entry in a sentence.
    """
    address, slash, length = text.partition("/")
    first = _careful_address(family, address)
    if not slash:
        raise ValueError("has no prefix length")
    size = _SIZES[family].get(f"{length}\n")
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
