"""The shield as ``status``, ``why``, ``doctor`` and the metrics tell it."""

from __future__ import annotations

from typing import NamedTuple

from geofence.model.address import Address
from geofence.model.generation import Generation
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.shield import ShieldRecord, ShieldState
from geofence.operations.shield import may_be_up
from geofence.operations.site import Site
from geofence.routing.routes import read_local
from geofence.shield.design import design
from geofence.shield.raising import seen_up
from geofence.state.shield import is_kept, read_shield

_GRAIN = {Family.IPV4: 24, Family.IPV6: 32}
"""Bits of the networks that the shield distinguishes."""


class ShieldStatus(NamedTuple):
    """The shield, as far as it is known without its process."""

    enabled: bool
    """Whether the rules ask for it."""
    record: ShieldRecord | None = None
    """What its process has recorded since the boot."""
    kept: bool = False
    """Whether that process runs."""
    differs: bool = False
    """Whether the kernel has other programs than were recorded."""

    @property
    def is_armed(self) -> bool:
        """Whether it drops packets."""
        known = self.record
        return known is not None and known.state is ShieldState.ARMED and not self.differs


def shield_status(site: Site, policy: Policy) -> ShieldStatus | None:
    """Return how the shield is; None where nobody ever asked for it."""
    record = read_shield(site.state_directory)
    if not policy.shield_enabled and record is None and not may_be_up(site):
        return None
    recorded = {each._replace(name="") for each in record.interfaces} if record else set()
    try:
        differs = seen_up(site.bpf_directory) != recorded
    except OSError:  # without the right to look
        differs = False
    return ShieldStatus(policy.shield_enabled, record, is_kept(site.state_directory), differs)


def shield_notes(site: Site, policy: Policy, source: Address) -> tuple[Note, ...]:
    """Return a note if an armed shield drops new packets of an address.

    Raises:
        BackendError: the kernel does not tell this host's addresses.
        StateError: what is allowed until a time cannot be read.
    """
    status = shield_status(site, policy)
    newest, _ = site.generations.newest()
    if status is None or not status.is_armed or newest is None:
        return ()
    services = _dropped_for(site, newest, source)
    if not services:
        return ()
    return (Note(NoteKind.SHIELD_DROPS, "", {"services": list(services)}),)


def _dropped_for(site: Site, newest: Generation, source: Address) -> tuple[str, ...]:
    """Return the services of which the shield drops the new packets of an address."""
    timed = {
        key: PrefixSet.of(key.family, (each.prefix for each in held))
        for key, held in site.timed.load().items()
    }
    made = design(newest.ruleset, timed, (route.prefix for route in read_local()))
    rest = source.family.bits - _GRAIN[source.family]
    first = source.number >> rest << rest
    around = PrefixSet(source.family, (first, first + (1 << rest)))
    if made.allowed[source.family].meets(around) or not made.family_addresses(source.family):
        return ()
    return tuple(service.name for service in made.services)
