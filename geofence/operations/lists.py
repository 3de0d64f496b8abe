"""The lists of a run: from the network where it is asked, else the last accepted versions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from geofence.errors import GuardRefusal, MissingListError
from geofence.fetch.events import Event, Failed, Outcome, Renewed, Unchanged, ignore
from geofence.fetch.limits import Limits
from geofence.guards.settling import Refusal
from geofence.lists.parsed import Candidate
from geofence.merge import needed_lists
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Policy, WhyPassedOver
from geofence.model.prefixes import AddressSpace
from geofence.operations.acceptance import Court, Judgement
from geofence.operations.list_notes import frozen, remarks
from geofence.operations.report import ListOutcome, ListReport
from geofence.operations.site import Site
from geofence.policy import OWNED_FILE
from geofence.state.backoff import load_busy, save_busy

_CLOCKS_DIFFER = timedelta(hours=1)
"""A step of the clock that is none of setting it right."""

_TAKES_NOTHING = "Until a version of it is accepted, it takes nothing away."

Watch = Callable[[Event], None]
"""Told what goes on while lists are fetched."""


unwatched: Watch = ignore


@dataclass(frozen=True, slots=True)
class Gathered:
    """The lists of a run, and what of them is still to be stored."""

    reports: tuple[ListReport, ...]
    renewed: tuple[Candidate, ...] = ()
    confirmed: tuple[AcceptedList, ...] = ()
    notes: tuple[str, ...] = ()
    """What on disk was damaged and passed over, and oddities of what came."""
    refusals: Mapping[ListId, Refusal] | None = None
    """Lists that guards refuse, with those that go on from earlier runs; None: nobody asked."""
    news: tuple[str, ...] = ()
    """What an operator should hear though all is well."""
    busy: Mapping[str, datetime] | None = None
    """Hosts that asked to be left alone, and until when, UTC; None if none was asked."""

    def store(self, site: Site) -> None:
        """Make new versions the accepted ones; the caller holds the lock.

        Raises:
            StateError: the disk took not all of them; none is half-written.
        """
        if self.busy is not None:
            save_busy(site.state_directory, self.busy)
        for candidate in self.renewed:
            name = candidate.accepted.id
            begun = site.versions.load(name).latest is not None
            former = None if begun else site.lists.load(name).accepted
            site.lists.save(candidate)
            site.versions.note(candidate.accepted, former=former)
        for accepted in self.confirmed:
            site.lists.renew(accepted)
            site.versions.note(accepted)
        if self.refusals is not None:
            site.refusals.save(self.refusals)


def spaces(reports: Iterable[ListReport]) -> Mapping[ListId, AddressSpace]:
    """The address space of each list.

    Raises:
        GuardRefusal: a guard objects to a country list of which no version was ever accepted.
        MissingListError: a country list was never accepted. (Nothing else is worth standing still
            for: a host name may have addresses to stand in, and others still get in; and a
            blocklist takes nothing away, which is what was in force before it was written.)
    """
    known = tuple(reports)
    needed = [report for report in known if report.is_absent and report.id.kind is ListKind.COUNTRY]
    refused = [report for report in needed if report.outcome is ListOutcome.REFUSED]
    if refused:
        raise GuardRefusal("\n".join(report.problem for report in refused))
    if needed:
        why = " ".join(report.problem for report in needed if report.problem)
        names = ", ".join(str(report.id) for report in needed)
        raise MissingListError(
            f"No version of these lists was ever accepted: {names}. "
            f"{why or 'Run geofence refresh where their sources can be reached.'} "
            "The fence stays as it was."
        )
    return {report.id: report.space for report in known if not report.is_absent}


def stored(
    site: Site, policy: Policy, fresh: Mapping[ListId, ListReport] | None = None
) -> tuple[ListReport, ...]:
    """A report for each list that the policy needs, on its last accepted version.

    Args:
        site: the installation.
        policy: the rules.
        fresh: reports of lists that this run already dealt with; those are taken as they are.
    """
    known = fresh or {}
    return tuple(known.get(name) or _stored(site, name) for name in needed_lists(policy))


def stale(policy: Policy, reports: Iterable[ListReport], now: datetime) -> tuple[str, ...]:
    """A sentence for each list that its source did not confirm for longer than the rules allow.

    A list from the future, too, is of unknown age: the clock was wrong then or is now.
    """
    known = [(report.id, report.checked_at) for report in reports if report.checked_at is not None]
    old = (
        f"The list {name} was last confirmed by its source on {checked_at:%Y-%m-%d}, "
        f"more than {policy.max_age.days} days ago ([lists] max_age)."
        for name, checked_at in known
        if now - checked_at > policy.max_age
    )
    future = (
        f"The list {name} was last confirmed by its source on {checked_at:%Y-%m-%d}, which is yet "
        "to come: is the clock of this host right (timedatectl)?"
        for name, checked_at in known
        if checked_at - now > _CLOCKS_DIFFER
    )
    return (*old, *future)


def unchanging(site: Site, reports: Iterable[ListReport]) -> tuple[str, ...]:
    """A sentence for each country's list that has stayed the same for longer than such lists do."""
    names = [report.id for report in reports if report.id.kind is ListKind.COUNTRY]
    return frozen({name: site.versions.load(name) for name in names})


