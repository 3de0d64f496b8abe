"""Which ranges of addresses the objects of a large fence have.

A range that would hold too much is halved, so its bounds depend on no count of what is before it: a
list that grows somewhere changes the objects there and no others.
"""

from __future__ import annotations

from collections.abc import Iterator

from geofence.model.prefixes import Family, Prefix
from geofence.targets.fence import ClusterFence
from geofence.targets.networkpolicy.shape import Sources, Within, clipped

MOST_IN_ONE = 1_300_000
"""Bytes of sources that one object may hold if it holds all. etcd stores 1,572,864."""
MOST_IN_RANGE = 650_000
"""The same if there are several, so that each can grow for a while."""
LONGEST = {Family.IPV4: 24, Family.IPV6: 49}
"""Bytes that a prefix takes in etcd, at most: six more than its text."""

_EVERYTHING = (Prefix(Family.IPV4, 0, 0), Prefix(Family.IPV6, 0, 0))


def ranges(fence: ClusterFence) -> tuple[Within, ...]:
    """Return the ranges beside the base object; none if that can hold everything."""
    if sum(_size(fence, each) for each in _EVERYTHING) <= MOST_IN_ONE:
        return ()
    return tuple(Within(each) for whole in _EVERYTHING for each in _halves(fence, whole))


def _halves(fence: ClusterFence, prefix: Prefix) -> Iterator[Prefix]:
    """Yield the ranges within a prefix, ascending; none without a source in it."""
    size = _size(fence, prefix)
    if size <= MOST_IN_RANGE or prefix.length == prefix.family.bits:
        if size:
            yield prefix
        return
    family, network, length = prefix
    half = 1 << (family.bits - length - 1)
    for first in (network, network + half):
        yield from _halves(fence, Prefix(family, first, length + 1))


def _size(fence: ClusterFence, prefix: Prefix) -> int:
    """Return how many bytes the sources within a prefix take in etcd, at most."""
    return LONGEST[prefix.family] * sum(
        clipped(kind.of(group)[prefix.family], prefix.network, prefix.past).prefix_count
        for group in fence.groups
        if not group.observe
        for kind in Sources
    )
