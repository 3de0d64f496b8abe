"""The world's country lists: those of a directory, or made-up ones of the same shape."""

from __future__ import annotations

import json
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate, groupby, islice, product
from pathlib import Path
from string import ascii_uppercase

from geofence.geoip.special_prefixes import special_space
from geofence.model.prefixes import Family, Prefix, PrefixSet, address_text

FAMILY = Family.IPV4
"""What is loaded; the figures that geofence is held to are about IPv4."""

SET_FILES = {family: f"{family}-aggregated.txt" for family in Family}
"""The text list of each family, as ipverse names it."""

WORLD = 175_195
"""IPv4 prefixes in all countries' lists on 2026-02-01."""

COUNTRIES = [first + second for first, second in product(ascii_uppercase, repeat=2)][:236]
COUNTRIES.insert(8, "JP")
"""Codes of made-up countries in the order of their lists' sizes: as many as have lists, and JP
where it gets about the 3,162 prefixes that it has."""

_BROAD = (15, 16, 64, 168, 404, 714, 1_458, 2_589, 6_942)
_NARROW = (3_350, 5_370, 9_977, 11_796, 16_949, 50_974, 24_445, 39_762)
_REGISTERED = dict(enumerate((*_BROAD, *_NARROW), start=8))
"""How many prefixes of each length there were in all lists of that day."""
_NEIGHBOURS = 0.7
"""How often a prefix within a /16 belongs to the country that most of its neighbours belong to."""
_PATCHY = 0.12
"""How many of the /16 have prefixes that belong to nobody,"""
_VACANT = 0.4
"""and how many of theirs do."""

_LENGTHS = (24, 23, 22, 21, 20, 19, 18)
_WEIGHTS = (50, 15, 20, 6, 5, 3, 1)
_FIRST = 11 << 24
"""Scattered prefixes begin at 11.0.0.0 and end far below the next special-purpose range."""


def write_made_up(directory: Path) -> Path:
    """Lists of all countries, made up as the real ones are: together they leave few holes."""
    chance = random.Random(WORLD)  # noqa: S311 - the same lists every time, nothing secret
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(COUNTRIES))))
    lists: dict[str, list[str]] = {code: [] for code in COUNTRIES}
    for _, neighbours in groupby(_registered(chance), lambda prefix: prefix.network >> 16):
        (favoured,) = chance.choices(COUNTRIES, cum_weights=weights)
        vacant = _VACANT if chance.random() < _PATCHY else 0
        for prefix in neighbours:
            (other,) = chance.choices(COUNTRIES, cum_weights=weights)
            owner = favoured if chance.random() < _NEIGHBOURS else other
            if chance.random() >= vacant:
                lists[owner].append(str(prefix))
    return _write_lists(directory, lists)


def _registered(chance: random.Random) -> Iterator[Prefix]:
    """All prefixes, ascending: each block is registered whole, or in two halves."""
    whole = _registered_whole()
    special = special_space()[FAMILY].bounds
    blocks = [Prefix(FAMILY, first << 24, 8) for first in range(223, 0, -1)]
    while blocks:
        block = blocks.pop()
        before, after = bisect_right(special, block.network), bisect_left(special, block.past)
        if before == after and before & 1:
            continue  # all of it is special
        if before == after and chance.random() < whole.get(block.length, 1):
            yield block
        else:
            half, length = (block.past - block.network) // 2, block.length + 1
            blocks.append(Prefix(FAMILY, block.network + half, length))
            blocks.append(Prefix(FAMILY, block.network, length))


def _registered_whole() -> dict[int, float]:
    """How likely a block of each length is registered as one prefix."""
    blocks = sum(count / (1 << length) for length, count in _REGISTERED.items()) * 256
    found: dict[int, float] = {}
    for length, count in _REGISTERED.items():
        found[length] = count / blocks
        blocks = 2 * (blocks - count)
    return found


