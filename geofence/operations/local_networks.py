"""Local networks renewed: what is trusted where, after addresses or routes have changed."""

from __future__ import annotations

from dataclasses import replace

from geofence.apply import apply_ruleset
from geofence.model.generation import Generation
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import LocalNetwork, Ruleset
from geofence.operations.commit import holding
from geofence.operations.counters import note_counting
from geofence.operations.live_flows import let_in_again
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.routing.local_networks import local_networks
from geofence.routing.routes import read_places

_NOTHING = Plan(Ruleset(), Observed())


def follow(site: Site) -> RunReport:
    """Trust local networks where they are now; nothing else of the fence changes.

    The rules say which networks and interfaces are meant. Whatever else was edited in them waits
    for an apply, as do lists. The newest generation is amended, not followed by another: the way
    back is not to be used up by an interface that comes and goes.

    Raises:
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        RulesError: the rules do not load.
        BackendError: the routes could not be read, or the kernel refused.
        StateError: the state could not be read or written; the fence is as it was.
    """
    if not site.state_directory.is_dir() or _change(site) is None:
        return RunReport(_NOTHING, "")
    with holding(site):
        change = _change(site)
        return RunReport(_NOTHING, "") if change is None else _amended(site, *change)


def current(site: Site) -> tuple[LocalNetwork, ...]:
    """The networks that the rules trust now, each on its interface.

    Raises:
        RulesError: the rules do not load.
        BackendError: the routes could not be read.
    """
    return local_networks(site.policy(), read_places())


def _change(site: Site) -> tuple[Generation, tuple[LocalNetwork, ...]] | None:
    """The newest generation, and its local networks as they are now; None if they are the same."""
    newest, _ = site.generations.newest()
    if newest is None:
        return None
    now = current(site)
    return None if now == newest.ruleset.local else (newest, now)


def _amended(site: Site, newest: Generation, now: tuple[LocalNetwork, ...]) -> RunReport:
    before = newest.ruleset.local
    ruleset = replace(newest.ruleset, local=now)
    chosen = site.choose_again(newest)
    # Recorded first: if the kernel refuses, whoever looks after the fence next tries again.
    site.generations.record(replace(newest, ruleset=ruleset))
    applied = apply_ruleset(chosen.backend, ruleset)
    note_counting(site, applied.plan)
    told = tuple(
        f"Local networks {which}: {', '.join(map(str, some))}."
        for which, some in (
            ("now trusted", [each for each in now if each not in before]),
            ("no longer trusted", [each for each in before if each not in now]),
        )
        if some
    )
    site.log_change("local networks", " ".join(told).removesuffix("."), newest.number)
    notes = (*told, *let_in_again(ruleset))
    return RunReport(applied.plan, chosen.why, newest.number, notes=notes)