def unread(policy: Policy) -> tuple[str, ...]:
    """A sentence for each file among the rules that is not read, and one for all copies."""
    by = {why: [e.path for e in policy.passed_over if e.why is why] for why in WhyPassedOver}
    misnamed = (
        f"{path} is not read, for its name does not end in .toml: if it holds rules, run "
        f"'mv {shlex.quote(path)} {shlex.quote(_as_rules(path))}'; if not, move it elsewhere."
        for path in by[WhyPassedOver.NAME]
    )
    below = (
        f"{path} is a directory, and nothing in it is read: rules are files that end in .toml "
        "beside it."
        for path in by[WhyPassedOver.DIRECTORY]
    )
    copies = by[WhyPassedOver.BACKUP]
    told = f"These look like copies and are not read, which is fine: {', '.join(copies)}."
    return (*misnamed, *below, *((told,) if copies else ()))


def _as_rules(path: str) -> str:
    """What a file of rules would be called."""
    stem = re.sub(r"(\.toml)?(\.(txt|conf|cfg|ini|rules|toml))?$", "", path, flags=re.IGNORECASE)
    return f"{stem or path}.toml"


def refused(site: Site, reports: Iterable[ListReport]) -> tuple[str, ...]:
    """A sentence for each list whose new versions guards refuse, run after run."""
    refusals = site.refusals.load()
    return tuple(
        f"New versions of the list {report.id} have been refused since "
        f"{refusals[report.id].since:%Y-%m-%d}; the stored version stays in force. "
        "'geofence refresh' says why."
        for report in reports
        if report.id in refusals
    )


def switched_for_nothing(policy: Policy) -> tuple[str, ...]:
    """A sentence for each switch of the command line whose exception is gone, or has a new name."""
    return tuple(
        f"{OWNED_FILE} switches {name} {'on' if on else 'off'}, which no rule defines: if it has a "
        f"new name, run 'geofence {'allow' if on else 'revoke'}' with that; if it is gone for "
        f"good, run 'geofence revoke {name}'."
        for name, on in policy.stale_switches.items()
    )


def at_hand(site: Site) -> Mapping[ListId, AddressSpace]:
    """Every list on disk, also those that no rule needs any more."""
    found, _ = site.lists.load_all(site.lists.ids())
    return {name: accepted.space for name, accepted in found.items()}


