"""Each finding of ``doctor`` on clusters, planted in the fake one."""

from __future__ import annotations

from typing import Any

import pytest

from geofence.doctor.cluster import ClusterEvidence, cluster_findings
from geofence.doctor.findings import Finding
from geofence.doctor.findings import FindingKind as Kind
from geofence.errors import UsageError
from geofence.model.target import FIELD_MANAGER, Target, TargetKind
from geofence.operations.doctor import DoctorReport, doctor_of_cluster, examine_cluster
from geofence.operations.targets.engines import engines_in
from geofence.sentences.doctor import finding_texts, page, unchecked_text
from geofence.targets.objects import MANAGED_BY, TARGET_LABEL
from tests.clusters.fake import FakeApi
from tests.clusters.fake.cluster import Grant
from tests.clusters.fake.kinds import NETWORK_POLICY
from tests.clusters.scene import NAMESPACE, Scene, policy
from tests.project.documents import TOP
from tests.project.test_readme import anchors


def pod(**spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A pod that the target selects."""
    return thing("v1", "Pod", "asterisk-0", spec, {"app": "asterisk"})


def thing(
    version: str, kind: str, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None
) -> dict[str, Any]:
    """An object of the namespace; nodes are of none."""
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}}
    if kind != "Node":
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def service(kind: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A Service that leads to the pods."""
    return thing("v1", "Service", "sip", {"type": kind, "selector": {"app": "asterisk"}, **spec})


ROUTER = thing("apps/v1", "DaemonSet", "kube-router", {})


@pytest.fixture
def healthy(scene: Scene, api: FakeApi) -> Scene:
    """A cluster in which nothing is wrong."""
    for each in (ROUTER, pod(), service("LoadBalancer", externalTrafficPolicy="Local")):
        api.cluster.put(each)
    scene.apply()
    return scene


def examined(scene: Scene) -> DoctorReport:
    return examine_cluster(scene.place)


def only(scene: Scene) -> Finding:
    """The one finding; its sentences and its section of the documentation are there."""
    (found,) = examined(scene).findings
    texts = finding_texts(found)
    assert "{" not in f"{texts.finding} {texts.evidence} {texts.remedy}"
    assert page(found.kind).partition("#")[2] in anchors(TOP / "docs/troubleshooting.md")
    return found


def test_nothing_is_found_where_nothing_is_wrong(healthy: Scene) -> None:
    assert examined(healthy) == DoctorReport((), ())


def test_no_fence(healthy: Scene) -> None:
    (held,) = healthy.in_cluster().objects
    healthy.delete(held.content)
    assert only(healthy).kind is Kind.CLUSTER_WITHOUT_FENCE


def test_a_fence_that_somebody_changed(healthy: Scene) -> None:
    (held,) = healthy.in_cluster().objects
    healthy.make(policy(held.name, {**held.spec, "ingress": [{}]}))
    assert only(healthy).kind is Kind.CLUSTER_DIFFERS


def test_nothing_enforces_policies(healthy: Scene, api: FakeApi) -> None:
    healthy.delete(ROUTER)
    assert only(healthy).data["engines"] == []
    api.cluster.put(thing("apps/v1", "DaemonSet", "kube-flannel-ds", {}))
    assert only(healthy).kind is Kind.NOT_ENFORCED


def test_an_old_server_cuts_port_ranges(healthy: Scene, api: FakeApi) -> None:
    api.cluster.version = (1, 20)
    found = only(healthy)
    assert (found.kind, found.data["version"]) == (Kind.END_PORT_DROPPED, "1.20")
    assert "10000-20000/udp" in str(found.data["ports"])


def test_the_kind_is_not_served(healthy: Scene, api: FakeApi) -> None:
    api.cluster.kinds = tuple(each for each in api.cluster.kinds if each != NETWORK_POLICY)
    kinds = [each.kind for each in examined(healthy).findings]
    assert kinds == [Kind.KIND_NOT_SERVED, Kind.CLUSTER_WITHOUT_FENCE]


def test_no_pod_is_selected(healthy: Scene) -> None:
    healthy.delete(pod())
    found = only(healthy)
    assert (found.kind, found.data["labels"]) == (Kind.NOTHING_SELECTED, ["app=asterisk"])


def test_pods_on_the_network_of_their_node(healthy: Scene, api: FakeApi) -> None:
    api.cluster.put(pod(hostNetwork=True))
    found = only(healthy)
    assert (found.kind, found.data["pods"]) == (Kind.HOST_NETWORK_PODS, ["asterisk-0"])


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
@pytest.mark.parametrize("spec", [{}, {"externalTrafficPolicy": "Cluster"}])
def test_a_service_hides_sources(
    healthy: Scene, api: FakeApi, kind: str, spec: dict[str, str]
) -> None:
    api.cluster.put(service(kind, **spec))
    found = only(healthy)
    assert (found.kind, found.data["service"]) == (Kind.SERVICE_HIDES_SOURCES, "sip")


def test_services_inside_the_cluster_and_of_other_pods_do_not_matter(
    healthy: Scene, api: FakeApi
) -> None:
    api.cluster.put(service("ClusterIP"))
    assert not examined(healthy).findings
    api.cluster.put(service("NodePort", selector={"app": "web"}))
    assert not examined(healthy).findings


@pytest.mark.parametrize("selector", [{}, {"matchLabels": {"app": "asterisk"}}])
def test_policies_of_others_for_the_same_pods(
    healthy: Scene, selector: dict[str, dict[str, str]]
) -> None:
    healthy.make(policy("open", {"podSelector": selector, "policyTypes": ["Ingress"]}))
    assert only(healthy).kind is Kind.OTHER_POLICIES


def test_a_policy_of_others_does_not_hide_behind_labels_of_the_target(healthy: Scene) -> None:
    labels = {TARGET_LABEL: "k8s", MANAGED_BY: FIELD_MANAGER}
    for hidden in ({TARGET_LABEL: "k8s"}, labels):
        made = policy("open", {"podSelector": {}, "policyTypes": ["Ingress"]}, **hidden)
        healthy.make(made)
        assert only(healthy).kind is Kind.OTHER_POLICIES
        healthy.delete(made)


def test_policies_of_others_for_other_pods_or_what_goes_out(healthy: Scene) -> None:
    others = {"matchLabels": {"app": "web"}}
    healthy.make(policy("web", {"podSelector": others, "policyTypes": ["Ingress"]}))
    healthy.make(policy("out", {"podSelector": {}, "policyTypes": ["Egress"]}))
    assert not examined(healthy).findings


def test_what_the_role_may_not_read_is_told_and_not_taken_for_healthy(
    healthy: Scene, api: FakeApi
) -> None:
    api.cluster.grants = [Grant(["get", "list", "patch"], ["networkpolicies"])]
    report = examined(healthy)
    assert not report.findings
    told = " ".join(map(unchecked_text, report.unchecked))
    assert all(f'"{each}"' in told for each in ("pods", "services", "daemonsets"))


def test_a_cluster_that_cannot_be_reached(healthy: Scene, api: FakeApi) -> None:
    kubeconfig = healthy.kubeconfig
    kubeconfig.write_text(kubeconfig.read_text().replace(api.url, "https://127.0.0.1:9"))
    report = examined(healthy)
    assert not report.findings
    assert "cannot be reached" in unchecked_text(report.unchecked[0])


def test_an_unknown_target_is_a_mistake_with_a_guess(scene: Scene) -> None:
    with pytest.raises(UsageError, match="Did you mean k8s"):
        doctor_of_cluster(scene.site, "k9s")


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("calico-node", ["calico"]),
        ("rke2-canal", ["canal"]),
        ("cilium", ["cilium"]),
        ("cilium-envoy", ["cilium"]),
        ("kube-flannel-ds", []),
        ("aws-node", []),
        ("kindnet", ["kindnet"]),
    ],
)
def test_engines_are_known_by_their_daemon_sets(
    scene: Scene, api: FakeApi, name: str, engine: list[str]
) -> None:
    api.cluster.put(thing("apps/v1", "DaemonSet", name, {}))
    with scene.place.connected() as cluster:
        assert list(engines_in(cluster)) == engine


