"""What the kernel itself knows of one address: sets that hold it, its ban, when it was dropped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from geofence.backends.interface import Backend
from geofence.model.address import Address
from geofence.model.elements import Element, TimedPrefix
from geofence.model.prefixes import PrefixSet
from geofence.model.ruleset import NOTED_SECONDS, Role, SetKey, SetKind, SourceIn
from geofence.plan.observed_ruleset import Held
from geofence.verdict import Step

_CLOSE = 3.0
"""Seconds around its end for which nobody can tell whether the kernel still holds an element."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether an address is in one of the kernel's sets, by three witnesses."""

    key: SetKey
    backend: str
    tested: bool
    """Whether the kernel finds it there, as it would for a packet."""
    listed: bool
    """Whether it is in what the kernel lists of the set."""
    expected: bool | None
    """Whether it should be there; None if nobody can tell."""

    @property
    def agrees(self) -> bool:
        """Whether the kernel finds what it should."""
        return self.tested is self.listed and self.expected in (None, self.tested)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the kernel's sets should hold."""

    declared: Mapping[SetKey, PrefixSet] = field(default_factory=dict)
    runtime: Mapping[SetKey, Sequence[TimedPrefix]] | None = None
    """None: the records cannot be read."""

    def holds(self, key: SetKey, source: Address, now: float) -> bool | None:
        """Whether a set should hold an address; None if nobody can tell."""
        if key.kind is SetKind.DECLARED:
            return source.is_in(self.declared[key]) if key in self.declared else None
        if self.runtime is None:
            return None
        around = [
            until
            for prefix, until in self.runtime.get(key, ())
            if prefix.family is source.family and prefix.network <= source.number < prefix.past
        ]
        if any(until is not None and abs(until - now) <= _CLOSE for until in around):
            return None
        return any(until is None or until > now for until in around)


def memberships(
    held: Iterable[tuple[Backend, Held]],
    steps: Iterable[Step],
    source: Address,
    expected: Expected,
) -> tuple[Membership, ...]:
    """Return whether the kernel finds an address in the sets that a verdict asks.

    Args:
        held: the fences of the kernel, each with its backend.
        steps: what packets from the address meet.
        source: the address.
        expected: what the sets should hold.

    Raises:
        BackendError: the kernel does not tell.
    """
    matches = (step.rule.match for step in steps)
    keys = dict.fromkeys(
        SetKey(each.role, each.group, source.family)
        for each in matches
        if isinstance(each, SourceIn)
    )
    now = time.time()
    return tuple(
        Membership(
            key,
            backend.name,
            backend.test(key, source.number),
            source.is_in(_listed(fence, key)),
            expected.holds(key, source, now),
        )
        for backend, fence in held
        if source.family in fence.fenced
        for key in keys
    )


def _listed(fence: Held, key: SetKey) -> PrefixSet:
    found = fence.ruleset.runtime if key.kind is SetKind.RUNTIME else fence.ruleset.sets
    return found.get(key) or PrefixSet(key.family)


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What the kernel has noted of an address, or of the network that it notes for it."""

    service: str
    packets: int
    octets: int
    first: datetime
    """When it came first, UTC."""
    last: datetime
    """When it came last, UTC."""


def turned_away(held: Iterable[tuple[Backend, Held]], source: Address) -> tuple[TurnedAway, ...]:
    """Return how often each service has turned an address away, and when.

    Raises:
        BackendError: the kernel does not tell.
    """
    return tuple(
        found
        for backend, fence in held
        for service in fence.ruleset.services
        if (found := _noted(backend, service.name, source))
    )


def _noted(backend: Backend, service: str, source: Address) -> TurnedAway | None:
    denied = element_of(backend, SetKey(Role.DENIED, service, source.family), source)
    if denied is None:
        return None
    seen = element_of(backend, SetKey(Role.SEEN, service, source.family), source) or denied
    now = time.time()
    first, last = (
        datetime.fromtimestamp(now - NOTED_SECONDS + (each.seconds or 0), UTC)
        for each in (denied, seen)
    )
    return TurnedAway(service, denied.packets, denied.octets, first, max(first, last))


def element_of(backend: Backend, key: SetKey, source: Address) -> Element | None:
    """Return the element of a runtime set that holds an address; None if none does.

    A set may have tens of thousands; the kernel is asked first whether it is worth while.

    Raises:
        BackendError: the kernel does not tell.
    """
    if not backend.test(key, source.number):
        return None
    elements = backend.elements(key)
    return next((e for e in elements if e.first <= source.number < e.past), None)
