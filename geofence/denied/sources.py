"""Sources that were turned away: what the kernel has noted of them, joined and grouped. Pure.

Columns, since a service and a family may have 65,536 of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, chain, repeat
from operator import itemgetter
from types import MappingProxyType
from typing import TypeVar

from geofence.geoip.atlas import Atlas, make_atlas
from geofence.model.elements import Noted
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import AddressSpace, Family, PrefixSet, address_text
from geofence.model.sets import MOST_NOTED, NOTED_BITS, NOTED_SECONDS

_T = TypeVar("_T")

_NETWORK = {Family.IPV4: 24, Family.IPV6: 48}
"""Bits of the network that a source is counted under where no list names one."""


class Sources(NamedTuple):
    """Sources that were turned away from one service, of one family, as columns.

    A named tuple, as others here: a data class takes a millisecond to make at each start.
    """

    service: str
    family: Family
    networks: Sequence[int]
    """Addresses; of IPv6, the first of a /64 network. Ascending."""
    packets: Sequence[int]
    octets: Sequence[int]
    first: Sequence[float] = ()
    """When each came first, in seconds since the epoch."""
    last: Sequence[float] = ()
    """When each came last. Both are empty where that was not asked for."""
    is_full: bool = False
    """Whether the kernel can note no further ones, or none of some part of the addresses."""

    @property
    def number(self) -> int:
        """Number of sources."""
        return len(self.networks)

    def only(self, places: Sequence[int]) -> Sources:
        """Return the sources at some places."""
        return self._replace(
            networks=_picked(self.networks, places),
            packets=_picked(self.packets, places),
            octets=_picked(self.octets, places),
            first=_picked(self.first, places) if self.first else (),
            last=_picked(self.last, places) if self.last else (),
        )

    def since(self, moment: float) -> Sources:
        """Return those that came at that time or later."""
        return self.only([at for at, last in enumerate(self.last) if last >= moment])


def _picked(column: Sequence[_T], places: Sequence[int]) -> Sequence[_T]:
    """Return the values at some places; faster than one by one."""
    if len(places) > 1:
        found: tuple[_T, ...] = itemgetter(*places)(column)
        return found
    return [column[at] for at in places]


def joined(service: str, family: Family, denied: Noted, seen: Noted | None, now: float) -> Sources:
    """Return the sources of a service with their times.

    Args:
        service: its name.
        family: that of both sets.
        denied: each since it came first.
        seen: the same, each since it came last; None: not asked for.
        now: seconds since the epoch.
    """
    order = sorted(range(denied.number), key=denied.networks.__getitem__)
    columns = (denied.networks, denied.packets, denied.octets)
    networks, packets, octets = (_picked(each, order) for each in columns)
    is_full = denied.fullness(MOST_NOTED) >= 1
    found = Sources(service, family, networks, packets, octets, is_full=is_full)
    return found if seen is None else timed(found, denied, seen, now)


def timed(part: Sources, denied: Noted, seen: Noted, now: float) -> Sources:
    """Return some sources of a service with their times; a few of many take little time.

    Args:
        part: the sources.
        denied: all of that service and family, each since it came first.
        seen: the same, each since it came last.
        now: seconds since the epoch.
    """
    begun = now - NOTED_SECONDS
    earliest, lately = (_seconds(part, held) for held in (denied, seen))
    first = [begun + earliest[network] for network in part.networks]
    noted = [begun + seconds for seconds in map(lately.get, part.networks, repeat(0.0))]
    return part._replace(first=first, last=list(map(max, first, noted)))


def _seconds(part: Sources, held: Noted) -> Mapping[int, float]:
    """Return the seconds of noted sources, at least of those of a part."""
    pairs = zip(held.networks, held.seconds, strict=True)
    if 2 * part.number > held.number:
        return dict(pairs)
    wanted = set(part.networks)
    return {network: seconds for network, seconds in pairs if network in wanted}


def foremost(parts: Sequence[Sources], limit: int) -> list[Sources]:
    """Return of each part the sources that may be among those with the most packets.

    Args:
        parts: by service and family.
        limit: how many of all are wanted at least, as far as there are so many; 0: all.
    """
    packets = sorted(chain.from_iterable(part.packets for part in parts))
    if not 0 < limit < len(packets):
        return list(parts)
    least = packets[-limit]
    return [
        part.only([at for at, number in enumerate(part.packets) if number >= least])
        for part in parts
    ]


def sent_between(before: Sources | None, now: Sources) -> Sources:
    """Return the sources that sent something between two looks, each with what it sent.

    One that has counted less than before was forgotten meanwhile and noted again.
    """
    if before is None or not before.number:
        return now
    then = dict(zip(before.networks, zip(before.packets, before.octets, strict=True), strict=True))
    counts = zip(now.networks, now.packets, now.octets, strict=True)
    more = [_more(then.get(network), packets, octets) for network, packets, octets in counts]
    part = now.only([at for at, (packets, _) in enumerate(more) if packets])
    sent = [each for each in more if each[0]]
    return part._replace(packets=[each for each, _ in sent], octets=[each for _, each in sent])


def _more(then: tuple[int, int] | None, packets: int, octets: int) -> tuple[int, int]:
    if then is None or packets < then[0] or octets < then[1]:
        return packets, octets
    return packets - then[0], octets - then[1]


class Group(NamedTuple):
    """Sources that are counted together."""

    name: str | None
    """A country's code, or what a network is called; None for what no list has."""
    sources: int
    packets: int


