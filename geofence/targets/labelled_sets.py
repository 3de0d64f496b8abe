"""Sets of prefixes that rules select by label, as Calico and Cilium have them.

A set is one or more objects that share a label, each with the prefixes of one part of the address
space. The parts are bisected where they hold too many, so that a change of a list changes few of
them, and an address never moves between objects that both stay.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from geofence.errors import TargetError
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.target import Target
from geofence.targets.fence import FenceGroup
from geofence.targets.objects import (
    ROLE_LABEL,
    TARGET_LABEL,
    ClusterObject,
    Json,
    Marks,
    Resource,
    as_sequence,
    new_object,
)
from geofence.targets.prefixes import parse_prefix
from geofence.translation import join, tr

MOST_IN_A_SET = 10_000
"""Prefixes in one object: a request of some 200 kB, which an API server stores as some 500 kB."""


class SetRole(StrEnum):
    """What being in a set means."""

    EXCEPT = "except"
    BAN = "ban"
    ALLOW = "allow"


class SetShape(NamedTuple):
    """How an engine has sets."""

    resource: Resource
    field: str
    """Where in ``spec`` the prefixes are."""
    labels: Callable[[str], Mapping[str, str]]
    """Labels beside ``ROLE_LABEL`` by which rules select the objects of a set, by its name."""
    narrowing: tuple[SetRole, ...]
    """In which order sets lose addresses. A run that was killed may leave an address in more than
    one of them. Bans then lose it after what they overrule, and before what overrules them."""


def set_name(role: SetRole, group: FenceGroup, target: Target) -> str:
    """Return the name of a group's set: that of no other services, ports or targets.

    Sets change one object at a time. One that old and new rules of other ports share would be open
    by the old rules to what is new in it. Nor is it that of the same services only observed: a new
    ban would block whom the old rules allow and the new ones only observe.
    """
    known = f"{target.name} {group.digest} {group.observe}"
    digest = sha256(known.encode()).hexdigest()[:8]
    return f"{role}-{digest}"


def members(group: FenceGroup) -> tuple[tuple[SetRole, AddressSpace], ...]:
    """Return the sets of a group."""
    return (
        (SetRole.EXCEPT, group.excepted),
        (SetRole.BAN, group.banned),
        (SetRole.ALLOW, group.allowed),
    )


def set_objects(
    shape: SetShape, name: str, space: AddressSpace, target: Target
) -> Iterator[ClusterObject]:
    """Yield the objects of a set; none for an empty one."""
    marks = Marks(name, shape.labels(name))
    for family in Family:
        for part, texts in parts(space[family], MOST_IN_A_SET):
            stem = f"{target.prefix}-{name}-v{family.digit}"
            full = f"{stem}-{part}" if part else stem
            yield new_object(shape.resource, target, full, {shape.field: texts}, marks)


def group_set_objects(
    shape: SetShape, group: FenceGroup, target: Target
) -> Iterator[ClusterObject]:
    """Yield the objects of all sets of a group."""
    for role, space in members(group):
        yield from set_objects(shape, set_name(role, group, target), space, target)


def parts(prefixes: PrefixSet, most: int) -> Iterator[tuple[str, list[Json]]]:
    """Yield the parts of a set, none with more than so many prefixes: first bits, and prefixes.

    No prefix has length 0: Calico's agent ends at ``0.0.0.0/0`` in a set (calico#13477), and
    Cilium's takes it for nobody (cilium#39688). None crosses the border of a part, since one as
    broad as a part is alone in it.
    """
    family = prefixes.family
    networks, lengths = prefixes.split(shortest=1)
    for part, low, high in _parts(networks, (0, len(networks)), ("", 0), family.bits, most):
        yield part, list(_texts(family, networks[low:high], lengths[low:high]))


def prefix_texts(space: AddressSpace) -> Iterator[str]:
    """Yield the prefixes of a space as objects have them."""
    for family in Family:
        yield from _texts(family, *space[family].split(shortest=1))


def _texts(family: Family, networks: Sequence[int], lengths: Sequence[int]) -> Iterator[str]:
    return (str(Prefix(family, *pair)) for pair in zip(networks, lengths, strict=True))


def _parts(
    networks: Sequence[int], span: tuple[int, int], part: tuple[str, int], left: int, most: int
) -> Iterator[tuple[str, int, int]]:
    low, high = span
    name, base = part
    if high - low <= most:
        if high > low:
            yield name, low, high
        return
    left -= 1
    middle = base + (1 << left)
    cut = bisect_left(networks, middle, low, high)
    yield from _parts(networks, (low, cut), (f"{name}0", base), left, most)
    yield from _parts(networks, (cut, high), (f"{name}1", middle), left, most)


def read_sets(shape: SetShape, objects: Iterable[ClusterObject]) -> Mapping[str, AddressSpace]:
    """Return what the sets hold, by their names.

    Raises:
        TargetError: a text is not a prefix.
    """
    found: dict[str, list[AddressSpace]] = {}
    for each in objects:
        if each.kind == shape.resource.kind and ROLE_LABEL in each.labels:
            found.setdefault(each.labels[ROLE_LABEL], []).append(set_space(shape, each))
    return {name: AddressSpace.union(spaces) for name, spaces in found.items()}


def set_space(shape: SetShape, stored: ClusterObject) -> AddressSpace:
    """Return what one object of a set holds.

    Raises:
        TargetError: a text is not a prefix.
    """
    found = stored.spec.get(shape.field)
    try:
        return AddressSpace.of([parse_prefix(str(text)) for text in as_sequence(found)])
    except TargetError as error:
        message = tr(
            "{object} in the cluster cannot be read. Run 'geofence apply --target {target}' to "
            "replace it.",
            object=stored.key,
            target=stored.labels.get(TARGET_LABEL, "NAME"),
        )
        raise TargetError(join(" ", (message, str(error)))) from error
