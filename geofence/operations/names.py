"""``refresh --names-only``: exceptions follow their names in DNS; no list is downloaded.

Like local networks, names amend the newest generation. Edits of the rules wait for an apply, a
rollback stays, and a name that changes daily does not use up the generations to roll back to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from geofence.allowed.timed import timed_prefixes
from geofence.errors import UsageError
from geofence.merge import blocked, exception_space, listed_space, needed_lists
from geofence.model.chosen import NO_BACKEND
from geofence.model.generation import Generation, ListNote
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.notes import problem
from geofence.model.plan import Observed, Plan
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.operations.closed_fence import write_fallback
from geofence.operations.commit import Wish, delayed, holding, runtime_after
from geofence.operations.confirm import refuse_pending
from geofence.operations.gathered import Gathered
from geofence.operations.list_notes import log_names
from geofence.operations.lists import fetched_alone
from geofence.operations.live_flows import look_at, unblock
from geofence.operations.report import RunReport
from geofence.operations.runtime import put_in_force
from geofence.operations.site import Site
from geofence.state.removal import is_removed
from geofence.state.timed import Timed
from geofence.translation import tr

SOONEST = timedelta(seconds=60)
"""A name is not resolved again sooner, however short its time to live."""
LATEST = timedelta(hours=1)
"""A name is resolved again after this, however long its time to live."""

_NOTHING = RunReport(Plan(Ruleset(), Observed()), NO_BACKEND)


def refresh_names(site: Site, wish: Wish, soonest: timedelta = SOONEST) -> RunReport:
    """Resolve the names of exceptions, and bring changed addresses into the kernel.

    Args:
        site: the installation.
        wish: what for. An unattended run resolves only names whose time to live is over.
        soonest: how long a name is not resolved again at least.

    Raises:
        UsageError: somebody asks for it, and there is no fence.
        BusyError: another run holds the lock, or a ruleset waits to be confirmed.
        GuardRefusal: a check refuses the change.
    """
    newest, _ = site.generations.newest()
    if newest is None or is_removed(site.state_directory):
        if wish.unattended:
            return _NOTHING
        raise UsageError(tr("There is no fence to update. Run 'geofence refresh'."))
    refuse_pending(site)
    policy = site.policy()
    names = _names(policy)
    if wish.unattended:
        now = datetime.now(UTC)
        known = _stored(site, names)
        names = tuple(name for name in names if due_at(known.get(name), now, soonest) <= now)
        if not names:
            return _NOTHING
    gathered = fetched_alone(site, policy, names)
    with holding(site):
        return _followed(site, wish, gathered)


def seconds_to_wait(site: Site, soonest: timedelta = SOONEST) -> float:
    """Return after how many seconds the next name is due; at most ``soonest``.

    Names that are due already have just failed, and new ones may be in the rules by then.

    Raises:
        RulesError: the rules do not load.
    """
    now, names = datetime.now(UTC), _names(site.policy())
    known = _stored(site, names)
    times = (due_at(known.get(name), now, soonest) - now for name in names)
    return min((soonest, *(time for time in times if time > timedelta()))).total_seconds()


def due_at(known: AcceptedList | None, now: datetime, soonest: timedelta = SOONEST) -> datetime:
    """Return when a name is to be resolved again.

    Args:
        known: its stored answer; None if it has never resolved.
        now: the time, UTC. An answer from the future is as old as if it had just come.
        soonest: the shortest time between two answers.
    """
    if known is None:
        return now
    ttls = [part.ttl for part in known.provenance if part.ttl is not None]
    wanted = timedelta(seconds=min(ttls)) if ttls and min(ttls) < LATEST.total_seconds() else LATEST
    return min(known.checked_at, now) + max(soonest, wanted)


def amended(
    ruleset: Ruleset,
    policy: Policy,
    exceptions: Collection[NamedException],
    before: Mapping[ListId, AddressSpace],
    after: Mapping[ListId, AddressSpace],
) -> Ruleset:
    """Return a ruleset with the present addresses of names, and else as it is.

    Args:
        ruleset: that was applied.
        policy: the rules.
        exceptions: those whose addresses are brought up to date.
        before: the addresses of names that the ruleset may be made of.
        after: those of now.
    """
    sets = dict(ruleset.sets)
    for service in ruleset.services:
        mine, others = (
            [each for each in some if each.opens(service.name) and each.until is None]
            for some in (exceptions, policy.enabled_exceptions())
        )
        former = AddressSpace.union(listed_space(each, before) for each in mine)
        allowed = AddressSpace.union(listed_space(each, after) for each in mine)
        gone = former - AddressSpace.union(exception_space(each, after) for each in others)
        for family in Family:
            key = SetKey(Role.EXCEPTION, service.name, family)
            sets[key] = (sets[key] - gone[family]) | allowed[family]
    return replace(ruleset, sets=sets)


def _names(policy: Policy) -> tuple[ListId, ...]:
    return tuple(name for name in needed_lists(policy) if name.kind.is_from_dns)


def _feeds(policy: Policy) -> tuple[ListId, ...]:
    return tuple(name for name in needed_lists(policy) if name.kind is ListKind.FEED)


def _stored(site: Site, names: Iterable[ListId]) -> dict[ListId, AcceptedList]:
    found, _ = site.lists.load_all(names)
    return found


def _applied(policy: Policy, newest: Generation) -> tuple[NamedException, ...]:
    """Return the exceptions whose names the generation was made of; others wait for an apply."""
    parts = {note.name for note in newest.lists}
    return tuple(
        each
        for each in policy.enabled_exceptions()
        if each.names and all(str(name) in parts for name in each.names)
    )


@dataclass(frozen=True, slots=True)
class _Amendment:
    """The newest generation, and what becomes of it."""

    newest: Generation
    ruleset: Ruleset
    lists: tuple[ListNote, ...]
    policy: Policy
    renewed: bool
    """Whether a name has other addresses than those on disk."""
    timed: Timed | None
    """What is allowed until a time; None: as recorded."""


def _followed(site: Site, wish: Wish, gathered: Gathered) -> RunReport:
    """Bring the answers into the kernel and store them; the caller holds the lock.

    They are stored last: if this is killed, the next run knows what was allowed for the names.
    """
    amendment = _amendment(site, gathered)
    problems = tuple(
        problem(each.problem, str(each.id)) for each in gathered.reports if each.problem
    )
    notes = (*problems, *gathered.notes)
    report = _NOTHING if amendment is None else _commit(site, wish, amendment)
    gathered.store(site)
    log_names(site, wish.reason, gathered.notes, report.generation)
    degraded = report.degraded or bool(problems)
    return replace(report.with_notes(notes), lists=gathered.reports, degraded=degraded)


def _amendment(site: Site, gathered: Gathered) -> _Amendment | None:
    """Return what is to become of the newest generation.

    The rules are read under the lock, as another run may have changed them meanwhile.
    """
    newest, _ = site.generations.newest()
    if newest is None:
        return None
    policy = site.policy()
    before = _stored(site, (*_names(policy), *_feeds(policy)))
    answers = (*gathered.confirmed, *(each.accepted for each in gathered.renewed))
    known = before | {accepted.id: accepted for accepted in answers}
    exceptions = _applied(policy, newest)
    ruleset = amended(newest.ruleset, policy, exceptions, _spaces(before), _spaces(known))
    lists = {note.name: note for note in newest.lists} | {
        str(name): ListNote(str(name), known[name].checked_at, known[name].provenance[0].sha256)
        for each in exceptions
        for name in each.names
        if name in known
    }
    renewed, timed = bool(gathered.renewed), _timed(site, policy, exceptions, known)
    return _Amendment(newest, ruleset, tuple(lists.values()), policy, renewed, timed)


def _timed(
    site: Site,
    policy: Policy,
    exceptions: Iterable[NamedException],
    known: Mapping[ListId, AcceptedList],
) -> Timed | None:
    """Return what is allowed until a time; None if names change nothing in it."""
    if not any(each.until for each in exceptions):
        return None
    countries = bool(policy.timed_countries())
    others = _stored(
        site,
        (
            name
            for name in needed_lists(policy)
            if name.kind is ListKind.FEED or (countries and not name.kind.is_from_dns)
        ),
    )
    timed = timed_prefixes(policy, _spaces({**others, **known}), datetime.now(UTC))
    held = {key: prefixes for key, prefixes in timed.items() if prefixes}
    return None if held == site.timed.load() else timed


def _blocked(site: Site, policy: Policy) -> AddressSpace:
    """Return the addresses of the blocklists on disk."""
    names = (name for name in needed_lists(policy) if name.kind is ListKind.BLOCKLIST)
    return blocked(policy, _spaces(_stored(site, names)))


def _spaces(lists: Mapping[ListId, AcceptedList]) -> dict[ListId, AddressSpace]:
    return {name: accepted.space for name, accepted in lists.items()}


def _commit(site: Site, wish: Wish, wanted: _Amendment) -> RunReport:
    """Check, record and apply an amended generation; nothing if no name changed it.

    A killed run may have recorded and not applied it; then the answers are not on disk.

    Raises:
        GuardRefusal: a check refuses it.
    """
    newest = wanted.newest
    chosen = site.choose_again(newest)
    same = wanted.ruleset == newest.ruleset and wanted.timed is None
    if same and not wanted.renewed:
        return replace(_NOTHING, backend=chosen.reason, generation=newest.number)
    observed, denied = chosen.backend.observe(), _blocked(site, wanted.policy)
    desired = replace(wanted.ruleset, runtime=runtime_after(observed, wanted.timed))
    change = look_at(newest.ruleset, observed, desired, blocked=denied)
    waiting = change.refuse(wish.accept, wish.ssh, unattended=wish.unattended)
    ruleset = change.widened() if waiting else desired
    # Recorded first: if the kernel refuses, the next repair tries again.
    site.generations.record(replace(newest, ruleset=ruleset, lists=wanted.lists))
    applied, runtime_notes = put_in_force(site, chosen.backend, ruleset, wanted.timed)
    notes = (*delayed(waiting), *runtime_notes, *unblock(ruleset), *write_fallback(site, ruleset))
    return RunReport(
        applied.plan,
        chosen.reason,
        newest.number,
        notes=(*change.notes, *notes),
        impact=change.impact,
        degraded=bool(waiting or runtime_notes),
    )