def fetched(  # noqa: PLR0913 - one of them is for those who cannot wait
    site: Site,
    policy: Policy,
    only: Collection[ListKind | ListId],
    accept: Collection[str] = (),
    watch: Watch = unwatched,
    *,
    limits: Limits | None = None,
) -> Gathered:
    """Ask the sources of the lists that the policy needs.

    Args:
        site: the installation.
        policy: the rules.
        only: lists to ask for, or kinds of them; the others are taken as they are stored.
        accept: overrides of guards. A list that a guard objects to is not renewed.
        watch: told what goes on.
        limits: how long and how much to put up with; the site's patience if not given.
    """
    from geofence.fetch.fetcher import fetch_lists  # requests takes long to import

    wanted = [name for name in needed_lists(policy) if name.kind in only or name in only]
    accepted, notes = site.lists.load_all(wanted)
    limits = limits or Limits(body=site.patience)
    report = fetch_lists(
        wanted,
        policy,
        accepted,
        lambda: datetime.now(UTC),
        watch,
        limits=limits,
        busy=load_busy(site.state_directory),
    )
    formerly = {name: each.space for name, each in accepted.items()}
    held = dict(formerly)
    refusals = site.refusals.load()
    court = Court(site, policy, accept, refusals, datetime.now(UTC), watch)
    judged: dict[ListId, Judgement] = {}
    for candidate in report.candidates:  # countries come first; blocklists are held against them
        name = candidate.accepted.id
        judged[name] = court.judge(candidate, held)
        if not judged[name].refused:
            held[name] = candidate.accepted.space
    refused = {name: each.refused for name, each in judged.items()}
    fresh = {
        name: _fetched(name, outcome, accepted.get(name), refused.get(name, ""))
        for name, outcome in report.outcomes.items()
    }
    renewed = tuple(each for each in report.candidates if not refused[each.accepted.id])
    odd = tuple(
        remark
        for candidate in renewed
        for name in (candidate.accepted.id,)
        for remark in remarks(candidate, formerly.get(name), site.versions.load(name))
    )
    reports = stored(site, policy, fresh)
    return Gathered(
        reports,
        renewed,
        report.unchanged,
        (*notes, *odd),
        _refusals(refusals, judged, report.outcomes),
        tuple(each for judgement in judged.values() for each in judgement.news),
        report.busy,
    )


def _refusals(
    before: Mapping[ListId, Refusal],
    judged: Mapping[ListId, Judgement],
    outcomes: Mapping[ListId, Outcome],
) -> dict[ListId, Refusal]:
    """The refusals that go on; one ends when its list is taken, or the one at hand confirmed."""
    ended = {name for name, outcome in outcomes.items() if not isinstance(outcome, Failed)}
    going_on = {name: each.refusal for name, each in judged.items() if each.refusal}
    return {name: each for name, each in before.items() if name not in ended} | going_on


def _stored(site: Site, wanted: ListId) -> ListReport:
    loaded = site.lists.load(wanted)
    problem = " ".join(loaded.warnings)
    if loaded.accepted is None:
        never = f"The list {wanted} was never fetched; 'geofence refresh' does."
        return _absent(wanted, ListOutcome.MISSING, problem, never)
    return _report(ListOutcome.STORED, loaded.accepted, problem)


def _fetched(
    wanted: ListId, outcome: Outcome, fallback: AcceptedList | None, refused: str
) -> ListReport:
    if isinstance(outcome, Renewed) and not refused:
        renewed = _report(ListOutcome.RENEWED, outcome.candidate.accepted)
        return replace(renewed, former=fallback.space if fallback else None)
    if isinstance(outcome, Unchanged):
        return _report(ListOutcome.UNCHANGED, outcome.accepted)
    problem = outcome.why if isinstance(outcome, Failed) else refused
    if fallback is not None:
        return _report(ListOutcome.KEPT, fallback, problem)
    return _absent(wanted, ListOutcome.REFUSED if refused else ListOutcome.MISSING, problem)


def _absent(wanted: ListId, outcome: ListOutcome, problem: str, otherwise: str = "") -> ListReport:
    """A list without any accepted version; of a blocklist it is always told that it is."""
    if wanted.kind is ListKind.BLOCKLIST:
        problem = f"{problem or otherwise} {_TAKES_NOTHING}"
    return ListReport(wanted, outcome, AddressSpace(), problem=problem)


def _report(outcome: ListOutcome, accepted: AcceptedList, problem: str = "") -> ListReport:
    return ListReport(accepted.id, outcome, accepted.space, accepted.provenance, problem=problem)