def write_scattered(directory: Path, count: int) -> Path:
    """Lists with so many prefixes, no two of which merge: the kernel gets as many entries."""
    chance = random.Random(count)  # noqa: S311 - the same lists every time, nothing secret
    weights = [1 / (rank + 1) for rank in range(len(COUNTRIES))]
    owners = chance.choices(COUNTRIES, weights, k=count)
    lists: dict[str, list[str]] = {code: [] for code in COUNTRIES}
    for owner, prefix in zip(owners, _scattered(chance, count), strict=True):
        lists[owner].append(str(prefix))
    return _write_lists(directory, lists)


def _scattered(chance: random.Random, count: int) -> Iterator[Prefix]:
    at = _FIRST
    for length in chance.choices(_LENGTHS, _WEIGHTS, k=count):
        size = 1 << (FAMILY.bits - length)
        at = (at + 2 * size - 1) & -size  # aligned, with a gap before it
        yield Prefix(FAMILY, at, length)
        at += size


def _write_lists(directory: Path, lists: Mapping[str, list[str]]) -> Path:
    for code, prefixes in lists.items():
        if prefixes:
            write_list(directory, code, prefixes)
    return directory


def write_list(directory: Path, code: str, prefixes: list[str]) -> None:
    """One country's text list and its JSON."""
    place = directory / code.lower()
    place.mkdir(parents=True, exist_ok=True)
    text = f"# Country: {code} ({code})\n# Address family: IPv4\n" + "\n".join(prefixes) + "\n"
    (place / "ipv4-aggregated.txt").write_text(text)
    body = {"country": code, "countryCode": code, "prefixes": {"ipv4": prefixes, "ipv6": []}}
    (place / "aggregated.json").write_text(json.dumps(body))


def list_files(directory: Path) -> list[Path]:
    """The countries' IPv4 text lists below a directory."""
    return sorted(directory.glob("*/ipv4-aggregated.txt"))


def listed(directory: Path, code: str = "*") -> list[str]:
    """All IPv4 prefixes of all lists, or of one country's, as they are written."""
    return [
        line
        for file in sorted(directory.glob(f"{code.lower()}/ipv4-aggregated.txt"))
        for line in file.read_text().split("\n")
        if line and not line.startswith("#")
    ]


def ipset_input(path: Path, prefixes: list[str], *, sized: bool = True) -> Path:
    """A file for ``ipset restore``.

    Args:
        path: where to write it.
        prefixes: the entries.
        sized: whether the hash has room for all of them from the start, as a saved set has;
            otherwise it starts at the default size and grows, as scripts usually have it.
    """
    size = f" hashsize {max(1024, len(prefixes) // 4)}" if sized else ""
    create = f"create world hash:net family inet{size} maxelem 1048576"
    path.write_text("\n".join([create, *(f"add world {prefix}" for prefix in prefixes), ""]))
    return path


def nft_input(path: Path, prefixes: list[str]) -> Path:
    """A file for ``nft -f``: one transaction."""
    elements = ",\n".join(prefixes)
    path.write_text(
        "table inet world {\n set world {\n  type ipv4_addr\n  flags interval\n"
        f"  elements = {{ {elements} }}\n }}\n}}\n"
    )
    return path


def outsiders(count: int, inside: PrefixSet) -> Iterator[str]:
    """Unicast addresses that are not in the set, evenly from all over the world."""
    chance = random.Random(count)  # noqa: S311 - the same addresses every time, nothing secret
    drawn = (chance.randrange(_FIRST, 224 << 24) for _ in iter(int, 1))
    return islice((address_text(FAMILY, a) for a in drawn if a not in inside), count)


def insiders(count: int, inside: PrefixSet) -> Iterator[str]:
    """Unicast addresses that are in the set, as evenly as its prefixes lie in the world."""
    chance = random.Random(count)  # noqa: S311 - the same addresses every time, nothing secret
    drawn = (chance.randrange(_FIRST, 224 << 24) for _ in iter(int, 1))
    return islice((address_text(FAMILY, a) for a in drawn if a in inside), count)
