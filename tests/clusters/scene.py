"""A target, its rules and lists, and a cluster: fake or real, seen only through its API."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geofence.cluster.client import Cluster, Thing
from geofence.cluster.connection import Call
from geofence.lists.parsed import Candidate
from geofence.model.address import Address
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.plan import Plan
from geofence.operations.commit import Wish
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.operations.targets.apply import apply_to_cluster
from geofence.operations.targets.observe import InCluster, observe
from geofence.operations.targets.plan import plan_cluster
from geofence.operations.targets.site import TargetSite, target_site
from geofence.operations.targets.status import TargetStatus, status_of_cluster
from geofence.verdict import Packet
from tests.lists.bodies import country_json, parse_parts

NAMESPACE = "pbx"
JAPAN = ("133.0.0.0/8", "61.0.0.0/8", "2400:4000::/19")
GERMANY = ("91.0.0.0/10", "2003::/19")
PARTNER = "203.0.113.0/24"
RULES = """
[allow]
countries = ["JP"]
[exception.partner]
prefixes = ["203.0.113.0/24"]
[target.k8s]
kind = "networkpolicy"
namespace = "pbx"
pods = ["app=asterisk"]
kubeconfig = "KUBECONFIG"
"""
JAPANESE, GERMAN, PARTNERS, STRANGER = "133.1.2.3", "91.1.2.3", "203.0.113.9", "45.9.1.1"


@dataclass
class Scene:
    """One installation with a target."""

    directory: Path
    kubeconfig: Path
    patience: float = 120.0
    text: str = RULES
    _place: TargetSite | None = None

    def __post_init__(self) -> None:
        (self.directory / "rules").mkdir()
        self.rules(self.text)
        self.list("JP", *JAPAN)
        self.list("DE", *GERMANY)
        self.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})

    @property
    def site(self) -> Site:
        """The installation."""
        return Site(
            self.directory / "rules",
            self.directory / "state",
            lock_seconds=5.0,
            patience=self.patience,
            log_changes=False,
        )

    @property
    def place(self) -> TargetSite:
        """The target, by the rules as they are now."""
        if self._place is None:  # to read the rules takes longer than what most tests do with them
            self._place = target_site(self.site, "k8s")
        return self._place

    def rules(self, text: str) -> None:
        """Write the rules."""
        self.text, self._place = text, None
        content = text.replace("KUBECONFIG", str(self.kubeconfig))
        (self.directory / "rules" / "80-mine.toml").write_text(content)

    def change(self, before: str, after: str) -> None:
        """Change one place of the rules."""
        assert before in self.text
        self.rules(self.text.replace(before, after))

    def list(self, code: str, *prefixes: str) -> None:
        """Store the list of a country."""
        wanted = ListId(ListKind.COUNTRY, code)
        ipv4 = [each for each in prefixes if "." in each]
        body = country_json(code, ipv4, [each for each in prefixes if ":" in each])
        parsed = parse_parts(wanted, [(None, body)])
        now = datetime.now(UTC)
        digest = hashlib.sha256(body).hexdigest()
        provenance = Provenance("https://lists.example/", None, digest, now, now)
        accepted = AcceptedList(wanted, parsed.space, (provenance,))
        directory = self.directory / "state"
        directory.mkdir(mode=0o700, exist_ok=True)
        self.site.lists.save(Candidate(accepted, (body,), parsed))

    def apply(self, *accept: str) -> RunReport:
        """Apply with the lists on disk."""
        return apply_to_cluster(self.place, Wish("apply", accept))

    def plan(self) -> Plan:
        """What an apply would change."""
        return plan_cluster(self.place, offline=True).plan

    def status(self) -> TargetStatus:
        """The fence in the cluster."""
        return status_of_cluster(self.place)

    def in_cluster(self) -> InCluster:
        """What the cluster holds."""
        with self.place.connected() as cluster:
            return observe(self.place, cluster, ())

    def reaches(
        self, source: str, port: int = 5060, protocol: str = "udp", found: InCluster | None = None
    ) -> bool:
        """Whether a packet to the pods passes, by the objects in the cluster."""
        address = Address.parse(source)
        judge = self.place.engine.judge((found or self.in_cluster()).objects, self.place.target)
        return judge(Packet(address.family, protocol, address.number, port))

    def who(self) -> str:
        """Who reaches SIP: a letter for each of Japan, Germany, the partner, and strangers."""
        found = self.in_cluster()
        sources = {"J": JAPANESE, "D": GERMAN, "P": PARTNERS, "S": STRANGER}
        return "".join(each for each, at in sources.items() if self.reaches(at, found=found))

    def make(
        self, thing: Mapping[str, Any], manager: str = "kubectl", force: str = "true"
    ) -> Thing:
        """Apply an object as another program does."""
        return self.call("PATCH", _path(thing), thing, fieldManager=manager, force=force)

    def delete(self, thing: Mapping[str, Any]) -> None:
        """Delete an object as another program does."""
        self.call("DELETE", _path(thing))

    def stored(self, thing: Mapping[str, Any]) -> Thing:
        """An object as it is stored."""
        return self.call("GET", _path(thing))

    def call(
        self, method: str, path: str, thing: Mapping[str, Any] | None = None, **query: str
    ) -> Thing:
        """Send a request as another program does."""
        with self.place.connected() as cluster:
            content_type = "application/apply-patch+yaml" if thing else "application/json"
            call = Call(method, path, query, f"{method} {path}", thing, content_type)
            found: Thing = connection_of(cluster).json(call)
            return found


def connection_of(cluster: Cluster) -> Any:  # noqa: ANN401 - what the client keeps for itself
    """The connection of a client."""
    return cluster._connection  # noqa: SLF001 - to send what geofence does not


_PLURALS = {
    "DaemonSet": "daemonsets",
    "GlobalNetworkSet": "globalnetworksets",
    "Namespace": "namespaces",
    "NetworkPolicy": "networkpolicies",
    "Node": "nodes",
    "Pod": "pods",
    "Service": "services",
}


def _path(thing: Mapping[str, Any]) -> str:
    version, metadata = str(thing["apiVersion"]), thing["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{inside}/{_PLURALS[thing['kind']]}/{metadata['name']}"


def blocks(*prefixes: str) -> list[dict[str, Any]]:
    """Peers of a NetworkPolicy."""
    return [{"ipBlock": {"cidr": each}} for each in prefixes]


def policy(name: str, spec: Mapping[str, Any], **labels: str) -> dict[str, Any]:
    """A NetworkPolicy."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": dict(spec),
    }
