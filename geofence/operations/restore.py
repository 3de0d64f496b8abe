"""``restore``: apply the last good generation, without network and lists."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from geofence.backends.interface import Backend
from geofence.errors import LockError, RulesError, StateError
from geofence.flows.count import any_flow
from geofence.merge import closed, merge, needed_lists
from geofence.model.generation import Generation
from geofence.model.notes import Instead, Note, NoteKind, problem
from geofence.model.plan import Observed, Plan
from geofence.model.policy import Policy, WithoutRuleset
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset
from geofence.operations.confirm import forget, lapsed
from geofence.operations.remove import remove_fence, unblock_connections
from geofence.operations.report import RunReport
from geofence.operations.runtime import put_in_force
from geofence.operations.site import Site
from geofence.routing.local_networks import Place
from geofence.state.lock import exclusive
from geofence.state.outcomes import Probation
from geofence.state.removal import forget_removal

_NOTHING = Plan(Ruleset(), Observed())
"""The plan of a run that changes nothing."""


def restore(site: Site) -> RunReport:
    """Apply the last good generation: no network, no lists, no writable disk.

    With none usable, ``[boot] without_ruleset`` decides; where nothing was ever applied, nothing is
    changed.
    """
    if not site.state_directory.is_dir():
        return _without_record(site, ())
    with ExitStack() as held:
        unlocked = _locked(site, held)
        if not unlocked:
            site.tidy()
            forget_removal(site.state_directory)
        return _restore(site, unlocked)


def _locked(site: Site, held: ExitStack) -> tuple[Note, ...]:
    """Hold the lock; return a note where the file system has no locks."""
    try:
        held.enter_context(exclusive(site.state_directory, site.lock_seconds))
    except LockError as error:
        return (problem(error),)
    return ()


def _restore(site: Site, notes: tuple[Note, ...]) -> RunReport:
    over = lapsed(site)  # what still waits to be confirmed is meant to be in force for now
    generation, damaged = _last_good(site, over)
    if generation is not None:
        another = bool(damaged) or over is not None
        report = _restored(site, generation, (*notes, *damaged), another=another)
    elif damaged or (over.former if over else site.generations.ever_recorded()):
        report = _without_ruleset(site, (*notes, *damaged))
    else:
        if over is not None:
            remove_fence(site)  # there was none before: the one in the kernel is unconfirmed
        report = _without_record(site, notes)
    return report if over is None else _forgetting(site, over, report)


def _without_record(site: Site, notes: tuple[Note, ...]) -> RunReport:
    """Change nothing, since nobody has asked for a fence yet.

    Objects of geofence's in the kernel show that somebody has, and that the record is lost.
    """
    policy, wrong = _policy_or_shipped(site)
    chosen = site.choose_backend(policy.backend)
    observed = chosen.backend.observe()
    if (observed.rules or observed.sets) and not observed.foreign:
        return _without_ruleset(site, notes)
    nothing = Note(NoteKind.NOTHING_APPLIED, str(site.state_directory))
    said = (*notes, *wrong, nothing)
    unfenced = observed.unfenced
    return RunReport(_NOTHING, chosen.reason, notes=said, unfenced=unfenced, degraded=True)


def _last_good(site: Site, over: Probation | None) -> tuple[Generation | None, tuple[Note, ...]]:
    """Return the newest generation that counts and can be read, and notes on damaged ones."""
    at_most = None if over is None else over.former or 0
    try:
        generation, damaged = site.generations.newest(at_most)
    except StateError as error:
        return None, (problem(error),)
    return generation, tuple(problem(str(found)) for found in damaged)


def _restored(
    site: Site, generation: Generation, notes: tuple[Note, ...], *, another: bool
) -> RunReport:
    """Apply a generation; ``another``: it is not what was applied last."""
    chosen = site.choose_again(generation)
    applied, missed = put_in_force(site, chosen.backend, generation.ruleset)
    if not applied.plan.is_empty:
        number = generation.number
        site.log_change("restore", f"generation {number} is in force again", number)
    again = unblock_connections(generation.ruleset) if another else ()
    again = (*_forget_unwatched(applied.plan), *again)
    wrong = (*notes, problem(applied.untidy)) if applied.untidy else notes
    wrong = (*wrong, *missed)
    return RunReport(
        applied.plan,
        chosen.reason,
        generation.number,
        notes=(*wrong, *again),
        degraded=bool(wrong),
    )


def _forgetting(site: Site, over: Probation, report: RunReport) -> RunReport:
    """Forget the unconfirmed change; a disk that cannot be written to does not undo the return."""
    try:
        forget(site, over)
    except StateError as error:
        return replace(report, notes=(*report.notes, problem(error)), degraded=True)
    unconfirmed = Note(NoteKind.UNCONFIRMED, "", {"generation": report.generation})
    return replace(report, notes=(*report.notes, unconfirmed))


def _without_ruleset(site: Site, notes: tuple[Note, ...]) -> RunReport:
    """Do what ``[boot] without_ruleset`` says; a fence that is up is kept.

    One that receives no packets, or those of one family only, is completed. Where the policy does
    not tell how, it does not count as a fence.
    """
    policy, wrong = _policy_or_shipped(site)
    chosen = site.choose_backend(policy.backend)
    observed = chosen.backend.observe()
    unfenced: tuple[Family, ...] = ()
    standing = _standing(policy, observed) if observed.rules else None
    if standing is not None or not observed.unfenced:
        made, instead = _kept(site, chosen.backend, standing, observed)
    elif policy.without_ruleset is WithoutRuleset.OPEN:
        made, unfenced = _NOTHING, observed.unfenced
        instead = Instead.OPEN
    else:
        applied, missed = put_in_force(site, chosen.backend, closed(policy, _places()))
        made = applied.plan
        notes = (*notes, *missed)
        site.log_change("restore", "the fence is closed to all but exceptions and local networks")
        notes = (*notes, *_forget_unwatched(made))
        instead = Instead.CLOSED
    told = Note(
        NoteKind.NO_GENERATION,
        str(site.state_directory),
        {"instead": instead.value, "families": [str(family) for family in unfenced]},
    )
    said = (*notes, *wrong, told)
    return RunReport(made, chosen.reason, notes=said, unfenced=unfenced, degraded=True)


def _kept(
    site: Site, backend: Backend, standing: Ruleset | None, observed: Observed
) -> tuple[Plan, Instead]:
    """Complete the fence in the kernel, as far as the policy tells how."""
    made = put_in_force(site, backend, standing)[0].plan if standing else _NOTHING
    if made.is_empty:
        return made, Instead.KEPT
    return made, Instead.COMPLETED if observed.fenced else Instead.RESTORED


def _standing(policy: Policy, observed: Observed) -> Ruleset | None:
    """Return the ruleset of the fence in the kernel, complete or not, as its sets tell.

    None where they are not those of the policy: then the fence is more than the policy knows.
    """
    places = _places()
    hollow = merge(policy, {wanted: AddressSpace() for wanted in needed_lists(policy)}, places)
    for shape in (hollow, closed(policy, places)):
        if shape.sets.keys() == observed.sets.keys():
            return replace(shape, sets=observed.sets)
    return None


def _places() -> tuple[Place, ...]:
    # Imported here: a generation has its local networks, so restore at boot does not ask.
    from geofence.routing.routes import read_places

    return read_places()


def _policy_or_shipped(site: Site) -> tuple[Policy, tuple[Note, ...]]:
    """Return the rules; the shipped ones where they do not load, so that a slip opens nothing."""
    try:
        return site.policy(), ()
    except RulesError as error:
        note = Note(NoteKind.SHIPPED_RULES, "", {"message": str(error)})
        return site.shipped_policy(), (note,)


def _forget_unwatched(made: Plan) -> tuple[Note, ...]:
    if not any_flow():  # at boot there is none
        return ()
    from geofence.operations.live_flows import forget_unwatched

    return forget_unwatched(made.desired, made.observed)
