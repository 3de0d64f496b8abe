"""What Calico does with a packet, by its documented semantics.

Tiers come in the order of their numbers, then of their names, and so do policies in a tier. The
first rule that matches decides: Pass goes on to the next tier. What matches no rule of the policies
of a tier meets the tier's default action, but not before destination NAT. Staged policies do
nothing. A selector of sources is about each set whose networks have the source; where it matches
none, its rule matches nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from math import inf

from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.target import Target
from geofence.targets.calico.selectors import Labels, selector
from geofence.targets.fence_facts import Side
from geofence.targets.interface import Judge
from geofence.targets.objects import ClusterObject, Json, as_mapping, as_sequence
from geofence.verdict import Packet

_NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class _Endpoint:
    """What packets come to: a pod, or an interface of a node."""

    labels: Labels
    namespace: Labels | None
    """Labels of a pod's namespace; None for a node."""


@dataclass(frozen=True)
class _Rule:
    action: str
    protocol: str
    matches_port: Callable[[int | None], bool]
    sources: AddressSpace | None
    """None: all."""

    def matches(self, packet: Packet) -> bool:
        """Whether the rule is about a packet."""
        if self.protocol and self.protocol != packet.protocol:
            return False
        if not self.matches_port(packet.port):
            return False
        return self.sources is None or packet.source in self.sources[packet.family]


@dataclass(frozen=True)
class _Tier:
    policies: tuple[tuple[_Rule, ...], ...]
    default: str


def judge(objects: Sequence[ClusterObject], target: Target, side: Side) -> Judge:
    """Return what decides packets to the pods of a target, or to its nodes."""
    tiers = _tiers(objects, _endpoint(target, side))

    def passes(packet: Packet) -> bool:
        for tier in tiers:
            rules = (rule for policy in tier.policies for rule in policy)
            action = next((rule.action for rule in rules if rule.matches(packet)), tier.default)
            if action in ("Allow", "Deny"):
                return action == "Allow"
        return True

    return passes


def _endpoint(target: Target, side: Side) -> _Endpoint:
    labels = dict(side.labels(target))
    if side is Side.NODES:
        return _Endpoint(labels, None)
    return _Endpoint(labels, {_NAMESPACE_NAME: target.namespace})


def _tiers(objects: Iterable[ClusterObject], endpoint: _Endpoint) -> tuple[_Tier, ...]:
    known = list(objects)
    sources = _Sources([each for each in known if each.kind == "GlobalNetworkSet"])
    policies = [
        each
        for each in known
        if each.kind == "GlobalNetworkPolicy" and _applies(each.spec, endpoint)
    ]
    tiers = {each.name: each.spec for each in known if each.kind == "Tier"}
    found = []
    for name in sorted(tiers, key=lambda name: (_number(tiers[name].get("order")), name)):
        mine = sorted((each for each in policies if each.spec.get("tier") == name), key=_place)
        if mine:
            rules = tuple(tuple(_rules(each.spec, sources)) for each in mine)
            default = "Pass" if endpoint.namespace is None else _default(tiers[name])
            found.append(_Tier(rules, default))
    return tuple(found)


def _applies(spec: Mapping[str, Json], endpoint: _Endpoint) -> bool:
    if "Ingress" not in as_sequence(spec.get("types")):
        return False
    if not selector(str(spec.get("selector", "")))(endpoint.labels):
        return False
    if endpoint.namespace is None:  # policies after destination NAT are not looked at for nodes
        return bool(spec.get("preDNAT") and spec.get("applyOnForward"))
    if spec.get("preDNAT"):
        return False
    return selector(str(spec.get("namespaceSelector", "")))(endpoint.namespace)


def _place(policy: ClusterObject) -> tuple[float, str]:
    return _number(policy.spec.get("order")), policy.name


def _number(order: Json) -> float:
    return float(order) if isinstance(order, int | float) else inf


def _default(tier: Mapping[str, Json]) -> str:
    return str(tier.get("defaultAction", "Deny"))


class _Sources:
    """Addresses that a selector of sources matches."""

    def __init__(self, sets: Sequence[ClusterObject]) -> None:
        self._sets = [(each.labels, each) for each in sets]
        self._known: dict[tuple[str, str], AddressSpace] = {}

    def __call__(self, entity: Mapping[str, Json]) -> AddressSpace | None:
        if not entity:
            return None
        names = str(entity.get("selector", "")), str(entity.get("namespaceSelector", ""))
        if names not in self._known:
            chosen = [selector(name) for name in names]
            self._known[names] = _networks(
                each for labels, each in self._sets if all(match(labels) for match in chosen)
            )
        return self._known[names]


def _networks(sets: Iterable[ClusterObject]) -> AddressSpace:
    found = []
    for each in sets:
        for text in as_sequence(each.spec.get("nets")):
            network = ip_network(str(text))
            family = Family.IPV4 if network.version == 4 else Family.IPV6  # noqa: PLR2004
            found.append(Prefix(family, int(network.network_address), network.prefixlen))
    return AddressSpace.of(found)


def _rules(spec: Mapping[str, Json], sources: _Sources) -> Iterable[_Rule]:
    for each in as_sequence(spec.get("ingress")):
        rule = as_mapping(each)
        destination = as_mapping(rule.get("destination"))
        yield _Rule(
            str(rule["action"]),
            str(rule.get("protocol", "")).lower(),
            _ports(as_sequence(destination.get("ports"))),
            sources(as_mapping(rule.get("source"))),
        )


def _ports(texts: Sequence[Json]) -> Callable[[int | None], bool]:
    if not texts:
        return lambda _: True
    ranges = []
    for text in texts:
        first, _, last = str(text).partition(":")
        ranges.append(range(int(first), int(last or first) + 1))
    return lambda port: port is not None and any(port in each for each in ranges)
