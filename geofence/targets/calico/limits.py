"""Limits of Calico."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from geofence.guards.objection import Objection
from geofence.targets.calico import policies
from geofence.targets.limits import objection, server_limits
from geofence.targets.objects import ROLE_LABEL, ClusterObject, as_sequence
from geofence.translation import tr

MOST_IN_AN_IPSET = 1_048_576
"""Prefixes of a family that one selector may match: Felix's ``MaxIpsetSize``. Past it, Felix stops
programming (calico#4069)."""
MOST_RULES = 1_024
"""Ingress rules of one policy."""
STORED_PER_BYTE = 2.5
"""How much larger a network set is stored: its list is a set, of which the server keeps a note for
each entry (measured: 169 kB for 67 kB)."""


def limits(objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
    """Return the limits of API servers and of Calico that objects exceed."""
    sized = (each for found in objects for each in _of_size(found))
    return (*sized, *_of_sets(objects), *_of_rules(objects))


def _of_size(found: ClusterObject) -> Iterator[Objection]:
    request = len(found.text)
    of_a_set = found.kind == policies.NETWORK_SET.kind
    yield from server_limits(found, request, int(request * (STORED_PER_BYTE if of_a_set else 1)))


def _of_sets(objects: Iterable[ClusterObject]) -> Iterator[Objection]:
    numbers: Counter[tuple[str, str]] = Counter()
    for each in objects:
        if each.kind == policies.NETWORK_SET.kind:
            name = each.labels.get(ROLE_LABEL, "")
            nets = list(map(str, as_sequence(each.spec.get("nets"))))
            six = sum(":" in net for net in nets)
            numbers[name, "IPv6"] += six
            numbers[name, "IPv4"] += len(nets) - six
            for family in ("IPv4", "IPv6"):
                if (number := numbers[name, family]) > MOST_IN_AN_IPSET:
                    yield objection(str(each.key), _saw(name, family, number), _allows())
                    return


def _saw(name: str, family: str, number: int) -> str:
    return tr(
        "The set {set} has {number} or more prefixes of {family}.",
        set=name,
        number=f"{number:,}",
        family=family,
    )


def _allows() -> str:
    return tr("Calico takes {limit} in a set by default.", limit=f"{MOST_IN_AN_IPSET:,}")


def _of_rules(objects: Iterable[ClusterObject]) -> Iterator[Objection]:
    for each in objects:
        number = len(as_sequence(each.spec.get("ingress")))
        if number > MOST_RULES:
            yield objection(
                str(each.key),
                tr("{object} has {number} rules.", object=each.key, number=f"{number:,}"),
                tr("Calico takes {limit} rules in a policy.", limit=f"{MOST_RULES:,}"),
            )
