"""The rules with what follows from the reading of Asterisk's configuration that is in force."""

from __future__ import annotations

from geofence.asterisk.derived import derive, with_derived
from geofence.errors import BackendError, StateError
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.routing.routes import local_addresses
from geofence.state.following import ReadingStore


def with_reading(readings: ReadingStore, rules: Policy) -> Policy:
    """Return rules with what follows from the reading in force."""
    try:
        reading = readings.load()
    except StateError:  # the next run tells
        return rules
    return (
        rules if reading is None else with_derived(rules, derive(reading, rules, own_addresses()))
    )


def own_addresses() -> AddressSpace:
    """Return the addresses of this host; none where the kernel does not tell them."""
    try:
        return local_addresses()
    except BackendError:
        return AddressSpace()
