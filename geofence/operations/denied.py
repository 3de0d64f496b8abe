"""``denied``: who was turned away, as the kernel has noted it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from geofence.backends.noting import noting
from geofence.denied.sources import (
    DeniedSource,
    Group,
    Knowledge,
    Sources,
    described,
    distinct,
    foremost,
    grouped,
    joined,
    labels,
    network_labels,
    timed,
)
from geofence.errors import BackendUnavailable, UsageError
from geofence.model.elements import Noted
from geofence.model.frozen import NamedTuple
from geofence.model.sets import Role, SetKey
from geofence.operations.knowledge import Known, known_all, known_countries
from geofence.operations.shield import sample_notes
from geofence.operations.site import Site
from geofence.state.newest import NewestFacts, newest_facts
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.backends.interface import NotedSets
    from geofence.model.notes import Note
    from geofence.model.plan import Count
    from geofence.model.policy import Policy

_PAUSE = 1.0
"""Seconds between two looks at the sets."""
_SHARE = 4
"""A look is followed by a pause of at least so many times its length."""

_Key = tuple[SetKey, int]


class GroupedBy(StrEnum):
    """What sources are counted by."""

    COUNTRY = "country"
    NETWORK = "network"


class Selection(NamedTuple):
    """Which sources are asked for, and how."""

    service: str | None = None
    """None: of all services."""
    since: timedelta | None = None
    """Only sources that came so lately; None: all."""
    by: GroupedBy | None = None
    """None: one by one."""
    limit: int = 0
    """How many sources to tell one by one; 0: all."""


class DeniedService(NamedTuple):
    """What a service turned away."""

    name: str
    observed: bool
    """Whether it is only observed: nothing is dropped."""
    sources: int
    """Of all times, as all that follows."""
    packets: int
    """Packets of noted sources."""
    octets: int
    dropped: Count | None
    """What its rules dropped, or would have dropped, since they count; None: not asked for."""
    full: bool = False
    """Whether no further sources can be noted."""

    @property
    def unnoted(self) -> int | None:
        """Least number of dropped packets that no noted source accounts for; None: not known."""
        return None if self.dropped is None else max(self.dropped.packets - self.packets, 0)


class DeniedReport(NamedTuple):
    """The result of ``denied``."""

    services: tuple[DeniedService, ...] = ()
    """Those that were asked for; empty if there is no fence."""
    sources: int = 0
    """How many were selected; one that several services turned away counts once."""
    selected: int = 0
    """The same; it counts once for each service."""
    rows: tuple[DeniedSource, ...] = ()
    """Sources one by one, unless they are grouped."""
    groups: tuple[Group, ...] | None = None
    exception_groups: Mapping[str, str] = MappingProxyType({})
    """By the name of an exception: the group that it is in."""
    together: Mapping[str, str] = MappingProxyType({})
    """By the name of an exception: the group by which it is allowed with what belongs to it."""
    notes: tuple[Note, ...] = ()


class _Look(NamedTuple):
    """The kernel's sets of who was turned away, read at one time."""

    backend: NotedSets
    keys: Sequence[SetKey]
    parts: Sequence[Sources]
    """Sources without their times, one part for each of ``keys``."""
    noted: Sequence[tuple[Noted, Noted]]
    """What they were made of: since each came first, and since it came last. Empty: not read."""
    observed: Collection[str]
    """Services that are only observed."""
    at: float
    """Seconds since the epoch."""

    def timed(self, parts: Sequence[Sources]) -> list[Sources]:
        """Return parts, or some sources of each, with their times."""
        pairs = zip(parts, self.noted, strict=True)
        return [timed(part, first, last, self.at) for part, (first, last) in pairs]


def denied(site: Site, asked: Selection) -> DeniedReport:
    """Return the sources that the fence turned away, or would have if services are observed.

    Raises:
        UsageError: there is no such service.
        BackendError: the kernel does not tell.
    """
    found = _look(site, asked.service, times=asked.since is not None or asked.by is None)
    if found is None:
        return DeniedReport()
    chosen = found.parts
    if asked.since is not None:
        begin = found.at - asked.since.total_seconds()
        chosen = [part.since(begin) for part in found.timed(found.parts)]
    known = known_countries(site) if asked.by is GroupedBy.COUNTRY else known_all(site)
    return _report(site, found, chosen, known, asked)


def denied_by_source_and_country(
    site: Site, limit: int, policy: Policy | None = None
) -> tuple[DeniedReport, tuple[Group, ...]]:
    """Return the sources one by one, and by country, with one look at the kernel.

    Args:
        site: the installation.
        limit: how many sources to tell one by one.
        policy: the rules, if they have been loaded already.

    Raises:
        BackendError: the kernel does not tell.
    """
    found = _look(site, None, times=True)
    if found is None:
        return DeniedReport(), ()
    known = known_all(site, policy)
    report = _report(site, found, found.parts, known, Selection(limit=limit))
    return report, _grouped(found.parts, known.knowledge, GroupedBy.COUNTRY)


def _look(site: Site, service: str | None, *, times: bool) -> _Look | None:
    """Return what the kernel has noted; None without a fence.

    Raises:
        UsageError: there is no such service.
    """
    newest = newest_facts(site.state_directory)
    backend, keys = _noting(newest, service)
    if backend is None:
        return None
    now = time.time()
    noted = [(backend.noted(key, times=times), _seen(backend, key, times=times)) for key in keys]
    pairs = zip(keys, noted, strict=True)
    parts = [joined(key.group, key.family, first, None, now) for key, (first, _) in pairs]
    return _Look(backend, keys, parts, noted, newest.observed, now)


