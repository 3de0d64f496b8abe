"""Limits of Cilium."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from geofence.guards.objection import Guard, Objection
from geofence.targets.cilium import policies
from geofence.targets.limits import objection, server_limits
from geofence.targets.objects import ClusterObject, Json, as_mapping, as_sequence
from geofence.translation import tr

MOST_PREFIXES = 100_000
"""Prefixes in groups that its developers say it carries (cilium#33441)."""
MOST_ENTRIES = 16_384
"""Entries of an endpoint's policy map (``bpf-policy-map-max``), by default. A full one shuts the
endpoint, or drops at random (cilium#35042)."""
_IGNORED = re.compile(
    r"io\.kubernetes|kubernetes\.io|k8s\.io|.*beta\.kubernetes\.io|pod-template-|controller-"
)
"""Labels that Cilium leaves out of what it knows of pods and nodes, by default."""


def limits(objects: Sequence[ClusterObject]) -> tuple[Objection, ...]:
    """Return the limits of API servers and of Cilium that objects exceed."""
    return (
        *(each for found in objects for each in _of_size(found)),
        *_of_prefixes(objects),
        *_of_entries(objects),
        *(each for found in objects for each in _of_labels(found)),
    )


def _of_size(found: ClusterObject) -> Iterator[Objection]:
    size = len(found.text)
    yield from server_limits(found, size, size)


def _of_labels(found: ClusterObject) -> Iterator[Objection]:
    """Yield an objection to labels that Cilium does not look at: it would fence nothing."""
    for selector in ("endpointSelector", "nodeSelector"):
        for key in as_mapping(as_mapping(found.spec.get(selector)).get("matchLabels")):
            if _IGNORED.match(key):
                yield Objection(
                    Guard.TARGET_LIMIT,
                    str(found.key),
                    tr("{object} selects by the label {label}.", object=found.key, label=key),
                    tr("Cilium ignores this label by default, so that nothing would be fenced."),
                    Guard.TARGET_LIMIT,
                    tr("Select by a label of your own."),
                )


def _of_prefixes(objects: Iterable[ClusterObject]) -> Iterator[Objection]:
    groups = [each for each in objects if each.kind == policies.CIDR_GROUP.kind]
    number = sum(len(as_sequence(each.spec.get("externalCIDRs"))) for each in groups)
    if number > MOST_PREFIXES:
        yield objection(
            str(groups[0].key),
            tr("The fence has {number} prefixes.", number=f"{number:,}"),
            tr("Cilium carries some {limit} in groups.", limit=f"{MOST_PREFIXES:,}"),
        )


def _of_entries(objects: Sequence[ClusterObject]) -> Iterator[Objection]:
    groups = sum(each.kind == policies.CIDR_GROUP.kind for each in objects)
    for each in objects:
        number = policy_entries(each, groups)
        if number > MOST_ENTRIES:
            yield objection(
                str(each.key),
                tr(
                    "{object} takes {number} entries in the policy map of a pod or node.",
                    object=each.key,
                    number=f"{number:,}",
                ),
                tr("Cilium has room for {limit} by default.", limit=f"{MOST_ENTRIES:,}"),
            )


def policy_entries(policy: ClusterObject, groups: int) -> int:
    """Return the most entries that a policy takes, with so many groups.

    Each group is an identity, and each rule about groups takes an entry for each of them and each
    of the masks that make up its ranges of ports; a rule about all takes one for each mask.
    """
    rules = (*as_sequence(policy.spec.get("ingress")), *as_sequence(policy.spec.get("ingressDeny")))
    return sum(_entries(as_mapping(rule), groups) for rule in rules)


def _entries(rule: Mapping[str, Json], groups: int) -> int:
    lists = (*as_sequence(rule.get("toPorts")), *as_sequence(rule.get("icmps")))
    masks = sum(
        _masks(as_mapping(port))
        for each in map(as_mapping, lists)
        for port in (*as_sequence(each.get("ports")), *as_sequence(each.get("fields")))
    )
    return masks * (groups if "fromCIDRSet" in rule else 1)


def _masks(port: Mapping[str, Json]) -> int:
    """Return into how many ranges of aligned powers of two a range of ports falls."""
    first = int(str(port.get("port", 0)))
    past = int(str(port.get("endPort", first))) + 1
    number = 0
    while first < past:
        size = first & -first or 1 << 16
        while size > past - first:
            size //= 2
        first += size
        number += 1
    return number
