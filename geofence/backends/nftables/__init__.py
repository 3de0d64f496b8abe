"""The fence in nf_tables: one table of its own, over which one transaction decides.

::

    backend      observe, commit, remove
    ├── switch        from the table that is there to the one that is wanted
    ├── transaction   ruleset and look → messages
    │   ├── rules     rules → expressions
    │   ├── near      rules and sets → one look-up that most packets are dropped by
    │   └── elements  prefixes ↔ elements
    ├── inventory     look → what is geofence's, what is in the way
    │   └── listing   expressions → lines
    ├── look          the kernel → chains, rules, sets, objects
    └── netlink       the socket: dumps and transactions
"""

from __future__ import annotations

from geofence.backends.interface import Backend
from geofence.backends.nftables.backend import NftablesBackend


def backend() -> Backend:
    """The backend; opens nothing yet."""
    return NftablesBackend()
