"""Facts that ``status`` tells and that take long to find out: of stored lists and of the kernel.

``status`` and each run find them out themselves. ``report``, ``panel`` and ``metrics`` are asked
again and again: they take from a cache what was found out of the same files and the same kernel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from geofence.apply import survey
from geofence.backends.interface import Backend
from geofence.host.namespace import network_namespace
from geofence.merge import needed_lists
from geofence.model.generation import Generation
from geofence.model.lists import ListId, Provenance
from geofence.model.plan import Observed
from geofence.model.policy import Policy
from geofence.model.prefixes import Family
from geofence.operations.listed import Listed
from geofence.operations.lists import stored, stored_list
from geofence.operations.report import Extent, ListReport, StoredList
from geofence.operations.site import Site
from geofence.operations.status_facts import are_rules_edited
from geofence.plan import make_plan
from geofence.plan.drift import Difference, differences, leftovers
from geofence.state.cache import FactCache, stamp
from geofence.state.generations import Damaged
from geofence.state.lists import PROVENANCE
from geofence.state.records import COUNT, FLAG, MOMENT, TEXT, choice, many, maybe, objects
from geofence.state.versions import VERSION, History


class _ListFacts(NamedTuple):
    """What a stored list has, and where it comes from."""

    ipv4: Extent
    ipv6: Extent
    provenance: tuple[Provenance, ...]


class _SetSize(NamedTuple):
    """How many prefixes a set of the kernel has."""

    name: str
    prefixes: int


class _Held(NamedTuple):
    """What the kernel held when it was compared with a generation and did not differ."""

    at: datetime
    rules: tuple[str, ...]
    guarded: tuple[Family, ...]
    sets: tuple[_SetSize, ...]
    labels: bool


_EXTENT = objects(Extent, addresses=COUNT, prefixes=COUNT)
_LIST = objects(_ListFacts, ipv4=_EXTENT, ipv6=_EXTENT, provenance=many(PROVENANCE))
_HISTORY = objects(History, latest=maybe(VERSION))
_HELD = objects(
    _Held,
    at=MOMENT,
    rules=many(TEXT),
    guarded=many(choice(Family)),
    sets=many(objects(_SetSize, name=TEXT, prefixes=COUNT)),
    labels=FLAG,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The kernel beside the generation in force."""

    observed: Observed
    drift: tuple[Difference, ...]
    """Differences of the kernel from the generation; empty without one."""
    at: datetime
    """When the kernel was read whole, UTC."""
    sets: Mapping[str, int] = field(default_factory=dict)
    """Number of prefixes by name of set."""
    is_earlier: bool = False
    """Whether that was earlier, and its fingerprint is still the same."""


