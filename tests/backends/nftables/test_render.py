"""Rules in words: what geofence writes, and what others write into its table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from geofence.backends.nftables.backend import NftablesBackend
from geofence.lab.host import Host
from geofence.merge import merge
from geofence.model.policy import Ports, Protocol, Service
from geofence.model.ruleset import NO_BEGINNINGS, SIP_RESPONSE, LocalNetwork
from tests.support.values import JAPAN, policy, prefix, space

BACKEND = NftablesBackend()
FAR = 'comment "in no network near an allowed address"'
FLAGS = "tcp flags & (fin | syn | rst | ack)"
HEAD = "prerouting: type filter hook prerouting priority -150; policy accept;"
TABLE = """
add table inet geofence
add chain inet geofence prerouting { type filter hook prerouting priority mangle; }
add chain inet geofence fence-sip
add counter inet geofence dropped-sip
add set inet geofence allow4 { type ipv4_addr; flags interval; }
"""


def test_a_ruleset_in_words() -> None:
    ports = (Ports(Protocol.TCP, 443, 443), Ports(Protocol.UDP, 8000, 8010))
    web = Service("web", ports, helpers=("sip",))
    rules = policy(services=(web,), interfaces=("lo", "wg*", "eth1", "*"), local=space())
    lan = LocalNetwork("eth2", prefix("10.1.0.0/24"))
    assert BACKEND.rules(replace(merge(rules, JAPAN), local=(lan,))) == (
        "prerouting: type filter hook prerouting priority -150; policy accept;",
        "prerouting: tcp dport 443 fib daddr type local goto fence-web",
        "prerouting: udp dport 8000-8010 fib daddr type local goto fence-web",
        "forward: type filter hook forward priority -150; policy accept;",
        "forward: ct status dnat ct direction original goto translated",
        "forward: tcp sport 443 goto via-web",
        "forward: udp sport 8000-8010 goto via-web",
        "forward: ct state new ct label set 103",
        "input: type filter hook input priority -150; policy accept;",
        "input: ct status dnat ct direction original goto translated",
        "input: tcp dport 443 goto fence-web",
        "input: udp dport 8000-8010 goto fence-web",
        "output: type filter hook output priority -150; policy accept;",
        "output: tcp sport 443 goto out-web",
        "output: udp sport 8000-8010 goto out-web",
        "output: ct state new ct label set 103",
        *_banned("ban-web"),
        *_denied("denied-web"),
        'fence-web: ip saddr @ban4 goto ban-web comment "banned addresses"',
        'fence-web: ip6 saddr @ban6 goto ban-web comment "banned addresses"',
        'fence-web: ct direction reply ct label 103 return comment "replies to this host"',
        (
            "fence-web: ct status confirmed ct label 101 ct direction original return "
            'comment "admitted connections"'
        ),
        'fence-web: iif "lo" return comment "trusted interface"',
        'fence-web: iifname "wg*" return comment "trusted interface"',
        'fence-web: iifname "eth1" return comment "trusted interface"',
        'fence-web: return comment "trusted interface"',
        'fence-web: ip saddr @timed4-web return comment "exceptions for a time"',
        'fence-web: ip6 saddr @timed6-web return comment "exceptions for a time"',
        'fence-web: ct helper "sip" goto marking comment "announced by a helper"',
        f"fence-web: ip saddr & 255.255.0.0 != @near4-web goto noted4-web {FAR}",
        f"fence-web: ip6 saddr & ffff:: != @near6-web goto noted6-web {FAR}",
        'fence-web: ip saddr @except4-web goto marking comment "named exceptions"',
        'fence-web: ip6 saddr @except6-web goto marking comment "named exceptions"',
        'fence-web: ip saddr @allow4 goto marking comment "allowed countries"',
        'fence-web: ip6 saddr @allow6 goto marking comment "allowed countries"',
        'fence-web: ip saddr 10.1.0.0/24 goto local-web comment "local networks"',
        'fence-web: goto denied-web comment "everyone else"',
        'local-web: iifname "eth2" ip saddr 10.1.0.0/24 return comment "local networks"',
        'local-web: goto denied-web comment "everyone else"',
        'marking: ct status & confirmed,dnat return comment "older, and asked by two ports"',
        'marking: ct label set 101 comment "mark the connection"',
        *_noted(),
        *_trusted("out-web"),
        *_beginnings("out-web"),
        *_sent_to_others("out-web"),
        "translated: meta l4proto tcp ct original proto-dst 443 jump fence-web",
        "translated: meta l4proto udp ct original proto-dst 8000-8010 jump fence-web",
        "translated: tcp dport 443 goto fence-web",
        "translated: udp dport 8000-8010 goto fence-web",
        *_beginnings("via-web"),
    )


def _banned(chain: str) -> Iterator[str]:
    yield f'{chain}: iif "lo" return comment "trusted interface"'
    yield f'{chain}: iifname "wg*" return comment "trusted interface"'
    yield f'{chain}: iifname "eth1" return comment "trusted interface"'
    yield f'{chain}: return comment "trusted interface"'
    yield f'{chain}: ip saddr @timed4-web return comment "exceptions for a time"'
    yield f'{chain}: ip6 saddr @timed6-web return comment "exceptions for a time"'
    yield f'{chain}: ip saddr @except4-web goto marking comment "named exceptions"'
    yield f'{chain}: ip6 saddr @except6-web goto marking comment "named exceptions"'
    yield f'{chain}: iifname "eth2" ip saddr 10.1.0.0/24 return comment "local networks"'
    yield f'{chain}: counter name "dropped-web" drop comment "banned addresses"'


def test_who_is_far_away_is_turned_away_first() -> None:
    first, second, *rest = _fence_of(interfaces=("lo", "wg*"))
    begins = 'fence-web: ct status != confirmed iifname != "wg*" iif != "lo"'
    far = "ip saddr & 255.255.0.0 != @near4-web ip saddr != @timed4-web goto noted4-web"
    assert first == f"{begins} {far} {FAR}"
    far = "ip6 saddr & ffff:: != @near6-web ip6 saddr != @timed6-web goto noted6-web"
    assert second == f"{begins} {far} {FAR}"
    assert not any("@near" in line for line in rest)


def test_routes_are_asked_after_all_that_tells_the_verdict_without_them() -> None:
    drop = 'counter name "dropped-web" drop comment "more than are noted"'
    excepted = 'iifname != "wg*" iif != "lo"'
    far4 = "ip saddr & 255.255.0.0 != @near4-web ip saddr != @timed4-web"
    far6 = "ip6 saddr & ffff:: != @near6-web ip6 saddr != @timed6-web"
    admitted = "ct status confirmed ct label 101 ct direction original"
    told = 'return comment "admitted connections"'
    assert _lines_of("prerouting", interfaces=("lo", "wg*"))[1:] == [
        "prerouting: tcp dport 443 goto arrived-web"
    ]
    assert _lines_of("arrived-web", interfaces=("lo", "wg*")) == [
        "arrived-web: ct status != 00000000 goto known-web",
        f"arrived-web: ip daddr @flood4-web {excepted} {far4} {drop}",
        f"arrived-web: ip6 daddr @flood6-web {excepted} {far6} {drop}",
        "arrived-web: fib daddr type local goto fence-web",
    ]
    assert _lines_of("known-web", interfaces=("lo", "wg*"))[2:] == [
        f"known-web: {admitted} ip saddr != @ban4 {told}",
        f"known-web: {admitted} ip6 saddr != @ban6 {told}",
        "known-web: fib daddr type local goto fence-web",
    ]


@pytest.mark.parametrize(("helpers", "interfaces"), [(("sip",), ("lo",)), ((), ("lo", "*"))])
def test_who_is_far_away_comes_after_what_cannot_be_excepted(
    helpers: tuple[str, ...], interfaces: tuple[str, ...]
) -> None:
    lines = _fence_of(helpers, interfaces)
    assert "@near" not in lines[0]
    assert f"fence-web: ip saddr & 255.255.0.0 != @near4-web goto noted4-web {FAR}" in lines


def _fence_of(helpers: tuple[str, ...] = (), interfaces: tuple[str, ...] = ()) -> list[str]:
    return _lines_of("fence-web", helpers, interfaces)


def _lines_of(
    chain: str, helpers: tuple[str, ...] = (), interfaces: tuple[str, ...] = ()
) -> list[str]:
    web = Service("web", (Ports(Protocol.TCP, 443, 443),), helpers=helpers)
    rules = policy(services=(web,), interfaces=interfaces, local=space())
    lines = BACKEND.rules(merge(rules, JAPAN))
    return [line for line in lines if line.startswith(f"{chain}: ")]


def _denied(chain: str) -> Iterator[str]:
    yield f"{chain}: meta nfproto ipv4 goto noted4-web"
    yield f"{chain}: goto noted6-web"


def _noted() -> Iterator[str]:
    drop = 'counter name "dropped-web" drop comment'
    for name, digit, bit, field in (
        ("ip", 4, 120, "ip saddr"),
        ("ip6", 6, 104, "ip6 saddr & ffff:ffff:ffff:ffff::"),
    ):
        chain = f"noted{digit}-web:"
        limit = "limit rate over 2000/second burst 2000 packets"
        yield f'{chain} {limit} {drop} "more than are noted"'
        yield f'{chain} {name} saddr @ban{digit} {drop} "banned addresses"'
        for part in range(8):
            told = f"{chain} @nh,{bit},8 & 07 0{part}"
            sets = (f"{role}{digit}.{part}-web {{ {field} }}" for role in ("denied", "seen"))
            noted = " ".join((told, *map(" @".join, zip(("add", "update"), sets, strict=True))))
            yield f'{noted} comment "noted: see geofence denied"'
        yield f'{chain} {drop} "everyone else"'


def _trusted(chain: str) -> Iterator[str]:
    yield f'{chain}: oif "lo" return comment "trusted interface"'
    yield f'{chain}: oifname "wg*" return comment "trusted interface"'
    yield f'{chain}: oifname "eth1" return comment "trusted interface"'
    yield f'{chain}: return comment "trusted interface"'


def _beginnings(chain: str) -> Iterator[str]:
    marked = 'ct label set 103 return comment "begins a connection"'
    none = " ".join(f"@th,64,32 != {word.hex()}" for word in NO_BEGINNINGS)
    yield f'{chain}: ct direction reply return comment "answers to others"'
    yield f'{chain}: ct label 103 return comment "begun connections"'
    yield f"{chain}: {FLAGS} syn {marked}"
    yield f"{chain}: udp length < 12 {marked}"
    yield f"{chain}: meta l4proto udp {none} {marked}"


def _sent_to_others(chain: str) -> Iterator[str]:
    yield f'{chain}: ct state != new return comment "known connections"'
    yield f'{chain}: ip daddr @except4-web return comment "named exceptions"'
    yield f'{chain}: ip6 daddr @except6-web return comment "named exceptions"'
    yield f'{chain}: ip daddr @timed4-web return comment "exceptions for a time"'
    yield f'{chain}: ip6 daddr @timed6-web return comment "exceptions for a time"'
    yield f'{chain}: ip daddr @allow4 return comment "allowed countries"'
    yield f'{chain}: ip6 daddr @allow6 return comment "allowed countries"'
    yield f'{chain}: oifname "eth2" ip daddr 10.1.0.0/24 return comment "local networks"'
    yield f'{chain}: {FLAGS} != syn drop comment "begins nothing"'
    response = f"@th,64,32 {SIP_RESPONSE.hex()}"
    yield f'{chain}: meta l4proto udp {response} drop comment "begins nothing"'


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
        ("udp sport 5060 drop", "udp sport 5060 drop"),
        ("ct state new drop", "ct state new drop"),
        ("ct state invalid drop", "ct state & 01000000 != 00000000 drop"),
        ("ip saddr 10.0.0.0/9 drop", "ip saddr 10.0.0.0/9 drop"),
        ("meta mark 5 drop", "[meta 2=00000003 1=00000001] @reg1 05000000 drop"),
        ("fib daddr . iif type local drop", None),
        ("fib saddr type local drop", None),
        ("ct status assured drop", "ct status & 04000000 != 00000000 drop"),
        ("limit rate 5/second drop", "limit rate 5/second burst 5 packets drop"),
        ("limit rate over 5/second drop", "limit rate over 5/second burst 5 packets drop"),
        ("log", None),
        ("ip saddr { 192.0.2.1, 192.0.2.2 } accept", None),
        ("ip saddr vmap { 192.0.2.1 : drop }", None),
    ],
)
def test_rules_of_others_are_rendered(host: Host, written: str, shown: str | None) -> None:
    """In nft's words where geofence has any, else with what it is made of; never as nothing."""
    host.run("nft", "-f", "-", stdin=TABLE)
    assert BACKEND.observe().rules == (HEAD,)
    host.run("nft", f"add rule inet geofence prerouting {written}")
    (_, line) = BACKEND.observe().rules
    said = line.removeprefix("prerouting: ")
    assert said == shown if shown else "[" in said or "@" in said
