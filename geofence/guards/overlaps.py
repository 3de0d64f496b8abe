"""Addresses that several countries' lists claim: worth a note, never a reason to refuse.

Registries now and then delegate one address to two countries for a day, while it moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from geofence.guards.wording import addresses
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet

_Claim = tuple[int, int, ListId]
"""A half-open interval and whose it is."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What exactly these countries, and no others, claim."""

    lists: tuple[ListId, ...]
    """In the order of their names."""
    space: AddressSpace

    def __str__(self) -> str:
        names = " and ".join(str(one) for one in self.lists)
        parts = [_part(self.space[family]) for family in Family if self.space[family]]
        return f"{names} claim the same {' and '.join(parts)}"


def _part(shared: PrefixSet) -> str:
    return f"{addresses(shared.family, shared.size)} ({_first_prefix(shared)}{_rest(shared)})"


def _first_prefix(shared: PrefixSet) -> Prefix:
    return PrefixSet(shared.family, shared.bounds[:2]).prefixes()[0]


def _rest(shared: PrefixSet) -> str:
    return "" if _first_prefix(shared).past == shared.bounds[-1] else ", …"


def overlaps(lists: Mapping[ListId, AddressSpace]) -> tuple[Overlap, ...]:
    """Addresses that more than one country list holds, by the countries that claim them."""
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
    """Intervals by the lists that claim them, for all that have more than one."""
    found: dict[tuple[ListId, ...], list[tuple[int, int]]] = {}
    for cluster in _clusters(claims):
        for names, piece in _pieces(cluster):
            found.setdefault(names, []).append(piece)
    return found


def _clusters(claims: Iterable[_Claim]) -> list[list[_Claim]]:
    """Runs of claims that hang together by overlaps; claims that stand alone are left out."""
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
    """The cluster cut at every end of a claim, with who claims each piece."""
    cuts = sorted({end for first, past, _ in cluster for end in (first, past)})
    for first, past in pairwise(cuts):
        names = tuple(sorted({one for low, high, one in cluster if low <= first and past <= high}))
        if len(names) > 1:
            yield names, (first, past)
