"""Interfaces of a node by their names, and the networks on them."""

from __future__ import annotations

import pytest

from geofence.routing.local_networks import Place, Reached, local_networks
from geofence.routing.pods import interfaces_of_pods, is_of_guests, is_of_pods
from tests.support.values import policy, prefix, space

PODS = (
    *("cali12345678901", "tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali"),
    *("cilium_host", "cilium_net", "cilium_vxlan", "lxc0a1b2c3d4e5f", "lxc_health"),
    *("flannel.1", "flannel-v6.1", "flannel-wg", "cni0", "cbr0", "kube-bridge", "kube-ipvs0"),
    *("nodelocaldns", "ovn-k8s-mp0", "antrea-gw0", "weave", "eni0a1b2c3d4e5", "azv12"),
)
CONTAINERS = (
    *("docker0", "docker_gwbridge", "br-0a1b2c3d4e5f", "podman1", "cni-podman0", "lxcbr0"),
    *("virbr0", "vethX1y2z3", "veth0a1b2c3d"),
)
OTHERS = (
    *("eth0", "ens18", "enp1s0", "bond0", "vlan10", "wg0", "tun0", "tailscale0", "br0"),
    *("vmbr0", "lan", "lxc", "eni", "gre0"),
)


@pytest.mark.parametrize("name", PODS)
def test_what_a_network_plugin_makes_is_pods(name: str) -> None:
    assert is_of_pods(name)
    assert is_of_guests(name)


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_make_no_node(name: str) -> None:
    assert not is_of_pods(name)
    assert is_of_guests(name)


@pytest.mark.parametrize("name", OTHERS)
def test_other_interfaces_are_neither(name: str) -> None:
    assert not is_of_guests(name)


def trusted(*places: tuple[str, str, Reached]) -> list[str]:
    """What is local where these networks are reached."""
    rules = policy(local=space("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
    reached = [Place(name, prefix(text), how) for name, text, how in places]
    return [str(each) for each in local_networks(rules, reached)]


LAN = ("eth0", "192.168.1.0/24", Reached.CONNECTED)
ROUTED = ("eth0", "10.42.1.0/24", Reached.ROUTED)
DOCKER = ("docker0", "172.17.0.0/16", Reached.CONNECTED)
VPN = ("wg0", "10.8.0.0/24", Reached.CONNECTED)


def test_on_other_hosts_containers_and_routed_networks_are_local() -> None:
    assert trusted(LAN, ROUTED, DOCKER) == [
        "172.17.0.0/16@docker0",
        "10.42.1.0/24@eth0",
        "192.168.1.0/24@eth0",
    ]


@pytest.mark.parametrize(
    "pods",
    [
        ("cni0", "10.42.0.0/24", Reached.CONNECTED),
        ("cali12345678901", "10.1.2.3/32", Reached.CONNECTED),
        ("flannel.1", "10.42.2.0/24", Reached.ROUTED),
        ("tunl0", "10.1.9.0/26", Reached.ROUTED),
        ("cilium_host", "fd00:42::/64", Reached.ROUTED),
    ],
)
def test_on_a_node_only_connected_networks_of_no_guests_are_local(
    pods: tuple[str, str, Reached],
) -> None:
    assert trusted(pods, LAN, ROUTED, DOCKER, VPN) == ["192.168.1.0/24@eth0", "10.8.0.0/24@wg0"]


def test_a_node_is_known_by_what_leads_to_pods() -> None:
    assert interfaces_of_pods(["eth0", "tunl0", "cni0", "docker0", "cni0"]) == ["cni0", "tunl0"]
    assert interfaces_of_pods(["eth0", "docker0"]) == []
