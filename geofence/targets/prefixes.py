"""Prefixes as objects of clusters have them."""

from __future__ import annotations

import socket
from dataclasses import replace

from geofence.errors import TargetError
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.targets.fence import FenceGroup
from geofence.translation import tr


def parse_prefix(text: str) -> Prefix:
    """Return the prefix of a text such as ``1.0.16.0/20``.

    Raises:
        TargetError: it is not exactly the text that geofence writes: no host bits, no leading
            zeros, no IPv4 address as IPv6.
    """
    address, _, digits = text.partition("/")
    family = Family.IPV6 if ":" in address else Family.IPV4
    try:
        packed = socket.inet_pton(family.socket_family, address)
        length = int(digits)
    except (OSError, ValueError):
        raise _refused(text) from None
    prefix = Prefix(family, int.from_bytes(packed, "big"), length)
    if not 0 <= length <= family.bits or str(prefix) != text:
        raise _refused(text)
    if prefix.network & ((1 << (family.bits - length)) - 1):
        raise _refused(text)
    return prefix


def _refused(text: str) -> TargetError:
    return TargetError(tr("{text} is not a prefix as geofence writes it.", text=repr(text)))


def without_mapped(space: AddressSpace) -> AddressSpace:
    """Return a space without prefixes that engines would take for IPv4.

    ``::ffff:192.0.2.0/120`` is IPv4's ``192.0.2.0/24`` to Go, in which they are written. No packet
    has such a source.
    """
    if not space.ipv6.meets(_MAPPED):
        return space
    taken = [prefix for prefix in space.ipv6.prefixes() if _within_mapped(prefix)]
    return AddressSpace(space.ipv4, space.ipv6 - PrefixSet.of(Family.IPV6, taken))


def with_real_sources(group: FenceGroup) -> FenceGroup:
    """Return a group without prefixes that engines would take for IPv4."""
    return replace(
        group,
        excepted=without_mapped(group.excepted),
        banned=without_mapped(group.banned),
        allowed=without_mapped(group.allowed),
    )


_MAPPED_PREFIX = Prefix(Family.IPV6, 0xFFFF << 32, 96)
_MAPPED = PrefixSet.of(Family.IPV6, [_MAPPED_PREFIX])


def _within_mapped(prefix: Prefix) -> bool:
    return _MAPPED_PREFIX.network <= prefix.network and prefix.past <= _MAPPED_PREFIX.past
