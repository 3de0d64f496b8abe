"""Addresses in the lists of several countries: worth a note, never a reason to refuse.

Registries sometimes delegate an address to two countries for a day, while it moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from geofence.model.frozen import dataclass
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.translation import join, tr
from geofence.wording import address_count

_Claim = tuple[int, int, ListId]
"""A half-open interval and the list that has it."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """The addresses that exactly these countries have."""

    lists: tuple[ListId, ...]
    """In the order of their names."""
    space: AddressSpace

    def __str__(self) -> str:
        parts = [_part(self.space[family]) for family in Family if self.space[family]]
        return tr(
            "The lists {lists} overlap: {addresses}",
            lists=", ".join(map(str, self.lists)),
            addresses=join(", ", parts),
        )


def _part(shared: PrefixSet) -> str:
    count = address_count(shared.family, shared.size)
    return tr(
        "{count} ({prefixes})", count=count, prefixes=f"{_first_prefix(shared)}{_rest(shared)}"
    )


def _first_prefix(shared: PrefixSet) -> Prefix:
    return PrefixSet(shared.family, shared.bounds[:2]).prefixes()[0]


def _rest(shared: PrefixSet) -> str:
    return "" if _first_prefix(shared).past == shared.bounds[-1] else ", …"


def overlaps(lists: Mapping[ListId, AddressSpace]) -> tuple[Overlap, ...]:
    """Return the addresses that are in more than one country list, by these lists."""
    shared = {family: _shared(_claims(lists, family)) for family in Family}
    claimants = sorted({names for found in shared.values() for names in found})
    return tuple(
        Overlap(
            names,
            AddressSpace(*(_as_set(family, shared[family].get(names, [])) for family in Family)),
        )
        for names in claimants
    )


def _claims(lists: Mapping[ListId, AddressSpace], family: Family) -> list[_Claim]:
    return sorted(
        (first, past, wanted)
        for wanted, space in lists.items()
        if wanted.kind is ListKind.COUNTRY
        for first, past in space[family].intervals()
    )


def _as_set(family: Family, pieces: list[tuple[int, int]]) -> PrefixSet:
    return PrefixSet.of_ranges(
        family, [piece[0] for piece in pieces], [piece[1] for piece in pieces]
    )


def _shared(claims: list[_Claim]) -> dict[tuple[ListId, ...], list[tuple[int, int]]]:
    """Return the intervals that are in more than one list, by these lists."""
    found: dict[tuple[ListId, ...], list[tuple[int, int]]] = {}
    for cluster in _clusters(claims):
        for names, piece in _pieces(cluster):
            found.setdefault(names, []).append(piece)
    return found


def _clusters(claims: Iterable[_Claim]) -> list[list[_Claim]]:
    """Return runs of overlapping claims; claims that overlap no other are left out."""
    runs: list[list[_Claim]] = []
    reach = -1
    last: _Claim | None = None
    for claim in claims:
        if last is not None and claim[0] < reach:
            if not (runs and runs[-1][-1] is last):
                runs.append([last])
            runs[-1].append(claim)
        reach = max(reach, claim[1])
        last = claim
    return runs


def _pieces(cluster: list[_Claim]) -> Iterable[tuple[tuple[ListId, ...], tuple[int, int]]]:
    """Yield the cluster cut at every end of a claim, with the lists that have each piece."""
    cuts = sorted({end for first, past, _ in cluster for end in (first, past)})
    for first, past in pairwise(cuts):
        names = tuple(sorted({one for low, high, one in cluster if low <= first and past <= high}))
        if len(names) > 1:
            yield names, (first, past)
