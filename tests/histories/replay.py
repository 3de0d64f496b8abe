"""What the guards do with the versions of all countries' lists, day by day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from geofence.guards.judging import ListVerdict, NewVersion, judge
from geofence.guards.limits import MONTH
from geofence.guards.lists import check_list
from geofence.guards.objection import Objection
from geofence.guards.settling import Refusal
from geofence.lists.parsed import ParsedList
from geofence.model.lists import ListId
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.state.versions import History, fingerprint

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Refused:
    """A list that was refused, and how that ended."""

    list: ListId
    since: datetime
    why: tuple[Objection, ...]
    """What spoke against the first version."""
    until: datetime | None = None
    """When it was taken, or the source went back to what is in force; None: never."""
    how: str = ""
    """``returned``, ``moved``, ``mirror``, ``harmless`` (another version to which nothing objects)
    or ``undone`` (the source went back by itself)."""

    def days(self, end: datetime) -> int:
        """How long it was refused, if not before then to a moment."""
        return ((self.until or end) - self.since).days


@dataclass
class Replay:
    """An installation that allows every country, and is refreshed every day."""

    mirror: bool = True
    """Whether a second mirror serves what the first one does; without, a list settles only if
    another country's has gained what it lost."""
    accepted: dict[ListId, AddressSpace] = field(default_factory=dict)
    served: dict[ListId, ParsedList] = field(default_factory=dict)
    ended: list[Refused] = field(default_factory=list)
    refused: dict[ListId, Refused] = field(default_factory=dict)
    """Those that are refused now."""
    judged: int = 0
    """Changes that were held against the guards."""
    _known: dict[ListId, Refusal] = field(default_factory=dict)
    _histories: dict[ListId, History] = field(default_factory=dict)

    def day(self, now: datetime, changed: Mapping[ListId, ParsedList]) -> None:
        """Refresh once: the source serves other versions of some lists than the day before."""
        self._confirm(changed, now - DAY)
        self.served.update(changed)
        for name in sorted({*changed, *self.refused}, key=str):
            self._serve(name, now)

    def _confirm(self, changed: Iterable[ListId], at: datetime) -> None:
        for name in changed:
            if name in self.accepted and name not in self.refused:
                self._histories[name] = self._histories[name].noted(self.accepted[name], at)

    def _serve(self, name: ListId, now: datetime) -> None:
        candidate = self.served[name].space
        before = self.accepted.get(name)
        if before is None or candidate == before:
            self._take(name, now, "undone")
            return
        self.judged += 1
        objections = self._objections(name, now)
        if not objections:
            self._take(name, now, "harmless")
            return
        known = self._histories[name].find(fingerprint(candidate))
        version = NewVersion(
            fingerprint(candidate),
            candidate,
            before,
            known.confirmed_at if known else None,
            self._known.get(name),
        )
        decision = judge(
            version,
            objections,
            (),
            others=lambda: [each for other, each in self.accepted.items() if other != name],
            confirms=lambda: "mirror" if self.mirror else "",
            now=now,
        )
        if decision.verdict is not ListVerdict.REFUSED:
            self._take(name, now, decision.witness or decision.verdict.value)
            return
        assert decision.refusal is not None
        self._known[name] = decision.refusal
        self.refused.setdefault(name, Refused(name, now, objections))

    def _objections(self, name: ListId, now: datetime) -> tuple[Objection, ...]:
        parsed = self.served[name]
        broadest = {family: parsed[family].broadest for family in Family}
        month_ago = self._histories[name].in_force_at(now - MONTH)
        return check_list(
            name,
            parsed.space,
            self.accepted[name],
            Policy(),
            broadest={f: length for f, length in broadest.items() if length is not None},
            month_ago={f: month_ago.size(f) for f in Family} if month_ago else {},
        )

    def _take(self, name: ListId, now: datetime, how: str) -> None:
        space = self.served[name].space
        self.accepted[name] = space
        self._known.pop(name, None)
        self._histories[name] = self._histories.get(name, History()).noted(space, now)
        if refused := self.refused.pop(name, None):
            self.ended.append(replace(refused, until=now, how=how))
        elif how in ("returned", "moved", "mirror"):
            self.ended.append(Refused(name, now, (), now, how))
