"""Local networks followed: allowed where they are, after addresses or routes have changed."""

from __future__ import annotations

from dataclasses import replace

from geofence.model.chosen import NO_BACKEND
from geofence.model.generation import Generation
from geofence.model.notes import Note, NoteKind
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import LocalNetwork, Ruleset
from geofence.operations.commit import holding
from geofence.operations.live_flows import unblock
from geofence.operations.report import RunReport
from geofence.operations.runtime import put_in_force
from geofence.operations.site import Site
from geofence.routing.local_networks import local_networks
from geofence.routing.routes import read_places
from geofence.sentences import sentences
from geofence.translation import english

_NOTHING = Plan(Ruleset(), Observed())


def follow(site: Site) -> RunReport:
    """Allow local networks on the interfaces where they are now, and change nothing else.

    The rules say which networks and interfaces are meant. Other edits of the rules wait for an
    apply, and so do lists. The newest generation is amended, not followed by another, so that an
    interface that comes and goes does not use up the generations to roll back to.

    Raises:
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        RulesError: the rules do not load.
        BackendError: the routes could not be read, or the kernel refused.
        StateError: the state could not be read or written; the fence is as it was.
    """
    if not site.state_directory.is_dir() or _change(site) is None:
        return RunReport(_NOTHING, NO_BACKEND)
    with holding(site):
        change = _change(site)
        return RunReport(_NOTHING, NO_BACKEND) if change is None else _amended(site, *change)


def current(site: Site) -> tuple[LocalNetwork, ...]:
    """Return the networks that the rules allow now, each on its interface.

    Raises:
        RulesError: the rules do not load.
        BackendError: the routes could not be read.
    """
    return local_networks(site.policy(), read_places())


def _change(site: Site) -> tuple[Generation, tuple[LocalNetwork, ...]] | None:
    """Return the newest generation and today's local networks; None if they are the same."""
    newest, _ = site.generations.newest()
    if newest is None:
        return None
    now = current(site)
    return None if now == newest.ruleset.local else (newest, now)


def _amended(site: Site, newest: Generation, now: tuple[LocalNetwork, ...]) -> RunReport:
    before = newest.ruleset.local
    ruleset = replace(newest.ruleset, local=now)
    chosen = site.choose_again(newest)
    # Recorded first: if the kernel refuses, the next repair tries again.
    site.generations.record(replace(newest, ruleset=ruleset))
    applied, missed = put_in_force(site, chosen.backend, ruleset)
    told = tuple(
        Note(kind, "", {"networks": [str(each) for each in some]})
        for kind, some in (
            (NoteKind.LOCAL_NETWORKS_ALLOWED, [each for each in now if each not in before]),
            (NoteKind.LOCAL_NETWORKS_ENDED, [each for each in before if each not in now]),
        )
        if some
    )
    change = " ".join(map(english, sentences(told)))
    site.log_change("local networks", change.removesuffix("."), newest.number)
    notes = (*told, *missed, *unblock(ruleset))
    return RunReport(applied.plan, chosen.reason, newest.number, notes=notes)
