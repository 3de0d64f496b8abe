"""Limits of API servers and engines for NetworkPolicies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geofence.guards.objection import Objection
from geofence.model.prefixes import Family
from geofence.targets.limits import objection, server_limits
from geofence.targets.objects import ClusterObject, as_mapping, as_sequence
from geofence.translation import tr

KUBE_ROUTER_MOST = 65_536
"""``maxelem`` of the ipsets of kube-router, as in k3s: one for each rule and family. Beyond it the
node's policies are no longer updated, those of others neither."""
_BESIDE_TEXT = 6
"""Bytes that etcd stores for a prefix beside its text."""
_IN_JSON = len('{"ipBlock":{"cidr":""}},')


def limits(objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
    """Return the limits that objects exceed."""
    return tuple(each for found in objects for each in _of_one(found))


def stored_size(found: ClusterObject) -> int:
    """Return how many bytes an object takes in etcd, about (measured for JP: 79 kB)."""
    return _stored(len(found.text), list(_rules(found)))


def _of_one(found: ClusterObject) -> Iterator[Objection]:
    rules, request = list(_rules(found)), len(found.text)
    yield from server_limits(found, request, _stored(request, rules))
    for cidrs in rules:
        six = sum(":" in each for each in cidrs)
        for family, number in ((Family.IPV4, len(cidrs) - six), (Family.IPV6, six)):
            if number > KUBE_ROUTER_MOST:
                yield _too_many(found, family, number)


def _too_many(found: ClusterObject, family: Family, number: int) -> Objection:
    saw = tr(
        "A rule of {object} has {number} {family} prefixes.",
        object=found.key,
        number=f"{number:,}",
        family=family.label,
    )
    allows = tr(
        "kube-router takes {most}, and updates no policy of the node with more.",
        most=f"{KUBE_ROUTER_MOST:,}",
    )
    return objection(str(found.key), saw, allows)


def _stored(request: int, rules: Sequence[Sequence[str]]) -> int:
    """Return bytes in etcd: of prefixes less than in the request, of all else not more."""
    number = sum(map(len, rules))
    return request - number * (_IN_JSON - _BESIDE_TEXT)


def _rules(found: ClusterObject) -> Iterator[list[str]]:
    """Yield the prefixes of each rule."""
    for rule in as_sequence(found.spec.get("ingress")):
        peers = as_sequence(as_mapping(rule).get("from"))
        blocks = (as_mapping(as_mapping(peer).get("ipBlock")) for peer in peers)
        yield [str(block.get("cidr", "")) for block in blocks]
