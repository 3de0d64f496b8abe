"""Elements of runtime sets: prefixes that are in a set until a time, and what they have counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise
from math import ceil

from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family, Prefix

FOR_EVER = float("inf")
LONGEST = 2_147_483
"""Seconds that an element can stay: ``IPSET_MAX_TIMEOUT`` (``linux/netfilter/ipset/ip_set.h``).
What lasts longer is put in anew by each run."""
_CLOSE = 3
"""Seconds by which two ends may differ: a kernel tells whole seconds."""


class TimedPrefix(NamedTuple):
    """A prefix in a runtime set, and until when."""

    prefix: Prefix
    until: float | None
    """Seconds since the epoch; None: without end."""


class Span(NamedTuple):
    """Addresses of one family from a first one up to, not including, another."""

    first: int
    past: int
    until: float
    """Seconds since the epoch, or ``FOR_EVER``."""


class Element(NamedTuple):
    """An element of a runtime set as the kernel holds it."""

    first: int
    past: int
    seconds: float | None
    """How long it stays; None: without end."""
    packets: int = 0
    """Packets that were found in it since it was put there."""
    octets: int = 0


class Noted(NamedTuple):
    """Sources that the kernel itself has put into a set, as columns: there may be 65,536."""

    networks: Sequence[int] = ()
    """The first address of each."""
    seconds: Sequence[float] = ()
    """How long each stays; 0: not said. Empty where that was not asked for."""
    packets: Sequence[int] = ()
    octets: Sequence[int] = ()
    parts: Sequence[int] = ()
    """How many are in each of the kernel's sets over which they are spread, in this order; empty:
    all are in one."""

    @property
    def number(self) -> int:
        """Number of sources."""
        return len(self.networks)

    @classmethod
    def joined(cls, parts: Sequence[Noted]) -> Noted:
        """Return all sources of several parts."""
        if len(parts) < 2:  # noqa: PLR2004 - there is nothing to join
            return parts[0] if parts else cls()
        return cls(
            list(chain.from_iterable(part.networks for part in parts)),
            list(chain.from_iterable(part.seconds for part in parts)),
            list(chain.from_iterable(part.packets for part in parts)),
            list(chain.from_iterable(part.octets for part in parts)),
        )

    def fullness(self, most: int) -> float:
        """Return how full the fullest of the kernel's sets is; 1.0: it takes no more.

        Args:
            most: how many all sets can hold together.
        """
        parts = self.parts or (self.number,)
        return max(parts) * len(parts) / most

    def in_parts(self) -> list[Noted]:
        """Return the sources of each of the kernel's sets."""
        ends = list(accumulate(self.parts or (self.number,)))
        parts = [slice(*part) for part in zip((0, *ends), ends, strict=False)]
        return [
            Noted(self.networks[at], self.seconds[at], self.packets[at], self.octets[at])
            for at in parts
        ]

    def elements(self, size: int) -> list[Element]:
        """Return them one by one, each a network of so many addresses."""
        pasts = [network + size for network in self.networks]
        left = [seconds or None for seconds in self.seconds]
        return list(map(Element, self.networks, pasts, left, self.packets, self.octets))


def disjoint(wanted: Iterable[TimedPrefix], family: Family) -> list[Span]:
    """Return the same addresses without overlaps, each until the latest of its ends.

    Neighbours that end at the same time become one.

    Args:
        wanted: prefixes in whatever order; those of the other family are left out.
        family: the set's.
    """
    spans = [
        (prefix.network, prefix.past, FOR_EVER if until is None else until)
        for prefix, until in wanted
        if prefix.family is family
    ]
    spans.sort()
    marks = sorted({at for first, past, _ in spans for at in (first, past)})
    return _joined(_pieces(spans, marks))


def _pieces(spans: list[tuple[int, int, float]], marks: list[int]) -> Iterable[Span]:
    """Yield the addresses between two marks with the latest end of the spans that hold them."""
    from heapq import heappop, heappush  # few commands write runtime sets

    open_spans: list[tuple[float, int]] = []
    waiting = iter(spans)
    span = next(waiting, None)
    for first, past in pairwise(marks):
        while span is not None and span[0] <= first:
            heappush(open_spans, (-span[2], span[1]))
            span = next(waiting, None)
        while open_spans and open_spans[0][1] <= first:
            heappop(open_spans)
        if open_spans:
            yield Span(first, past, -open_spans[0][0])


def _joined(pieces: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for piece in pieces:
        if joined and joined[-1].past == piece.first and joined[-1].until == piece.until:
            joined[-1] = joined[-1]._replace(past=piece.past)
        else:
            joined.append(piece)
    return joined


def difference(
    wanted: Iterable[Span], held: Iterable[Element], now: float
) -> tuple[list[Span], list[Element]]:
    """Return what is to be added to a runtime set and what is to be removed from it.

    Elements with the right end stay. One with another is removed and added.

    Args:
        wanted: what the set is to hold, without overlaps; what has ended is left out.
        held: what it holds.
        now: seconds since the epoch.
    """
    lasting = {(span.first, span.past): span for span in wanted if span.until > now}
    removed: list[Element] = []
    for element in held:
        span = lasting.get((element.first, element.past))
        if span is not None and _ends_alike(span, element, now):
            del lasting[element.first, element.past]
        else:
            removed.append(element)
    return list(lasting.values()), removed


def _ends_alike(span: Span, element: Element, now: float) -> bool:
    if element.seconds is None or span.until == FOR_EVER:
        return element.seconds is None and span.until == FOR_EVER
    return abs(min(span.until - now, LONGEST) - element.seconds) <= _CLOSE


def seconds_left(until: float, now: float) -> int:
    """Return whole seconds up to an end, at least one, as the kernel takes them; 0: for ever."""
    return 0 if until == FOR_EVER else min(max(ceil(until - now), 1), LONGEST)
