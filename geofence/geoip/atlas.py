"""The world index: the country of any address, as the lists of all countries tell it.

The number line of a family is cut wherever the countries that have an address change. What lies
between two cuts is a piece, and has a label: the countries whose lists have its addresses. Most
pieces have none or one. Where lists overlap, the country counts whose own interval there is the
shortest, as the longest prefix counts in routing; of equal intervals, the first code in the
alphabet. The others stay in the label, so that the list of each country can be read back.

A lookup is one bisection of a sorted column. Columns may lie in a mapped file, of which a lookup
reads a few pages (see ``geofence.state.atlas``). Knowledge of another kind, such as AS numbers,
would be another ``Atlas`` with labels of its own.

The index decides nothing about packets.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, pairwise, repeat
from operator import or_
from typing import Final, Literal, TypeAlias

from geofence.errors import ListError, StateError
from geofence.model.frozen import dataclass
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.translation import tr

Label = tuple[str, ...]
"""Codes of the countries that have the addresses of a piece; the first one counts."""

Code: TypeAlias = Literal["I", "Q", "H"]
"""A type of whole numbers, as ``array`` calls it."""
NUMBER: Final = "I"
"""For IPv4 addresses."""
HALF: Final = "Q"
"""For halves of IPv6 addresses."""
LABEL: Final = "H"
"""For the places of labels."""
_MOST_LABELS = 1 << 16
_HALF_BITS = 64
_IPV4 = Family.IPV4  # the class would take a tenth of the time of a lookup to give it
_LOWER = (1 << _HALF_BITS) - 1
_FEW = 5_000
"""Up to so many addresses, looking them up one by one is faster than reading the columns."""
_PART = 128
"""So many sorted addresses are looked up together, in the part of a column where they lie."""

Column: TypeAlias = "array[int] | memoryview[int]"
"""Whole numbers in memory or in a mapped file."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """The number line of one family in pieces, of which the first begins at 0."""

    shift: int
    """By how many bits ``firsts`` are shorter than addresses: 0 for IPv4, 64 for IPv6."""
    firsts: Column
    """Where the pieces begin, ascending: IPv4 addresses, upper halves of IPv6 addresses."""
    lowers: Column | None
    """Lower halves of where they begin; None if all are 0, as always for IPv4."""
    labels: Column
    """Places of the labels in ``Atlas.labels``."""

    def label_at(self, number: int) -> int:
        """Return the place of the label of one address."""
        upper = number >> self.shift
        past = bisect_right(self.firsts, upper)
        if self.lowers is not None and self.firsts[past - 1] == upper:
            first = bisect_left(self.firsts, upper, 0, past)
            past = bisect_right(self.lowers, number & _LOWER, first, past)
        return self.labels[past - 1]

    def labels_at(self, numbers: Sequence[int]) -> Iterable[int]:
        """Return the places of the labels of many addresses, in their order."""
        if len(numbers) <= _FEW or self.lowers is not None:
            return map(self.label_at, numbers)
        uppers = [number >> self.shift for number in numbers] if self.shift else list(numbers)
        if not (_ascend(uppers[::_PART]) and _ascend(uppers)):
            return self._labels_together(uppers, min(uppers), max(uppers))
        parts = (uppers[at : at + _PART] for at in range(0, len(uppers), _PART))
        return chain.from_iterable(self._labels_together(part, part[0], part[-1]) for part in parts)

    def _labels_together(self, uppers: Sequence[int], least: int, most: int) -> Iterable[int]:
        """Return the places of labels, by way of the part of the columns that has all of them."""
        first = bisect_right(self.firsts, least) - 1
        past = bisect_right(self.firsts, most, first)
        firsts = self.firsts[first:past].tolist()  # a list is faster than a column
        labels = [0, *self.labels[first:past].tolist()]  # bisection finds the place after a piece
        return map(labels.__getitem__, map(bisect_right, repeat(firsts), uppers))

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Yield the first address, the one past the last, and the label of each piece."""
        firsts = [first << self.shift for first in self.firsts.tolist()]
        if self.lowers is not None:
            firsts = list(map(or_, firsts, self.lowers.tolist()))
        bits = Family.IPV6.bits if self.shift else Family.IPV4.bits
        ends = pairwise((*firsts, 1 << bits))
        return ((*end, label) for end, label in zip(ends, self.labels.tolist(), strict=True))

    @property
    def intervals(self) -> int:
        """Number of pieces that some country has."""
        labels = self.labels.tolist()
        return len(labels) - labels.count(0)


