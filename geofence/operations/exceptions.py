"""``exceptions``: all exceptions, where they are defined, and what they allow until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from geofence.allowed.active_exceptions import Inactive, active_exceptions
from geofence.errors import BackendError
from geofence.merge import exception_space
from geofence.model.elements import Element
from geofence.model.lists import ListId
from geofence.model.notes import Note
from geofence.model.policy import CountrySwitch, NamedException, Origin, Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import Role, SetKey
from geofence.operations.facts import Facts
from geofence.operations.lists import switched_for_nothing
from geofence.operations.runtime import holders
from geofence.operations.site import Site
from geofence.policy.owned import is_owned


@dataclass(frozen=True, slots=True)
class ExceptionEntry:
    """One exception."""

    exception: NamedException
    origin: Origin | None
    """Where it is defined."""
    addresses: AddressSpace
    """Its prefixes, and what its host names resolve to."""
    active: bool
    """Whether it is allowed and applied."""
    inactive: Inactive | None = None
    """Why it is not active although it is enabled."""
    packets: int | None = None
    """Packets that it let pass since its addresses are in the kernel; None if unknown. Of a
    connection that was admitted, only the first counts, unless the exception has an end. Where
    addresses of two exceptions touch or overlap, both count. By destination NAT it may be more."""

    @property
    def by_hand(self) -> bool:
        """Whether ``allow`` made it."""
        return self.origin is not None and is_owned(self.origin.file)

    @property
    def has_ended(self) -> bool:
        """Whether it was allowed until a time that is over."""
        return self.exception.until is not None and not self.exception.enabled


@dataclass(frozen=True, slots=True)
class ExceptionsReport:
    """The result of ``exceptions``."""

    exceptions: tuple[ExceptionEntry, ...]
    countries: tuple[CountrySwitch, ...]
    """Countries that were allowed or revoked by hand."""
    notes: tuple[Note, ...] = ()


def exceptions(site: Site, facts: Facts | None = None) -> ExceptionsReport:
    """Return all exceptions of the rules, in their order.

    The rules, the stored lists and the newest generation tell what they are, and the kernel, where
    it can be read, how much they were used.

    Args:
        site: the installation.
        facts: the rules and the newest generation, if they have been read already.

    Raises:
        RulesError: the rules do not load.
    """
    known = facts or Facts(site)
    policy = known.policy
    # Reading the rules takes as long again; without the command line's file they are the same.
    others = site.policy_without_switches() if site.owned_file.exists() else policy
    lists = _hosts(site, policy)
    generation, _ = known.newest
    applied = generation.ruleset.sets if generation else None
    found = active_exceptions(policy, lists, applied)
    inactive = {each.name: each for each in found.inactive}
    counts = _counts(policy)
    return ExceptionsReport(
        tuple(
            ExceptionEntry(
                each,
                _origin(each.name, others, policy),
                exception_space(each, lists),
                each.name in found.names,
                inactive.get(each.name),
                None if counts is None else _packets(each, exception_space(each, lists), counts),
            )
            for each in policy.exceptions
        ),
        policy.country_switches,
        switched_for_nothing(policy),
    )


_Counts = Mapping[SetKey, Sequence[Element]]


def _counts(policy: Policy) -> _Counts | None:
    """Return the elements of the kernel's sets of exceptions; None where they cannot be read."""
    roles = (Role.EXCEPTION, Role.TIMED)
    services = (service.name for service in policy.services)
    keys = [SetKey(*each) for each in product(roles, services, Family)]
    try:
        found = holders(keys)
        return {key: backend.elements(key) for backend in found for key in keys} if found else None
    except BackendError:
        return None


def _packets(exception: NamedException, space: AddressSpace, counts: _Counts) -> int:
    """Return what was counted of an exception's addresses."""
    role = Role.TIMED if exception.until else Role.EXCEPTION
    seen = sum(
        element.packets
        for key, elements in counts.items()
        if key.role is role and exception.enabled and exception.opens(key.group)
        for element in elements
        if space[key.family] & PrefixSet.of_ranges(key.family, [element.first], [element.past])
    )
    return (seen + 1) // 2  # looked up when it arrives, and again when it is delivered


def _origin(name: str, others: Policy, policy: Policy) -> Origin | None:
    """Return where an exception is defined, not where it was enabled last."""
    table = f"exception.{name}"
    return others.origins.get(table) or policy.origins.get(table)


def _hosts(site: Site, policy: Policy) -> dict[ListId, AddressSpace]:
    """Return the addresses of names in DNS that have resolved, and of feeds."""
    names = {name for each in policy.exceptions for name in each.lists}
    found, _ = site.lists.load_all(sorted(names))
    return {name: accepted.space for name, accepted in found.items()}
