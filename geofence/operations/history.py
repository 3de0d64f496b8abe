"""Generations: what was in force when and why, and the way back."""

from __future__ import annotations

from dataclasses import replace

from geofence.errors import BackendError, RulesError, UsageError
from geofence.model.generation import Generation
from geofence.model.plan import Observed
from geofence.model.ruleset import Ruleset
from geofence.operations.commit import Wish, commit, holding
from geofence.operations.local_networks import current
from geofence.operations.report import HistoryEntry, RunReport
from geofence.operations.site import Site
from geofence.plan import make_plan
from geofence.state.generations import Damaged


def history(site: Site) -> tuple[HistoryEntry | Damaged, ...]:
    """Every generation on disk, newest first, each with its difference from the one before it."""
    found = list(site.generations.walk())
    return tuple(
        _entry(each, found[at + 1 :]) if isinstance(each, Generation) else each
        for at, each in enumerate(found)
    )


def _entry(generation: Generation, older: list[Generation | Damaged]) -> HistoryEntry:
    before = next((each for each in older if isinstance(each, Generation)), None)
    now, then = generation.ruleset, before.ruleset if before else Ruleset()
    return HistoryEntry(
        generation,
        make_plan(now, Observed(sets=then.sets), ()).set_changes,
        services_changed=now.services != then.services,
        interfaces_added=_without(now.interfaces, then.interfaces),
        interfaces_removed=_without(then.interfaces, now.interfaces),
        local_added=_without(_texts(now), _texts(then)),
        local_removed=_without(_texts(then), _texts(now)),
    )


def _texts(ruleset: Ruleset) -> tuple[str, ...]:
    return tuple(map(str, ruleset.local))


def _without(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in some if each not in others)


def rollback(site: Site, number: int | None, wish: Wish) -> RunReport:
    """Apply an earlier generation, through the same plan, guards and verification.

    Args:
        site: the installation.
        number: which; None for the one before what is in force.
        wish: what for.

    Raises:
        UsageError: there is no such generation that could be used.
    """
    with holding(site):
        generation = _before_newest(site) if number is None else _wanted(site, number)
        chosen = site.choose_holder(generation)
        origin = generation.restores or generation.number
        wish = replace(wish, restores=origin)
        ruleset, notes = _placed(site, generation.ruleset)
        report = commit(site, wish, chosen, ruleset, generation.lists)
        back = f"Generation {origin} is in force again. {_UNDONE}"
        return report.with_notes((*notes, back))


def _placed(site: Site, ruleset: Ruleset) -> tuple[Ruleset, tuple[str, ...]]:
    """An earlier ruleset with the local networks of now: addresses and routes do not go back."""
    try:
        return replace(ruleset, local=current(site)), ()
    except (RulesError, BackendError) as error:
        return ruleset, (f"Local networks are trusted as they were then: {error}",)


_UNDONE = (
    "The next refresh applies the rules again and so undoes this: change the rules, or stop the "
    "nightly run with 'systemctl disable --now geofence-refresh.timer'."
)


def _before_newest(site: Site) -> Generation:
    """The newest generation before what is in force, whatever brought that back."""
    numbers = site.generations.numbers()
    newest = site.generations.read(numbers[0]) if numbers else None
    origin = newest.restores if isinstance(newest, Generation) else None
    earlier = [number for number in numbers if number < (origin or max(numbers, default=0))]
    if not earlier:
        raise UsageError("There is no earlier generation to roll back to.")
    return _wanted(site, earlier[0])


def _wanted(site: Site, number: int) -> Generation:
    numbers = site.generations.numbers()
    if number not in numbers:
        known = ", ".join(map(str, numbers)) or "none"
        raise UsageError(f"There is no generation {number}; there are {known}.")
    found = site.generations.read(number)
    if not isinstance(found, Generation):
        raise UsageError(f"{found} 'geofence history' shows those that can be used.")
    return found