@dataclass(frozen=True, slots=True)
class Atlas:
    """The country of any address."""

    made: datetime
    """When the index was made, UTC."""
    labels: tuple[Label, ...]
    """All that pieces have; the first one is empty."""
    ipv4: Pieces
    ipv6: Pieces

    def __getitem__(self, family: Family) -> Pieces:
        return self.ipv4 if family is _IPV4 else self.ipv6

    def country(self, family: Family, number: int) -> str | None:
        """Return the code of the country of an address; None if no list has it.

        Raises:
            StateError: the index is damaged.
        """
        try:
            label = self.labels[self[family].label_at(number)]
        except IndexError as error:
            raise damaged_atlas() from error
        return label[0] if label else None

    def claimants(self, family: Family, number: int) -> Label:
        """Return the codes of all countries whose lists have an address; the first one counts.

        Raises:
            StateError: the index is damaged.
        """
        try:
            return self.labels[self[family].label_at(number)]
        except IndexError as error:
            raise damaged_atlas() from error

    def countries(self, family: Family, numbers: Sequence[int]) -> list[str | None]:
        """Return the code of the country of each address; None where no list has it.

        Args:
            family: of all addresses.
            numbers: the addresses, in any order; sorted ones take least time.

        Raises:
            StateError: the index is damaged.
        """
        names = [label[0] if label else None for label in self.labels]
        try:
            return list(map(names.__getitem__, self[family].labels_at(numbers)))
        except IndexError as error:
            raise damaged_atlas() from error

    def spaces(self) -> dict[str, AddressSpace]:
        """Return the addresses of each country, as its list has them.

        Raises:
            StateError: the index is damaged.
        """
        found = {code: {family: _Ends() for family in Family} for code in self.codes}
        try:
            for family in Family:
                for first, past, label in self[family]:
                    for code in self.labels[label]:
                        found[code][family].add(first, past)
        except IndexError as error:
            raise damaged_atlas() from error
        return {
            code: AddressSpace(*(ends[family].united(family) for family in Family))
            for code, ends in found.items()
        }

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the countries that have addresses, sorted."""
        return tuple(sorted({code for label in self.labels for code in label}))


def _ascend(numbers: list[int]) -> bool:
    return numbers == sorted(numbers)  # the fastest way, if they do


class _Ends:
    """Where the pieces of one country begin and end."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._pasts: list[int] = []

    def add(self, first: int, past: int) -> None:
        """Add a piece."""
        self._firsts.append(first)
        self._pasts.append(past)

    def united(self, family: Family) -> PrefixSet:
        """Return all of them together."""
        return PrefixSet.of_ranges(family, self._firsts, self._pasts)


def damaged_atlas() -> StateError:
    """Return the error for an index that does not hold what it should."""
    return StateError(tr("The world index is damaged. Run 'geofence atlas --renew'."))


def make_atlas(spaces: Mapping[str, AddressSpace], made: datetime) -> Atlas:
    """Return the index of some countries' lists.

    Args:
        spaces: the addresses of each country, by its code.
        made: the time, UTC.

    Raises:
        ListError: the lists overlap in more ways than an index can hold.
    """
    known: dict[Label, int] = {(): 0}
    ipv4, ipv6 = (_pieces(family, spaces, known) for family in Family)
    return Atlas(made, tuple(known), ipv4, ipv6)


def _pieces(family: Family, spaces: Mapping[str, AddressSpace], known: dict[Label, int]) -> Pieces:
    """Return the pieces of one family; labels that are new get a place in ``known``."""
    firsts, labels = [0], [0]
    for first, label in _cuts(family, spaces):
        place = known.setdefault(label, len(known))
        if first == 0:
            labels[0] = place
        elif place != labels[-1]:
            firsts.append(first)
            labels.append(place)
    if len(known) > _MOST_LABELS:
        raise ListError(tr("The lists of countries overlap in too many ways."))
    places = array(LABEL, labels)
    if family is Family.IPV4:
        return Pieces(0, array(NUMBER, firsts), None, places)
    lowers = array(HALF, [first & _LOWER for first in firsts])
    uppers = array(HALF, [first >> _HALF_BITS for first in firsts])
    return Pieces(_HALF_BITS, uppers, lowers if any(lowers) else None, places)


def _cuts(family: Family, spaces: Mapping[str, AddressSpace]) -> Iterator[tuple[int, Label]]:
    """Yield each address at which an interval of a country begins or ends, and the label there."""
    begun: dict[int, list[tuple[int, str, int]]] = {}
    ends: set[int] = set()
    for code, space in spaces.items():
        for first, past in space[family].intervals():
            begun.setdefault(first, []).append((past - first, code, past))
            ends.add(past)
    ends.discard(1 << family.bits)
    going_on: list[tuple[int, str, int]] = []
    for cut in sorted(ends.union(begun)):
        going_on = [each for each in going_on if each[2] > cut]
        if cut in begun:
            going_on = sorted(going_on + begun[cut])
        yield cut, tuple([code for _, code, _ in going_on])
