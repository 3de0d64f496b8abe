"""The fence as kernel IP sets, bound to SIP and RTP by iptables rules in the mangle table."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from geofence.backends.interface import Backend, NotedSets


def new_backend() -> Backend:
    """Return this backend, for the registry."""
    from geofence.backends.ipset.backend import IpsetBackend

    return IpsetBackend()


def new_noting() -> NotedSets:
    """Return what of it reads noted sources."""
    from geofence.backends.ipset.noting import IpsetNoting

    return IpsetNoting()
