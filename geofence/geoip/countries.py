"""Countries: their codes, their names, and how many addresses they have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.spelling import nearest

DATA = Path(__file__).parents[1] / "data" / "countries.tsv"
SITE = 1 << (128 - 48)
"""Addresses in a /48, the unit of the table's IPv6 sizes."""
_SIZES_ARE_OF = "# sizes: "
"""Begins the line of the table that gives the source and the date of the sizes."""


class Country(NamedTuple):
    """A country, or a territory with a code of its own."""

    code: str
    """ISO 3166-1 alpha-2."""
    code3: str
    """ISO 3166-1 alpha-3; only understood in order to suggest the code that rules take."""
    ipv4: int | None
    """Number of IPv4 addresses, to two digits; None without a list."""
    ipv6: int | None
    """Number of IPv6 addresses, to two digits; None without a list."""
    name: str
    other_words: tuple[str, ...]
    """Other names, codes of languages, and codes that other lists use."""


class _Table(NamedTuple):
    countries: Mapping[str, Country]
    """By code."""
    by_word: Mapping[str, str]
    """Codes by three-letter code, by name and by other words."""
    sizes_are_of: str
    """Source and date of the sizes."""


def countries() -> Mapping[str, Country]:
    """Return all countries by their codes."""
    return _table().countries


def country_name(code: str) -> str:
    """Return the English name of a country; the code itself if it is unknown."""
    country = countries().get(code.upper())
    return country.name if country else code


def known_size(code: str, family: Family) -> int | None:
    """Return a country's number of addresses, to two digits; None for a code without a list."""
    country = countries().get(code)
    if country is None:
        return None
    return country.ipv4 if family is Family.IPV4 else country.ipv6


def sizes_are_of() -> str:
    """Return the source and the date of the sizes."""
    return _table().sizes_are_of


def country_meant(text: str) -> str | None:
    """Return the code of the country with this code or name; None for other words."""
    word = text.strip().upper()
    return word if word in countries() else _table().by_word.get(word)


def likely_countries(text: str) -> tuple[str, ...]:
    """Return the code of the country that was probably meant by a misspelt code or name."""
    by_word = _table().by_word
    word = text.strip().upper()
    swapped = word[::-1] if len(word) == len("JP") else word
    for exact in (word, word.replace("_", " ").replace("-", " "), swapped):
        code = exact if exact in countries() else by_word.get(exact)
        if code:
            return (code,)
    return tuple(by_word[match] for match in nearest(word, by_word) if len(word) > len("JP"))


@cache
def _table() -> _Table:
    found: dict[str, Country] = {}
    sizes_are_of = ""
    for line in DATA.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            sizes_are_of = sizes_are_of or _after(_SIZES_ARE_OF, line)
        else:
            country = _country(*line.split("\t"))
            found[country.code] = country
    by_word = {word: each.code for each in found.values() for word in each.other_words}
    for each in found.values():
        by_word[each.code3] = by_word[each.name.upper()] = each.code
    return _Table(MappingProxyType(found), MappingProxyType(by_word), sizes_are_of)


def _country(code: str, code3: str, ipv4: str, ipv6: str, name: str, others: str) -> Country:  # noqa: PLR0913, PLR0917 - the columns
    known = ipv4 != "-"
    return Country(
        code,
        code3,
        int(ipv4) if known else None,
        int(ipv6) * SITE if known else None,
        name,
        () if others == "-" else tuple(others.split(";")),
    )


def _after(beginning: str, line: str) -> str:
    return line.removeprefix(beginning) if line.startswith(beginning) else ""
