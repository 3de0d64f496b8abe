"""Providers in the catalogue that trunks of this host belong to. Pure."""

from __future__ import annotations

from geofence.asterisk.reading import HostKind, Trunk
from geofence.catalog import holding, match
from geofence.model.policy import NamedException
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import prefix
from geofence.policy.mistakes import Mistake
from geofence.setup.machine import Existing, Machine


def offered(found: Machine, existing: Existing) -> tuple[NamedException, ...]:
    """Return the catalogue's entries for trunks of this host that are not enabled yet."""
    reading = found.asterisk.reading
    if reading is None:
        return ()
    matching = (each for trunk in reading.trunks for each in entries_for(trunk, existing))
    return tuple(
        each
        for each in dict.fromkeys(matching)
        if not each.enabled and not _is_chosen(each, existing)
    )


def _is_chosen(entry: NamedException, existing: Existing) -> bool:
    key = f"exception.{entry.name}"
    return bool(existing.says(f"{key}.enabled")) or "enabled" in existing.setup.get(key, {})


def entries_for(trunk: Trunk, existing: Existing) -> tuple[NamedException, ...]:
    """Return the catalogue's entries for the provider of a trunk."""
    known = existing.policy.exceptions
    if trunk.kind is HostKind.NAME:
        return match(trunk.host, known)
    try:
        return holding(AddressSpace.of((prefix(trunk.host),)), known)
    except Mistake:
        return ()
