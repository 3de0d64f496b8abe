"""AS numbers, regions and countries of services, packet by packet."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.merge import merge, needed_lists
from geofence.model.policy import Policy
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action, Role, Ruleset, SetKey
from geofence.verdict import decide
from tests.behaviour.fence import Fence
from tests.behaviour.scene import packet, space
from tests.policy.rules import policy

RULES = """
[service.sip]
ports = ["5060/udp"]
[service.rtp]
ports = ["10000-20000/udp"]
[service.iax]
ports = ["4569/udp"]
asns = [2914]
[service.turn]
ports = ["3478/udp"]
countries = ["@nordics"]
[service.stun]
ports = ["3479/udp"]
countries = ["SE", "DK"]
[allow]
countries = ["JP"]
asns = [4713]
[region.nordics]
countries = ["DK", "SE"]
[blocklist.rude]
prefixes = ["45.9.66.0/24", "2a00:1450:66::/48"]
"""
PORTS = {"sip": 5060, "rtp": 10_000, "iax": 4569, "turn": 3478, "stun": 3479}
SPACES = {
    "country JP": space("133.0.0.0/8", "2400:4000::/22"),
    "country DK": space("87.48.0.0/12", "2001:6c8::/32"),
    "country SE": space("81.224.0.0/12", "2001:6b0::/32"),
    "asn 4713": space("45.9.0.0/16", "2a00:1450::/32"),
    "asn 2914": space("128.241.0.0/16", "2001:418::/32"),
}
SOURCES = {
    "Japan": (("133.1.2.3", "2400:4000::5"), {"sip", "rtp"}),
    "AS4713": (("45.9.1.1", "2a00:1450::7"), {"sip", "rtp"}),
    "beside AS4713": (("45.10.0.1", "2a00:1451::7"), set[str]()),
    "AS4713, blocked": (("45.9.66.6", "2a00:1450:66::6"), set[str]()),
    "AS2914": (("128.241.0.9", "2001:418::9"), {"iax"}),
    "Denmark": (("87.50.1.1", "2001:6c8::1"), {"turn", "stun"}),
    "Sweden": (("81.230.1.1", "2001:6b0::1"), {"turn", "stun"}),
}


@pytest.fixture(scope="module")
def rules() -> Policy:
    return policy(RULES)


def merged(rules: Policy) -> Ruleset:
    return merge(rules, {name: SPACES[str(name)] for name in needed_lists(rules)})


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("who", SOURCES)
def test_each_source_reaches_the_services_that_name_it(
    fence: Fence, rules: Policy, who: str, family: Family
) -> None:
    addresses, expected = SOURCES[who]
    text = addresses[family is Family.IPV6]
    ruleset = merged(rules)
    fence.apply(ruleset)
    probes = {
        service: Probe(ip_address(text), PBX[family], Transport.UDP, port)
        for service, port in PORTS.items()
    }

    landed = dict(zip(probes, fence.lab.fire(probes.values()), strict=True))

    assert {service for service, where in landed.items() if where == "pbx"} == expected
    assert expected == {
        service
        for service, sent in probes.items()
        if decide(ruleset, packet(sent, family)).action is Action.PASS
    }


def test_services_with_the_same_lists_share_a_set(fence: Fence, rules: Policy) -> None:
    ruleset = merged(rules)
    groups = {service.name: service.allow_group for service in ruleset.services}
    assert groups == {"sip": "", "rtp": "", "iax": "iax", "turn": "stun", "stun": "stun"}
    fence.apply(ruleset)
    held = {key.group for key in fence.observe().sets if key.role is Role.ALLOW}
    assert held == {"", "iax", "stun"}


def test_without_an_as_number_its_network_is_blocked_again(fence: Fence, rules: Policy) -> None:
    source = Probe(ip_address("45.9.1.1"), PBX[Family.IPV4], Transport.UDP, 5060)
    fence.apply(merged(rules))
    assert fence.lab.fire([source]) == ["pbx"]
    fence.apply(merged(replace(rules, asns=())))
    assert fence.lab.fire([source]) != ["pbx"]
    key = SetKey(Role.ALLOW, "", Family.IPV4)
    assert int(ip_address("45.9.1.1")) not in fence.observe().sets[key]
