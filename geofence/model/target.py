"""Targets: clusters that are fenced beside the local kernel, as ``[target.NAME]`` has them."""

from __future__ import annotations

from enum import StrEnum

from geofence.model.frozen import dataclass

FIELD_MANAGER = "geofence"
"""Who geofence is to an API server: under this name it owns what it has applied."""

Labels = tuple[tuple[str, str], ...]
"""Labels that all must match, ascending; empty: no selector."""


class TargetKind(StrEnum):
    """The ``kind`` of a target: which objects carry its fence.

    This is the only list of the engines; each is a package of ``geofence.targets`` with that name.
    """

    NETWORKPOLICY = "networkpolicy"
    CALICO = "calico"
    CILIUM = "cilium"


class Gap(StrEnum):
    """What the packet path says and an engine cannot. The values are stable: scripts read them."""

    LIVE_FLOWS = "live-flows"
    """A ban, or a country that is removed, ends no current connection."""
    OBSERVE = "observe"
    """A service that is only observed is open, and nothing counts what would be blocked."""
    COUNTERS = "counters"
    """Blocked packets are neither counted nor their sources noted."""
    SILENT_DROP = "silent-drop"
    """Blocked packets may be answered, as with ICMP port unreachable."""
    ORDER = "order"
    """Objects of others for the same pods add to what is open, whatever geofence says."""
    LOCAL_NETWORKS = "local-networks"
    """Local networks are allowed by no interface, so that they are not allowed at all."""
    TRUSTED_INTERFACES = "trusted-interfaces"
    HELPERS = "helpers"
    """What a conntrack helper announces is not allowed by that."""
    REPLIES_FROM = "replies-from"
    """Replies to what the pod asked pass from everybody."""
    ENDS = "ends"
    """Bans and exceptions end with the run after their end, not by themselves."""
    OWN_NODE = "own-node"
    """The node of a pod always reaches it."""
    OTHER_PROTOCOLS = "other-protocols"
    """Packets of other protocols than UDP, TCP and SCTP, and to port 0: the engine's own affair."""
    PUBLIC_PORT = "public-port"
    """Only the pod's own port counts, not the one that destination NAT replaced."""
    CLUSTER_SOURCES = "cluster-sources"
    """Pods and nodes of the cluster are in no set of addresses, whatever is in it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One fence in one cluster."""

    name: str
    kind: TargetKind
    namespace: str = ""
    """Where the fenced pods are; empty: in none, for a fence of nodes alone."""
    pods: Labels = ()
    """Labels of the fenced pods; empty: no pods, never all."""
    nodes: Labels = ()
    """Labels of the nodes whose own ports are fenced (Calico's HostEndpoints, Cilium's host
    policies); empty: no nodes, never all."""
    services: tuple[str, ...] = ()
    """Names of the services that it fences; empty: all."""
    kubeconfig: str = ""
    """Path of the client's configuration; empty: that of the pod it runs in, or the default."""
    context: str = ""
    """A context of that configuration; empty: its current one."""
    login_program: bool = False
    """Whether a program that the configuration names may be run to log in."""

    @property
    def prefix(self) -> str:
        """The beginning of the names of all its objects."""
        return f"geofence-{self.name}"

    def may_share_pods(self, other: Target) -> bool:
        """Whether a pod may be fenced by both, by policies that add up.

        Those of Calico do not: each tier may deny.
        """
        if not (self.pods and other.pods) or TargetKind.CALICO in (self.kind, other.kind):
            return False
        places = [(each.kubeconfig, each.context, each.namespace) for each in (self, other)]
        wanted = dict(self.pods)
        alike = all(wanted.get(key, value) == value for key, value in other.pods)
        return alike and places[0] == places[1]

    def fences(self, service: str) -> bool:
        """Whether a service is fenced by it."""
        return not self.services or service in self.services


def as_labels(labels: dict[str, str]) -> Labels:
    """Return labels in their one order."""
    return tuple(sorted(labels.items()))
