"""Rules that real programs made in a real kernel, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from geofence.lab.host import Host
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.other_rules import Direction, Redirected, Untracked, programs, read_other_rules

UDP, TCP = Protocol.UDP, Protocol.TCP
SIP, RTP = Ports(UDP, 5060, 5060), Ports(UDP, 10000, 20000)
SERVICES: Mapping[str, tuple[Ports, ...]] = {
    "sip": (SIP, Ports(TCP, 5060, 5061)),
    "rtp": (RTP,),
}
BOTH = tuple(sorted(Family))


def read_from(host: Host) -> tuple[set[Untracked], set[Redirected], tuple[str, ...]]:
    with host.entered():
        found = read_other_rules(SERVICES)
    return set(found.untracked), set(found.redirected), found.unread


def notrack(
    direction: Direction, ports: Ports, *, place: str, conditional: bool = False
) -> Untracked:
    service = "rtp" if ports == RTP else "sip"
    families = (Family.IPV4,) if place.startswith("iptables") else BOTH
    return Untracked(service, ports, direction, families, conditional, place)


def redirect(named: Ports, target: Ports, place: str, address: str | None = None) -> Redirected:
    families = (Family.IPV4,) if "iptables" in place else BOTH
    return Redirected("sip", named, target, address, families, False, place)


@pytest.fixture
def host() -> Iterator[Host]:
    with Host("pbx") as made:
        yield made


FLAVOURS = ("iptables-nft", "iptables-legacy")


@pytest.mark.parametrize("program", FLAVOURS)
def test_iptables_notrack_is_found_in_both_directions(host: Host, program: str) -> None:
    """What somebody does whose connection table was full."""
    for line in (
        "PREROUTING -p udp --dport 5060 -j CT --notrack",
        "OUTPUT -p udp -m multiport --sports 5060,10000:20000 -j CT --notrack",
    ):
        host.run(program, "-t", "raw", "-A", *line.split())
    untracked, redirected, unread = read_from(host)
    assert untracked == {
        notrack(Direction.IN, SIP, place="iptables raw PREROUTING"),
        notrack(Direction.OUT, SIP, place="iptables raw OUTPUT"),
        notrack(Direction.OUT, RTP, place="iptables raw OUTPUT"),
    }
    assert (redirected, unread) == (set(), ())


@pytest.mark.parametrize("program", FLAVOURS)
def test_iptables_redirects_to_fenced_ports_are_found(host: Host, program: str) -> None:
    for line in (
        "PREROUTING -p udp --dport 5566 -j REDIRECT --to-ports 5060",
        "PREROUTING -p tcp --dport 5061 -j REDIRECT --to-ports 5060",  # fenced as well
        "PREROUTING -p udp --dport 5060 -j DNAT --to-destination 172.17.0.2:5060",
        "PREROUTING -p tcp --dport 15061 -j DNAT --to-destination 172.17.0.2:5061",
        "PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 5353",
        "OUTPUT -p udp --dport 7 -j REDIRECT --to-ports 5060",  # of this host alone
    ):
        host.run(program, "-t", "nat", "-A", *line.split())
    untracked, redirected, unread = read_from(host)
    place = "iptables nat PREROUTING"
    assert redirected == {
        redirect(Ports(UDP, 5566, 5566), SIP, place),
        redirect(Ports(TCP, 15061, 15061), Ports(TCP, 5061, 5061), place, "172.17.0.2"),
    }
    assert (untracked, unread) == (set(), ())


def test_chains_are_followed_and_conditions_add_up(host: Host) -> None:
    """Docker's layout: a chain for what is addressed to this host."""
    for line in (
        "-N DOCKER",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-A DOCKER -i docker0 -j RETURN",
        "-A DOCKER ! -i docker0 -p udp --dport 15060 -j DNAT --to-destination 172.17.0.2:5060",
    ):
        host.run("iptables", "-t", "nat", *line.split())
    host.run("iptables", *["-t", "raw", "-A", "PREROUTING", "-i", "lo", "-j", "NOTRACK"])
    untracked, redirected, _ = read_from(host)
    assert not untracked
    (found,) = redirected
    assert found.conditional
    assert (found.named, found.target) == (Ports(UDP, 15060, 15060), SIP)


def test_notrack_behind_an_accept_is_not_reported(host: Host) -> None:
    for line in ("-p udp --dport 5060:5062 -j ACCEPT", "-p udp -j CT --notrack"):
        host.run("iptables", "-t", "raw", "-A", "PREROUTING", *line.split())
    untracked, _, _ = read_from(host)
    assert untracked == {notrack(Direction.IN, RTP, place="iptables raw PREROUTING")}


RULESET = """table inet other {
  chain raw {
    type filter hook prerouting priority raw;
    iifname "lo" notrack
    meta l4proto { tcp, udp } th dport 5060 ip saddr 192.0.2.0/24 notrack
    udp dport { 53, 10000-20000 } counter notrack
  }
  chain busy { udp sport 5060 notrack; }
  chain sent { type filter hook output priority raw; udp sport != 53 jump busy; }
  chain nat {
    type nat hook prerouting priority dstnat;
    udp dport 5566 redirect to :5060
    udp dport 5568 dnat ip to 10.0.0.1:5060
    meta l4proto tcp redirect to :tcp dport map { 7000 : 5060, 8000 : 8080 }
  }
}
"""


def test_rules_of_nft_are_read(host: Host) -> None:
    host.run("nft", "-f", "-", stdin=RULESET)
    untracked, redirected, unread = read_from(host)
    place = "nft inet other raw"
    conditional = {
        Untracked("sip", ports, Direction.IN, (Family.IPV4,), True, place)
        for ports in (SIP, Ports(TCP, 5060, 5060))
    }
    assert untracked == conditional | {
        notrack(Direction.IN, RTP, place=place),
        notrack(Direction.OUT, SIP, place="nft inet other busy"),
    }
    place = "nft inet other nat"
    assert {(each.named, each.target, each.address) for each in redirected} == {
        (Ports(UDP, 5566, 5566), SIP, None),
        (Ports(UDP, 5568, 5568), SIP, "10.0.0.1"),
        (Ports(TCP, 7000, 7000), Ports(TCP, 5060, 5060), None),
    }
    assert unread == ()


def test_reading_makes_no_table(host: Host) -> None:
    assert read_from(host) == (set(), set(), ())
    assert host.run("nft", "list", "ruleset") == ""
    assert host.run("cat", "/proc/net/ip_tables_names") == ""


def test_missing_programs_are_tolerated(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_PATH", "/nowhere")
    assert read_from(host) == (set(), set(), ())


def test_a_program_that_fails_is_named(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("nft", "iptables-nft-save"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setattr(programs, "_PATH", f"{tmp_path}:/usr/bin:/bin")
    _, _, unread = read_from(host)
    assert unread == ("nft", "iptables-nft-save")
