"""What real firewalls in a real kernel do to fenced ports, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from geofence.lab.host import Host
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.other_rules.filtering import (
    AcceptedBefore,
    Dropped,
    Filtering,
    Published,
    filtering,
    published,
)
from geofence.other_rules.programs import AllTables, read_tables

UDP, TCP = Protocol.UDP, Protocol.TCP
SIP, RTP = Ports(UDP, 5060, 5060), Ports(UDP, 10000, 20000)
SIP_TCP = Ports(TCP, 5060, 5061)
SERVICES: Mapping[str, tuple[Ports, ...]] = {"sip": (SIP, SIP_TCP), "rtp": (RTP,)}
V4, BOTH = (Family.IPV4,), tuple(sorted(Family))
FLAVOURS = ("iptables-nft", "iptables-legacy")
ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


@pytest.fixture
def host() -> Iterator[Host]:
    with Host("pbx") as made:
        yield made


def tables(host: Host) -> AllTables:
    with host.entered():
        found = read_tables()
    assert found.unread == ()
    return found


def found(host: Host) -> Filtering:
    return filtering(tables(host).distinct, SERVICES)


def iptables(host: Host, program: str, *lines: str) -> None:
    for line in lines:
        host.run(program, *line.split())


@pytest.mark.parametrize("program", FLAVOURS)
def test_a_policy_of_drop_without_an_opening_is_found(host: Host, program: str) -> None:
    iptables(
        host,
        program,
        f"-A INPUT {ESTABLISHED}",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -p icmp -j ACCEPT",
        "-A INPUT -p tcp --dport 22 -j ACCEPT",
        "-A INPUT -p udp --dport 5060 -j ACCEPT",
        "-P INPUT DROP",
    )
    place = "iptables filter INPUT"
    assert set(found(host).dropped) == {
        Dropped("sip", SIP_TCP, place, by_policy=True, families=V4),
        Dropped("rtp", RTP, place, by_policy=True, families=V4),
    }


@pytest.mark.parametrize("program", FLAVOURS)
@pytest.mark.parametrize(
    "opening",
    [
        ("-A INPUT -j ACCEPT",),
        (
            "-A INPUT -p udp -j ACCEPT",
            "-A INPUT -p tcp -m multiport --dports 22,5060:5061 -j ACCEPT",
        ),
        ("-A INPUT -i eth0 -j ACCEPT",),
        ("-N mine", "-A INPUT -j mine", "-A mine -p icmp -j RETURN", "-A mine -j ACCEPT"),
        ("-N mine", "-A INPUT -m conntrack --ctstate NEW -j mine", "-A mine -j ACCEPT"),
    ],
)
def test_what_some_packets_find_open_is_no_fault(
    host: Host, program: str, opening: tuple[str, ...]
) -> None:
    iptables(host, program, f"-A INPUT {ESTABLISHED}", *opening, "-P INPUT DROP")
    assert found(host) == Filtering()


@pytest.mark.parametrize("program", FLAVOURS)
def test_a_rule_that_drops_is_found_wherever_it_stands(host: Host, program: str) -> None:
    iptables(
        host,
        program,
        "-t raw -A PREROUTING -p udp --dport 5060 -j DROP",
        "-t mangle -N mine",
        "-t mangle -A PREROUTING -p udp -j mine",
        "-t mangle -A mine -p udp -m multiport --dports 53,15000:30000 -j DROP",
        "-A INPUT -p tcp -m tcp --dport 5061 -j REJECT",
    )
    assert set(found(host).dropped) == {
        Dropped("sip", SIP, "iptables raw PREROUTING", families=V4),
        Dropped("rtp", Ports(UDP, 15000, 20000), "iptables mangle mine", families=V4),
        Dropped("sip", Ports(TCP, 5061, 5061), "iptables filter INPUT", families=V4),
    }


@pytest.mark.parametrize("program", FLAVOURS)
def test_what_drops_some_sources_is_no_fault_and_what_drops_all_but_some_is(
    host: Host, program: str
) -> None:
    """A ban, a limit, and the page of a panel that allows one country."""
    iptables(
        host,
        program,
        "-N f2b",
        "-A INPUT -p udp -m multiport --dports 5060,5061 -j f2b",
        "-A f2b -s 203.0.113.7/32 -j REJECT",
        "-A f2b -j RETURN",
        "-A INPUT -p udp --dport 5060 -m limit --limit 5/sec -j DROP",
        "-A INPUT -p udp --dport 10000:20000 ! -s 133.0.0.0/8 -j DROP",
        "-A INPUT -j ACCEPT",
    )
    place = "iptables filter INPUT"
    assert found(host).dropped == (Dropped("rtp", RTP, place, but_some=True, families=V4),)


def test_a_drop_after_an_accept_drops_nothing(host: Host) -> None:
    iptables(
        host,
        "iptables-nft",
        "-A INPUT -p udp --dport 5060 -j ACCEPT",
        "-A INPUT -p udp --dport 5060 -j DROP",
    )
    assert found(host) == Filtering()


NFT = """\
table inet mine {
    set banned { type ipv4_addr; elements = { 203.0.113.7 } }
    chain early {
        type filter hook prerouting priority raw;
        ip saddr @banned drop
        tcp dport 5061 drop
    }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname "lo" accept
        ip protocol icmp accept
        udp dport 5060 accept
        tcp dport { 22, 5060-5061 } accept
    }
}
"""


def test_nftables_policies_and_early_drops_are_found(host: Host) -> None:
    host.run("nft", "-f", "-", stdin=NFT)
    assert set(found(host).dropped) == {
        Dropped("sip", Ports(TCP, 5061, 5061), "nft inet mine early", families=BOTH),
        Dropped("rtp", RTP, "nft inet mine input", by_policy=True, families=BOTH),
    }


def test_nftables_at_the_device_is_read(host: Host) -> None:
    host.run("ip", "link", "set", "lo", "up")
    host.run(
        *("nft", "-f", "-"),
        stdin="""\
