"""``exceptions``: all exceptions, where they are defined, and what they allow until when."""

from __future__ import annotations

from dataclasses import dataclass

from geofence.active_exceptions import Inactive, active_exceptions
from geofence.merge import exception_space
from geofence.model.lists import ListId
from geofence.model.notes import Note
from geofence.model.policy import CountrySwitch, NamedException, Origin, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.lists import switched_for_nothing
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
    begun: int | None = None
    """Number of connections that began through it; None if unknown."""

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


def exceptions(site: Site) -> ExceptionsReport:
    """Return all exceptions of the rules, in their order.

    The rules, the stored lists and the newest generation tell all of it; the kernel is not read.

    Raises:
        RulesError: the rules do not load.
    """
    policy, others = site.policy(), site.policy_without_switches()
    lists = _hosts(site, policy)
    generation, _ = site.generations.newest()
    applied = generation.ruleset.sets if generation else None
    found = active_exceptions(policy, lists, applied)
    inactive = {each.name: each for each in found.inactive}
    return ExceptionsReport(
        tuple(
            ExceptionEntry(
                each,
                _origin(each.name, others, policy),
                exception_space(each, lists),
                each.name in found.names,
                inactive.get(each.name),
            )
            for each in policy.exceptions
        ),
        policy.country_switches,
        switched_for_nothing(policy),
    )


def _origin(name: str, others: Policy, policy: Policy) -> Origin | None:
    """Return where an exception is defined, not where it was enabled last."""
    table = f"exception.{name}"
    return others.origins.get(table) or policy.origins.get(table)


def _hosts(site: Site, policy: Policy) -> dict[ListId, AddressSpace]:
    """Return the addresses of all names in DNS that have resolved."""
    names = {name for each in policy.exceptions for name in each.names}
    found, _ = site.lists.load_all(sorted(names))
    return {name: accepted.space for name, accepted in found.items()}