def grouped(labelled: Iterable[tuple[Sources, Sequence[str | None]]]) -> list[Group]:
    """Return how much came from each country or network, most packets first.

    A source that several services turned away counts once.

    Args:
        labelled: sources, and the name under which each counts.
    """
    by_family: defaultdict[Family, list[tuple[Sources, Sequence[str | None]]]] = defaultdict(list)
    for sources, labels in labelled:
        if sources.number:
            by_family[sources.family].append((sources, labels))
    packets: Counter[str | None] = Counter()
    counts: Counter[str | None] = Counter()
    for parts in by_family.values():
        for sources, labels in parts:
            sent = _sent(labels, sources.packets)
            packets.update({name: sum(numbers) for name, numbers in sent.items()})
            if len(parts) == 1:
                counts.update({name: len(numbers) for name, numbers in sent.items()})
        if len(parts) > 1:
            counts.update(_distinct(parts))
    found = [Group(name, counts[name], packets[name]) for name in packets]
    return sorted(found, key=lambda each: (-each.packets, -each.sources, each.name or "~"))


def _sent(
    labels: Sequence[str | None], packets: Sequence[int]
) -> Mapping[str | None, Sequence[int]]:
    """Return the packets of the sources under each name; faster than to add them up one by one."""
    found: dict[str | None, list[int]] = {name: [] for name in set(labels)}
    for name, number in zip(labels, packets, strict=True):
        found[name].append(number)
    return found


def _distinct(parts: Sequence[tuple[Sources, Sequence[str | None]]]) -> Iterable[str | None]:
    """Return the name of each source of one family, once."""
    names: dict[int, str | None] = {}
    for sources, labels in parts:
        names.update(zip(sources.networks, labels, strict=True))
    return names.values()


def distinct(parts: Iterable[Sources]) -> int:
    """Return how many sources there are; one that several services turned away counts once."""
    known = [part for part in parts if part.number]
    found = 0
    for family in Family:
        mine = [part.networks for part in known if part.family is family]
        found += len(mine[0]) if len(mine) == 1 else len(set().union(*mine))
    return found


class Knowledge(NamedTuple):
    """What lists and rules tell of addresses."""

    countries: Atlas | None = None
    networks: Atlas | None = None
    """By the name of a list."""
    exceptions: Mapping[str, Atlas] = MappingProxyType({})
    """By service: the disabled exceptions that would allow an address to reach it."""