def _seen(backend: NotedSets, key: SetKey, *, times: bool) -> Noted:
    """Return the sources of a set since they came last; none if times are not asked for."""
    return backend.noted(key._replace(role=Role.SEEN)) if times else Noted()


def _report(
    site: Site, found: _Look, chosen: Sequence[Sources], known: Known, asked: Selection
) -> DeniedReport:
    """Return the sources that were chosen, one by one or grouped."""
    groups = _grouped(chosen, known.knowledge, asked.by) if asked.by else None
    rows: Sequence[DeniedSource] = ()
    if asked.by is None:
        some = foremost(chosen, asked.limit)
        some = some if asked.since is not None else found.timed(some)
        rows = described(some, known.knowledge, asked.limit)
    return DeniedReport(
        _services(found, None if asked.by else found.backend.dropped()),
        distinct(chosen),
        sum(part.number for part in chosen),
        tuple(rows),
        groups,
        known.groups,
        known.together,
        (*known.notes, *sample_notes(site)),
    )


def _grouped(parts: Sequence[Sources], known: Knowledge, by: GroupedBy) -> tuple[Group, ...]:
    if by is GroupedBy.COUNTRY:
        return tuple(grouped([(part, labels(part, known.countries)) for part in parts]))
    return tuple(grouped([(part, network_labels(part, known.networks)) for part in parts]))


def noted_sources(site: Site) -> Iterator[Sources]:
    """Yield the sources that the kernel has noted, by service and family, with their times.

    Raises:
        BackendError: the kernel does not tell.
    """
    found = _look(site, None, times=True)
    yield from () if found is None else found.timed(found.parts)


def follow(
    site: Site, asked: Selection, known: Knowledge, stopped: Callable[[float], bool]
) -> Iterator[DeniedSource]:
    """Yield sources that are noted from now on, as they come.

    Args:
        site: the installation.
        asked: which.
        known: what lists and rules tell.
        stopped: waits for so many seconds, and says whether to stop.

    Raises:
        UsageError: there is no such service.
        BackendError: the kernel does not tell.
    """
    seen: set[_Key] | None = None
    pause = 0.0
    while not stopped(pause):
        begun = time.monotonic()
        backend, keys = _noting(newest_facts(site.state_directory), asked.service)
        parts = [] if backend is None else [_just_noted(backend, key) for key in keys]
        held = {
            (key, network)
            for key, part in zip(keys, parts, strict=False)
            for network in part.networks
        }
        if seen is not None:
            yield from described(_others(keys, parts, seen), known)
        seen = held | (seen or set())
        pause = max(_PAUSE, _SHARE * (time.monotonic() - begun))


def _just_noted(backend: NotedSets, key: SetKey) -> Sources:
    """Return the sources of a set; those that are new came last when they came first."""
    return joined(key.group, key.family, backend.noted(key), Noted(), time.time())


def _others(
    keys: Sequence[SetKey], parts: Sequence[Sources], seen: Collection[_Key]
) -> list[Sources]:
    """Return the sources that are not among those that were seen before."""
    return [
        part.only([at for at, each in enumerate(part.networks) if (key, each) not in seen])
        for key, part in zip(keys, parts, strict=True)
    ]


def read_dropped(site: Site) -> Mapping[str, Count]:
    """Return what the rules of each service have dropped, or would have.

    Raises:
        BackendError: the kernel does not tell.
    """
    backend, _ = _noting(newest_facts(site.state_directory), None)
    return {} if backend is None else backend.dropped()


def forget(site: Site, service: str | None) -> int:
    """Forget noted sources, of one service or of all; return how many there were.

    Raises:
        UsageError: there is no such service.
        BackendError: the kernel refused.
    """
    found = _look(site, service, times=False)
    if found is None:
        return 0
    for key in found.keys:
        for role in (Role.DENIED, Role.SEEN):
            found.backend.forget(key._replace(role=role))
    return distinct(found.parts)


def _noting(newest: NewestFacts, service: str | None) -> tuple[NotedSets | None, list[SetKey]]:
    """Return the backend that holds the fence, and the sets of who was turned away.

    Raises:
        UsageError: there is no such service.
    """
    for backend in noting(newest.backend):
        try:
            held = backend.keys()
        except BackendUnavailable:  # what cannot work here holds nothing here
            continue
        keys = sorted(key for key in held if key.role is Role.DENIED)
        if keys:
            if service is not None:
                _require(service, [key.group for key in keys])
                keys = [key for key in keys if key.group == service]
            return backend, keys
    return None, []


def _require(service: str, known: Sequence[str]) -> None:
    if service not in known:
        from geofence.spelling import quoted

        raise UsageError(
            tr(
                "The fence has no service {name}; it has {services}.",
                name=quoted(service),
                services=", ".join(dict.fromkeys(known)),
            )
        )


def _services(found: _Look, dropped: Mapping[str, Count] | None) -> tuple[DeniedService, ...]:
    services = []
    for name in dict.fromkeys(key.group for key in found.keys):
        mine = [part for part in found.parts if part.service == name]
        services.append(
            DeniedService(
                name,
                name in found.observed,
                distinct(mine),
                sum(sum(part.packets) for part in mine),
                sum(sum(part.octets) for part in mine),
                None if dropped is None else dropped.get(name),
                any(part.is_full for part in mine),
            )
        )
    return tuple(services)
