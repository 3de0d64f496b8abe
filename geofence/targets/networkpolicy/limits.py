"""Limits of API servers and engines for NetworkPolicies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geofence.guards.objection import Objection
from geofence.model.prefixes import Family
from geofence.targets.limits import exceeded, server_limits
from geofence.targets.objects import ClusterObject, Json, as_mapping, as_sequence
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
    """Return how many bytes an object takes in etcd, about; never less than it does."""
    peers = [peer for rule in _rules(found) for peer in _cidrs(rule)]
    rest = len(found.text) - sum(len(peer) + _IN_JSON for peer in peers)
    return rest + sum(len(peer) + _BESIDE_TEXT for peer in peers)


def _of_one(found: ClusterObject) -> Iterator[Objection]:
    yield from server_limits(found, stored_size(found))
    for rule in _rules(found):
        cidrs = _cidrs(rule)
        six = sum(":" in each for each in cidrs)
        for family, number in ((Family.IPV4, len(cidrs) - six), (Family.IPV6, six)):
            if number > KUBE_ROUTER_MOST:
                yield exceeded(
                    found,
                    tr(
                        "A rule of {object} has {number} {family} prefixes.",
                        object=found.key,
                        number=f"{number:,}",
                        family=family.label,
                    ),
                    tr(
                        "kube-router takes {most}, and updates no policy of the node with more.",
                        most=f"{KUBE_ROUTER_MOST:,}",
                    ),
                )


def _rules(found: ClusterObject) -> Sequence[Json]:
    return as_sequence(found.spec.get("ingress"))


def _cidrs(rule: Json) -> list[str]:
    return [
        str(as_mapping(as_mapping(peer).get("ipBlock")).get("cidr", ""))
        for peer in as_sequence(as_mapping(rule).get("from"))
    ]
