"""Objects in the table ``inet geofence`` that geofence never makes, by name or by shape."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.backends.nftables.kernel_sets import key_of
from geofence.backends.nftables.objects import BASES, counted_service, is_chain_name, is_gate
from geofence.backends.nftables.snapshot import Snapshot
from geofence.backends.nftables.uapi import ChainFlag, SetFlag


def foreign(held: Snapshot) -> Iterator[str]:
    """Yield what another program made in the table, or left of a table of the same name."""
    for each in held.sets:
        if key_of(each) is None and not is_gate(each) and not each.flags & SetFlag.ANONYMOUS:
            yield f"set {each.name}"
    for chain in held.chains:
        own = chain in BASES or (chain.hook is None and is_chain_name(chain.name))
        if not own and not chain.flags & ChainFlag.BINDING:
            yield f"chain {chain.name}"
    yield from (f"object {each.name}" for each in held.objects if counted_service(each) is None)
    yield from (f"flowtable {name}" for name in held.flowtables)