def test_amazons_plug_in_enforces_if_it_is_told_to(scene: Scene, api: FakeApi) -> None:
    containers = [{"name": "agent", "args": ["--enable-network-policy=true"]}]
    template = {"spec": {"containers": containers}}
    api.cluster.put(thing("apps/v1", "DaemonSet", "aws-node", {"template": template}))
    with scene.place.connected() as cluster:
        assert engines_in(cluster) == ("aws-node",)


def test_k3s_is_known_by_its_nodes(scene: Scene, api: FakeApi) -> None:
    node = thing("v1", "Node", "one", {})
    api.cluster.put({**node, "status": {"nodeInfo": {"kubeletVersion": "v1.33.1+k3s1"}}})
    with scene.place.connected() as cluster:
        assert engines_in(cluster) == ("k3s",)


@pytest.mark.parametrize("kind", [TargetKind.CALICO, TargetKind.CILIUM])
def test_fenced_nodes(kind: TargetKind) -> None:
    target = Target("edge", kind, nodes=(("pbx", "yes"),))
    evidence = ClusterEvidence(target, (1, 20), ranges=("10000-20000/udp",), nodes=())
    (found,) = cluster_findings(evidence)
    assert (found.kind, found.data["what"]) == (Kind.NOTHING_SELECTED, "nodes")


def test_no_evidence_is_no_finding() -> None:
    target = Target("k8s", TargetKind.NETWORKPOLICY, "pbx", (("app", "asterisk"),))
    assert cluster_findings(ClusterEvidence(target)) == ()
