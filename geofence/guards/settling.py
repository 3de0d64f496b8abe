"""The end of refusals without a person: by a return, a witness or time. Pure.

A refusal that never ends keeps a wrong list in force for years (see ``limits``). A witness is a
second mirror, or another country's list, that confirms a change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum

from geofence.guards.limits import RETURNS_WITHIN, SETTLES_AFTER
from geofence.guards.objection import Objection, Yields
from geofence.model.frozen import dataclass
from geofence.model.prefixes import AddressSpace, Family

_MOST_DIFFERENT = 0.05
"""Share of what a list gained and lost that a witness may not confirm: mirrors are not updated at
the same moment."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A list that guards have refused since some time."""

    sha256: str
    """Fingerprint of the addresses that were refused last."""
    since: datetime
    """When the list was first refused after it had been accepted, UTC."""
    same_since: datetime
    """When these addresses were first refused, UTC."""

    def again(self, sha256: str, now: datetime) -> Refusal:
        """Return the state after another refusal."""
        same = self.same_since if sha256 == self.sha256 else now
        return Refusal(sha256, self.since, same)

    @classmethod
    def first(cls, sha256: str, now: datetime) -> Refusal:
        """Return the state after a first refusal."""
        return cls(sha256, now, now)


class Disposition(StrEnum):
    """How to treat a list to which guards object."""

    REFUSED = "refused"
    RETURNED = "returned"
    """It passes: it is a version that was in force recently."""
    ASK = "ask"
    """It passes if a witness confirms what changed."""


def disposition(
    objections: Iterable[Objection],
    was_in_force: datetime | None,
    refusal: Refusal | None,
    now: datetime,
) -> Disposition:
    """Decide how to treat a list.

    Args:
        objections: those that no override covers, at least one.
        was_in_force: when the same addresses were last in force, UTC; None for never.
        refusal: the state after this run's refusal; None if nothing can be recorded.
        now: the time, UTC.
    """
    yielding = {objection.yields for objection in objections}
    if Yields.NEVER in yielding:
        return Disposition.REFUSED
    if was_in_force is not None and now - was_in_force <= RETURNS_WITHIN:
        return Disposition.RETURNED
    settled = refusal is not None and now - refusal.same_since >= SETTLES_AFTER
    return Disposition.ASK if settled or yielding == {Yields.TO_WITNESS} else Disposition.REFUSED


def agrees(witness: AddressSpace, before: AddressSpace, after: AddressSpace) -> bool:
    """Whether a second mirror's version gained and lost what the first mirror's did."""
    return all(
        _mostly((after[f] - before[f]).size, ((after[f] - before[f]) & witness[f]).size)
        and _mostly((before[f] - after[f]).size, ((before[f] - after[f]) - witness[f]).size)
        for f in Family
    )


def moved(before: AddressSpace, after: AddressSpace, others: Collection[AddressSpace]) -> bool:
    """Whether other countries' lists have what a list lost, and it gained nothing."""
    elsewhere = AddressSpace.union(others)
    return not (after - before) and all(
        _mostly((before[f] - after[f]).size, ((before[f] - after[f]) & elsewhere[f]).size)
        for f in Family
    )


def _mostly(whole: int, part: int) -> bool:
    return part >= (1 - _MOST_DIFFERENT) * whole
