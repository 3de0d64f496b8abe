"""What NetworkPolicies do with a packet, by the documentation of the API.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the descriptions of
the fields of ``networking.k8s.io/v1``. Written without the renderer's code, against which it is
held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from socket import inet_pton

from geofence.model.prefixes import Family
from geofence.model.target import Target
from geofence.targets.interface import Judge
from geofence.targets.objects import ClusterObject, Json, as_mapping, as_sequence
from geofence.verdict import Packet

_LAYER_4 = frozenset({"UDP", "TCP", "SCTP"})
_From = Callable[[Packet], bool]


def judge(objects: Sequence[ClusterObject], target: Target) -> Judge:
    """Return what decides packets to a pod of the target with no labels but those that it names.

    Protocols that the API does not define pass: they are the engine's own affair.
    """
    labels = dict(target.pods)
    selecting = [
        each
        for each in objects
        if each.namespace == target.namespace
        and _selects(as_mapping(each.spec.get("podSelector")), labels)
        and "Ingress" in as_sequence(each.spec.get("policyTypes") or ["Ingress"])
    ]
    rules = [
        (_ports(as_mapping(rule).get("ports")), _from(as_mapping(rule).get("from")))
        for each in selecting
        for rule in as_sequence(each.spec.get("ingress"))
    ]

    def passes(packet: Packet) -> bool:
        if not selecting or packet.protocol.upper() not in _LAYER_4:
            return True
        return any(at(packet) and comes(packet) for at, comes in rules)

    return passes


def _selects(selector: Mapping[str, Json], labels: Mapping[str, str]) -> bool:
    """Whether a label selector has a pod; an empty one has all."""
    wanted = as_mapping(selector.get("matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(as_mapping(each), labels) for each in _list(selector, "matchExpressions"))


def _meets(expression: Mapping[str, Json], labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), _list(expression, "values")
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
    return key not in labels


def _list(of: Mapping[str, Json], field: str) -> Sequence[Json]:
    return as_sequence(of.get(field))


def _ports(field: Json) -> Callable[[Packet], bool]:
    """Return what matches the ports of a rule; a missing or empty list matches all."""
    ranges = [_range(as_mapping(each)) for each in as_sequence(field)]
    if not ranges:
        return lambda _: True
    return lambda packet: any(
        packet.protocol.upper() == protocol and first <= (packet.port or 0) <= last
        for protocol, first, last in ranges
    )


def _range(port: Mapping[str, Json]) -> tuple[str, int, int]:
    protocol, number, last = str(port.get("protocol", "TCP")), port.get("port"), port.get("endPort")
    if number is None:
        return protocol, 0, 65_535
    if not isinstance(number, int):  # the name of a pod's port, which nobody here knows
        return protocol, 1, 0
    return protocol, number, last if isinstance(last, int) else number


def _from(field: Json) -> _From:
    """Return what matches the sources of a rule; a missing or empty list matches everybody."""
    peers = as_sequence(field)
    if not peers:
        return lambda _: True
    blocks = [as_mapping(as_mapping(peer).get("ipBlock")) for peer in peers]
    plain = [block for block in blocks if block and not _list(block, "except")]
    table = _table(str(block.get("cidr")) for block in plain)
    cut = [
        (_table([str(block.get("cidr"))]), _table(map(str, _list(block, "except"))))
        for block in blocks
        if block and _list(block, "except")
    ]
    return lambda packet: (
        _has(table, packet)
        or any(_has(inside, packet) and not _has(but, packet) for inside, but in cut)
    )


_Table = Mapping[Family, Mapping[int, frozenset[int]]]
"""Networks by family and by how many bits are behind them."""


def _table(cidrs: Iterator[str] | Sequence[str]) -> _Table:
    found: dict[Family, dict[int, set[int]]] = {family: {} for family in Family}
    for cidr in cidrs:
        address, _, length = cidr.partition("/")
        family = Family.IPV6 if ":" in address else Family.IPV4
        bits = family.bits - int(length)
        number = int.from_bytes(inet_pton(family.socket_family, address), "big")
        found[family].setdefault(bits, set()).add(number >> bits)
    return {
        family: {bits: frozenset(networks) for bits, networks in by_length.items()}
        for family, by_length in found.items()
    }


def _has(table: _Table, packet: Packet) -> bool:
    by_length = table[packet.family]
    return any(packet.source >> bits in networks for bits, networks in by_length.items())
