"""Findings of ``doctor`` about other programs as sentences: firewalls, Docker, fail2ban."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.doctor.findings import Finding, FindingKind
from geofence.sentences.doctor_texts import FindingTexts, labels, words
from geofence.spelling import listed
from geofence.translation import tr

_SHOWN = 3
"""Names that a sentence lists."""


def _untracked(found: Finding) -> FindingTexts:
    facts = {"service": found.subject, "ports": found.data["ports"], "place": found.data["place"]}
    inwards = found.data["direction"] == "in"
    return FindingTexts(
        tr("Replies to this host are dropped on {ports} ({service}).", **facts),
        tr("{place} keeps packets to {ports} out of connection tracking (NOTRACK).", **facts)
        if inwards
        else tr(
            "{place} keeps packets from {ports} out of connection tracking (NOTRACK).", **facts
        ),
        tr("Remove that rule."),
    )


def _redirected(found: Finding) -> FindingTexts:
    facts = {"named": found.data["named"], "target": found.data["target"]}
    return FindingTexts(
        tr("{named} leads to {target}, too.", **facts),
        tr("{place} redirects it.", place=found.data["place"]),
        tr("If that is not intended, remove that rule. Or fence {named} as well.", **facts),
    )


def _dropped(found: Finding) -> FindingTexts:
    facts = {"ports": found.data["ports"], "service": found.subject, "place": found.data["place"]}
    if found.data["conditional"]:
        return FindingTexts(
            tr("Another rule blocks most sources from {ports} ({service}).", **facts),
            tr("{place} drops packets of all but some sources.", **facts),
            tr("If it is an older list of countries, remove it: geofence does the same."),
        )
    return FindingTexts(
        tr("Another firewall blocks everybody from {ports} ({service}).", **facts),
        tr("{place} drops packets to {ports}.", **facts),
        tr("Open {ports} in that firewall. geofence decides who may use it.", **facts),
    )


def _policy_drops(found: Finding) -> FindingTexts:
    facts = {"ports": found.data["ports"], "service": found.subject, "place": found.data["place"]}
    return FindingTexts(
        tr("Another firewall does not open {ports} ({service}).", **facts),
        tr("The policy of {place} is DROP, and no rule accepts {ports}.", **facts),
        tr("Open {ports} in that firewall. geofence decides who may use it.", **facts),
    )


def _accepted(found: Finding) -> FindingTexts:
    facts = {"ports": found.data["ports"], "service": found.subject, "place": found.data["place"]}
    return FindingTexts(
        tr("Packets to {ports} ({service}) pass before the fence is asked.", **facts),
        tr("{place} accepts them before it leads to the fence.", **facts),
        tr("Run 'geofence repair'. If it happens again, remove that rule."),
    )


def _flavours(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("Rules are in both flavours of iptables. Each tool shows only half of them."),
        tr(
            "legacy: {legacy}; nf_tables: {nft}.",
            legacy=listed(words(found, "legacy"), _SHOWN),
            nft=listed(words(found, "nft"), _SHOWN),
        ),
        tr(
            "Move all programs to one flavour ('update-alternatives --config iptables'), then "
            "delete the rules of the other one."
        ),
    )


def _helper(found: Finding) -> FindingTexts:
    how = found.data["how"]
    places = listed(words(found, "places"), _SHOWN)
    modules = ", ".join(words(found, "modules"))
    evidence = {
        "rule": tr("{places} gives connections the helper 'sip'.", places=places),
        "automatic": tr("The kernel gives it to connections (nf_conntrack_helper is 1)."),
        "loaded": tr("The module {modules} is loaded, and no rule uses it.", modules=modules),
    }[str(how)]
    finding = (
        tr("The kernel's SIP helper is loaded. It breaks calls where it is used.")
        if how == "loaded"
        else tr("The kernel's SIP helper rewrites SIP packets and opens ports.")
    )
    remedy = {
        "rule": tr("Remove that rule. Asterisk does not need the helper."),
        "automatic": tr("Run 'sysctl net.netfilter.nf_conntrack_helper=0'."),
        "loaded": tr("Run 'modprobe -r nf_nat_sip nf_conntrack_sip'."),
    }[str(how)]
    return FindingTexts(finding, evidence, remedy)


def _published(found: Finding) -> FindingTexts:
    facts = {
        "named": found.subject,
        "target": found.data["target"],
        "address": found.data["address"],
        "place": found.data["place"],
    }
    return FindingTexts(
        tr("{named} leads to a container and is open to everybody.", **facts),
        tr("{place} delivers it to {address} {target}; no service has either port.", **facts),
        tr("Add {named} to the ports of a service in the rules.", **facts),
    )


def _proxied(found: Finding) -> FindingTexts:
    families = labels(words(found, "families"))
    return FindingTexts(
        tr(
            "The container sees Docker's address instead of the callers' on {port}.",
            port=found.subject,
        ),
        tr("docker-proxy takes {families} packets there.", families=families),
        tr("Give the container the host's network, or enable ip6tables in Docker."),
    )


def _hidden(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("Something in front hides who the sources are; the fence cannot tell them apart."),
        tr(
            "{flows} of {all} connections to fenced ports come from {address}.",
            flows=found.data["flows"],
            all=found.data["of"],
            address=found.subject,
        ),
        tr("Keep source addresses in what is in front, or fence there."),
    )


def _ignores(found: Finding) -> FindingTexts:
    return FindingTexts(
        tr("fail2ban may ban exceptions, such as a trunk or a push server."),
        tr("The jail {jail} has no ignorecommand that asks geofence.", jail=found.subject),
        tr(
            "Use the jails that geofence ships, or add their ignorecommand. Disable the jail "
            "{jail} if they replace it.",
            jail=found.subject,
        ),
    )


def _twice(found: Finding) -> FindingTexts:
    facts = {"jail": found.subject, "files": listed(words(found, "files"), _SHOWN)}
    both = found.data["why"] == "both-streams"
    return FindingTexts(
        tr("The jail {jail} counts each failed attempt twice.", **facts),
        tr("It counts NOTICE and SECURITY lines, and both are in {files}.", **facts)
        if both
        else tr("The same lines are in {files}.", **facts),
        tr("Use the jails that geofence ships, and disable the jail {jail}.", **facts)
        if both
        else tr("Log each kind of line to one file (logger.conf), or name one file in logpath."),
    )


def _nodes(found: Finding) -> FindingTexts:
    facts = {"network": found.subject, "interface": found.data["interface"]}
    ports = words(found, "delivered")
    return FindingTexts(
        tr("Strangers reach {ports} through other nodes.", ports=listed(ports, _SHOWN))
        if ports
        else tr("Other nodes of the cluster are trusted."),
        tr(
            "This host is a Kubernetes node ({interfaces}). {network} on {interface} is a local "
            "network, and other nodes forward packets in their own name.",
            interfaces=listed(words(found, "interfaces"), _SHOWN),
            **facts,
        ),
        tr(
            "Write 'prefixes = []' below [local] in the rules, or only networks of your phones. "
            "Set externalTrafficPolicy: Local for the Service of the PBX."
        ),
    )


OTHERS_TEXTS: Mapping[FindingKind, Callable[[Finding], FindingTexts]] = {
    FindingKind.UNTRACKED: _untracked,
    FindingKind.REDIRECTED: _redirected,
    FindingKind.DROPPED_BY_OTHERS: _dropped,
    FindingKind.POLICY_DROPS: _policy_drops,
    FindingKind.ACCEPTED_EARLIER: _accepted,
    FindingKind.BOTH_FLAVOURS: _flavours,
    FindingKind.SIP_HELPER: _helper,
    FindingKind.PUBLISHED_NOT_FENCED: _published,
    FindingKind.DOCKER_HIDES_SOURCES: _proxied,
    FindingKind.NODES_TRUSTED: _nodes,
    FindingKind.HIDDEN_SOURCES: _hidden,
    FindingKind.FAIL2BAN_IGNORES_EXCEPTIONS: _ignores,
    FindingKind.FAIL2BAN_COUNTS_TWICE: _twice,
    FindingKind.FLUSHED_BY_OTHERS: lambda found: FindingTexts(
        tr("Another firewall takes the fence down whenever it starts."),
        str(found.data["message"]),
        tr("Remove 'backend = \"ipset\"' from the rules and run 'geofence apply'."),
    ),
}
