"""The lists of a run: from the network where it is asked, else the last accepted versions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from geofence.errors import MissingListError
from geofence.fetch.report import Event, Outcome, Renewed, Unchanged
from geofence.lists.candidate import Candidate
from geofence.merge import needed_lists
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.report import ListOutcome, ListReport
from geofence.operations.site import Site

Watch = Callable[[Event], None]
"""Told what goes on while lists are fetched."""


def unwatched(_event: Event) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The lists of a run, and what of them is still to be stored."""

    reports: tuple[ListReport, ...]
    renewed: tuple[Candidate, ...] = ()
    confirmed: tuple[AcceptedList, ...] = ()
    notes: tuple[str, ...] = ()
    """What on disk was damaged and passed over."""

    def store(self, site: Site) -> None:
        """Make new versions the accepted ones; the caller holds the lock.

        Raises:
            StateError: the disk took not all of them; none is half-written.
        """
        for candidate in self.renewed:
            site.lists.save(candidate)
        for accepted in self.confirmed:
            site.lists.renew(accepted)


def spaces(reports: Iterable[ListReport]) -> Mapping[ListId, AddressSpace]:
    """The address space of each list.

    Raises:
        MissingListError: a country list or blocklist was never accepted. (A host name that was
            never resolved is no obstacle: its exception has addresses to fall back on.)
    """
    known = tuple(reports)
    missing = [r for r in known if r.outcome is ListOutcome.MISSING]
    needed = [report for report in missing if report.id.kind is not ListKind.HOST]
    if needed:
        why = " ".join(report.problem for report in needed if report.problem)
        names = ", ".join(str(report.id) for report in needed)
        raise MissingListError(
            f"No version of these lists was ever accepted: {names}. "
            f"{why or 'Run geofence refresh where their sources can be reached.'} "
            "The fence stays as it was."
        )
    return {report.id: report.space for report in known if report not in missing}


def stored(
    site: Site, policy: Policy, fresh: Mapping[ListId, ListReport] | None = None
) -> tuple[ListReport, ...]:
    """A report for each list that the policy needs, on its last accepted version.

    Args:
        site: the installation.
        policy: the rules.
        fresh: reports of lists that this run already dealt with; those are taken as they are.
    """
    known = fresh or {}
    return tuple(known.get(name) or _stored(site, name) for name in needed_lists(policy))


def at_hand(site: Site) -> Mapping[ListId, AddressSpace]:
    """Every list on disk, also those that no rule needs any more."""
    found, _ = site.lists.load_all(site.lists.ids())
    return {name: accepted.space for name, accepted in found.items()}


def fetched(site: Site, policy: Policy, only: Collection[ListKind], watch: Watch) -> Gathered:
    """Ask the sources of the lists that the policy needs.

    Args:
        site: the installation.
        policy: the rules.
        only: kinds of lists to ask for; the others are taken as they are stored.
        watch: told what goes on.
    """
    from geofence.fetch.fetcher import fetch_lists  # requests takes long to import

    wanted = [name for name in needed_lists(policy) if name.kind in only]
    accepted, notes = site.lists.load_all(wanted)
    report = fetch_lists(wanted, policy, accepted, lambda: datetime.now(UTC), watch)
    fresh = {
        name: _fetched(name, outcome, accepted.get(name))
        for name, outcome in report.outcomes.items()
    }
    reports = stored(site, policy, fresh)
    return Gathered(reports, report.candidates, report.unchanged, notes)


def _stored(site: Site, wanted: ListId) -> ListReport:
    loaded = site.lists.load(wanted)
    problem = " ".join(loaded.warnings)
    if loaded.accepted is None:
        return ListReport(wanted, ListOutcome.MISSING, AddressSpace(), problem=problem)
    return _report(ListOutcome.STORED, loaded.accepted, problem)


def _fetched(wanted: ListId, outcome: Outcome, fallback: AcceptedList | None) -> ListReport:
    if isinstance(outcome, Renewed):
        return _report(ListOutcome.RENEWED, outcome.candidate.accepted)
    if isinstance(outcome, Unchanged):
        return _report(ListOutcome.UNCHANGED, outcome.accepted)
    if fallback is None:
        return ListReport(wanted, ListOutcome.MISSING, AddressSpace(), problem=outcome.why)
    return _report(ListOutcome.KEPT, fallback, outcome.why)


def _report(outcome: ListOutcome, accepted: AcceptedList, problem: str = "") -> ListReport:
    return ListReport(accepted.id, outcome, accepted.space, accepted.provenance, problem)
