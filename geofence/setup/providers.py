"""Providers in the catalogue that trunks of this host belong to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from geofence.asterisk.reading import HostKind, Trunk
from geofence.model.policy import NamedException
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


def entries_for(trunk: Trunk, existing: Existing) -> Iterator[NamedException]:
    """Yield the exceptions of the rules that are about the provider of a trunk."""
    for entry in existing.policy.exceptions:
        if _is_of(trunk, entry):
            yield entry


def _is_of(trunk: Trunk, entry: NamedException) -> bool:
    if trunk.kind is HostKind.NAME:
        host = trunk.host.lower().removesuffix(".")
        return any(host == name or host.endswith(f".{name}") for name in entry.hosts)
    try:
        written = prefix(trunk.host)
    except Mistake:
        return False
    known = entry.prefixes | entry.last_known
    held = known[written.family]
    return written.network in held and written.past - 1 in held
