"""Limits of Calico."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from geofence.guards.objection import Objection
from geofence.targets.calico import policies
from geofence.targets.objects import ROLE_LABEL, ClusterObject, as_sequence
from geofence.targets.set_limits import objection, size_limits
from geofence.translation import tr

MOST_IN_AN_IPSET = 1_048_576
"""Prefixes of a family that one selector may match: Felix's ``MaxIpsetSize``. Past it, Felix stops
programming (calico#4069)."""
MOST_RULES = 1_024
"""Ingress rules of one policy."""


def limits(objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
    """Return the limits of API servers and of Calico that objects exceed."""
    sized = size_limits(objects, frozenset({policies.NETWORK_SET.kind}))
    return (*sized, *_of_sets(objects), *_of_rules(objects))


def _of_sets(objects: Iterable[ClusterObject]) -> Iterator[Objection]:
    numbers: Counter[tuple[str, str]] = Counter()
    for each in objects:
        if each.kind == policies.NETWORK_SET.kind:
            name = each.labels.get(ROLE_LABEL, "")
            nets = list(map(str, as_sequence(each.spec.get("nets"))))
            six = sum(":" in net for net in nets)
            numbers[name, "IPv6"] += six
            numbers[name, "IPv4"] += len(nets) - six
    for (name, family), number in numbers.items():
        if number > MOST_IN_AN_IPSET:
            yield objection(
                name,
                tr(
                    "{set} has {number} prefixes of {family}.",
                    set=name,
                    number=number,
                    family=family,
                ),
                tr("Calico takes {limit} in a set by default.", limit=MOST_IN_AN_IPSET),
            )


def _of_rules(objects: Iterable[ClusterObject]) -> Iterator[Objection]:
    for each in objects:
        number = len(as_sequence(each.spec.get("ingress")))
        if number > MOST_RULES:
            yield objection(
                str(each.key),
                tr("{object} has {number} rules.", object=each.key, number=number),
                tr("Calico takes {limit} rules in a policy.", limit=MOST_RULES),
            )
