"""The fence as kernel IP sets, bound to SIP and RTP by iptables rules in the mangle table."""

from geofence.backends.interface import Backend
from geofence.backends.ipset.backend import IpsetBackend


def backend() -> Backend:
    """Return this backend, for the registry."""
    return IpsetBackend()
