"""What brings the rules and lists into the kernel: refresh and apply."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from geofence.active_exceptions import never_resolved, outside_pins
from geofence.apply import apply_ruleset
from geofence.backends.registry import Chosen
from geofence.errors import StateError
from geofence.guards.lockout import SshSession
from geofence.guards.objection import Objection, remaining
from geofence.merge import blocked, merge, needed_lists
from geofence.model.generation import Generation, ListNote
from geofence.model.lists import ListKind
from geofence.model.plan import Plan
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Ruleset
from geofence.operations.closed_fence import write_fallback
from geofence.operations.confirm import begin, refuse_pending, settle
from geofence.operations.counters import note_counting
from geofence.operations.foreign import refuse_foreign
from geofence.operations.lists import (
    Watch,
    fetched,
    spaces,
    stale,
    stored,
    switched_for_nothing,
    unchanging,
    unread,
    unwatched,
)
from geofence.operations.live_flows import forget_unwatched, let_in_again, look_at
from geofence.operations.report import ListReport, RunReport
from geofence.operations.site import Site
from geofence.routing.routes import read_places
from geofence.state.files import ensure_private_directory
from geofence.state.lock import exclusive
from geofence.state.removal import forget_removal


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is for and what it may do."""

    reason: str
    """The command, as a person would name it."""
    accept: Collection[str] = ()
    """Overrides of guards."""
    ssh: SshSession | None = None
    """Where the operator sits, if not at this host."""
    cut: bool = False
    """Whether to end live flows that the new ruleset would not let begin."""
    revoked: AddressSpace | None = None
    """End live flows from there, unless the new ruleset would let them begin all the same."""
    probation_seconds: int = 0
    """How long to wait for ``confirm``; 0: what is applied stays."""
    restores: int | None = None
    """Number of the generation that a rollback brings back."""
    unattended: bool = False
    """Whether nobody is there to decide what to do about an objection."""


@contextmanager
def holding(site: Site) -> Iterator[None]:
    """Be the one run that changes things: locked, tidy, and no unconfirmed ruleset in force.

    Raises:
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        StateError: the state directory cannot be used.
    """
    ensure_private_directory(site.state_directory)
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        settle(site)
        yield


def refresh(site: Site, wish: Wish, watch: Watch = unwatched) -> RunReport:
    """Fetch the lists, then apply: what runs daily.

    The network is asked before the lock is taken, so that nobody waits for a slow server.

    Raises:
        UsageError: an override names no guard, or no list that the rules need.
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
    """
    ensure_private_directory(site.state_directory)
    policy = site.policy()
    refuse_pending(site)
    check_overrides(policy, wish.accept)  # now, too: nothing is to be fetched and stored for a slip
    gathered = fetched(site, policy, tuple(ListKind), wish.accept, watch)
    with holding(site):
        gathered.store(site)
        report = apply_rules(site, wish, gathered.reports)
        told = report.with_notes((*gathered.notes, *gathered.news))
        return replace(told, news=gathered.news)


def apply(site: Site, wish: Wish) -> RunReport:
    """Apply the rules with the lists at hand, without the network.

    Raises:
        UsageError: an override names no guard, or no list that the rules need.
    """
    with holding(site):
        return apply_rules(site, wish)


def check_overrides(policy: Policy, accept: Collection[str]) -> None:
    """See that what is to be accepted can be.

    Raises:
        UsageError: an override names no guard, or no list that the rules need.
    """
    remaining((), accept, names=[each.name for each in needed_lists(policy)])


def apply_rules(site: Site, wish: Wish, fresh: tuple[ListReport, ...] = ()) -> RunReport:
    """Apply what the rules say now; the caller holds the lock.

    The rules are read under the lock: an ``allow`` that came while lists were fetched counts.

    Args:
        site: the installation.
        wish: what for.
        fresh: lists that this run has dealt with already.

    Raises:
        UsageError: an override names no guard, or no list that the rules need.
    """
    policy = site.policy()
    check_overrides(policy, wish.accept)
    reports = stored(site, policy, {report.id: report for report in fresh})
    lists = spaces(reports)
    desired = merge(policy, lists, read_places())
    chosen = site.choose_backend(policy.backend)
    denied = blocked(policy, lists)
    report = commit(site, wish, chosen, desired, _noted(reports), denied=denied)
    problems = tuple(each.problem for each in reports if each.problem)
    notes = (
        *unread(policy),
        *switched_for_nothing(policy),
        *never_resolved(policy.enabled_exceptions(), lists),
        *outside_pins(policy.enabled_exceptions(), lists),
        *stale(policy, reports, datetime.now(UTC)),
        *unchanging(site, reports),
    )
    return replace(
        report,
        lists=reports,
        notes=(*problems, *report.notes, *notes),
        degraded=report.degraded or bool(problems),
    )


