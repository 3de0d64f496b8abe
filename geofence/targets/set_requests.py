"""The order of requests that change sets and the rules that select them.

A group's set has a name that no other ports use, nor the same services where they are only
observed, so that such rules select other sets: one request changes the rules, and with them all
sets at once. Sets of the same name change one object at a time, and there only two things matter,
since whom exceptions or the allow set of either fence hold is in the ban set of neither:

- what is added comes before what is taken away, so that nobody who moves between two objects or
  from an exception to the allow set is blocked in between;
- sets come before the rules that select them, and go after them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from geofence.errors import TargetError
from geofence.model.prefixes import AddressSpace
from geofence.targets.labelled_sets import SetRole, SetShape, prefix_texts, set_space
from geofence.targets.objects import (
    ROLE_LABEL,
    ClusterObject,
    Json,
    ObjectKey,
    Request,
    Verb,
)


def requests(
    before: Sequence[ClusterObject],
    after: Sequence[ClusterObject],
    shape: SetShape,
    foundations: Collection[str] = (),
) -> tuple[Request, ...]:
    """Return requests that lead from stored objects to others, one after the other.

    Args:
        before: stored objects, whoever changed them.
        after: what is wanted.
        shape: how the engine has sets.
        foundations: kinds that come first and go last.
    """
    stored = {each.key: each for each in before}
    wanted = {each.key for each in after}
    steps = _Steps(shape, foundations)
    for each in after:
        if not same(stored.get(each.key), each, shape):
            steps.apply(stored.get(each.key), each)
    for each in before:
        if each.key not in wanted:
            steps.delete(each)
    return (
        *steps.first,
        *steps.growing,
        *_widened(stored, steps.narrowing, shape),
        *steps.rules,
        *sorted(steps.narrowing, key=lambda request: _narrowing(request, shape)),
        *steps.last,
    )


def same(stored: ClusterObject | None, wanted: ClusterObject, shape: SetShape) -> bool:
    """Whether a stored object is as it is wanted.

    Servers add empty fields, and others add labels and annotations.
    """
    if stored is None or stored.api_version != wanted.api_version:
        return False
    if not (wanted.labels.items() <= stored.labels.items()):
        return False
    if not (wanted.annotations.items() <= stored.annotations.items()):
        return False
    if wanted.kind != shape.resource.kind:
        return pruned(stored.spec) == pruned(wanted.spec)
    return _entries(stored, shape) == _entries(wanted, shape) and stored.spec.keys() == (
        wanted.spec.keys()
    )


def pruned(value: Json) -> Json:
    """Return a value without fields that are empty: to an API server they say nothing."""
    if isinstance(value, Mapping):
        fields = {key: pruned(each) for key, each in value.items()}
        return {key: each for key, each in fields.items() if each not in (None, {}, [])}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [pruned(each) for each in value]
    return value


@dataclass
class _Steps:
    """Requests, by when they come."""

    shape: SetShape
    foundations: Collection[str]
    first: list[Request] = field(default_factory=list)
    growing: list[Request] = field(default_factory=list)
    """Sets that lose nothing."""
    rules: list[Request] = field(default_factory=list)
    narrowing: list[Request] = field(default_factory=list)
    """Sets that lose something, or go."""
    last: list[Request] = field(default_factory=list)

    def apply(self, stored: ClusterObject | None, wanted: ClusterObject) -> None:
        """Note that an object is to be applied."""
        request = Request(Verb.APPLY, wanted)
        if wanted.kind in self.foundations:
            self.first.append(request)
        elif wanted.kind != self.shape.resource.kind:
            self.rules.append(request)
        elif stored is None or _grows(stored, wanted, self.shape):
            self.growing.append(request)
        else:
            self.narrowing.append(request)

    def delete(self, gone: ClusterObject) -> None:
        """Note that an object is to be deleted."""
        request = Request(Verb.DELETE, gone)
        if gone.kind in self.foundations:
            self.last.append(request)
        elif gone.kind != self.shape.resource.kind:
            self.rules.append(request)
        else:
            self.narrowing.append(request)


def _grows(stored: ClusterObject, wanted: ClusterObject, shape: SetShape) -> bool:
    """Whether a set's object loses no address, and no label by which rules select it."""
    name = wanted.labels.get(ROLE_LABEL, "")
    selecting = {ROLE_LABEL: name, **shape.labels(name)}
    if any(stored.labels.get(key, value) != value for key, value in selecting.items()):
        return False
    return not _held(stored, shape) - set_space(shape, wanted)


def _widened(
    stored: Mapping[ObjectKey, ClusterObject], narrowing: Sequence[Request], shape: SetShape
) -> Iterator[Request]:
    """Yield exceptions with what they had, where the allow set loses addresses, too.

    Some may move from the one to the other, and others the other way. Of two requests, either would
    block some of them.
    """
    losing = {_of(each.object) for each in narrowing}
    for verb, each in narrowing:
        role, digest = _of(each)
        if (
            verb is Verb.APPLY
            and role == SetRole.EXCEPT
            and (SetRole.ALLOW.value, digest) in losing
        ):
            space = _held(stored[each.key], shape) | set_space(shape, each)
            yield Request(verb, _with(each, space, shape))


def _narrowing(request: Request, shape: SetShape) -> tuple[int, Verb, ObjectKey]:
    """Return when a set loses addresses."""
    role = _of(request.object)[0]
    place = shape.narrowing.index(SetRole(role)) if role in list(SetRole) else len(SetRole)
    return place, request.verb, request.object.key


def _of(of_a_set: ClusterObject) -> tuple[str, str]:
    role, _, digest = of_a_set.labels.get(ROLE_LABEL, "").partition("-")
    return role, digest


def _with(one: ClusterObject, space: AddressSpace, shape: SetShape) -> ClusterObject:
    texts: list[Json] = list(prefix_texts(space))
    content = {**one.content, "spec": {shape.field: texts}}
    return ClusterObject(one.api_version, one.kind, one.namespace, one.name, content)


def _held(stored: ClusterObject, shape: SetShape) -> AddressSpace:
    """Return what a stored set holds; nothing if it cannot be read."""
    try:
        return set_space(shape, stored)
    except TargetError:
        return AddressSpace()


def _entries(one: ClusterObject, shape: SetShape) -> list[str]:
    found = one.spec.get(shape.field)
    return sorted(map(str, found)) if isinstance(found, list | tuple) else []
