"""What a target should hold: by the rules and lists on disk, or by a generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from geofence.allowed.timed import timed_prefixes
from geofence.merge import merge
from geofence.model.generation import Generation
from geofence.model.lists import ListId
from geofence.model.prefixes import AddressSpace, PrefixSet
from geofence.model.ruleset import Ruleset, SetKey
from geofence.model.sets import SetKind
from geofence.model.target import Target
from geofence.operations.targets.site import TargetSite
from geofence.state.timed import Timed
from geofence.targets.fence import ClusterFence, cluster_fence, with_runtime
from geofence.targets.objects import ClusterObject


@dataclass(frozen=True, slots=True)
class Desired:
    """A ruleset for a target, and what holds it."""

    ruleset: Ruleset
    """Of the target's services, with bans and what is allowed until a time."""
    fence: ClusterFence
    """As far as the engine can say it."""
    objects: tuple[ClusterObject, ...]
    timed: Timed
    """What is allowed until when."""

    @property
    def recorded(self) -> Ruleset:
        """The ruleset as a generation has it: with what its runtime sets held."""
        held = {key: space for key, space in self.ruleset.runtime.items() if space}
        return replace(self.ruleset, sets={**self.ruleset.sets, **held}, runtime={})


def desired(place: TargetSite, lists: Mapping[ListId, AddressSpace]) -> Desired:
    """Return what the rules and lists say.

    Raises:
        MissingListError: the list of a country or AS number is not in ``lists``.
        StateError: the bans cannot be read; without them the fence would be more open.
        RulesError: the target lacks what its engine needs.
    """
    now = datetime.now(UTC)
    ruleset = _of_target(merge(place.policy, lists), place.target)
    timed = timed_prefixes(place.policy, lists, now)
    return _made(place, ruleset, timed, now)


def restored(place: TargetSite, generation: Generation) -> Desired:
    """Return a recorded ruleset, with the bans of today and what has not ended.

    Raises:
        StateError: the bans, or the exceptions for a time, cannot be read.
    """
    now = datetime.now(UTC)
    ruleset = _split(generation.ruleset)
    timed = {
        key: tuple(each for each in found if each.until is None or each.until > now.timestamp())
        for key, found in place.own.timed.load().items()
    }
    return _made(place, ruleset, timed, now)


def as_recorded(place: TargetSite, generation: Generation) -> Desired:
    """Return what a generation was applied as, with what its runtime sets held then."""
    ruleset = _split(generation.ruleset)
    return _with_objects(place, ruleset, {})


def _made(place: TargetSite, ruleset: Ruleset, timed: Timed, now: datetime) -> Desired:
    bans = place.main.bans.load().lasting(now)
    held = {key: [each.prefix for each in found] for key, found in timed.items()}
    return _with_objects(place, with_runtime(ruleset, bans, held), timed)


def _with_objects(place: TargetSite, ruleset: Ruleset, timed: Timed) -> Desired:
    fence = cluster_fence(ruleset, place.target)
    objects = place.engine.objects(fence, place.target)
    return Desired(ruleset, place.engine.held(fence), objects, timed)


def _of_target(ruleset: Ruleset, target: Target) -> Ruleset:
    """Return the part of a ruleset that a target fences; a cluster has none of our interfaces."""
    services = tuple(each for each in ruleset.services if target.fences(each.name))
    groups = {each.name for each in services} | {each.allow_group for each in services}
    sets = {key: space for key, space in ruleset.sets.items() if key.group in groups}
    return replace(ruleset, services=services, sets=sets, interfaces=(), local=())


def _split(ruleset: Ruleset) -> Ruleset:
    """Return a recorded ruleset with its runtime sets where they belong."""
    declared: dict[SetKey, PrefixSet] = {}
    runtime: dict[SetKey, PrefixSet] = {}
    for key, space in ruleset.sets.items():
        (runtime if key.kind is SetKind.RUNTIME else declared)[key] = space
    return replace(ruleset, sets=declared, runtime=runtime)