class DeniedSource(NamedTuple):
    """A source that was turned away, with what is known of it."""

    family: Family
    network: int
    """The address; of IPv6, the first of a /64 network."""
    service: str
    packets: int
    octets: int
    first: datetime
    """When it came first, UTC."""
    last: datetime
    """When it came last, UTC."""
    country: str | None = None
    """Code of its country, as far as lists tell."""
    network_name: str | None = None
    """Name of a list that has it; None for none."""
    exception: str | None = None
    """Name of a disabled exception that would allow it; None for none."""

    def __str__(self) -> str:
        text = address_text(self.family, self.network)
        bits = NOTED_BITS[self.family]
        return text if bits == self.family.bits else f"{text}/{bits}"


def described(parts: Sequence[Sources], known: Knowledge, limit: int = 0) -> list[DeniedSource]:
    """Return sources one by one, most packets first.

    Args:
        parts: by service and family.
        known: what lists and rules tell.
        limit: how many to return; 0: all.
    """
    ends = list(accumulate(part.number for part in parts))
    chosen = _ranked(parts)[: limit or None]
    rows: dict[int, DeniedSource] = {}
    wanted: defaultdict[int, list[int]] = defaultdict(list)
    for place in sorted(chosen):
        wanted[bisect_right(ends, place)].append(place)
    for number, places in wanted.items():
        begin = ends[number] - parts[number].number
        part = parts[number].only([place - begin for place in places])
        rows.update(zip(places, _described(part, known), strict=True))
    return [rows[place] for place in chosen]


def _ranked(parts: Sequence[Sources]) -> list[int]:
    """Return the places of sources: most packets first, of equal ones those that came last."""
    packets = list(chain.from_iterable(part.packets for part in parts))
    last = list(chain.from_iterable(part.last for part in parts))
    places = list(range(len(packets)))
    places.sort(key=last.__getitem__, reverse=True)  # the order of what is equal stays
    places.sort(key=packets.__getitem__, reverse=True)
    return places


def _described(part: Sources, known: Knowledge) -> list[DeniedSource]:
    columns = (part.networks, repeat(part.service), part.packets, part.octets)
    return list(
        map(
            DeniedSource,
            repeat(part.family),
            *columns,
            map(_moment, part.first),
            map(_moment, part.last),
            labels(part, known.countries),
            labels(part, known.networks),
            labels(part, known.exceptions.get(part.service)),
        )
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def labels(part: Sources, index: Atlas | None) -> Sequence[str | None]:
    """Return what an index has for each source; None where it has nothing."""
    if index is None:
        return [None] * part.number
    return index.countries(part.family, part.networks)


def network_labels(part: Sources, index: Atlas | None) -> Sequence[str | None]:
    """Return the name of each source's network: that of a list, or else its first address."""
    bits = _NETWORK[part.family]
    mask = -1 << (part.family.bits - bits)
    return [
        name or f"{address_text(part.family, network & mask)}/{bits}"
        for name, network in zip(labels(part, index), part.networks, strict=True)
    ]


def index_of(spaces: Mapping[str, AddressSpace]) -> Atlas | None:
    """Return an index of addresses by name; None without any.

    IPv6 is widened to the networks by which sources are noted.
    """
    some = {name: _widened(space) for name, space in spaces.items() if space}
    return make_atlas(some, datetime.now(UTC)) if some else None


def _widened(space: AddressSpace) -> AddressSpace:
    family = Family.IPV6
    size = 1 << (family.bits - NOTED_BITS[family])
    firsts = [first & -size for first, _ in space.ipv6.intervals()]
    pasts = [-(-past // size) * size for _, past in space.ipv6.intervals()]
    return AddressSpace(space.ipv4, PrefixSet.of_ranges(family, firsts, pasts))
