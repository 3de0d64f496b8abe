"""Interfaces of a Kubernetes node: which lead to pods and containers. Pure.

On a node, a private address says less than elsewhere. Pods are guests: any of them may be somebody
else's. What other nodes masquerade comes from their addresses. So networks of pods are no local
networks, unless the rules name them with their interface.

Names as the plugins give them: flannel, the bridge plugin of CNI, Calico, Cilium,
kube-router, kube-proxy, OVN-Kubernetes, Kube-OVN, Antrea, Weave Net, and those of AWS, Azure and
Google.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_OF_PODS = re.compile(
    r"""
    cali[0-9a-z]+ | tunl0 | vxlan(-v6)?\.calico | (wireguard|wg-v6)\.cali | bpf(in|out)\.cali
    | cilium_\w+ | lxc[0-9a-f]{12} | lxc_health
    | flannel[.-].+ | cni\d+ | cbr0
    | kube-(bridge|dummy-if|ipvs0) | nodelocaldns
    | ovn-k8s-mp\d+ | ovn0 | antrea-\w+ | weave | vxlan-6784
    | eni[0-9a-f]{11} | azv[0-9a-f]+ | azure\d+ | gke[0-9a-f]{11}
    """,
    re.VERBOSE,
)
_OF_CONTAINERS = re.compile(
    r"docker\d+|docker_gwbridge|br-[0-9a-f]{12}|(cni-)?podman\d+|lxcbr\d+|virbr\d+|veth.*"
)
"""Of containers and virtual machines that are the operator's own on a host without pods. LXD and
the ptp plugin of CNI call theirs alike (``veth`` and eight digits), so these make no node."""


def is_of_pods(interface: str) -> bool:
    """Whether a network plugin of Kubernetes gives such a name."""
    return bool(_OF_PODS.fullmatch(interface))


def is_of_guests(interface: str) -> bool:
    """Whether pods, containers or virtual machines are behind it."""
    return is_of_pods(interface) or bool(_OF_CONTAINERS.fullmatch(interface))


def interfaces_of_pods(interfaces: Iterable[str]) -> Sequence[str]:
    """Return those that lead to pods, ascending; none means that this host is no node."""
    return sorted({each for each in interfaces if is_of_pods(each)})
