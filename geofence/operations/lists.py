"""The lists of a run: from the network if it is asked, else the stored versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from geofence.errors import GuardRefusal, MissingListError
from geofence.fetch.events import Event, Failed, Fresh, Outcome, Renewed, Unchanged, ignore
from geofence.fetch.limits import Limits
from geofence.guards.overlaps import overlaps
from geofence.guards.settling import Refusal
from geofence.host.ownership import Ways
from geofence.lists.parsed import Candidate
from geofence.merge import needed_lists
from geofence.model.frozen import replace
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.policy import Policy, WhyPassedOver
from geofence.model.prefixes import AddressSpace, Family
from geofence.operations.gathered import Gathered
from geofence.operations.list_notes import list_notes, unchanging_notes
from geofence.operations.listed import Listed
from geofence.operations.report import ListOutcome, ListReport
from geofence.operations.site import Site
from geofence.policy import OWNED_FILE
from geofence.state.backoff import load_busy
from geofence.state.mirrors import load_mirrors
from geofence.state.versions import History
from geofence.translation import join, tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.operations.acceptance import Court, Judgement
    from geofence.state.lists import ListStore

_CLOCKS_DIFFER = timedelta(hours=1)
"""A larger difference than clocks of hosts have."""

Watch = Callable[[Event], None]
"""Called with each event of fetching."""


unwatched: Watch = ignore


def spaces(reports: Iterable[ListReport]) -> Mapping[ListId, AddressSpace]:
    """Return the addresses of each list.

    A missing host name or blocklist is no error: a host name may have ``last_known``, and without a
    blocklist nothing is subtracted, as before it was written.

    Raises:
        GuardRefusal: a check refuses the list of a country or AS number, and none is stored.
        MissingListError: the list of a country or AS number has not been downloaded yet.
    """
    known = tuple(reports)
    needed = [report for report in known if report.is_absent and report.id.kind.allows]
    refused = [report for report in needed if report.outcome is ListOutcome.REFUSED]
    if refused:
        raise GuardRefusal(join("\n", (report.problem for report in refused)))
    if needed:
        raise MissingListError(_missing(needed))
    return {report.id: report.space for report in known if not report.is_absent}


def _missing(needed: list[ListReport]) -> str:
    why = join(" ", (report.problem for report in needed if report.problem))
    return tr(
        "These lists have not been downloaded yet: {lists}. {reason} The fence is unchanged.",
        lists=", ".join(str(report.id) for report in needed),
        reason=why or tr("Run 'geofence refresh' with Internet access."),
    )


def stored(
    site: Site, policy: Policy, fresh: Mapping[ListId, ListReport] | None = None
) -> tuple[ListReport, ...]:
    """Return a report for each list that the policy needs, on its stored version.

    Args:
        site: the installation.
        policy: the rules.
        fresh: reports of lists that this run has fetched; they are used as they are.
    """
    known, lists = fresh or {}, site.lists
    return tuple(known.get(name) or stored_list(lists, name) for name in needed_lists(policy))


def stale(policy: Policy, reports: Iterable[Listed], now: datetime) -> tuple[Note, ...]:
    """Return a note for each list whose source did not confirm it for too long.

    The age of a list from the future is unknown, too: the clock was wrong then or is wrong now.
    """
    known = [(report.id, report.checked_at) for report in reports if report.checked_at is not None]
    old = (
        Note(
            NoteKind.LIST_STALE,
            str(name),
            {"checked_on": f"{checked_at:%Y-%m-%d}", "days": policy.max_age.days},
        )
        for name, checked_at in known
        if now - checked_at > policy.max_age
    )
    future = (
        Note(NoteKind.LIST_FROM_THE_FUTURE, str(name), {"checked_on": f"{checked_at:%Y-%m-%d}"})
        for name, checked_at in known
        if checked_at - now > _CLOCKS_DIFFER
    )
    return (*old, *future)


def last_refresh(reports: Iterable[Listed]) -> datetime | None:
    """Return when the list that has waited longest was confirmed, UTC; None if one is missing."""
    moments = [report.checked_at for report in reports]
    known = [moment for moment in moments if moment is not None]
    return min(known, default=None) if len(known) == len(moments) else None


def missed_a_day(site: Site) -> bool:
    """Whether a list is missing, or was last confirmed more than a day ago.

    A time in the future means that the clock was set back; it says nothing of missed refreshes.
    """
    last = last_refresh(stored(site, site.policy()))
    return last is None or not timedelta() <= datetime.now(UTC) - last <= timedelta(days=1)


def unchanging(reports: Iterable[Listed], history: Callable[[ListId], History]) -> tuple[Note, ...]:
    """Return a note for each country's list that stays the same for longer than such lists do."""
    names = [report.id for report in reports if report.id.kind is ListKind.COUNTRY]
    return unchanging_notes({name: history(name) for name in names})


