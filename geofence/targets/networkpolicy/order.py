"""Requests from stored NetworkPolicies to others, so that at each moment old or new holds.

Policies add up. First the base object opens what either base opens; then each range is applied,
which decides its own addresses from then on; then the base is as it should be; then what is left
over goes. One object that holds everything is simply applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from geofence.errors import TargetError
from geofence.model.policy import Ports, Protocol
from geofence.targets.networkpolicy.shape import EVERY_SCTP, Part, port_fields
from geofence.targets.objects import (
    ROLE_LABEL,
    TARGET_LABEL,
    ClusterObject,
    Json,
    ObjectKey,
    Request,
    Verb,
    as_mapping,
    as_sequence,
)
from geofence.translation import tr

_Stored = Mapping[ObjectKey, ClusterObject]

_OPEN: list[Json] = [
    {"ports": [*(port_fields(Ports(each, 1, 65_535)) for each in Protocol), EVERY_SCTP]}
]
"""The rules of a policy that opens all ports, as if there were none."""


def order(before: Sequence[ClusterObject], after: Sequence[ClusterObject]) -> tuple[Request, ...]:
    """Return the requests of each namespace, which has pods and policies of its own."""
    return tuple(
        request
        for namespace in dict.fromkeys(each.namespace for each in (*after, *before))
        for request in _in_namespace(
            [each for each in before if each.namespace == namespace],
            [each for each in after if each.namespace == namespace],
        )
    )


def _in_namespace(
    before: Sequence[ClusterObject], after: Sequence[ClusterObject]
) -> Iterator[Request]:
    stored = {each.key: each for each in before}
    wanted = {each.key: each for each in after}
    if stored.keys() | wanted.keys() <= {_base_key(after, before)}:
        yield from _applied(stored, after)
        yield from _deleted(stored, wanted)
    else:
        _check_selectors(before, after)
        yield from _in_steps(stored, wanted, after)


def _in_steps(
    stored: _Stored, wanted: _Stored, after: Sequence[ClusterObject]
) -> Iterator[Request]:
    base = _widened(stored, wanted, after)
    key = base.key if base else None
    if base is not None:
        yield from _applied(stored, (base,))
        stored = {**stored, base.key: base}
    yield from _applied(stored, [each for each in after if each.key != key])
    yield from _applied(stored, [each for each in after if each.key == key])
    yield from sorted(_deleted(stored, wanted), key=lambda request: request.object.key == key)


def _widened(
    stored: _Stored, wanted: _Stored, after: Sequence[ClusterObject]
) -> ClusterObject | None:
    """Return the base object that opens what the old and the new one open; None if none is known.

    Without an old fence everything was open, and without a new one it will be.
    """
    key = _base_key(after, list(stored.values()))
    old, new = (side.get(key) if key else None for side in (stored, wanted))
    frame = new or old or _base_of_range(next(iter(stored.values())))
    if frame is None:
        return None
    if not stored or not wanted:
        return _with_rules(frame, _OPEN)
    before = _rules(old)
    more = [rule for rule in _rules(new) if rule not in before]
    if old is not None and not more:
        return old
    return _with_rules(frame, [*before, *more])


def _base_of_range(found: ClusterObject) -> ClusterObject | None:
    """Return a base object for the pods of another object, whose rules do not matter."""
    target = found.labels.get(TARGET_LABEL)
    if not target:
        return None
    metadata = as_mapping(found.content["metadata"])
    labels = {**found.labels, ROLE_LABEL: Part.BASE.value}
    name = f"geofence-{target}"
    content = {**found.content, "metadata": {**metadata, "name": name, "labels": labels}}
    return ClusterObject(found.api_version, found.kind, found.namespace, name, content)


def _with_rules(frame: ClusterObject, rules: list[Json]) -> ClusterObject:
    if frame.spec.get("ingress") == rules:
        return frame
    content = {**frame.content, "spec": {**frame.spec, "ingress": rules}}
    return ClusterObject(frame.api_version, frame.kind, frame.namespace, frame.name, content)


def _rules(found: ClusterObject | None) -> list[Json]:
    return [] if found is None else [*as_sequence(found.spec.get("ingress"))]


def _check_selectors(before: Sequence[ClusterObject], after: Sequence[ClusterObject]) -> None:
    """Refuse to lead several objects from some pods to others, which no order can do.

    Raises:
        TargetError: they select other pods.
    """
    if before and after and any(_selector(each) != _selector(after[0]) for each in before):
        raise TargetError(
            tr(
                "The fence of {object} consists of several objects, and would move to other pods. "
                "Remove it first, then apply.",
                object=after[0].key,
            )
        )


def _selector(found: ClusterObject) -> Json:
    return found.spec.get("podSelector")


def _applied(stored: _Stored, objects: Sequence[ClusterObject]) -> Iterator[Request]:
    for each in objects:
        known = stored.get(each.key)
        if known is None or known.content != each.content:
            yield Request(Verb.APPLY, each)


def _deleted(stored: _Stored, wanted: _Stored) -> Iterator[Request]:
    return (Request(Verb.DELETE, each) for key, each in stored.items() if key not in wanted)


def _is_base(found: ClusterObject) -> bool:
    return found.labels.get(ROLE_LABEL) == Part.BASE


def _base_key(*sides: Sequence[ClusterObject]) -> ObjectKey | None:
    return next((each.key for side in sides for each in side if _is_base(each)), None)
