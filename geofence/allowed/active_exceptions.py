"""The exceptions that the applied fence really allows, and why others are inactive. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from geofence.merge import exception_space
from geofence.model.frozen import dataclass
from geofence.model.lists import ListId
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet, address_texts
from geofence.model.ruleset import Role, SetKey


class Obstacle(StrEnum):
    """Why an exception is inactive."""

    NO_FENCE = "no-fence"
    OUTSIDE_PIN = "outside-pin"
    """Its host names have no address within ``within``."""
    UNRESOLVED = "unresolved"
    """Its host names have never resolved."""
    NO_FEED = "no-feed"
    """Its feed has never been accepted, or has no address within ``within``."""
    NO_SERVICE = "no-service"
    """None of its services is fenced."""
    NOT_APPLIED = "not-applied"


@dataclass(frozen=True, slots=True)
class Inactive:
    """An exception that is enabled and not active."""

    name: str
    obstacle: Obstacle
    hosts: tuple[str, ...] = ()
    """Its host names and names of SRV records."""


@dataclass(frozen=True, slots=True)
class ActiveExceptions:
    """The state of the exceptions of the rules."""

    names: tuple[str, ...] = ()
    """Active ones; some may be disabled in the rules meanwhile."""
    inactive: tuple[Inactive, ...] = ()


def active_exceptions(
    policy: Policy, lists: Mapping[ListId, AddressSpace], sets: Mapping[SetKey, PrefixSet] | None
) -> ActiveExceptions:
    """Return which exceptions are active, and why other enabled ones are not.

    Args:
        policy: the rules, perhaps edited since they were applied.
        lists: those of the exceptions' host names that are known.
        sets: the sets of the fence; None: there is no fence.
    """
    held = None if sets is None else _held(sets)
    spaces = {each.name: exception_space(each, lists) for each in policy.exceptions}
    obstacles = {each.name: _obstacle(each, spaces[each.name], held) for each in policy.exceptions}
    enabled = AddressSpace.union(spaces[each.name] for each in policy.enabled_exceptions())
    return ActiveExceptions(
        names=tuple(
            each.name
            for each in policy.exceptions
            # A disabled one counts unless enabled ones allow the same addresses.
            if not obstacles[each.name] and (each.enabled or spaces[each.name] - enabled)
        ),
        inactive=tuple(
            Inactive(each.name, obstacle, tuple(name.name for name in each.names))
            for each in policy.enabled_exceptions()
            if (obstacle := obstacles[each.name])
        ),
    )


def never_resolved(
    exceptions: Iterable[NamedException], lists: Mapping[ListId, AddressSpace]
) -> tuple[Note, ...]:
    """Return notes on host names that have never resolved.

    Args:
        exceptions: enabled ones.
        lists: those of host names that are known.
    """
    unresolved = [
        (each, [wanted.name for wanted in each.names if wanted not in lists]) for each in exceptions
    ]
    inactive = tuple(
        Note(NoteKind.EXCEPTION_UNRESOLVED, each.name, {"hosts": hosts})
        for each, hosts in unresolved
        if hosts and not each.last_known
    )
    stood_in_for = [each.name for each, hosts in unresolved if hosts and each.last_known]
    if not stood_in_for:
        return inactive
    return (*inactive, Note(NoteKind.LAST_KNOWN_USED, "", {"exceptions": stood_in_for}))


def outside_pins(
    exceptions: Iterable[NamedException], lists: Mapping[ListId, AddressSpace]
) -> tuple[Note, ...]:
    """Return a note for each exception whose names or feed have addresses outside its ``within``.

    Args:
        exceptions: enabled ones.
        lists: those of host names that are known.
    """
    pinned = [(each, _outside(each, lists)) for each in exceptions if each.within]
    return tuple(
        Note(NoteKind.OUTSIDE_PIN, each.name, {"addresses": address_texts(outside), **_fed(each)})
        for each, outside in pinned
        if outside
    )


def _fed(exception: NamedException) -> dict[str, object]:
    return {"feed": True} if exception.feed else {}


def _outside(exception: NamedException, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    known = (lists[name] for name in exception.lists if name in lists)
    return AddressSpace.union(known) - exception.within


def _held(sets: Mapping[SetKey, PrefixSet]) -> Mapping[str, AddressSpace]:
    """Return the exceptions of each fenced service, as the fence holds them."""
    services = dict.fromkeys(key.group for key in sets if key.role is Role.EXCEPTION)
    return {
        service: AddressSpace(
            *(
                sets.get(SetKey(Role.EXCEPTION, service, family), PrefixSet(family))
                for family in Family
            )
        )
        for service in services
    }


def _obstacle(
    exception: NamedException, space: AddressSpace, held: Mapping[str, AddressSpace] | None
) -> Obstacle | None:
    """Return why an exception is inactive; None if it is active."""
    if held is None:
        return Obstacle.NO_FENCE
    if not space:
        if exception.feed:
            return Obstacle.NO_FEED
        return Obstacle.OUTSIDE_PIN if exception.within else Obstacle.UNRESOLVED
    opened = [holds for service, holds in held.items() if exception.opens(service)]
    if not opened:
        return Obstacle.NO_SERVICE
    if exception.until:  # no declared set has it, and the kernel ends it
        return None if exception.enabled else Obstacle.NOT_APPLIED
    return Obstacle.NOT_APPLIED if any(space - holds for holds in opened) else None
