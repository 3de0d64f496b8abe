"""Two nodes of a cluster, a pod and the Internet, as flannel, portmap and kube-proxy wire them.

::

    internet ── 192.168.1.0/24 ── node (192.168.1.11) ── cni0 ── pod (10.42.0.5)
                       └───────── other (192.168.1.12)

The PBX is a host-network pod: it listens on the node. The rules of kube-proxy are those of its mode
``iptables``, with their names.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from geofence.lab.host import Host
from geofence.lab.wiring import connect, plug

NODE, OTHER, POD = "192.168.1.11", "192.168.1.12", "10.42.0.5"
JAPANESE, STRANGER = "133.9.0.1", "45.77.1.1"
NODE_PORT, HOST_PORT, SIP = 30560, 5070, 5060
CLUSTER, LOCAL = "Cluster", "Local"
_QUIET = 0.3
"""Seconds after which a packet counts as dropped; one that arrives takes less than one."""

_PROXY = """\
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-EXT-PBX - [0:0]
:KUBE-SVC-PBX - [0:0]
:KUBE-SEP-PBX - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:FLANNEL-POSTRTG - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -j KUBE-POSTROUTING
-A POSTROUTING -j FLANNEL-POSTRTG
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p udp -m udp --dport {node_port} -j KUBE-EXT-PBX
{policy}
-A KUBE-EXT-PBX -j KUBE-SVC-PBX
-A KUBE-SVC-PBX -j KUBE-SEP-PBX
-A KUBE-SEP-PBX -p udp -m udp -j DNAT --to-destination {node}:{sip}
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
{host_port}
-A FLANNEL-POSTRTG -s 10.42.0.0/16 -d 10.42.0.0/16 -j RETURN
-A FLANNEL-POSTRTG -s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
COMMIT
"""
_MASQUERADED = "-A KUBE-EXT-PBX -j KUBE-MARK-MASQ"
_TO_POD = "-A CNI-HOSTPORT-DNAT -p udp -m udp --dport {port} -j DNAT --to-destination {pod}:{sip}"


@dataclass
class Cluster:
    """The network, in which the fence is on the node."""

    internet: Host
    node: Host
    other: Host
    pod: Host

    def __post_init__(self) -> None:
        """Wire it up."""
        self._tokens = itertools.count(1)
        for host in (self.internet, self.node, self.other, self.pod):
            _prepare(host)
        self._lan()
        self._pods()

    def _lan(self) -> None:
        self.internet.run("ip", "link", "add", "lan", "type", "bridge")
        self.internet.run("ip", "address", "add", "192.168.1.1/24", "dev", "lan")
        self.internet.run("ip", "link", "set", "lan", "up")
        for source in (JAPANESE, STRANGER):
            self.internet.run("ip", "address", "add", f"{source}/32", "dev", "lo")
        for number, (host, address) in enumerate(((self.node, NODE), (self.other, OTHER))):
            port = plug(self.internet, f"port{number}", f"02:00:00:00:01:0{number}")
            connect(port, plug(host, "eth0", f"02:00:00:00:02:0{number}", f"{address}/24"))
            self.internet.run("ip", "link", "set", port.name, "master", "lan")
            host.run("ip", "route", "add", "default", "via", "192.168.1.1")

    def _pods(self) -> None:
        self.node.run("ip", "link", "add", "cni0", "type", "bridge")
        self.node.run("ip", "address", "add", "10.42.0.1/24", "dev", "cni0")
        self.node.run("ip", "link", "set", "cni0", "up")
        port = plug(self.node, "veth0a1b2c3d", "02:00:00:00:03:00")
        connect(port, plug(self.pod, "eth0", "02:00:00:00:03:01", f"{POD}/24"))
        self.node.run("ip", "link", "set", port.name, "master", "cni0")
        self.pod.run("ip", "route", "add", "default", "via", "10.42.0.1")
        # Pods of the other node, by flannel's host-gw.
        self.node.run("ip", "route", "add", "10.42.1.0/24", "via", OTHER)

    def proxy(self, policy: str) -> None:
        """Load kube-proxy's rules for the PBX's Service, and those of a hostPort, on both nodes.

        Under ``Local`` the other node has no endpoint, so it delivers nothing.
        """
        to_pod = _TO_POD.format(port=HOST_PORT, pod=POD, sip=SIP)
        for host in (self.node, self.other):
            text = _PROXY.format(
                node_port=NODE_PORT,
                node=NODE,
                sip=SIP,
                policy=_MASQUERADED if policy == CLUSTER else "",
                host_port=to_pod if host is self.node else "",
            )
            if policy == LOCAL and host is self.other:
                text = "*nat\nCOMMIT\n"
            host.run("iptables-restore", stdin=text)

    def gets_in(
        self, sender: Host, source: str, destination: tuple[str, int], receiver: Host
    ) -> str | None:
        """Send a datagram; return the source that the PBX on the receiver sees, None if dropped."""
        token = f"probe {next(self._tokens)}".encode()
        with _bound(receiver, "0.0.0.0", SIP) as listening, _bound(sender, source) as sending:  # noqa: S104
            sending.sendto(token, destination)
            listening.settimeout(_QUIET)
            try:
                while True:
                    content, peer = listening.recvfrom(100)
                    if content == token:
                        return str(peer[0])
            except TimeoutError:
                return None

    def hears_back(self, asking: Host, peer: str) -> bool:
        """Whether a reply comes to who asks a peer on the Internet from the SIP port."""
        with _bound(self.internet, peer, 3478) as answering, _bound(asking, "", SIP) as socket_:
            socket_.sendto(b"who am I", (peer, 3478))
            answering.settimeout(_QUIET)
            socket_.settimeout(_QUIET)
            try:
                _, seen = answering.recvfrom(100)
                answering.sendto(b"you", seen)
                return socket_.recvfrom(100)[0] == b"you"
            except TimeoutError:
                return False


@contextmanager
def cluster(node: Host) -> Iterator[Cluster]:
    """The network around a node."""
    with ExitStack() as closing:
        internet, other, pod = (
            closing.enter_context(Host(name)) for name in ("internet", "other", "pod")
        )
        yield Cluster(internet, node, other, pod)


def _prepare(host: Host) -> None:
    host.run("ip", "link", "set", "lo", "up")
    host.sysctl("net/ipv4/ip_forward", 1)
    for name in ("all", "default"):
        host.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)


@contextmanager
def _bound(host: Host, address: str, port: int = 0) -> Iterator[socket.socket]:
    made = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        yield made
    finally:
        made.close()
