"""The fence in nf_tables: one table of its own, over which one transaction decides.

::

    backend          observe, commit, remove
    ├── commit           from the table that is there to the one that is wanted
    │   └── batches      ruleset and snapshot → transactions
    │       ├── messages     one object of the table → message
    │       ├── rules        rules → expressions
    │       ├── prefilter    rules and sets → one look-up that drops most packets
    │       └── elements     prefixes ↔ elements
    ├── observe          snapshot → what is geofence's, what is in the way
    │   ├── expressions  expressions → values, and what a rule does
    │   └── render       expressions → lines
    ├── snapshot         the kernel → chains, rules, sets, objects
    ├── noting           sources that the kernel itself has put into sets
    ├── listing          one kind of object of the table, as the kernel lists it
    └── connection       dumps and transactions
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from geofence.backends.interface import Backend, NotedSets


def new_backend() -> Backend:
    """Return the backend; opens nothing yet."""
    from geofence.backends.nftables.backend import NftablesBackend

    return NftablesBackend()


def new_noting() -> NotedSets:
    """Return what of it reads noted sources."""
    from geofence.backends.nftables.noting import NftablesNoting

    return NftablesNoting()