table netdev guard {
    chain entry {
        type filter hook ingress device "lo" priority 0;
        udp dport 5060 drop
    }
}
""",
    )
    assert found(host).dropped == (Dropped("sip", SIP, "nft netdev guard entry", families=BOTH),)


@pytest.mark.parametrize("program", FLAVOURS)
def test_what_is_accepted_before_the_fence_is_asked_is_found(host: Host, program: str) -> None:
    iptables(
        host,
        program,
        "-t mangle -N GEOFENCE",
        "-t mangle -A PREROUTING -p udp --dport 5060 -j ACCEPT",
        "-t mangle -A PREROUTING -j GEOFENCE",
        "-t mangle -A PREROUTING -p udp --dport 10000:20000 -j ACCEPT",
        "-t mangle -A GEOFENCE -p udp -m udp --dport 5060 -j DROP",
    )
    assert found(host) == Filtering(
        accepted_before=(AcceptedBefore("sip", SIP, "iptables mangle PREROUTING", V4),)
    )


def test_published_ports_and_helpers_and_flavours_are_read(host: Host) -> None:
    iptables(
        host,
        "iptables-nft",
        "-t nat -N DOCKER",
        "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-t nat -A DOCKER ! -i docker0 -p udp -m udp --dport 5062 -j DNAT "
        "--to-destination 172.17.0.2:5060",
    )
    iptables(host, "iptables-legacy", "-t raw -A PREROUTING -p udp --dport 5060 -j CT --helper sip")
    read = tables(host)
    named = Ports(UDP, 5062, 5062)
    assert published(read.distinct) == (
        Published(named, SIP, "172.17.0.2", Family.IPV4, "iptables nat DOCKER"),
    )
    assert [each.place for each in read.legacy if each.helpers] == ["iptables raw"]
    assert any(each.is_used for each in read.by_nft_flavour)
