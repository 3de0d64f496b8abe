"""Which exceptions a fence lets in: what it holds tells that, and the rules only what is meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from geofence.merge import exception_space
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import Role, SetKey

_SHOWN = 3
"""Addresses that one sentence names."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An exception that is allowed and not in force."""

    name: str
    why: str
    """A clause, and what to do."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What became of the exceptions of the rules."""

    names: tuple[str, ...] = ()
    """Of those in force; some may be switched off in the rules meanwhile."""
    waiting: tuple[Waiting, ...] = ()


def in_force(
    policy: Policy, lists: Mapping[ListId, AddressSpace], sets: Mapping[SetKey, PrefixSet] | None
) -> InForce:
    """Which exceptions are in force, and why not the others that are allowed.

    Args:
        policy: the rules, perhaps edited since they were applied.
        lists: those of the exceptions' host names that are at hand.
        sets: what the fence holds; None: there is no fence.
    """
    held = None if sets is None else _held(sets)
    spaces = {each.name: exception_space(each, lists) for each in policy.exceptions}
    obstacles = {each.name: _obstacle(each, spaces[each.name], held) for each in policy.exceptions}
    meant = AddressSpace.union(spaces[each.name] for each in policy.enabled_exceptions())
    return InForce(
        names=tuple(
            each.name
            for each in policy.exceptions
            # One that is off counts unless others let in the same addresses.
            if not obstacles[each.name] and (each.enabled or spaces[each.name] - meant)
        ),
        waiting=tuple(
            Waiting(each.name, obstacles[each.name])
            for each in policy.enabled_exceptions()
            if obstacles[each.name]
        ),
    )


def never_resolved(
    exceptions: Iterable[NamedException], lists: Mapping[ListId, AddressSpace]
) -> tuple[str, ...]:
    """What exceptions do not let in, because a host name of theirs was never resolved.

    Args:
        exceptions: those that are meant to let in what they stand for.
        lists: those of host names that are at hand.
    """
    unresolved = [
        (each, [host for host in each.hosts if ListId(ListKind.HOST, host) not in lists])
        for each in exceptions
    ]
    shut = tuple(
        f"The exception {each.name} does not let in {', '.join(hosts)}, never resolved so far: run "
        "'geofence refresh' where DNS answers, or write the addresses into last_known."
        for each, hosts in unresolved
        if hosts and not each.last_known
    )
    stood_in_for = ", ".join(each.name for each, hosts in unresolved if hosts and each.last_known)
    stand_in = (
        f"last_known stands in for host names that were never resolved ({stood_in_for}): run "
        "'geofence refresh' where DNS answers."
    )
    return (*shut, stand_in) if stood_in_for else shut


def outside_pins(
    exceptions: Iterable[NamedException], lists: Mapping[ListId, AddressSpace]
) -> tuple[str, ...]:
    """Give a sentence for each exception whose host names stand for more than it allows.

    Args:
        exceptions: those that are meant to allow what they stand for.
        lists: those of host names that are at hand.
    """
    pinned = [(each, _outside(each, lists)) for each in exceptions if each.within]
    return tuple(
        f"The exception {each.name} does not allow {_shown(outside)}, which its host names stand "
        "for and which is outside its 'within'."
        for each, outside in pinned
        if outside
    )


def _outside(exception: NamedException, lists: Mapping[ListId, AddressSpace]) -> AddressSpace:
    hosts = [ListId(ListKind.HOST, host) for host in exception.hosts]
    return AddressSpace.union(lists[host] for host in hosts if host in lists) - exception.within


def _shown(space: AddressSpace) -> str:
    """The first few addresses or prefixes of a space."""
    prefixes = [str(prefix) for family in Family for prefix in space[family].prefixes()]
    texts = [text.removesuffix("/32").removesuffix("/128") for text in prefixes]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _held(sets: Mapping[SetKey, PrefixSet]) -> Mapping[str, AddressSpace]:
    """What each fenced service lets in before all else."""
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
) -> str:
    """Why an exception is not in force; empty if it is."""
    if held is None:
        return "there is no fence"
    if not space and exception.within:
        return "its host names stand for nothing in its 'within'; 'geofence refresh' tries again"
    if not space:
        return _unresolved(exception.hosts)
    opened = [holds for service, holds in held.items() if exception.opens(service)]
    if not opened:
        return "no service that it opens is fenced"
    if any(space - holds for holds in opened):
        return "not applied yet; 'geofence apply' does it"
    return ""


def _unresolved(hosts: Collection[str]) -> str:
    named = ", ".join(hosts)
    said = f"its host name {named} was" if len(hosts) == 1 else f"its host names {named} were"
    return f"{said} never resolved; 'geofence refresh' tries again"
