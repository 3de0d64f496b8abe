"""What needs neither network nor lists: restore, and its opposite, remove."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from geofence.apply import apply_ruleset, remove_all
from geofence.backends.interface import Backend
from geofence.errors import LockError, RulesError, StateError
from geofence.flows.count import any_flow
from geofence.merge import closed, merge, needed_lists
from geofence.model.generation import Generation
from geofence.model.plan import Observed, Plan
from geofence.model.policy import Policy, WithoutRuleset
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset
from geofence.operations.confirm import forget, lapsed
from geofence.operations.counters import note_counting
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.routing.local_networks import Place
from geofence.state.lock import exclusive
from geofence.state.outcomes import Probation
from geofence.state.removal import forget_removal, note_removal

_NOTHING = Plan(Ruleset(), Observed())
"""What was done where nothing was."""


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


def _locked(site: Site, held: ExitStack) -> tuple[str, ...]:
    """Hold the lock where there can be one; a sentence where there cannot."""
    try:
        held.enter_context(exclusive(site.state_directory, site.lock_seconds))
    except LockError as error:
        return (str(error),)
    return ()


def _restore(site: Site, notes: tuple[str, ...]) -> RunReport:
    over = lapsed(site)  # what still waits to be confirmed is meant to be in force for now
    generation, damaged = _last_good(site, over)
    if generation is not None:
        another = bool(damaged) or over is not None
        report = _restored(site, generation, (*notes, *damaged), another=another)
    elif damaged or (over.former if over else site.generations.ever_recorded()):
        report = _without_ruleset(site, (*notes, *damaged))
    else:
        if over is not None:
            _removed(site)  # there was no fence before, so what stands is what was not confirmed
        report = _without_record(site, notes)
    return report if over is None else _forgetting(site, over, report)


def _without_record(site: Site, notes: tuple[str, ...]) -> RunReport:
    """Leave everything as it is: nobody has asked for a fence yet.

    Something of geofence's in the kernel shows that somebody has, and that the record is lost.
    """
    policy, wrong = _policy_or_shipped(site)
    chosen = site.choose_backend(policy.backend)
    observed = chosen.backend.observe()
    if (observed.rules or observed.sets) and not observed.foreign:
        return _without_ruleset(site, notes)
    told = (
        f"Nothing was ever applied here ({site.state_directory} records no generation), so nothing "
        "was changed. Run 'geofence refresh' to set up the fence."
    )
    said = (*notes, *wrong, told)
    unfenced = observed.unfenced
    return RunReport(_NOTHING, chosen.why, notes=said, unfenced=unfenced, degraded=True)


def _last_good(site: Site, over: Probation | None) -> tuple[Generation | None, tuple[str, ...]]:
    """The newest generation that counts and can be read; what was passed over for it."""
    at_most = None if over is None else over.former or 0
    try:
        generation, damaged = site.generations.newest(at_most)
    except StateError as error:
        return None, (str(error),)
    return generation, tuple(str(found) for found in damaged)


def _restored(
    site: Site, generation: Generation, notes: tuple[str, ...], *, another: bool
) -> RunReport:
    """Apply a generation; ``another``: it is not what was applied last."""
    chosen = site.choose_again(generation)
    applied = apply_ruleset(chosen.backend, generation.ruleset)
    note_counting(site, applied.plan)
    if not applied.plan.is_empty:
        number = generation.number
        site.log_change("restore", f"generation {number} is in force again", number)
    again = _let_in_again(generation.ruleset) if another else ()
    again = (*_forget_unwatched(applied.plan), *again)
    wrong = (*notes, applied.untidy) if applied.untidy else notes
    return RunReport(
        applied.plan,
        chosen.why,
        generation.number,
        notes=(*wrong, *again),
        degraded=bool(wrong),
    )


def _forgetting(site: Site, over: Probation, report: RunReport) -> RunReport:
    """The former state is back; a disk that cannot be written to does not undo that."""
    try:
        forget(site, over)
    except StateError as error:
        return replace(report, notes=(*report.notes, str(error)), degraded=True)
    back = "; the former state is back" if report.generation is not None else ""
    said = f"What was applied last was not confirmed in time{back}."
    return replace(report, notes=(*report.notes, said))


def _without_ruleset(site: Site, notes: tuple[str, ...]) -> RunReport:
    """What ``[boot] without_ruleset`` says; a fence that stands all the same is kept.

    One that packets no longer enter, or those of one family alone, is kept by making it whole. If
    the policy does not know how, it is no fence.
    """
    policy, wrong = _policy_or_shipped(site)
    chosen = site.choose_backend(policy.backend)
    observed = chosen.backend.observe()
    unfenced: tuple[Family, ...] = ()
    standing = _standing(policy, observed) if observed.rules else None
    if standing is not None or not observed.unfenced:
        made, said = _kept(chosen.backend, standing, observed)
        note_counting(site, made)
    elif policy.without_ruleset is WithoutRuleset.OPEN:
        made, unfenced = _NOTHING, observed.unfenced
        only = f" for {', '.join(unfenced)}" if observed.fenced else ""
        said = f'[boot] without_ruleset = "open": there is NO FENCE{only}'
    else:
        made = apply_ruleset(chosen.backend, closed(policy, _places())).plan
        note_counting(site, made)
        site.log_change("restore", "the fence is closed to all but exceptions and local networks")
        notes = (*notes, *_forget_unwatched(made))
        said = (
            '[boot] without_ruleset = "closed": only exceptions and local networks reach the '
            "fenced services"
        )
    found = f"No usable generation is in {site.state_directory}"
    told = f"{found}; {said}. Run 'geofence refresh' now."
    said_all = (*notes, *wrong, told)
    return RunReport(made, chosen.why, notes=said_all, unfenced=unfenced, degraded=True)


def _kept(backend: Backend, standing: Ruleset | None, observed: Observed) -> tuple[Plan, str]:
    """Make a fence that stands whole, as far as the policy knows it; a clause on what was done."""
    made = apply_ruleset(backend, standing).plan if standing else _NOTHING
    which = "that stands" if observed.fenced else "that no packet entered any more"
    done = "was left as it is" if made.is_empty else "was made whole around the sets it has"
    return made, f"the fence {which} {done}"


def _standing(policy: Policy, observed: Observed) -> Ruleset | None:
    """The ruleset of a fence that stands, whole or with rules missing, told by its sets.

    None where they are not those of the policy: then what stands is more than the policy knows.
    """
    places = _places()
    hollow = merge(policy, {wanted: AddressSpace() for wanted in needed_lists(policy)}, places)
    for shape in (hollow, closed(policy, places)):
        if shape.sets.keys() == observed.sets.keys():
            return replace(shape, sets=observed.sets)
    return None


def _places() -> tuple[Place, ...]:
    # Not at the top: a generation says what is local, so restore at boot does not ask.
    from geofence.routing.routes import read_places

    return read_places()


def _policy_or_shipped(site: Site) -> tuple[Policy, tuple[str, ...]]:
    """The rules; where they do not load, those that ship, so that a slip leaves nothing open."""
    try:
        return site.policy(), ()
    except RulesError as error:
        said = f"The rules do not load, so those that ship were taken: {error}"
        return site.shipped_policy(), (said,)


def remove(site: Site) -> tuple[str, ...]:
    """Take all of geofence out of the kernel, whichever backend put it there; their names.

    Raises:
        GuardRefusal: what is there under geofence's names is another program's.
    """
    from geofence.operations.foreign import refuse_removal

    refuse_removal(site)
    if not site.state_directory.is_dir():
        return _removed(site)
    with exclusive(site.state_directory, site.lock_seconds):
        site.tidy()
        probation = site.journal.probation()
        names = _removed(site)
        note_removal(site.state_directory)
        if probation is not None:  # what was not confirmed is not what the next restore brings back
            forget(site, probation)
        return names


def _removed(site: Site) -> tuple[str, ...]:
    names = remove_all()
    if names:
        site.log_change("remove", f"the fence ({', '.join(names)}) is removed: there is no fence")
        _let_in_again(None)
    return names


def _forget_unwatched(made: Plan) -> tuple[str, ...]:
    if not any_flow():  # at boot there is none
        return ()
    from geofence.operations.live_flows import forget_unwatched

    return forget_unwatched(made.desired, made.observed)


def _let_in_again(ruleset: Ruleset | None) -> tuple[str, ...]:
    # Not at the top: restore at boot needs nothing of live flows, and should not wait for it.
    from geofence.operations.live_flows import let_in_again

    return let_in_again(ruleset)
