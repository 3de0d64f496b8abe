"""Whether a new version of a list is taken: guards, overrides, a return, a witness, or time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from geofence.fetch.events import Event
from geofence.guards.limits import MONTH
from geofence.guards.lists import check_list
from geofence.guards.objection import Guard, Objection, remaining
from geofence.guards.settling import Refusal, Way, moved, way
from geofence.lists.parsed import Candidate
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.operations.site import Site
from geofence.operations.witness import confirms
from geofence.state.versions import History, fingerprint


@dataclass(frozen=True, slots=True)
class Judgement:
    """What guards make of one list."""

    refused: str = ""
    """Why it is not taken; empty if it is."""
    refusal: Refusal | None = None
    """What is known of it from now on, if it is refused."""
    news: tuple[str, ...] = ()
    """What an operator should hear though the list is taken."""


@dataclass(frozen=True, slots=True)
class Court:
    """What the lists of one run are held against."""

    site: Site
    policy: Policy
    accept: Collection[str]
    """Overrides of guards."""
    refusals: Mapping[ListId, Refusal]
    now: datetime
    watch: Callable[[Event], None]

    def judge(self, candidate: Candidate, held: Mapping[ListId, AddressSpace]) -> Judgement:
        """Decide on one new version.

        Args:
            candidate: the version.
            held: lists as they are in force so far.
        """
        accepted = candidate.accepted
        history = self.site.versions.load(accepted.id)
        objections = _objections(candidate, held, self.policy, _month_ago(history, self.now))
        left = remaining(objections, self.accept)
        if not left:
            return Judgement(news=_gains(objections, "it was overridden"))
        sha256 = fingerprint(accepted.space)
        known = self.refusals.get(accepted.id)
        refusal = known.again(sha256, self.now) if known else Refusal.first(sha256, self.now)
        version = history.find(sha256)
        chosen = way(left, version.confirmed_at if version else None, refusal, self.now)
        if chosen is Way.RETURNED:
            return Judgement(news=(f"The list {accepted.id} is back at a version of late.",))
        witness = self._witness(candidate, held) if chosen is Way.ASK else ""
        if witness:
            return Judgement(news=_news(left, f"{witness} confirms it"))
        return Judgement(" ".join((*map(str, left), *_for_long(refusal, self.now))), refusal)

    def _witness(self, candidate: Candidate, held: Mapping[ListId, AddressSpace]) -> str:
        """Who confirms what changed: another mirror, or another country's list."""
        accepted = candidate.accepted
        before = held.get(accepted.id, AddressSpace())
        others = [
            space
            for name, space in held.items()
            if name.kind is ListKind.COUNTRY and name != accepted.id
        ]
        if moved(before, accepted.space, others):
            return "the list of another country"
        return confirms(self.site, self.policy, accepted, before, self.watch)


def _objections(
    candidate: Candidate,
    held: Mapping[ListId, AddressSpace],
    policy: Policy,
    month_ago: Mapping[Family, int],
) -> tuple[Objection, ...]:
    name = candidate.accepted.id
    broadest = {f: candidate.parsed[f].broadest for f in Family}
    return check_list(
        name,
        candidate.accepted.space,
        held.get(name),
        policy,
        countries={each: space for each, space in held.items() if each.kind is ListKind.COUNTRY},
        broadest={family: length for family, length in broadest.items() if length is not None},
        month_ago=month_ago,
    )


def _month_ago(history: History, now: datetime) -> dict[Family, int]:
    version = history.in_force_at(now - MONTH)
    return {family: version.size(family) for family in Family} if version else {}


def _gains(objections: Collection[Objection], why: str) -> tuple[str, ...]:
    return _news([one for one in objections if one.guard is Guard.GROWTH], why)


def _news(objections: Collection[Objection], why: str) -> tuple[str, ...]:
    return tuple(f"{one.saw} It was taken: {why}." for one in objections)


def _for_long(refusal: Refusal, now: datetime) -> tuple[str, ...]:
    days = (now - refusal.since).days
    if not days:
        return ()
    return (f"It has been refused since {refusal.since:%Y-%m-%d}, for {days} days.",)
