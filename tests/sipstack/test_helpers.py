"""What a conntrack helper expects, on a host that gives SIP one, for whoever announced it."""

from __future__ import annotations

import pytest

from tests.sipstack.messages import request
from tests.sipstack.peers import TRUNK, registrar, until
from tests.sipstack.site import NOTHING, Site

BY_XTABLES = (
    "iptables -t raw -A OUTPUT -p udp --dport 5060 -j CT --helper sip",
    "iptables -t raw -A PREROUTING -p udp --dport 5060 -j CT --helper sip",
)

BY_NFTABLES = """\
table ip helpers {
    ct helper sip-5060 { type "sip" protocol udp; l3proto ip; }
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
        for command in BY_XTABLES:
            site.lab.pbx.run(*command.split())
    else:
        site.lab.pbx.run("nft", "-f", "-", stdin=BY_NFTABLES)


@pytest.mark.parametrize("by", ["iptables", "nft"])
def test_what_a_registration_expects_is_nobodys_way_in(attacked: Site, by: str) -> None:
    """The helper expects the registrar's calls from whatever port."""
    assign(attacked, by)
    attacked.geofence.ok("refresh")
    server = attacked.closing.enter_context(registrar(attacked.lab, TRUNK))
    attacked.pbx.send("REGISTER", TRUNK)
    until(lambda: bool(server.asked))
    until(lambda: bool(attacked.lab.pbx.run("conntrack", "-L", "expect")))

    assert attacked.got(attacked.peer(TRUNK, 5099)) == NOTHING
    attacked.ear.heard()
    server.send(request("OPTIONS", f"{TRUNK}:5060"))
    attacked.lab.settle()
    assert any(packet.source == TRUNK for packet in attacked.ear.heard())
