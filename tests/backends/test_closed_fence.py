"""The fence that needs no Python: what gets in, and that the real one takes its place."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.backends import registry
from geofence.backends.closed_fence import iptables_text, nft_text
from geofence.lab.network import CONTAINER, Lab
from geofence.lab.probes import Probe, Transport
from geofence.merge import closed
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action
from geofence.verdict import decide
from tests.behaviour.fence import Fence
from tests.behaviour.scene import POLICY, RULESET, Role, address, by_link, packet, probe
from tests.coexistence.field import TARGETS

LANGUAGES = ("nftables", "ipset")


def load(lab: Lab, language: str) -> None:
    """As geofence-restore.service does where it fails."""
    if language == "nftables":
        lab.pbx.run("nft", "-f", "-", stdin=nft_text(RULESET))
        return
    for family, program in ((Family.IPV4, "iptables"), (Family.IPV6, "ip6tables")):
        lab.pbx.run(f"{program}-restore", "--noflush", stdin=iptables_text(RULESET, family))


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_exceptions_and_local_networks_get_in(lab: Lab, language: str) -> None:
    probes = [
        (probe(role, family, *target), family)
        for role in Role
        for family in Family
        for target in TARGETS
    ]
    probes += [
        (by_link(probe(Role.FOREIGN, family, Transport.UDP, 5060), "tun0"), family)
        for family in Family
    ]
    assert set(lab.fire(sent for sent, _ in probes)) == {"pbx"}, "everybody gets in without it"

    load(lab, language)

    ruleset = replace(closed(POLICY), local=RULESET.local)
    wanted = [
        "pbx" if decide(ruleset, packet(sent, family)).action is Action.PASS else None
        for sent, family in probes
    ]
    assert None in wanted
    assert lab.fire(sent for sent, _ in probes) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_routed_packets_pass(lab: Lab, language: str) -> None:
    probes = [
        Probe(address(Role.FOREIGN, family), CONTAINER[family], Transport.UDP, 5060)
        for family in Family
    ]
    load(lab, language)
    assert lab.fire(probes) == ["container", "container"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_packets_redirected_to_the_host_are_blocked(lab: Lab, language: str) -> None:
    """An address that is routed to the host and not configured on it."""
    failover = ip_address("203.0.113.99")
    lab.pbx.run(*f"iptables -t nat -A PREROUTING -d {failover} -j REDIRECT".split())
    sent = Probe(address(Role.FOREIGN, Family.IPV4), failover, Transport.UDP, 5060)
    assert lab.fire([sent]) == ["pbx"]
    load(lab, language)
    assert lab.fire([sent]) == [None]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("backend", sorted(registry.MODULES))
def test_the_fence_takes_its_place(lab: Lab, language: str, backend: str) -> None:
    fence = Fence(lab, registry.load(backend))
    load(lab, language)
    fence.apply(RULESET)
    assert fence.plan(RULESET).is_empty
    probes = [
        probe(role, family, Transport.UDP, 5060)
        for role in (Role.ALLOWED, Role.FOREIGN)
        for family in Family
    ]
    assert lab.fire(probes) == ["pbx", "pbx", None, None]
    fence.remove()
    assert "GEOFENCE" not in fence.run("iptables-save") + fence.run("ip6tables-save")
    assert "geofence" not in fence.run("nft list ruleset")
