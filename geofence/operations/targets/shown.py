"""The difference between what a cluster holds and what it should, as a plan that views show.

The sets of such a plan are what each service allows; its rules are the objects, with their lists of
prefixes left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256

from geofence.model.plan import Observed, Plan, SetChange
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.operations.targets.observe import InCluster
from geofence.targets.fence import ClusterFence
from geofence.targets.objects import ClusterObject, Json

_SHORT = 12
"""Values of a list that are shown; longer ones are prefixes."""
_DIGITS = 8


def shown_plan(
    found: InCluster,
    fence: ClusterFence,
    objects: Iterable[ClusterObject],
    ruleset: Ruleset | None = None,
) -> Plan:
    """Return what a run would change.

    Args:
        found: what the cluster holds.
        fence: what it should hold.
        objects: the same as objects.
        ruleset: the same as a ruleset.
    """
    known = found.fence is not None
    held = sets_of(found.fence or ClusterFence())
    wanted = sets_of(fence)
    objects = tuple(objects)
    differ = {each.key: each.text for each in found.objects} != {
        each.key: each.text for each in objects
    }
    changes = _changes(held, wanted)
    exact = differ and (not known or not changes)
    there, then = (_lines(each, exact=exact) for each in (found.objects, objects))
    if differ and not changes and there == then:
        there, then = (_lines(each, exact=True) for each in (found.objects, objects))
    observed = Observed(held, there, fenced=frozenset(Family) if found.objects else frozenset())
    return Plan(ruleset or Ruleset(), observed, changes, then)


def sets_of(fence: ClusterFence) -> dict[SetKey, PrefixSet]:
    """Return what each service of a fence allows: by countries, and by exceptions."""
    return {
        SetKey(role, name, family): space[family]
        for group in fence.groups
        for name in group.names
        for role, space in ((Role.ALLOW, group.allowed), (Role.EXCEPTION, group.excepted))
        for family in Family
    }


def _changes(
    held: Mapping[SetKey, PrefixSet], wanted: Mapping[SetKey, PrefixSet]
) -> tuple[SetChange, ...]:
    keys = sorted(held.keys() | wanted.keys(), key=lambda key: key.name)
    return tuple(
        SetChange(key, held.get(key), wanted.get(key))
        for key in keys
        if (held.get(key) or PrefixSet(key.family)) != (wanted.get(key) or PrefixSet(key.family))
    )


def _lines(objects: Iterable[ClusterObject], *, exact: bool) -> tuple[str, ...]:
    return tuple(_line(each, exact=exact) for each in sorted(objects, key=lambda each: each.key))


def _line(thing: ClusterObject, *, exact: bool) -> str:
    """Return an object in one line; ``exact``: with a digest of all of it."""
    outline = json.dumps(_outline(thing.spec), separators=(",", ":"), sort_keys=True)
    digest = f" #{sha256(thing.text.encode()).hexdigest()[:_DIGITS]}" if exact else ""
    return f"{thing.key} {outline}{digest}"


def _outline(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _outline(inner) for key, inner in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) > _SHORT or any(_is_prefix(each) for each in value):
        return "…"
    return [_outline(each) for each in value]


def _is_prefix(value: Json) -> bool:
    """Whether a value of a list is a prefix, or a peer that is one."""
    if isinstance(value, Mapping):
        return bool(value.keys() & {"ipBlock", "cidr"})
    return isinstance(value, str) and "/" in value and value[:1] in "0123456789abcdef:"
