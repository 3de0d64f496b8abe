"""The commit of one ruleset: check, apply, verify, record, log.

``refresh``, ``apply``, ``allow`` and ``rollback`` all end here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from geofence.apply import read_kernel
from geofence.backends.registry import Chosen
from geofence.errors import StateError
from geofence.guards.lockout import SshSession
from geofence.guards.objection import Objection, remaining
from geofence.merge import needed_lists
from geofence.model.frozen import dataclass, replace
from geofence.model.generation import Generation, ListNote
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Observed, Plan
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, PrefixSet
from geofence.model.ruleset import Ruleset, SetKey
from geofence.operations.closed_fence import write_fallback
from geofence.operations.confirm import begin, settle
from geofence.operations.counts import keep_before_removal
from geofence.operations.foreign import refuse_foreign
from geofence.operations.live_flows import forget_unwatched, look_at, unblock
from geofence.operations.report import RunReport
from geofence.operations.runtime import put_in_force, without_labels
from geofence.operations.site import Site
from geofence.plan.observing import observing_changes
from geofence.state.files import ensure_private_directory
from geofence.state.generations import Damaged
from geofence.state.lock import exclusive
from geofence.state.removal import forget_removal
from geofence.state.timed import Timed


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is for and what it may do."""

    reason: str
    """The command, as a person would name it."""
    accept: Collection[str] = ()
    """Overrides of guards."""
    ssh: SshSession | None = None
    """The operator's SSH session; None on the host itself."""
    cut: bool = False
    """Whether to drop connections that could not begin under the new ruleset."""
    revoked: AddressSpace | None = None
    """Sources whose connections are dropped, unless the new ruleset allows them otherwise."""
    confirm_seconds: int = 0
    """How long to wait for ``confirm``; 0: what is applied stays."""
    restores: int | None = None
    """Number of the generation that a rollback brings back."""
    unattended: bool = False
    """Whether nobody is there to decide what to do about an objection."""


@contextmanager
def holding(site: Site) -> Iterator[None]:
    """Hold the lock, with leftovers of killed runs removed and nothing unconfirmed applied.

    Raises:
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        StateError: the state directory cannot be used.
    """
    ensure_private_directory(site.state_directory)
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        settle(site)
        yield


def check_overrides(policy: Policy, accept: Collection[str]) -> None:
    """Check that each override names a check, and a list that the rules need.

    Raises:
        UsageError: an override has an unknown check or list.
    """
    remaining((), accept, names=[each.name for each in needed_lists(policy)])


def commit(  # noqa: PLR0913 - what a run is about
    site: Site,
    wish: Wish,
    chosen: Chosen,
    desired: Ruleset,
    lists: tuple[ListNote, ...],
    *,
    denied: AddressSpace | None = None,
    timed: Timed | None = None,
    newest: tuple[Generation | None, tuple[Damaged, ...]] | None = None,
) -> RunReport:
    """Check, apply, verify and record one ruleset; the caller holds the lock.

    Args:
        site: the installation.
        wish: what for.
        chosen: the backend.
        desired: the ruleset.
        lists: where its content comes from.
        denied: addresses that blocklists block.
        timed: what is allowed until a time; None: as recorded.
        newest: the newest generation and the newer files that were skipped, if they were read
            under the lock.
    """
    refuse_foreign(site, wish.accept)
    last, damaged = site.generations.newest() if newest is None else newest
    seen = read_kernel(chosen.backend)
    recorded, observed = last.ruleset if last else None, seen.observed
    desired = replace(desired, runtime=runtime_after(observed, timed))
    change = look_at(recorded, observed, desired, wish.revoked, blocked=denied, cutting=wish.cut)
    waiting = change.refuse(wish.accept, wish.ssh, unattended=wish.unattended)
    if waiting:
        desired = change.widened()
        change = replace(change, after=desired)
    if wish.confirm_seconds:
        begin(site, wish.confirm_seconds)
    if last and last.backend != chosen.backend.name:
        keep_before_removal(site)
    applied, runtime_notes = put_in_force(site, chosen.backend, desired, timed, seen)
    forget_removal(site.state_directory)
    now, name = datetime.now(UTC), chosen.backend.name
    made = Generation(0, now, wish.reason, name, desired, lists, wish.restores)
    number, notes = _record(site, made, last, damaged)
    _log(site, wish, applied.plan, (last.number if last else None, number))
    # Also for an empty plan: a run that was killed may have left connections dropped.
    notes = (
        *runtime_notes,
        *notes,
        *forget_unwatched(desired, applied.plan.observed),
        *unblock(desired),
    )
    if number is not None:
        notes = (*notes, *write_fallback(site, desired))
    if wish.cut or wish.revoked is not None:
        notes = (*notes, *change.cut())
    observing = observing_changes(recorded, desired)
    replaced = (Note(NoteKind.FENCE_REPLACED, name) for name in applied.replaced)
    untidy = (problem(applied.untidy),) if applied.untidy else ()
    return RunReport(
        plan=applied.plan,
        backend=chosen.reason,
        generation=number,
        notes=(
            *without_labels(chosen.backend),
            *observing,
            *change.notes,
            *delayed(waiting),
            *replaced,
            *untidy,
            *notes,
        ),
        impact=change.impact,
        degraded=bool(untidy or waiting or runtime_notes) or number is None,
    )


def runtime_after(observed: Observed, timed: Timed | None) -> dict[SetKey, PrefixSet]:
    """Return what runtime sets will hold."""
    found = dict(observed.runtime)
    for key, prefixes in (timed or {}).items():
        found[key] = PrefixSet.of(key.family, (each.prefix for each in prefixes))
    return found


def delayed(objections: Iterable[Objection]) -> tuple[Note, ...]:
    """Return a note for each objection that a widened ruleset meets."""
    return tuple(
        Note(NoteKind.BLOCK_DELAYED, str(one.guard), {"message": str(one), "accept": one.accept})
        for one in objections
    )


def _log(site: Site, wish: Wish, made: Plan, numbers: tuple[int | None, int | None]) -> None:
    """Log the change, if there was one; ``numbers`` are the generations before and now."""
    previous, number = numbers
    if made.is_empty and number == previous:
        return
    now = f"generation {number}" if number is not None else "a fence that could not be recorded"
    instead = f" instead of {previous}" if previous not in (None, number) else ""
    options = [f"--accept {each}" for each in wish.accept] + (["--cut"] if wish.cut else [])
    if wish.confirm_seconds:
        options.append(f"--confirm-within {wish.confirm_seconds}s")
    command = " ".join((wish.reason, *options))
    site.log_change(command, f"{now} is in force{instead}", number)


def _record(
    site: Site, made: Generation, last: Generation | None, damaged: tuple[Damaged, ...]
) -> tuple[int | None, tuple[Note, ...]]:
    """Record what the kernel was found to hold, unless the newest generation says the same.

    Args:
        site: the installation.
        made: the generation, not yet numbered.
        last: the newest one.
        damaged: newer files that were skipped.
    """
    notes = tuple(problem(str(found)) for found in damaged)
    try:
        if last and last.ruleset == made.ruleset and last.backend == made.backend and not damaged:
            if {each.name for each in last.lists} != {each.name for each in made.lists}:
                site.generations.record(replace(last, lists=made.lists))
            return last.number, notes
        number = site.generations.next_number()
        site.generations.record(replace(made, number=number))
    except StateError as error:
        return None, (Note(NoteKind.NOT_RECORDED, "", {"message": str(error)}),)
    return number, notes
