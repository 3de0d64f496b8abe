"""Rules in words: what geofence writes, and what others write into its table."""

from __future__ import annotations

import pytest

from geofence.backends.nftables.backend import NftablesBackend
from geofence.lab.host import Host
from geofence.merge import merge
from geofence.model.policy import Ports, Protocol, Service
from tests.support.values import JAPAN, policy

BACKEND = NftablesBackend()
FAR = 'counter name "dropped-web" drop comment "in no network near an allowed address"'
HEAD = "prerouting: type filter hook prerouting priority -150; policy accept;"
ELSEWHERE = (
    "fib daddr type unicast fib daddr . iif type != local "
    "fib daddr . iif type != broadcast fib daddr . iif type != anycast"
)
TABLE = """
add table inet geofence
add chain inet geofence prerouting { type filter hook prerouting priority mangle; }
add chain inet geofence fence-sip
add counter inet geofence dropped-sip
add set inet geofence allow4 { type ipv4_addr; flags interval; }
"""


def test_a_ruleset_in_words() -> None:
    web = Service("web", (Ports(Protocol.TCP, 443, 443), Ports(Protocol.UDP, 8000, 8010)))
    ruleset = merge(policy(services=(web,), interfaces=("lo", "wg*", "eth1", "*")), JAPAN)
    assert BACKEND.rules(ruleset) == (
        "prerouting: type filter hook prerouting priority -150; policy accept;",
        "prerouting: tcp dport 443 goto fence-web",
        "prerouting: udp dport 8000-8010 goto fence-web",
        'fence-web: ct state established,related return comment "belongs to a known flow"',
        'fence-web: iif "lo" return comment "trusted interface"',
        'fence-web: iifname "wg*" return comment "trusted interface"',
        'fence-web: iifname "eth1" return comment "trusted interface"',
        'fence-web: return comment "trusted interface"',
        f'fence-web: {ELSEWHERE} return comment "not addressed to this host"',
        f"fence-web: ip saddr & 255.255.0.0 != @near4-web {FAR}",
        f"fence-web: ip6 saddr & ffff:: != @near6-web {FAR}",
        'fence-web: ip saddr @except4-web return comment "exceptions and local networks"',
        'fence-web: ip6 saddr @except6-web return comment "exceptions and local networks"',
        'fence-web: ip saddr @allow4 return comment "allowed countries"',
        'fence-web: ip6 saddr @allow6 return comment "allowed countries"',
        'fence-web: counter name "dropped-web" drop comment "everyone else"',
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("ip saddr 192.0.2.1 accept", "ip saddr 192.0.2.1 accept"),
        ("ip6 saddr 2001:db8::1 accept", "ip6 saddr 2001:db8::1 accept"),
        ("ip saddr != 192.0.2.1 drop", "ip saddr != 192.0.2.1 drop"),
        ("ip saddr 192.0.2.1-192.0.2.9 drop", "ip saddr 192.0.2.1-192.0.2.9 drop"),
        ("ip saddr & 255.0.0.255 == 10.0.0.1 drop", "ip saddr & 255.0.0.255 10.0.0.1 drop"),
        ("ip saddr @allow4 accept", "ip saddr @allow4 accept"),
        ("ip saddr != @allow4 drop", "ip saddr != @allow4 drop"),
        ("tcp dport 5060-5061 jump fence-sip", "tcp dport 5060-5061 jump fence-sip"),
        ("tcp dport != 5060-5061 drop", "tcp dport != 5060-5061 drop"),
        ("udp dport >= 5060 drop", "udp dport >= 5060 drop"),
        ("udp dport < 5060 drop", "udp dport < 5060 drop"),
        ("meta l4proto udp drop", "meta l4proto udp drop"),
        ("meta nfproto ipv6 drop", "meta nfproto ipv6 drop"),
        ("iif lo accept", 'iif "lo" accept'),
        ('iifname "eth*" accept', 'iifname "eth*" accept'),
        ('iifname != "eth0" accept', 'iifname != "eth0" accept'),
        ("ct state established,related accept", "ct state established,related accept"),
        ("fib daddr type unicast drop", "fib daddr type unicast drop"),
        ("counter", "counter"),
        ("counter name dropped-sip return", 'counter name "dropped-sip" return'),
        ('accept comment "by hand"', 'accept comment "by hand"'),
        ("th dport 5060 drop", "@th,16,16 13c4 drop"),
        ("udp sport 5060 drop", "meta l4proto udp @th,0,16 13c4 drop"),
        ("ct state new drop", "ct state & 08000000 != 00000000 drop"),
        ("meta mark 5 drop", "[meta 2=00000003 1=00000001] @reg1 05000000 drop"),
        ("fib daddr . iif type local drop", "fib daddr . iif type local drop"),
        ("fib saddr type local drop", None),
        ("ct status assured drop", None),
        ("limit rate 5/second drop", None),
        ("log", None),
        ("ip saddr { 192.0.2.1, 192.0.2.2 } accept", None),
        ("ip saddr vmap { 192.0.2.1 : drop }", None),
    ],
)
def test_what_others_write_is_shown(host: Host, written: str, shown: str | None) -> None:
    """In nft's words where geofence has any, else with what it is made of; never as nothing."""
    host.run("nft", "-f", "-", stdin=TABLE)
    assert BACKEND.observe().rules == (HEAD,)
    host.run("nft", f"add rule inet geofence prerouting {written}")
    (_, line) = BACKEND.observe().rules
    said = line.removeprefix("prerouting: ")
    assert said == shown if shown else "[" in said or "@" in said
