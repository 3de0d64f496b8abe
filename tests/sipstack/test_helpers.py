"""What a conntrack helper expects, on a host that gives SIP one, for whoever announced it."""

from __future__ import annotations

import pytest

from geofence.model.prefixes import Family
from tests.sipstack.addresses import TRUNK
from tests.sipstack.conftest import FULL_STACKS
from tests.sipstack.peers import Server, until
from tests.sipstack.site import IPTABLES, NOTHING, Site

BY_XTABLES = (
    "-t raw -A OUTPUT -p udp --dport 5060 -j CT --helper sip",
    "-t raw -A PREROUTING -p udp --dport 5060 -j CT --helper sip",
)
TABLES = {Family.IPV4: "ip", Family.IPV6: "ip6"}

BY_NFTABLES = """\
table $FAMILY helpers {
    ct helper sip-5060 { type "sip" protocol udp; l3proto $FAMILY; }
    chain in {
        type filter hook prerouting priority -190;
        udp dport 5060 ct helper set "sip-5060"
    }
    chain out {
        type filter hook output priority -190;
        udp dport 5060 ct helper set "sip-5060"
    }
}
"""


def assign(site: Site, by: str) -> None:
    if by == "iptables":
        for rule in BY_XTABLES:
            site.lab.pbx.run(IPTABLES[site.family], *rule.split())
    else:
        rules = BY_NFTABLES.replace("$FAMILY", TABLES[site.family])
        site.lab.pbx.run("nft", "-f", "-", stdin=rules)


def is_expected(site: Site, server: Server) -> bool:
    """Whether conntrack expects a connection from a far end."""
    listed = site.lab.pbx.run("conntrack", "-L", "expect", "-f", site.family)
    return server.endpoint.address in listed


@FULL_STACKS
@pytest.mark.parametrize("by", ["iptables", "nft"])
def test_an_expectation_of_a_registration_lets_no_stranger_in(attacked: Site, by: str) -> None:
    """The helper expects the registrar's calls from whatever port."""
    assign(attacked, by)
    attacked.geofence.ok("refresh")
    server = attacked.registrar(TRUNK)
    attacked.pbx.send("REGISTER", server.endpoint.address)
    until(lambda: bool(server.asked))
    until(lambda: is_expected(attacked, server))

    assert attacked.got(attacked.peer(TRUNK, 5099)) == NOTHING
    assert attacked.is_reached_by(server)