def _noted(reports: Iterable[ListReport]) -> tuple[ListNote, ...]:
    """Where the content of a generation comes from."""
    return tuple(
        ListNote(str(report.id), report.checked_at, report.provenance[0].sha256)
        for report in reports
        if report.checked_at is not None
    )


def commit(  # noqa: PLR0913 - what a run is about
    site: Site,
    wish: Wish,
    chosen: Chosen,
    desired: Ruleset,
    lists: tuple[ListNote, ...],
    *,
    denied: AddressSpace | None = None,
) -> RunReport:
    """Guard, apply, verify and record one ruleset; the caller holds the lock.

    Args:
        site: the installation.
        wish: what for.
        chosen: the backend.
        desired: the ruleset.
        lists: where its content comes from.
        denied: whom blocklists deny.
    """
    refuse_foreign(site, wish.accept)
    newest, _ = site.generations.newest()
    recorded, observed = newest.ruleset if newest else None, chosen.backend.observe()
    change = look_at(recorded, observed, desired, wish.revoked, blocked=denied, cutting=wish.cut)
    waiting = change.refuse(wish.accept, wish.ssh, unattended=wish.unattended)
    if waiting:
        desired = change.widened()
        change = replace(change, after=desired)
    if wish.probation_seconds:
        begin(site, wish.probation_seconds)
    applied = apply_ruleset(chosen.backend, desired)
    note_counting(site, applied.plan)
    forget_removal(site.state_directory)
    number, notes = _record(site, wish, chosen.backend.name, desired, lists)
    _log(site, wish, applied.plan, (newest.number if newest else None, number))
    # Whatever the plan was: a run that was killed may have left somebody shut out.
    notes = (*notes, *forget_unwatched(desired, applied.plan.observed), *let_in_again(desired))
    if number is not None:
        notes = (*notes, *write_fallback(site, desired))
    if wish.cut or wish.revoked is not None:
        notes = (*notes, *change.cut())
    replaced = (f"The fence of the backend {name} was taken away." for name in applied.replaced)
    untidy = (applied.untidy,) if applied.untidy else ()
    return RunReport(
        plan=applied.plan,
        backend=chosen.why,
        generation=number,
        notes=(*change.notes, *_waiting(waiting), *replaced, *untidy, *notes),
        impact=change.impact,
        degraded=bool(untidy or waiting) or number is None,
    )


def _waiting(objections: Iterable[Objection]) -> tuple[str, ...]:
    return tuple(
        f"Nobody was blocked who was allowed before; everything else was applied. {one}"
        for one in objections
    )


def _log(site: Site, wish: Wish, made: Plan, numbers: tuple[int | None, int | None]) -> None:
    """Write to the host's log what was changed, if anything was; generations before and now."""
    former, number = numbers
    if made.is_empty and number == former:
        return
    now = f"generation {number}" if number is not None else "a fence that could not be recorded"
    instead = f" instead of {former}" if former not in (None, number) else ""
    options = [f"--accept {each}" for each in wish.accept] + (["--cut"] if wish.cut else [])
    if wish.probation_seconds:
        options.append(f"--confirm-within {wish.probation_seconds}s")
    command = " ".join((wish.reason, *options))
    site.log_change(command, f"{now} is in force{instead}", number)


def _record(
    site: Site, wish: Wish, backend: str, desired: Ruleset, lists: tuple[ListNote, ...]
) -> tuple[int | None, tuple[str, ...]]:
    """Record what the kernel was found to hold, unless the newest generation says the same."""
    try:
        newest, damaged = site.generations.newest()
        notes = tuple(str(found) for found in damaged)
        if newest and newest.ruleset == desired and newest.backend == backend and not damaged:
            return newest.number, notes
        number = site.generations.next_number()
        now = datetime.now(UTC)
        made = Generation(number, now, wish.reason, backend, desired, lists, wish.restores)
        site.generations.record(made)
    except StateError as error:
        unrecorded = (
            "The fence is applied but not recorded: a reboot, or the daemon when it looks next, "
            "brings back the one before."
        )
        return None, (f"{unrecorded} {error}",)
    return number, notes
