"""Whatever else the host has stays as it was, byte for byte."""

from __future__ import annotations

import re

from geofence.lab.probes import Transport
from geofence.model.prefixes import Family
from tests.behaviour.fence import Fence
from tests.behaviour.scene import JP, LISTS, RULESET, Role, probe, space, with_list

OTHER_SETS = """\
create f2b-sshd hash:ip family inet hashsize 1024 maxelem 65536 timeout 600
add f2b-sshd 192.0.2.66 timeout 0
create blocked6 hash:net family inet6 hashsize 1024 maxelem 65536
add blocked6 2001:db8:bad::/48
create panel list:set size 8
add panel f2b-sshd
"""

OTHER_RULES = """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -i docker0 -j NOTRACK
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:qos - [0:0]
-A PREROUTING -p tcp --dport 443 -j MARK --set-mark 7
-A PREROUTING -j qos
-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A qos -p udp --dport 5060 -m comment --comment "SIP first" -j DSCP --set-dscp-class cs3
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination {container}
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp --dport 22 -j f2b-sshd
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p udp -m multiport --dports 5060,10000:20000 -j ACCEPT
-A f2b-sshd -m set --match-set {set} src -j REJECT
COMMIT
"""

OTHER_TABLE = """\
table inet other {
    set watched { type ipv4_addr; flags interval; elements = { 203.0.113.0/24 } }
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        ip saddr @watched counter comment "none of geofence's"
    }
}
"""

_COUNTERS = re.compile(r"\[\d+:\d+\]")
_OURS = re.compile(r"^(:|-A |create |add )geofence|-j geofence\b", re.IGNORECASE)


def furnish(fence: Fence) -> None:
    """Fill the host with other people's sets, rules and tables."""
    pbx = fence.lab.pbx
    pbx.run("ipset", "restore", stdin=OTHER_SETS)
    ipv4 = OTHER_RULES.format(container="172.17.0.2:80", set="f2b-sshd")
    ipv6 = OTHER_RULES.format(container="[fd00:17::2]:80", set="blocked6")
    pbx.run("iptables-restore", stdin=ipv4)
    pbx.run("ip6tables-restore", stdin=ipv6)
    pbx.run("nft", "-f", "-", stdin=OTHER_TABLE)


def others(fence: Fence) -> dict[str, list[str]]:
    """All that the kernel holds, without counters, times and what bears geofence's name."""
    nft = "nft --stateless list table inet other"
    commands = ("iptables-save", "ip6tables-save", "ipset save", nft)
    return {command: _without_ours(fence.run(command)) for command in commands}


def everything(fence: Fence) -> dict[str, str]:
    """All that the kernel holds, but for counters and times."""
    commands = ("iptables-save", "ip6tables-save", "ipset save", "nft --stateless list ruleset")
    return {command: _without_noise(fence.run(command)) for command in commands}


def _without_noise(saved: str) -> str:
    lines = (line for line in saved.splitlines() if not line.startswith("#"))
    return _COUNTERS.sub("[0:0]", "\n".join(lines))


def _without_ours(saved: str) -> list[str]:
    return [line for line in _without_noise(saved).splitlines() if not _OURS.search(line)]


def test_the_hosts_other_rules_and_sets_never_change(fence: Fence) -> None:
    furnish(fence)
    alone, before = everything(fence), others(fence)

    fence.apply(RULESET)
    assert others(fence) == before
    assert everything(fence) != alone
    fence.apply(with_list(LISTS[JP] | space("45.0.0.0/8")))
    assert others(fence) == before
    fence.remove()

    assert others(fence) == before
    assert everything(fence) == alone


def test_a_bare_host_is_left_without_rule_and_set(fence: Fence) -> None:
    fence.apply(RULESET)
    fence.remove()

    left = everything(fence)
    assert not re.search("(?im)geofence|^-A", "\n".join(left.values()))
    assert left["ipset save"] == ""


def test_the_hosts_own_firewall_still_has_the_last_word(fence: Fence) -> None:
    """geofence passes on, it never accepts: what the host refuses stays refused."""
    furnish(fence)
    fence.apply(RULESET)
    fence.run("iptables -I INPUT -p udp --dport 9 -j ACCEPT")
    sent = [
        probe(role, Family.IPV4, transport, port)
        for role in (Role.ALLOWED, Role.EXCEPTION_ON, Role.LOCAL)
        for transport, port in ((Transport.TCP, 5061), (Transport.UDP, 5060))
    ]

    assert fence.lab.fire(sent) == [None, "pbx"] * 3
