"""Why a shield is not up, and where it is: functions of what nft, iptables and the kernel tell."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.ruleset import FencedService, LocalNetwork, Role, Ruleset, SetKey
from geofence.model.shield import LeftOut, ShieldReason, Why
from geofence.shield.attachment import has_tcx
from geofence.shield.design import MOST_ADDRESSES, design
from geofence.shield.obstacles import MARKS, HostFacts, Port, free_mark, interfaces, obstacles
from geofence.shield.surroundings import Surroundings, from_iptables, from_nft

SIP = FencedService("sip", (Ports(Protocol.UDP, 5060, 5061),), "")
OWN = (Prefix(Family.IPV4, 0xC633640A, 32), Prefix(Family.IPV4, 0x7F000001, 32))
ALL = (1 << 32) - 1


def ruleset(service: FencedService = SIP, **more: object) -> Ruleset:
    """One service that nobody is allowed to reach."""
    keys = (
        SetKey(role, group, family)
        for role, group in ((Role.ALLOW, service.allow_group), (Role.EXCEPTION, service.name))
        for family in Family
    )
    sets = {key: PrefixSet(key.family) for key in keys}
    return Ruleset((service,), sets=sets, **more)  # type: ignore[arg-type]


def why(facts: HostFacts, rules: Ruleset | None = None) -> tuple[ShieldReason, ...]:
    """The reasons on a host with one address."""
    known = rules or ruleset()
    return obstacles(known, design(known, {}, OWN), facts)


USUAL = HostFacts((Port(2, "eth0"),), OWN)


def test_a_usual_host_has_no_obstacle() -> None:
    assert why(USUAL) == ()
    assert free_mark(USUAL) == 1 << 30


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"ports": ()}, Why.NO_INTERFACE),
        ({"local_first": False}, Why.ROUTING),
        ({"expectations": 2}, Why.HELPERS),
        ({"route_marks": ALL}, Why.MARKS),
        ({"around": Surroundings(zones=("ip z c",))}, Why.ZONES),
        ({"around": Surroundings(helpers=("ip h x",))}, Why.HELPERS),
        ({"around": Surroundings(overwriting=("ip m c",))}, Why.MARKS),
    ],
)
def test_each_obstacle_is_told(changed: dict[str, object], expected: Why) -> None:
    found = why(USUAL._replace(**changed))  # type: ignore[arg-type]
    assert {each.why for each in found} == {expected}


@pytest.mark.parametrize(
    "port",
    [
        Port(2, "ppp0", link_type=512),
        Port(2, "br0", kind="bridge"),
        Port(2, "bond0", kind="bond"),
        Port(2, "eth0", master=7),
        Port(2, "tun0"),
        Port(2, "eth0", default_route=False),
    ],
)
def test_some_interfaces_have_no_shield(port: Port) -> None:
    trusting = ruleset(interfaces=("tun*",))
    assert interfaces(trusting, HostFacts((port, Port(3, "eth1")))) == (Port(3, "eth1"),)


def test_a_bit_that_others_use_is_passed_over() -> None:
    facts = USUAL._replace(route_marks=1 << 30, around=Surroundings(mark_bits=1 << 29))
    assert free_mark(facts) == 1 << 28
    assert why(facts) == ()


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (replace(SIP, observe=True), Why.OBSERVED),
        (replace(SIP, helpers=("sip",)), Why.HELPERS),
    ],
)
def test_a_service_that_is_left_out_alone_is_the_reason(
    service: FencedService, reason: Why
) -> None:
    assert why(USUAL, ruleset(service)) == (ShieldReason(reason, "sip"),)


def test_a_service_that_is_open_to_all_is_left_out() -> None:
    known = ruleset()
    everybody = {SetKey(Role.ALLOW, "", Family.IPV4): PrefixSet(Family.IPV4, (0, 1 << 32))}
    made = design(replace(known, sets={**known.sets, **everybody}), {}, OWN)
    assert made.left_out == (LeftOut("sip", Why.OPEN),)


def test_everybody_who_could_be_allowed_is_in_the_design() -> None:
    parts = [PrefixSet.of(Family.IPV4, (Prefix(Family.IPV4, at << 24, 24),)) for at in range(1, 6)]
    known = ruleset(local=(LocalNetwork("eth1", Prefix(Family.IPV4, 9 << 24, 24)),))
    sets = dict(known.sets)
    sets[SetKey(Role.ALLOW, "", Family.IPV4)] = parts[0]
    sets[SetKey(Role.EXCEPTION, "sip", Family.IPV4)] = parts[1]
    timed = SetKey(Role.TIMED, "sip", Family.IPV4)
    made = design(replace(known, sets=sets, runtime={timed: parts[2]}), {timed: parts[3]}, OWN)
    wanted = [*parts[:4], PrefixSet.of(Family.IPV4, (known.local[0].prefix,))]
    assert made.allowed == AddressSpace(ipv4=PrefixSet.union(Family.IPV4, wanted))


def test_loopback_and_wide_local_routes_are_no_addresses_and_few_are_compared() -> None:
    many = [Prefix(Family.IPV4, number, 32) for number in range(100)]
    wide = Prefix(Family.IPV4, 0xC0000200, 24)
    assert design(ruleset(), {}, (*OWN, wide)).family_addresses(Family.IPV4) == (0xC633640A,)
    assert len(design(ruleset(), {}, many).family_addresses(Family.IPV4)) == MOST_ADDRESSES


IPTABLES = """\
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 5060 -j CT --helper sip
-A PREROUTING -i wan -j CT --zone 3
*mangle
-A PREROUTING -m mark --mark 0x40000000/0x40000000 -j RETURN
-A PREROUTING -j MARK --set-xmark 0x1/0xff
-A OUTPUT -j MARK --set-xmark 0x2/0xffffffff
-A GEOFENCE -j MARK --set-xmark 0x4/0xffffffff
"""


def test_iptables_is_read() -> None:
    found = from_iptables(IPTABLES)
    assert [len(found.zones), len(found.helpers), len(found.overwriting)] == [1, 1, 0]
    assert found.mark_bits == 0x400000FF | 0x2


@pytest.mark.parametrize(
    ("rule", "overwrites"),
    [
        ("-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff", True),
        ("-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", True),
        ("-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff", False),
        ("-A PREROUTING -j MARK --set-xmark 0x1/0x1", False),
        ("-A POSTROUTING -m mark --mark 0xca6c -j CONNMARK --save-mark", False),
    ],
)
def test_rules_of_iptables_that_set_the_whole_mark_are_told(rule: str, overwrites: bool) -> None:
    assert bool(from_iptables(rule).overwriting) is overwrites


def rule(*statements: object) -> str:
    """What nft prints of one rule in a chain of prerouting."""
    chain = {"family": "ip", "table": "z", "name": "c", "hook": "prerouting"}
    held = {"family": "ip", "table": "z", "chain": "c", "expr": list(statements)}
    return json.dumps({"nftables": [{"chain": chain}, {"rule": held}]})


MARK = {"meta": {"key": "mark"}}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"mangle": {"key": {"ct": {"key": "zone"}}, "value": 7}}, Surroundings(zones=("z c",))),
        ({"ct helper": "sip"}, Surroundings(helpers=("z c",))),
        ({"mangle": {"key": MARK, "value": 1}}, Surroundings((), (), ("z c",), 1)),
        (
            {"mangle": {"key": MARK, "value": {"|": [MARK, 0x10]}}},
            Surroundings(mark_bits=0x10),
        ),
        (
            {"mangle": {"key": MARK, "value": {"&": [MARK, 0xFFFFFF0F]}}},
            Surroundings(mark_bits=0xF0),
        ),
        (
            {"match": {"op": "==", "left": {"&": [MARK, 0xFF]}, "right": 3}},
            Surroundings(mark_bits=0xFF),
        ),
        (
            {"mangle": {"key": MARK, "value": {"ct": {"key": "mark"}}}},
            Surroundings(overwriting=("z c",)),
        ),
        ({"accept": None}, Surroundings()),
    ],
)
def test_nft_is_read(statement: object, expected: Surroundings) -> None:
    assert from_nft(rule(statement)) == expected


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    (
                        "nftables",
                        "rule",
                        "expr",
                        "mangle",
                        "key",
                        "meta",
                        "mark",
                        "table",
                        "ct",
                        "value",
                    )
                ),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_what_is_no_ruleset_says_nothing_wrong(listed: object) -> None:
    found = from_nft(json.dumps({"nftables": listed}))
    assert not found.zones
    assert isinstance(found.mark_bits, int)
    assert from_nft("{") == Surroundings()


@pytest.mark.parametrize(
    ("release", "has"),
    [
        ("6.6.0", True),
        ("6.1.0-50-amd64", False),
        ("6.12.117+deb13", True),
        ("7.0-rc1", True),
        ("5.15", False),
        ("strange", False),
    ],
)
def test_tcx_came_with_a_release(release: str, has: bool) -> None:
    assert has_tcx(release) is has


def test_there_are_marks_to_choose_from() -> None:
    assert len(set(MARKS)) == len(MARKS)
    assert all(mark.bit_count() == 1 for mark in MARKS)
