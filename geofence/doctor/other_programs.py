"""Checks of other programs' rules, and of what hides or changes sources. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.doctor.evidence import Evidence
from geofence.doctor.findings import Finding, FindingKind
from geofence.doctor.port_sets import common, covered, fenced, united
from geofence.host.sockets import ListeningSocket
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, Prefix, address_text, prefix_text
from geofence.other_rules.filtering import Published
from geofence.routing.local_networks import Place, without_pods
from geofence.routing.pods import interfaces_of_pods

_USUAL = tuple(Ports(protocol, 5060, 5069) for protocol in Protocol)
"""Ports that SIP usually has in a container."""
_DOCKER_PROXY = "docker-proxy"


def untracked(evidence: Evidence) -> Iterator[Finding]:
    """Find rules that keep fenced ports out of connection tracking."""
    for each in evidence.rules.other.untracked if evidence.rules else ():
        data = {
            "ports": str(each.ports),
            "direction": str(each.direction),
            "families": _names(each.families),
            "place": each.place,
        }
        yield Finding(FindingKind.UNTRACKED, each.service, data, mild=each.conditional)


def redirected(evidence: Evidence) -> Iterator[Finding]:
    """Find other ports that are delivered to fenced ones of this host."""
    for each in evidence.rules.other.redirected if evidence.rules else ():
        if each.address is None:
            data = {
                "named": str(each.named),
                "target": str(each.target),
                "families": _names(each.families),
                "place": each.place,
            }
            yield Finding(FindingKind.REDIRECTED, each.service, data)


def firewalls(evidence: Evidence) -> Iterator[Finding]:
    """Find firewalls that drop what the fence allows, or accept it before the fence is asked."""
    if evidence.rules is None:
        return
    for drop in evidence.rules.filtering.dropped:
        data = {
            "ports": str(drop.ports),
            "place": drop.place,
            "families": _names(drop.families),
            "conditional": drop.but_some,
        }
        kind = FindingKind.POLICY_DROPS if drop.by_policy else FindingKind.DROPPED_BY_OTHERS
        yield Finding(kind, drop.service, data, mild=drop.but_some)
    for each in evidence.rules.filtering.accepted_before:
        data = {"ports": str(each.ports), "place": each.place, "families": _names(each.families)}
        yield Finding(FindingKind.ACCEPTED_EARLIER, each.service, data)


def flavours(evidence: Evidence) -> Iterator[Finding]:
    """Find rules in both flavours of iptables."""
    rules = evidence.rules
    if rules is not None and rules.legacy and rules.by_nft:
        data = {"legacy": list(rules.legacy), "nft": list(rules.by_nft)}
        yield Finding(FindingKind.BOTH_FLAVOURS, "", data)


def sip_helper(evidence: Evidence) -> Iterator[Finding]:
    """Find the conntrack helper for SIP, which rewrites packets and opens ports."""
    places = evidence.rules.helpers if evidence.rules else ()
    helper = evidence.helper
    how = "rule" if places else "automatic" if helper.automatic else "loaded"
    if places or helper.loaded:
        data = {"how": how, "places": list(places), "modules": list(helper.loaded)}
        yield Finding(FindingKind.SIP_HELPER, "", data, mild=how == "loaded")


def published(evidence: Evidence) -> Iterator[Finding]:
    """Find SIP ports that are delivered to a container and that no service fences."""
    rules = evidence.rules
    if rules is None:
        return
    ports = fenced(evidence.services)
    for each in rules.published:
        open_by = covered(each.named, ports) or covered(each.target, ports)
        if not open_by and _is_of_pbx(evidence, each):
            data = {
                "target": str(each.target),
                "address": each.address,
                "family": str(each.family),
                "place": each.place,
            }
            yield Finding(FindingKind.PUBLISHED_NOT_FENCED, str(each.named), data)


def _is_of_pbx(evidence: Evidence, each: Published) -> bool:
    wanted = list(_USUAL)
    reading = evidence.reading
    if reading is not None:
        wanted += (Ports(one.protocol, one.port, one.port) for one in reading.listeners)
        ranges = (reading.rtp, *reading.rtp_more, reading.udptl)
        wanted += (one.ports for one in ranges if one is not None and one.needed)
    return any(each.target.overlaps(ports) for ports in wanted)


def proxied(evidence: Evidence) -> Iterator[Finding]:
    """Find fenced ports that Docker's proxy takes, so that a container sees one address."""
    if evidence.sockets is None or evidence.rules is None:
        return
    ports = fenced(evidence.services)
    found: dict[tuple[Family, ...], list[Ports]] = {}
    for each in evidence.sockets:
        at = Ports(each.protocol, each.port, each.port)
        if any(holder.program == _DOCKER_PROXY for holder in each.holders) and covered(at, ports):
            hidden = _proxied_families(each, at, evidence.rules.published)
            if hidden:
                found.setdefault(hidden, []).append(at)
    for families, hiding in found.items():
        for one in united(hiding):
            data = {"families": _names(families)}
            yield Finding(FindingKind.DOCKER_HIDES_SOURCES, str(one), data)


def _proxied_families(
    socket: ListeningSocket, at: Ports, published: Iterable[Published]
) -> tuple[Family, ...]:
    """Return the families of which no rule delivers packets past the proxy."""
    past = {one.family for one in published if one.named.overlaps(at)}
    reached = (family for family in Family if int(family.digit) in socket.families)
    return tuple(family for family in reached if family not in past)


def hidden_sources(evidence: Evidence) -> Iterator[Finding]:
    """Find that nearly all connections come from one private address."""
    crowd = evidence.connections.crowd if evidence.connections else None
    if crowd is not None:
        data = {"flows": crowd.flows, "of": crowd.of}
        source = address_text(crowd.family, crowd.address)
        yield Finding(FindingKind.HIDDEN_SOURCES, source, data)


def nodes_trusted(evidence: Evidence) -> Iterator[Finding]:
    """Find that a Kubernetes node trusts the network from which other nodes forward packets.

    Where a Service delivers to fenced ports, they do so for strangers, too: it is as on this node.
    """
    hosts, ruleset = evidence.hosts, evidence.ruleset
    if hosts is None or ruleset is None:
        return
    places = without_pods(hosts.places)
    pods = interfaces_of_pods(place.interface for place in hosts.places)
    delivered = [str(each) for each in _delivered(evidence)]
    for interface, prefix in ruleset.local if pods else ():
        if any(_is_within(interface, prefix, place) for place in places):
            data = {"interface": interface, "interfaces": list(pods), "delivered": delivered}
            subject = prefix_text(prefix)
            yield Finding(FindingKind.NODES_TRUSTED, subject, data, mild=not delivered)


def _is_within(interface: str, prefix: Prefix, place: Place) -> bool:
    same = place.interface == interface and place.prefix.family is prefix.family
    return same and place.prefix.network < prefix.past and prefix.network < place.prefix.past


def _delivered(evidence: Evidence) -> tuple[Ports, ...]:
    """Return the fenced ports to which rules of other programs deliver."""
    if evidence.rules is None:
        return ()
    rules, ports = evidence.rules, fenced(evidence.services)
    targets = (*(e.target for e in rules.published), *(e.target for e in rules.other.redirected))
    return united(part for target in targets for part in common(target, united(ports)))


def _names(families: Iterable[Family]) -> list[str]:
    return [str(each) for each in families]


CHECKS = (
    untracked,
    redirected,
    firewalls,
    flavours,
    sip_helper,
    published,
    proxied,
    nodes_trusted,
    hidden_sources,
)
