"""``restore`` where no recorded generation can be used: what the rules and the kernel tell."""

from __future__ import annotations

from geofence.backends.interface import Backend
from geofence.errors import RulesError
from geofence.merge import closed, merge, needed_lists
from geofence.model.choices import WithoutRuleset
from geofence.model.frozen import replace
from geofence.model.notes import Instead, Note, NoteKind
from geofence.model.plan import Observed, Plan
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset
from geofence.operations.live_flows import forget_unwatched
from geofence.operations.report import RunReport
from geofence.operations.runtime import put_in_force
from geofence.operations.site import Site
from geofence.routing.local_networks import Place

_NOTHING = Plan(Ruleset(), Observed())
"""The plan of a run that changes nothing."""


def restore_without_record(site: Site, notes: tuple[Note, ...]) -> RunReport:
    """Change nothing, since nobody has asked for a fence yet.

    Objects of geofence's in the kernel show that somebody has, and that the record is lost.
    """
    policy, wrong = _policy_or_shipped(site)
    chosen = site.choose_backend(policy.backend)
    observed = chosen.backend.observe()
    if (observed.rules or observed.sets) and not observed.foreign:
        return restore_without_ruleset(site, notes)
    nothing = Note(NoteKind.NOTHING_APPLIED, str(site.state_directory))
    said = (*notes, *wrong, nothing)
    unfenced = observed.unfenced
    return RunReport(_NOTHING, chosen.reason, notes=said, unfenced=unfenced, degraded=True)


def restore_without_ruleset(site: Site, notes: tuple[Note, ...]) -> RunReport:
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
        notes = (*notes, *forget_unwatched(made.desired, made.observed))
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
