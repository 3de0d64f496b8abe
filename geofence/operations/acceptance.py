"""The decision on the new versions of a run's lists, with what is on disk and at mirrors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from geofence.allowed.left_out import spared
from geofence.fetch.events import Event
from geofence.guards.judging import ListDecision, ListVerdict, NewVersion, judge
from geofence.guards.limits import MONTH
from geofence.guards.lists import check_list
from geofence.guards.objection import Guard, Objection
from geofence.guards.settling import Refusal
from geofence.lists.parsed import Candidate
from geofence.model.changes import SpaceChange, change_between
from geofence.model.frozen import dataclass, replace
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.operations.site import Site
from geofence.operations.witness import confirms
from geofence.state.versions import History, fingerprint
from geofence.translation import join, tr


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision on one list, as a run reports it."""

    refused: str = ""
    """Why it is not accepted; empty if it is."""
    refusal: Refusal | None = None
    """The state of the refusal from now on, if it is refused."""
    news: tuple[Note, ...] = ()
    """Notes that ``[notify]`` is told although the list is accepted."""
    change: SpaceChange | None = None
    """What it has gained and lost; None without a version before it."""
    fingerprint: str = ""
    """Hash of its addresses."""


@dataclass(frozen=True, slots=True)
class Court:
    """The facts that the lists of one run are compared with."""

    site: Site
    policy: Policy
    accept: Collection[str]
    """Overrides."""
    refusals: Mapping[ListId, Refusal]
    now: datetime
    watch: Callable[[Event], None]

    def judge(
        self, candidate: Candidate, held: Mapping[ListId, AddressSpace], history: History
    ) -> Judgement:
        """Decide on one new version.

        Args:
            candidate: the version.
            held: lists as they are in force so far.
            history: the accepted versions so far.
        """
        accepted = candidate.accepted
        written = _written(self.policy, accepted.id)
        held = {**written, **held} if written else held
        known_before = held.get(accepted.id)
        change = None if known_before is None else change_between(known_before, accepted.space)
        month_ago = _month_ago(history, self.now)
        objections = _objections(candidate, held, self.policy, month_ago, change)
        before = known_before or AddressSpace()
        sha256 = fingerprint(accepted.space)
        known = history.find(sha256)
        version = NewVersion(
            sha256,
            accepted.space,
            before,
            known.confirmed_at if known else None,
            self.refusals.get(accepted.id),
        )
        decision = judge(
            version,
            objections,
            self.accept,
            others=lambda: _others(accepted.id, held),
            confirms=lambda: confirms(self.site, self.policy, accepted, before, self.watch),
            now=self.now,
        )
        reported = self._reported(accepted.id, decision, objections)
        return replace(reported, change=change, fingerprint=sha256)

    def _reported(
        self, name: ListId, decision: ListDecision, objections: tuple[Objection, ...]
    ) -> Judgement:
        match decision.verdict:
            case ListVerdict.REFUSED if decision.refusal:
                why = (*map(str, decision.left), *_for_long(decision.refusal, self.now))
                return Judgement(join(" ", why), decision.refusal)
            case ListVerdict.RETURNED:
                return Judgement(news=(Note(NoteKind.LIST_RETURNED, str(name)),))
            case ListVerdict.MOVED:
                return Judgement(news=_news(name, decision.left, str(name.kind)))
            case ListVerdict.CONFIRMED:
                return Judgement(news=_news(name, decision.left, decision.witness))
        gains = [one for one in objections if one.guard is Guard.GROWTH]
        return Judgement(news=_news(name, gains, "override"))


def _written(policy: Policy, name: ListId) -> dict[ListId, AddressSpace]:
    """Return what the first version of a feed is compared with: the addresses in the rules."""
    exception = policy.fed_by(name)
    return {name: exception.last_known} if exception and exception.last_known else {}


def _objections(
    candidate: Candidate,
    held: Mapping[ListId, AddressSpace],
    policy: Policy,
    month_ago: Mapping[Family, int],
    change: SpaceChange | None,
) -> tuple[Objection, ...]:
    name = candidate.accepted.id
    broadest = {f: candidate.parsed[f].broadest for f in Family}
    before = held.get(name)
    blocks = name.kind is ListKind.BLOCKLIST
    return check_list(
        name,
        candidate.accepted.space,
        before - candidate.expired if before else before,
        policy,
        spared=spared(policy, held) if blocks else None,
        allowed={n: space for n, space in held.items() if n.kind.allows} if blocks else None,
        broadest={family: length for family, length in broadest.items() if length is not None},
        month_ago=month_ago,
        change=None if candidate.expired else change,
    )


def _others(name: ListId, held: Mapping[ListId, AddressSpace]) -> tuple[AddressSpace, ...]:
    """Return the lists of other countries, or of other AS numbers."""
    return tuple(space for each, space in held.items() if each.kind is name.kind and each != name)


def _month_ago(history: History, now: datetime) -> dict[Family, int]:
    version = history.in_force_at(now - MONTH)
    return {family: version.size(family) for family in Family} if version else {}


def _news(name: ListId, objections: Collection[Objection], by: str) -> tuple[Note, ...]:
    return tuple(
        Note(NoteKind.LIST_CHANGE_CONFIRMED, str(name), {"message": one.saw, "by": by})
        for one in objections
    )


def _for_long(refusal: Refusal, now: datetime) -> tuple[str, ...]:
    days = (now - refusal.since).days
    if not days:
        return ()
    return (
        tr(
            "It has been refused since {date}, for {days} days.",
            date=f"{refusal.since:%Y-%m-%d}",
            days=days,
        ),
    )
