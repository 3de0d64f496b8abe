"""The decision on a new version of a list: checks, overrides, a witness, or time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from enum import StrEnum

from geofence.guards.objection import Objection, remaining
from geofence.guards.settling import Disposition, Refusal, disposition, moved
from geofence.model.frozen import dataclass
from geofence.model.prefixes import AddressSpace


class ListVerdict(StrEnum):
    """How a decision came about."""

    HARMLESS = "harmless"
    """No check objects."""
    OVERRIDDEN = "overridden"
    RETURNED = "returned"
    """It is a recently accepted version again."""
    MOVED = "moved"
    """Another country's list has gained what this one lost."""
    CONFIRMED = "confirmed"
    """Another mirror has the same change."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ListDecision:
    """The decision on one version of a list."""

    verdict: ListVerdict
    left: tuple[Objection, ...] = ()
    """Objections that no override covers."""
    refusal: Refusal | None = None
    """The state of the refusal, if it is refused."""
    witness: str = ""
    """Host of the mirror that confirms it."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version of a list, with what is known of it."""

    fingerprint: str
    space: AddressSpace
    before: AddressSpace
    """Addresses of the accepted version."""
    last_accepted: datetime | None
    """When the same addresses were last in force, UTC; None for never."""
    refusal: Refusal | None
    """The state of its refusal so far."""


def judge(  # noqa: PLR0913 - the facts, and two questions that cost time
    version: NewVersion,
    objections: tuple[Objection, ...],
    accept: Collection[str],
    *,
    others: Callable[[], Collection[AddressSpace]],
    confirms: Callable[[], str],
    now: datetime,
) -> ListDecision:
    """Decide on a new version of a list.

    Args:
        version: the new version.
        objections: of the checks.
        accept: overrides.
        others: gives the lists of other countries, if they are needed.
        confirms: asks other mirrors, if that is needed, and gives the host that confirms.
        now: the time, UTC.
    """
    left = remaining(objections, accept)
    if not left:
        return ListDecision(ListVerdict.OVERRIDDEN if objections else ListVerdict.HARMLESS)
    sha256, known = version.fingerprint, version.refusal
    refusal = known.again(sha256, now) if known else Refusal.first(sha256, now)
    chosen = disposition(left, version.last_accepted, refusal, now)
    if chosen is Disposition.RETURNED:
        return ListDecision(ListVerdict.RETURNED, left)
    if chosen is Disposition.ASK:
        if moved(version.before, version.space, others()):
            return ListDecision(ListVerdict.MOVED, left)
        witness = confirms()
        if witness:
            return ListDecision(ListVerdict.CONFIRMED, left, witness=witness)
    return ListDecision(ListVerdict.REFUSED, left, refusal)