def overlapping(reports: Iterable[ListReport]) -> tuple[Note, ...]:
    """Return a note for each group of countries whose lists overlap."""
    return tuple(
        Note(
            NoteKind.LISTS_OVERLAP,
            " ".join(map(str, each.lists)),
            {
                "message": str(each),
                "addresses": {str(family): each.space[family].size for family in Family},
            },
        )
        for each in overlaps({report.id: report.space for report in reports})
    )


def unread(policy: Policy) -> tuple[Note, ...]:
    """Return a note for each file among the rules that is not read, and one for all copies."""
    by = {why: [e.path for e in policy.passed_over if e.why is why] for why in WhyPassedOver}
    copies = by[WhyPassedOver.BACKUP]
    return (
        *(
            Note(NoteKind.FILE_NOT_READ, path, {"name": _as_rules(path)})
            for path in by[WhyPassedOver.NAME]
        ),
        *(Note(NoteKind.DIRECTORY_NOT_READ, path) for path in by[WhyPassedOver.DIRECTORY]),
        *((Note(NoteKind.COPIES_NOT_READ, "", {"paths": copies}),) if copies else ()),
    )


def _as_rules(path: str) -> str:
    """Return the name that a file of rules would have."""
    stem = re.sub(r"(\.toml)?(\.(txt|conf|cfg|ini|rules|toml))?$", "", path, flags=re.IGNORECASE)
    return f"{stem or path}.toml"


def refused(site: Site, reports: Iterable[Listed]) -> tuple[Note, ...]:
    """Return a note for each list whose new versions checks refuse, run after run."""
    refusals = site.refusals.load()
    return tuple(
        Note(
            NoteKind.LIST_REFUSED,
            str(report.id),
            {"since": f"{refusals[report.id].since:%Y-%m-%d}"},
        )
        for report in reports
        if report.id in refusals
    )


def switched_for_nothing(policy: Policy) -> tuple[Note, ...]:
    """Return a note for each switch of the command line whose exception no rule defines."""
    return tuple(
        Note(NoteKind.SWITCH_UNDEFINED, name, {"enabled": on, "file": OWNED_FILE})
        for name, on in policy.stale_switches.items()
    )


def at_hand(site: Site) -> Mapping[ListId, AddressSpace]:
    """Return every stored list, also those that no rule needs any more."""
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
    """Fetch lists that the policy needs, and check them.

    Args:
        site: the installation.
        policy: the rules.
        only: lists to fetch, or kinds of them; stored versions of the others are used.
        accept: overrides. A list that a check refuses is not renewed.
        watch: called with each event.
        limits: of time and size; the site's patience if not given.
    """
    wanted = [name for name in needed_lists(policy) if name.kind in only or name in only]
    found = fetched_alone(site, policy, wanted, accept, watch, limits=limits)
    fresh = {report.id: report for report in found.reports}
    return replace(found, reports=stored(site, policy, fresh))


def fetched_alone(  # noqa: PLR0913 - as ``fetched``
    site: Site,
    policy: Policy,
    wanted: Collection[ListId],
    accept: Collection[str] = (),
    watch: Watch = unwatched,
    *,
    limits: Limits | None = None,
) -> Gathered:
    """Fetch these lists and check them; the reports are on them alone (see ``fetched``)."""
    from geofence.fetch.fetcher import fetch_lists  # requests takes long to import

    accepted, notes = site.lists.load_all(wanted)
    limits = limits or Limits(body=site.patience)
    refusals = site.refusals.load()
    report = fetch_lists(
        wanted,
        _asking(policy, refusals),
        accepted,
        lambda: datetime.now(UTC),
        watch,
        limits=limits,
        busy=load_busy(site.state_directory),
        mirrors=load_mirrors(site.state_directory),
    )
    unchanged = report.unchanged
    # Of damaged files, the version before may be in use, which is written in their place.
    only_later = {} if notes else _only_later(unchanged, accepted)
    judged: dict[ListId, Judgement] = {}
    odd: tuple[Note, ...] = ()
    if report.candidates:
        from geofence.operations.acceptance import Court  # some nights nothing is new

        court = Court(site, policy, accept, refusals, datetime.now(UTC), watch)
        judged, odd = _judged(court, report.candidates, accepted)
    reports = tuple(
        _fetched(name, outcome, accepted.get(name), judged.get(name))
        for name, outcome in report.outcomes.items()
    )
    return Gathered(
        reports,
        tuple(
            replace(each, fingerprint=judged[each.accepted.id].fingerprint)
            for each in report.candidates
            if not judged[each.accepted.id].refused
        ),
        unchanged,
        only_later,
        (*map(problem, notes), *odd),
        _refusals(refusals, judged, report.outcomes),
        tuple(each for judgement in judged.values() for each in judgement.news),
        report.busy,
        report.mirrors,
    )


