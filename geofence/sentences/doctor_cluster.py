"""Findings of ``doctor`` about clusters as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.doctor.findings import Finding, FindingKind
from geofence.model.target import TargetKind
from geofence.sentences.doctor_texts import FindingTexts, words
from geofence.spelling import listed
from geofence.translation import tr, trn

_SHOWN = 3
"""Names that a sentence lists."""


def _names(found: Finding, name: str) -> str:
    return listed(words(found, name), _SHOWN)


def _not_enforced(found: Finding) -> FindingTexts:
    running = _names(found, "engines")
    return FindingTexts(
        tr("Nothing in the cluster of {target} enforces its fence.", target=found.subject),
        tr(
            "The API server takes such objects all the same. None of {wanted} was found.",
            wanted=", ".join(words(found, "wanted")),
        )
        if not running
        else tr(
            "The API server takes such objects all the same. Only {engines} was found, which does "
            "not enforce {kind}.",
            engines=running,
            kind=found.data["kind"],
        ),
        tr("Use a network plug-in that enforces it, or run geofence on the nodes."),
    )


def _end_port(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("The cluster of {target} cuts port ranges to their first port.", target=found.subject),
        tr(
            "Its version is {version}. Servers before {since} may drop endPort without a word; "
            "{ports} are fenced.",
            version=found.data["version"],
            since=found.data["since"],
            ports=_names(found, "ports"),
        ),
        tr("Upgrade the cluster. geofence applies nothing that it would store otherwise."),
    )


def _nothing_selected(found: Finding) -> FindingTexts:
    facts = {"target": found.subject, "labels": ", ".join(words(found, "labels"))}
    pods = found.data["what"] == "pods"
    return FindingTexts(
        tr("The fence of {target} selects no pod.", **facts)
        if pods
        else tr("The fence of {target} selects no node.", **facts),
        tr(
            "No pod of the namespace {namespace} has the labels {labels}.",
            namespace=str(found.data["namespace"]),
            **facts,
        )
        if pods
        else tr("No node has the labels {labels}.", **facts),
        tr("Correct [target.{target}] in the rules, or label what is to be fenced.", **facts),
    )


def _host_network(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("Pods of {target} use the network of their node: they are open.", target=found.subject),
        tr(
            "hostNetwork is true for {pods}. Policies for pods do not apply to them.",
            pods=_names(found, "pods"),
        ),
        tr("Run geofence on their nodes, or fence the nodes with Calico or Cilium (nodes)."),
    )


def _not_watched(found: Finding) -> FindingTexts:
    calico = found.data["kind"] == TargetKind.CALICO
    return FindingTexts(
        tr("Nodes of {target} are open: policies do nothing there.", target=found.subject),
        tr("No HostEndpoint has the labels: {nodes}.", nodes=_names(found, "nodes"))
        if calico
        else tr("Cilium's host firewall is off: {nodes}.", nodes=_names(found, "nodes")),
        tr("Let Calico make HostEndpoints (hostEndpoint.autoCreate).")
        if calico
        else tr("Set hostFirewall.enabled=true in the values of Cilium's Helm chart."),
    )


CLUSTER_TEXTS: Mapping[FindingKind, Callable[[Finding], FindingTexts]] = {
    FindingKind.CLUSTER_WITHOUT_FENCE: lambda found: FindingTexts(
        tr("There is NO FENCE in the cluster of {target}.", target=found.subject),
        tr("The cluster has no object of geofence's for it."),
        tr("Run 'geofence refresh --target {target}'.", target=found.subject),
    ),
    FindingKind.CLUSTER_DIFFERS: lambda found: FindingTexts(
        tr("The fence of {target} differs from what was applied.", target=found.subject),
        trn(
            int(str(found.data["differences"])),
            "{number} difference; 'geofence status --target {target} --full' shows it.",
            "{number} differences; 'geofence status --target {target} --full' shows them.",
            target=found.subject,
        ),
        tr("Run 'geofence restore --target {target}'.", target=found.subject),
    ),
    FindingKind.KIND_NOT_SERVED: lambda found: FindingTexts(
        tr("The cluster of {target} does not know its objects.", target=found.subject),
        tr("The API server does not serve {kinds}.", kinds=_names(found, "kinds")),
        tr("Use the kind of target that fits the cluster's network plug-in."),
    ),
    FindingKind.NOT_ENFORCED: _not_enforced,
    FindingKind.END_PORT_DROPPED: _end_port,
    FindingKind.NOTHING_SELECTED: _nothing_selected,
    FindingKind.HOST_NETWORK_PODS: _host_network,
    FindingKind.SERVICE_HIDES_SOURCES: lambda found: FindingTexts(
        tr("The Service {service} hides where packets come from.", service=found.data["service"]),
        tr(
            "Its externalTrafficPolicy is Cluster ({type}): what crosses nodes has the address of "
            "a node.",
            type=found.data["type"],
        ),
        tr("Set externalTrafficPolicy: Local."),
    ),
    FindingKind.NODES_NOT_WATCHED: _not_watched,
    FindingKind.POLICY_REFUSED: lambda found: FindingTexts(
        tr("The engine of {target} refuses its fence: it is not in force.", target=found.subject),
        tr("It says that {objects} is not valid.", objects=_names(found, "objects")),
        tr("Read the status of these objects ('kubectl describe')."),
    ),
    FindingKind.OTHER_POLICIES: lambda found: FindingTexts(
        tr("Other policies may open what {target} blocks.", target=found.subject),
        tr(
            "{policies} select the same pods. What any NetworkPolicy allows is open.",
            policies=_names(found, "policies"),
        ),
        tr("Check that they do not allow the fenced ports."),
    ),
}
