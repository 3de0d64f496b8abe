"""What Cilium does with a packet, by its documented semantics.

A source outside the cluster has the labels of the longest prefix that any group has for it, and of
all shorter ones: of two values of one label, that of the longer prefix. A prefix of length 0 gives
none. A packet that a rule of ``ingressDeny`` matches is dropped, whatever allows it; otherwise one
that a rule of ``ingress`` matches passes; the rest is dropped where a policy makes that the
default, which it does unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_network

from geofence.model.prefixes import Family
from geofence.model.target import Target
from geofence.targets.fence_facts import Side
from geofence.targets.interface import Judge
from geofence.targets.objects import ClusterObject, Json, as_mapping, as_sequence
from geofence.verdict import Packet

Labels = Mapping[str, str]


def judge(objects: Sequence[ClusterObject], target: Target, side: Side) -> Judge:
    """Return what decides packets to the pods of a target, or to its nodes."""
    identities = _Identities(each for each in objects if each.kind == "CiliumCIDRGroup")
    specs = [each.spec for each in objects if _selects(each, target, side)]
    denied = _matchers(rule for spec in specs for rule in as_sequence(spec.get("ingressDeny")))
    allowed = _matchers(rule for spec in specs for rule in as_sequence(spec.get("ingress")))
    shut = any(map(_shuts, specs))

    def passes(packet: Packet) -> bool:
        labels = identities.labels(packet.family, packet.source)
        if any(matches(packet, labels) for matches in denied):
            return False
        return not shut or any(matches(packet, labels) for matches in allowed)

    return passes


def _selects(policy: ClusterObject, target: Target, side: Side) -> bool:
    if side is Side.PODS:
        named = policy.kind == "CiliumNetworkPolicy" and policy.namespace == target.namespace
        field, labels = "endpointSelector", dict(target.pods)
    else:
        named = policy.kind == "CiliumClusterwideNetworkPolicy"
        field, labels = "nodeSelector", dict(target.nodes)
    return named and field in policy.spec and _matches(as_mapping(policy.spec[field]), labels)


def _shuts(spec: Mapping[str, Json]) -> bool:
    default = as_mapping(spec.get("enableDefaultDeny")).get("ingress")
    if isinstance(default, bool):
        return default
    return "ingress" in spec or "ingressDeny" in spec


class _Identities:
    """Labels of addresses outside the cluster."""

    def __init__(self, groups: Iterable[ClusterObject]) -> None:
        self._prefixes: dict[tuple[Family, int], dict[int, dict[str, str]]] = {}
        self._lengths: dict[Family, list[int]] = {}
        for group in groups:
            labels = dict(group.labels)
            for text in as_sequence(group.spec.get("externalCIDRs")):
                self._add(str(text), labels)
        for family in Family:
            lengths = (length for each, length in self._prefixes if each is family)
            self._lengths[family] = sorted(lengths, reverse=True)

    def labels(self, family: Family, address: int) -> Labels:
        """Return the labels of an address."""
        found: dict[str, str] = {}
        for length in self._lengths[family]:
            known = self._prefixes[family, length].get(address >> (family.bits - length))
            if known:
                found = {**known, **found}
        return found

    def _add(self, text: str, labels: dict[str, str]) -> None:
        network = ip_network(text)
        family = Family.IPV4 if network.version == 4 else Family.IPV6  # noqa: PLR2004
        if network.prefixlen:
            key = family, network.prefixlen
            first = int(network.network_address) >> (family.bits - network.prefixlen)
            known = self._prefixes.setdefault(key, {})
            known[first] = {**known.get(first, {}), **labels}


_Matcher = Callable[[Packet, Labels], bool]


def _matchers(rules: Iterable[Json]) -> list[_Matcher]:
    return [_matcher(as_mapping(rule)) for rule in rules]


def _matcher(rule: Mapping[str, Json]) -> _Matcher:
    matches_source = _sources(rule)
    matches_port = _destinations(rule)
    return lambda packet, labels: matches_port(packet) and matches_source(labels)


def _sources(rule: Mapping[str, Json]) -> Callable[[Labels], bool]:
    if "fromEntities" in rule:
        entities = as_sequence(rule["fromEntities"])
        return lambda _: "all" in entities or "world" in entities
    if "fromCIDRSet" not in rule:
        return lambda _: True
    selectors = [
        as_mapping(as_mapping(each)["cidrGroupSelector"])
        for each in as_sequence(rule["fromCIDRSet"])
    ]
    return lambda labels: any(_matches(each, labels) for each in selectors)


def _destinations(rule: Mapping[str, Json]) -> Callable[[Packet], bool]:
    if "icmps" in rule:
        families = {
            str(as_mapping(field).get("family", "IPv4"))
            for each in as_sequence(rule["icmps"])
            for field in as_sequence(as_mapping(each).get("fields"))
        }
        return lambda packet: packet.protocol == "icmp" and packet.family.label in families
    if "toPorts" not in rule:
        return lambda _: True
    ports = [
        _port(as_mapping(port))
        for each in as_sequence(rule["toPorts"])
        for port in as_sequence(as_mapping(each).get("ports"))
    ]
    return lambda packet: (
        packet.port is not None
        and any(
            packet.protocol == protocol and packet.port in numbers for protocol, numbers in ports
        )
    )


def _port(port: Mapping[str, Json]) -> tuple[str, range]:
    first = int(str(port["port"]))
    last = port.get("endPort", first)
    return str(port["protocol"]).lower(), range(first, int(str(last)) + 1)


def _matches(selector: Mapping[str, Json], labels: Labels) -> bool:
    wanted = as_mapping(selector.get("matchLabels"))
    expressions = as_sequence(selector.get("matchExpressions"))
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(as_mapping(each), labels) for each in expressions
    )


def _holds(expression: Mapping[str, Json], labels: Labels) -> bool:
    key, values = str(expression["key"]), as_sequence(expression.get("values"))
    match expression["operator"]:
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "In":
            return labels.get(key) in values
    return labels.get(key) not in values