def _judged(
    court: Court, candidates: Iterable[Candidate], stored: dict[ListId, AcceptedList]
) -> tuple[dict[ListId, Judgement], tuple[Note, ...]]:
    """Return the decision on each new version, and the oddities of those that are accepted.

    Args:
        court: decides.
        candidates: those of countries come first; blocklists are held against them.
        stored: the versions before them; a new one that is accepted takes the place of its own,
            since the addresses of both take memory.
    """
    held = {name: each.space for name, each in stored.items()}
    judged: dict[ListId, Judgement] = {}
    odd: list[Note] = []
    versions, ways = court.site.versions, Ways()
    for candidate in candidates:
        name = candidate.accepted.id
        history = versions.load(name, ways)
        decision = court.judge(candidate, held, history)
        if name not in stored:  # what a first version is compared with is no version
            decision = replace(decision, change=None)
        judged[name] = decision
        if not decision.refused:
            held[name] = candidate.accepted.space
            stored.pop(name, None)
            odd += list_notes(candidate, decision.change, history)
    return judged, tuple(odd)


def _only_later(
    unchanged: Iterable[AcceptedList], stored: Mapping[ListId, AcceptedList]
) -> dict[ListId, datetime]:
    """Return the lists that differ from what is stored only in when they were confirmed."""
    pairs = ((each, stored.get(each.id)) for each in unchanged)
    return {
        each.id: before.checked_at
        for each, before in pairs
        if before and each == before.confirmed(each.checked_at)
    }


def _asking(policy: Policy, refusals: Collection[ListId]) -> Policy:
    """Return the policy without the intervals of lists that checks refuse.

    Their stored version may be fresh, but an override is for the version that was refused.
    """
    blocklists = tuple(
        replace(each, refresh=None) if ListId(ListKind.BLOCKLIST, each.name) in refusals else each
        for each in policy.blocklists
    )
    return replace(policy, blocklists=blocklists)


def _refusals(
    before: Mapping[ListId, Refusal],
    judged: Mapping[ListId, Judgement],
    outcomes: Mapping[ListId, Outcome],
) -> dict[ListId, Refusal]:
    """Return refusals that go on; one ends when its list is accepted, or the stored confirmed."""
    ended = {name for name, outcome in outcomes.items() if not isinstance(outcome, Failed | Fresh)}
    going_on = {name: each.refusal for name, each in judged.items() if each.refusal}
    return {name: each for name, each in before.items() if name not in ended} | going_on


def stored_list(lists: ListStore, wanted: ListId) -> ListReport:
    """Return a report on the stored version of a list."""
    loaded = lists.load(wanted)
    damage = join(" ", loaded.warnings)
    if loaded.accepted is None:
        never = tr(
            "The list {list} has not been downloaded yet. Run 'geofence refresh'.", list=wanted
        )
        return _absent(wanted, ListOutcome.MISSING, damage, never)
    return _report(ListOutcome.STORED, loaded.accepted, damage)


def _fetched(
    wanted: ListId, outcome: Outcome, fallback: AcceptedList | None, judged: Judgement | None
) -> ListReport:
    refused = judged.refused if judged else ""
    if isinstance(outcome, Renewed) and not refused:
        renewed = _report(ListOutcome.RENEWED, outcome.candidate.accepted)
        return replace(renewed, change=judged.change if judged else None)
    if isinstance(outcome, Unchanged):
        return _report(ListOutcome.UNCHANGED, outcome.accepted)
    if isinstance(outcome, Fresh):
        return _report(ListOutcome.FRESH, outcome.accepted)
    why = outcome.why if isinstance(outcome, Failed) else refused
    if fallback is not None:
        return _report(ListOutcome.KEPT, fallback, why)
    return _absent(wanted, ListOutcome.REFUSED if refused else ListOutcome.MISSING, why)


def _absent(wanted: ListId, outcome: ListOutcome, why: str, otherwise: str = "") -> ListReport:
    """Return a list without a stored version; for a blocklist the reason is always told."""
    if wanted.kind is ListKind.BLOCKLIST:
        without = tr("Until it is downloaded, it blocks nothing.")
        why = join(" ", (why or otherwise, without))
    return ListReport(wanted, outcome, AddressSpace(), problem=why)


def _report(outcome: ListOutcome, accepted: AcceptedList, why: str = "") -> ListReport:
    return ListReport(accepted.id, outcome, accepted.space, accepted.provenance, problem=why)
