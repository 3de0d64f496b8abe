"""Kinds that the server knows: where they are served, their fields, and how apply merges them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ANY: Any = None
"""Stands for a value whose fields are not checked."""
SET = "set"
"""A list of type "set": apply owns each member."""


@dataclass(frozen=True)
class Kind:
    """One kind in one version."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True
    spec: Any = ANY
    """Known fields, as nested dicts; a list holds the fields of its items; None: any."""
    built_in: bool = False
    """Stored as protobuf instead of JSON."""
    sets: frozenset[str] = field(default_factory=frozenset)
    """Fields of ``spec`` that are lists of type "set"; other lists are atomic."""

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


_SELECTOR = {"matchLabels": ANY, "matchExpressions": [{"key": ANY, "operator": ANY, "values": ANY}]}
_PEER = {
    "ipBlock": {"cidr": ANY, "except": ANY},
    "podSelector": _SELECTOR,
    "namespaceSelector": _SELECTOR,
}
_PORT = {"port": ANY, "endPort": ANY, "protocol": ANY}
NETWORK_POLICY = Kind(
    "networking.k8s.io",
    "v1",
    "NetworkPolicy",
    "networkpolicies",
    spec={
        "podSelector": _SELECTOR,
        "policyTypes": ANY,
        "ingress": [{"from": [_PEER], "ports": [_PORT]}],
        "egress": [{"to": [_PEER], "ports": [_PORT]}],
    },
    built_in=True,
)
CORE = tuple(
    Kind("", "v1", name, plural, namespaced, built_in=True)
    for name, plural, namespaced in (
        ("Namespace", "namespaces", False),
        ("Node", "nodes", False),
        ("Pod", "pods", True),
        ("Service", "services", True),
        ("ConfigMap", "configmaps", True),
    )
)
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets", built_in=True)
BUILT_IN = (*CORE, DAEMON_SET, NETWORK_POLICY)


def _calico(name: str, *, namespaced: bool = False, **more: Any) -> Kind:  # noqa: ANN401 - fields
    return Kind("projectcalico.org", "v3", name, f"{name.lower()}s", namespaced, **more)


_ENTITY = {"selector": ANY, "nets": ANY, "notNets": ANY, "ports": ANY, "notPorts": ANY} | {
    "namespaceSelector": ANY,
    "notSelector": ANY,
}
_RULE = {"action": ANY, "protocol": ANY, "ipVersion": ANY, "metadata": ANY} | {
    "source": _ENTITY,
    "destination": _ENTITY,
    "icmp": ANY,
}
_POLICY = {
    **dict.fromkeys(("tier", "order", "selector", "namespaceSelector", "types"), ANY),
    **dict.fromkeys(("preDNAT", "doNotTrack", "applyOnForward", "performanceHints"), ANY),
    "serviceAccountSelector": ANY,
    "ingress": [_RULE],
    "egress": [_RULE],
}
CALICO = (
    _calico("Tier", spec={"order": ANY, "defaultAction": ANY}),
    _calico("GlobalNetworkSet", spec={"nets": ANY}, sets=frozenset({"nets"})),
    Kind(
        "projectcalico.org",
        "v3",
        "GlobalNetworkPolicy",
        "globalnetworkpolicies",
        namespaced=False,
        spec=_POLICY,
    ),
    Kind(
        "projectcalico.org",
        "v3",
        "StagedGlobalNetworkPolicy",
        "stagedglobalnetworkpolicies",
        namespaced=False,
        spec={**_POLICY, "stagedAction": ANY},
    ),
    _calico("HostEndpoint", spec=dict.fromkeys(("node", "interfaceName", "expectedIPs"), ANY)),
)
_CILIUM = {
    **dict.fromkeys(("endpointSelector", "nodeSelector", "enableDefaultDeny"), ANY),
    **dict.fromkeys(("ingress", "ingressDeny", "egress", "egressDeny", "description"), ANY),
    "labels": ANY,
}


def cilium(*versions: str) -> tuple[Kind, ...]:
    """Return Cilium's kinds, with CIDR groups in some versions: stored in the first of them.

    Cilium 1.17 has them in v2alpha1 only, 1.18 in v2 and, deprecated, in v2alpha1.
    """
    return (
        *(
            Kind(
                "cilium.io",
                version,
                "CiliumCIDRGroup",
                "ciliumcidrgroups",
                namespaced=False,
                spec={"externalCIDRs": ANY},
            )
            for version in versions or ("v2", "v2alpha1")
        ),
        Kind("cilium.io", "v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies", spec=_CILIUM),
        Kind(
            "cilium.io",
            "v2",
            "CiliumClusterwideNetworkPolicy",
            "ciliumclusterwidenetworkpolicies",
            namespaced=False,
            spec=_CILIUM,
        ),
    )


def unknown_fields(value: Any, known: Any, path: str) -> list[str]:  # noqa: ANN401 - JSON
    """The paths of fields that a kind does not have."""
    if known is ANY:
        return []
    if isinstance(known, list):
        items = value if isinstance(value, list) else []
        return [
            found
            for at, item in enumerate(items)
            for found in unknown_fields(item, known[0], f"{path}[{at}]")
        ]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, inner in value.items():
        if key not in known:
            found.append(f"{path}.{key}")
        else:
            found += unknown_fields(inner, known[key], f"{path}.{key}")
    return found