class Facts:
    """The facts of one installation."""

    def __init__(self, site: Site, cache: FactCache | None = None) -> None:
        """Take what is known from a cache, if there is one, and add to it what is found out."""
        self._site = site
        self._cache = cache
        self._lists, self._versions = site.lists, site.versions

    @cached_property
    def policy(self) -> Policy:
        """The rules.

        Raises:
            RulesError: they do not load.
        """
        return self._site.policy()

    @cached_property
    def newest(self) -> tuple[Generation | None, tuple[Damaged, ...]]:
        """The newest generation that can be read, and the newer files that were skipped."""
        return self._site.generations.newest()

    def lists(self, policy: Policy) -> tuple[Listed, ...]:
        """Return each list that the policy needs; from the cache without its addresses.

        Those of countries and AS numbers alone are large.
        """
        if self._cache is None:
            return stored(self._site, policy)
        return tuple(
            self._list(name, self._cache) if name.kind.allows else stored_list(self._lists, name)
            for name in needed_lists(policy)
        )

    def _list(self, name: ListId, cache: FactCache) -> Listed:
        stamped = self._lists.stamp(name)
        key = f"list {name} {stamped}" if stamped else ""
        known = cache.get(key, _LIST)
        if known is not None:
            return StoredList(name, *known)
        found = stored_list(self._lists, name)
        if not found.problem:
            ipv4, ipv6 = (found.extent(family) for family in Family)
            cache.put(key, _LIST, _ListFacts(ipv4, ipv6, found.provenance))
        return found

    def history(self, name: ListId) -> History:
        """Return the versions of a list; from the cache only the latest."""
        versions = self._versions
        if self._cache is None:
            return versions.load(name)
        stamped = versions.stamp(name)
        return self._cache.fact(
            f"versions {name} {stamped}" if stamped else "",
            _HISTORY,
            lambda: History(versions.load(name).latest),
        )

    def are_rules_edited(
        self, policy: Policy, reports: Iterable[Listed], generation: Generation
    ) -> bool:
        """Whether the rules and lists on disk differ from what was applied."""

        def find_out() -> bool:
            whole = [each for each in reports if isinstance(each, ListReport)]
            known = {each.id: each for each in whole}
            lists = stored(self._site, policy, known)
            return are_rules_edited(policy, lists, generation.ruleset)

        if self._cache is None:
            return find_out()
        lists = [(str(name), self._lists.stamp(name)) for name in needed_lists(policy)]
        facts = repr((policy, lists, self._stamp(generation))).encode(errors="surrogatepass")
        return self._cache.fact(f"edited {hashlib.sha256(facts).hexdigest()}", FLAG, find_out)

    def _stamp(self, generation: Generation) -> str:
        return stamp(self._site.generations.path(generation.number))

    def compared(self, backend: Backend, generation: Generation | None) -> Comparison:
        """Return the kernel beside a generation; read whole, unless it has not changed since.

        What other backends hold is always read, and so are the counters.

        Raises:
            BackendError: the kernel does not tell.
        """
        key = self._kernel_key(backend, generation)
        known = self._cache.get(key, _HELD) if self._cache and key else None
        if known is not None and generation is not None:
            return _as_before(backend, generation, known)
        at = datetime.now(UTC)
        observed = survey(backend)
        found = _compared(backend, generation, observed, at)
        unchanged = key and key == self._kernel_key(backend, generation)
        if self._cache and unchanged and not (found.drift or observed.unfenced):
            guarded = tuple(family for family in Family if family in observed.guarded)
            sizes = tuple(_SetSize(*each) for each in found.sets.items())
            held = _Held(at, tuple(observed.rules), guarded, sizes, backend.labels)
            self._cache.put(key, _HELD, held)
        return found

    def _kernel_key(self, backend: Backend, generation: Generation | None) -> str:
        """Return what names this state of the kernel; empty if it is not to be kept."""
        if self._cache is None or generation is None:
            return ""
        namespace = network_namespace()
        if namespace is None:
            return ""
        held = f"{backend.name} {backend.fingerprint()}"
        return f"kernel {namespace} {held} {self._stamp(generation)}"


def _compared(
    backend: Backend, generation: Generation | None, observed: Observed, at: datetime
) -> Comparison:
    drift: tuple[Difference, ...] = ()
    if generation is not None:
        wanted = generation.ruleset
        drift = differences(make_plan(wanted, observed, backend.rules(wanted)))
    sizes = {key.name: held.prefix_count for key, held in sorted(observed.sets.items())}
    return Comparison(observed, drift, at, sizes)


def _as_before(backend: Backend, generation: Generation, held: _Held) -> Comparison:
    """Return the comparison of before, with today's counters, and what other backends hold."""
    backend.labels = held.labels
    own = replace(
        Observed.holding(generation.ruleset),
        rules=held.rules,
        dropped=backend.dropped(),
        fenced=frozenset(Family),
        guarded=frozenset(held.guarded),
    )
    observed = survey(backend, own)
    return Comparison(observed, leftovers(observed), held.at, dict(held.sets), is_earlier=True)
