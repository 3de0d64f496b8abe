"""Entries of the catalogue for the trunks and registered contacts of this host. Pure."""

from __future__ import annotations

from geofence.allowed.catalog import holding, match
from geofence.asterisk.reading import HostKind, Trunk
from geofence.model.policy import NamedException
from geofence.model.prefixes import AddressSpace, Prefix
from geofence.policy.addresses import prefix
from geofence.policy.mistakes import Mistake
from geofence.setup.machine import Existing, Machine


def offered(found: Machine, existing: Existing) -> tuple[NamedException, ...]:
    """Return the entries for trunks, and for push servers that are registered, not enabled yet."""
    trunks = found.asterisk.reading.trunks if found.asterisk.reading else ()
    matching = [each for trunk in trunks for each in entries_for(trunk, existing)]
    for contact in found.contacts:
        one = Prefix(contact.family, contact.number, contact.family.bits)
        matching += holding(AddressSpace.of((one,)), existing.policy.exceptions)
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
