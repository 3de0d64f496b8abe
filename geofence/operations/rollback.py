"""``rollback``: the return to a recorded generation."""

from __future__ import annotations

from dataclasses import replace

from geofence.errors import BackendError, RulesError, UsageError
from geofence.model.generation import Generation
from geofence.model.notes import Note, NoteKind
from geofence.model.ruleset import Ruleset
from geofence.operations.commit import Wish, commit, holding
from geofence.operations.local_networks import current
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.translation import tr


def rollback(site: Site, number: int | None, wish: Wish) -> RunReport:
    """Apply an earlier generation, with the same plan, checks and verification as any run.

    Args:
        site: the installation.
        number: of the generation; None for the one before the current.
        wish: what for.

    Raises:
        UsageError: the generation does not exist or cannot be used.
    """
    with holding(site):
        generation = to_roll_back_to(site, number)
        chosen = site.choose_holder(generation)
        origin = generation.restores or generation.number
        wish = replace(wish, restores=origin)
        ruleset, notes = _placed(site, generation.ruleset)
        report = commit(site, wish, chosen, ruleset, generation.lists)
        return report.with_notes((*notes, Note(NoteKind.ROLLED_BACK, "", {"generation": origin})))


def _placed(site: Site, ruleset: Ruleset) -> tuple[Ruleset, tuple[Note, ...]]:
    """Return an earlier ruleset with today's local networks, since routes do not roll back."""
    try:
        return replace(ruleset, local=current(site)), ()
    except (RulesError, BackendError) as error:
        return ruleset, (Note(NoteKind.LOCAL_NETWORKS_AS_RECORDED, "", {"message": str(error)}),)


def to_roll_back_to(site: Site, number: int | None) -> Generation:
    """Return a generation to return to; without a number, the one before the current.

    Raises:
        UsageError: it does not exist or cannot be used.
    """
    return _before_newest(site) if number is None else _wanted(site, number)


def _before_newest(site: Site) -> Generation:
    """Return the newest generation before the current one, or before the one it restored."""
    numbers = site.generations.numbers()
    newest = site.generations.read(numbers[0]) if numbers else None
    origin = newest.restores if isinstance(newest, Generation) else None
    earlier = [number for number in numbers if number < (origin or max(numbers, default=0))]
    if not earlier:
        raise UsageError(tr("Cannot roll back: there is no earlier generation."))
    return _wanted(site, earlier[0])


def _wanted(site: Site, number: int) -> Generation:
    numbers = site.generations.numbers()
    if number not in numbers:
        raise UsageError(
            tr(
                "Generation {number} does not exist. Existing: {numbers}.",
                number=number,
                numbers=", ".join(map(str, numbers)) or tr("none"),
            )
        )
    found = site.generations.read(number)
    if not isinstance(found, Generation):
        raise UsageError(
            tr("{damage} 'geofence history' lists usable generations.", damage=str(found))
        )
    return found
