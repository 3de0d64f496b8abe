"""What the rules gain from a reading of Asterisk's configuration."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.asterisk.additions import PRIVILEGED
from geofence.asterisk.derived import (
    Asked,
    Derived,
    DerivedNetwork,
    ExpectedAnswers,
    FencedPorts,
    Refused,
    RefusedItem,
    Remark,
    derive,
    with_derived,
)
from geofence.asterisk.reading import (
    HostKind,
    PortRange,
    Reading,
    Server,
    Trunk,
    Use,
)
from geofence.model.policy import NamedException, Policy, Ports, Service
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import prefix
from geofence.policy.table_reader import rule_name
from tests.asterisk.made import TCP, UDP, listener, media, readings, space, trunk

SIP = Service("sip", (Ports(UDP, 5060, 5060), Ports(TCP, 5060, 5061)))
RTP = Service("rtp", (Ports(UDP, 10000, 20000),))
SHIPPED = Policy(
    services=(SIP, RTP),
    local=AddressSpace.of(map(prefix, ("10.0.0.0/8", "192.168.0.0/16"))),
)


def derived(*trunks: Trunk, own: AddressSpace | None = None, **facts: object) -> Derived:
    known = {"listeners": (listener(5060),), "rtp": media(10000, 20000)} | facts
    return derive(Reading(trunks=trunks, **known), SHIPPED, own)  # type: ignore[arg-type]


def ports_of(policy: Policy) -> dict[str, set[str]]:
    return {each.name: set(map(str, each.ports)) for each in policy.services}


def only(found: Derived) -> NamedException:
    (each,) = found.exceptions
    return each.exception


def test_each_use_goes_to_its_service() -> None:
    reading = Reading(
        listeners=(
            listener(5160),
            listener(5161, TCP, Use.SIPS),
            listener(4569, UDP, Use.IAX),
            listener(8088, TCP, Use.HTTP),
            listener(8089, TCP, Use.HTTPS),
        ),
        rtp=media(30000, 30101),
        rtp_more=(media(40000, 40009, "endpoint fast"),),
        udptl=media(4000, 4999, "udptl.conf"),
    )
    assert ports_of(with_derived(Policy(), derive(reading, Policy()))) == {
        "sip": {"5160/udp", "5161/tcp"},
        "iax": {"4569/udp"},
        "web": {"8088/tcp", "8089/tcp"},
        "rtp": {"30000-30101/udp", "40000-40009/udp", "4000-4568/udp", "4570-4999/udp"},
    }


def test_what_the_rules_fence_stays_in_its_service() -> None:
    phones = Service("phones", (Ports(UDP, 5060, 5060),))
    found = derive(Reading(listeners=(listener(5060), listener(5070))), Policy((phones,)))
    assert found.fenced == (
        FencedPorts("phones", Ports(UDP, 5060, 5060), "sip.conf [5060]", by_rules=True),
        FencedPorts("sip", Ports(UDP, 5070, 5070), "sip.conf [5070]"),
    )
    assert ports_of(with_derived(Policy((phones,)), found)) == {
        "phones": {"5060/udp"},
        "sip": {"5070/udp"},
    }


def test_a_range_gains_what_the_rules_lack_around_other_services() -> None:
    found = derive(Reading(listeners=(listener(5060),), rtp=media(5000, 31001)), SHIPPED)
    assert ports_of(with_derived(SHIPPED, found)) == {
        "sip": {"5060/udp", "5060-5061/tcp"},
        "rtp": {"10000-20000/udp", "5000-5059/udp", "5061-9999/udp", "20001-31001/udp"},
    }


@pytest.mark.parametrize(
    "facts", [{"listeners": (listener(8088, TCP, Use.HTTP, exposed=False),)}, {"rtp": None}]
)
def test_what_nobody_reaches_is_not_fenced(facts: dict[str, object]) -> None:
    bare: dict[str, object] = {"listeners": (), "rtp": None} | facts
    assert derived(own=None, **bare).fenced == ()


def test_fax_ports_that_no_endpoint_uses_are_not_fenced() -> None:
    unused = PortRange(4000, 4999, "udptl.conf", needed=False)
    assert derived(listeners=(), rtp=None, udptl=unused).fenced == ()


def test_what_may_listen_is_fenced() -> None:
    (found,) = derived(listeners=(listener(5070, certain=False),), rtp=None).fenced
    assert (found.service, str(found.ports), found.certain) == ("sip", "5070/udp", False)


def test_privileged_ports_are_left_to_the_rules() -> None:
    found = derived(listeners=(listener(22, TCP), listener(443, TCP, Use.HTTPS)), rtp=None)
    assert [str(each.ports) for each in found.missing] == ["22/tcp", "443/tcp"]
    assert [(each.item, each.why) for each in found.refused] == [
        ("22/tcp", Refused.PRIVILEGED),
        ("443/tcp", Refused.PRIVILEGED),
    ]
    assert with_derived(SHIPPED, found) == SHIPPED


def test_privileged_ports_that_the_rules_fence_stay_fenced() -> None:
    rules = Policy((Service("web", (Ports(TCP, 443, 443),)),))
    found = derive(Reading(listeners=(listener(443, TCP, Use.HTTPS),)), rules)
    assert found.refused == ()
    assert with_derived(rules, found) == rules


def test_a_trunk_by_address_may_signal_and_send_media() -> None:
    found = only(derived(trunk("198.51.100.77", HostKind.ADDRESS)))
    assert found.name == "asterisk-north"
    assert found.services == ("sip", "rtp")
    assert found.prefixes == space("198.51.100.77")
    assert found.group == "asterisk"


def test_a_trunk_by_name_is_resolved_as_asterisk_does() -> None:
    with_srv = only(derived(trunk("voice.example", HostKind.NAME, srv=True)))
    assert (with_srv.hosts, with_srv.srv, with_srv.sip) == ((), (), ("voice.example",))
    without = only(derived(trunk("Voice.Example.", HostKind.NAME, port=5080)))
    assert (without.hosts, without.srv) == (("voice.example",), ())


def test_an_iax_trunk_reaches_iax_alone() -> None:
    found = derived(
        trunk("b.zone.example", HostKind.NAME, use=Use.IAX, srv=True),
        trunk("c.zone.example", HostKind.NAME),
        listeners=(listener(4569, UDP, Use.IAX), listener(5060)),
    )
    by_name = {each.exception.name: each.exception for each in found.exceptions}
    assert by_name["asterisk-north-iax"].services == ("iax",)
    assert by_name["asterisk-north-iax"].srv == ("_iax._udp.b.zone.example",)
    assert by_name["asterisk-north"].services == ("sip", "rtp")


def test_hosts_of_one_object_are_one_exception() -> None:
    found = derived(
        trunk("voice.example", HostKind.NAME, sources=("registration north server_uri",)),
        trunk("198.51.100.32/28", sources=("identify north match",)),
        trunk("198.51.100.90", HostKind.ADDRESS, sources=("identify south match",)),
    )
    assert [each.exception.name for each in found.exceptions] == [
        "asterisk-north",
        "asterisk-south",
    ]
    assert found.exceptions[0].sources == ("registration north server_uri", "identify north match")


def test_services_of_a_trunk_are_those_that_fence_its_ports() -> None:
    rules = Policy(
        (
            Service("phones", (Ports(UDP, 5060, 5060),)),
            Service("voices", (Ports(UDP, 10000, 20000),)),
            Service("other", (Ports(UDP, 20005, 20005),)),
        )
    )
    reading = Reading(
        listeners=(listener(5060),),
        rtp=media(10000, 20010),
        trunks=(trunk("198.51.100.1", HostKind.ADDRESS),),
    )
    assert only(derive(reading, rules)).services == ("phones", "voices")


def test_without_anything_fenced_a_trunk_opens_nothing() -> None:
    reading = Reading(trunks=(trunk("198.51.100.1", HostKind.ADDRESS),))
    found = derive(reading, Policy())
    assert found.exceptions == ()
    assert found.refused == (
        RefusedItem("198.51.100.1", Refused.NOT_FENCED, ("identify north match",)),
    )


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("0.0.0.0/0", Refused.EVERYBODY),
        ("::/0", Refused.EVERYBODY),
        ("127.0.0.1/32", Refused.LOOPBACK),
        ("127.0.0.0/8", Refused.LOOPBACK),
        ("::1", Refused.LOOPBACK),
        ("203.0.113.10", Refused.OWN),
        ("203.0.113.20", Refused.OWN),
        ("224.0.0.5", Refused.NO_SOURCE),
        ("0.0.19.199", Refused.NO_SOURCE),
        ("255.255.255.255", Refused.NO_SOURCE),
        ("ff02::1", Refused.NO_SOURCE),
        ("fe80::1", Refused.NO_SOURCE),
        ("169.254.0.0/16", Refused.NO_SOURCE),
        ("::ffff:198.51.100.1", Refused.MALFORMED),
        ("198.51.100.1/24", Refused.MALFORMED),
        ("300.1.1.1", Refused.MALFORMED),
    ],
)
def test_what_no_trunk_has_is_refused(host: str, why: Refused) -> None:
    found = derived(
        trunk(host), own=space("203.0.113.10"), external=("203.0.113.20", "pbx.example")
    )
    assert found.exceptions == ()
    assert found.refused == (RefusedItem(host, why, ("identify north match",)),)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("localhost", Refused.LOOPBACK),
        ("a.localhost", Refused.LOOPBACK),
        ("pbx.example.net", Refused.OWN),
        ("${TRUNK_HOST}", Refused.MALFORMED),
        ("bücher.example", Refused.MALFORMED),
        ("a" * 64 + ".example", Refused.MALFORMED),
        ("198.51.100.1", Refused.MALFORMED),
        ("", Refused.MALFORMED),
    ],
)
def test_names_that_cannot_be_trunks_are_refused(host: str, why: Refused) -> None:
    found = derived(trunk(host, HostKind.NAME), external=("pbx.example.net",))
    assert found.exceptions == ()
    assert [each.why for each in found.refused] == [why]


def test_exclusions_stay_out() -> None:
    found = only(derived(trunk("192.0.2.128/25", left_out=("192.0.2.200/32",))))
    assert found.prefixes == space("192.0.2.128/25") - space("192.0.2.200")


def test_an_exclusion_that_cannot_be_read_refuses_the_trunk() -> None:
    found = derived(trunk("192.0.2.128/25", left_out=("192.0.2.200/33",)))
    assert found.exceptions == ()
    assert [each.why for each in found.refused] == [Refused.MALFORMED]


def test_addresses_of_this_host_are_left_out_of_a_prefix() -> None:
    (found,) = derived(trunk("203.0.113.0/28"), own=space("203.0.113.10")).exceptions
    assert found.exception.prefixes == space("203.0.113.0/28") - space("203.0.113.10")
    assert found.remarks == (Remark.SUBTRACTED,)


def test_private_trunks_are_allowed_and_remarked() -> None:
    (found,) = derived(trunk("172.20.0.0/14")).exceptions
    assert found.exception.prefixes == space("172.20.0.0/14")
    assert found.remarks == (Remark.PRIVATE,)
    assert found.broad == ()


@pytest.mark.parametrize(
    ("host", "is_broad"),
    [
        ("8.8.0.0/16", False),
        ("8.8.0.0/15", True),
        ("2001:db8::/32", False),
        ("2400::/31", True),
        ("172.16.0.0/12", False),
        ("10.0.0.0/8", True),
        ("0.0.0.0/1", True),
        ("172.0.0.0/8", True),
    ],
)
def test_broad_prefixes_are_told(host: str, is_broad: bool) -> None:
    (found,) = derived(trunk(host)).exceptions
    assert found.broad == ((prefix(host),) if is_broad else ())


def test_a_hole_does_not_make_a_broad_prefix_narrow() -> None:
    holes = tuple(f"{first}.0.0.0/8" for first in range(0, 128, 2))
    (found,) = derived(trunk("0.0.0.0/1", left_out=holes), own=space("9.9.9.9")).exceptions
    assert found.broad == (prefix("0.0.0.0/1"),)


def test_local_networks_are_those_that_the_rules_trust() -> None:
    found = derived(local_nets=("192.168.40.0/24", "127.0.0.1/32"))
    assert found.local == (DerivedNetwork(prefix("192.168.40.0/24"), by_rules=True),)


def test_following_does_not_widen_local() -> None:
    rules = Policy((SIP, RTP))
    found = derive(Reading(local_nets=("10.0.0.0/8", "203.0.113.0/24", "0.0.0.0/0")), rules)
    assert found.local == (DerivedNetwork(prefix("10.0.0.0/8"), by_rules=False),)
    assert [(each.item, each.why) for each in found.refused] == [
        ("203.0.113.0/24", Refused.PUBLIC),
        ("0.0.0.0/0", Refused.PUBLIC),
    ]
    assert with_derived(rules, found) == rules


def test_answers_of_stun_and_turn_are_expected_and_allow_nobody() -> None:
    stun, turn = Server("stun.example.net", 19302), Server("turn.example.net", 3479)
    found = derived(stun=(stun,), turn=(turn,))
    assert found.answers == (
        ExpectedAnswers(stun, Asked.STUN),
        ExpectedAnswers(turn, Asked.TURN),
    )
    assert found.exceptions == ()


def test_names_do_not_clash_with_those_of_the_rules() -> None:
    mine = NamedException("asterisk-north", prefixes=space("192.0.2.1"), group="asterisk-south")
    rules = Policy((SIP, RTP), exceptions=(mine,))
    reading = Reading(
        listeners=(listener(5060),),
        trunks=(
            trunk("198.51.100.1"),
            trunk("198.51.100.2", sources=("identify south match",)),
            trunk("198.51.100.3", sources=("identify West match",)),
            trunk("198.51.100.4", sources=("identify west match",)),
            trunk("198.51.100.5", sources=(f"identify {'x' * 60} match",)),
        ),
    )
    together = with_derived(rules, derive(reading, rules))
    names = [each.name for each in together.exceptions]
    assert names[0] == "asterisk-north"
    assert len(set(names)) == 6
    assert "asterisk-south" not in names
    assert all(rule_name(name) for name in names)


_rules = st.sampled_from(
    [
        Policy(),
        SHIPPED,
        Policy((Service("phones", (Ports(UDP, 5000, 30000), Ports(TCP, 1, 5000))),)),
        Policy((SIP,), exceptions=(NamedException("asterisk", prefixes=space("192.0.2.1")),)),
    ]
)


@given(readings, _rules)
def test_rules_are_added_to_and_nothing_else(reading: Reading, rules: Policy) -> None:
    together = with_derived(rules, derive(reading, rules))
    kept = {each.name: each for each in together.services}
    for service in rules.services:
        assert kept[service.name].ports[: len(service.ports)] == service.ports
    assert together.exceptions[: len(rules.exceptions)] == rules.exceptions
    assert together.local == rules.local
    assert together.interfaces == rules.interfaces


@given(readings, _rules)
def test_every_exposed_port_is_fenced_exactly_once(reading: Reading, rules: Policy) -> None:
    found = derive(reading, rules)
    together = with_derived(rules, found)
    every = [ports for service in together.services for ports in service.ports]
    assert not any(one.overlaps(other) for one, other in combinations(every, 2))
    wanted = [Ports(e.protocol, e.port, e.port) for e in reading.listeners if e.exposed]
    ranges = (reading.rtp, *reading.rtp_more, reading.udptl)
    wanted += [each.ports for each in ranges if each is not None]
    for ports in wanted:
        for port in (ports.first, ports.last, (ports.first + ports.last) // 2):
            fenced = [each for each in every if each.protocol is ports.protocol and port in each]
            assert len(fenced) == 1 or (not fenced and port < PRIVILEGED)


@given(readings, _rules)
def test_no_exception_is_for_all_services_or_nowhere(reading: Reading, rules: Policy) -> None:
    own = space("203.0.113.10")
    found = derive(reading, rules, own)
    together = with_derived(rules, found)
    services = {each.name for each in together.services}
    never = own | space("127.0.0.0/8", "::1/128", "224.0.0.0/3", "0.0.0.0/8", "ff00::/8")
    names = [each.name for each in together.exceptions]
    assert len(set(names)) == len(names)
    groups = {each.group for each in together.exceptions}
    assert groups.isdisjoint(names)
    for each in found.exceptions:
        assert each.exception.services
        assert set(each.exception.services) <= services
        assert not each.exception.prefixes.meets(never)
        assert rule_name(each.exception.name)


@given(readings)
def test_a_new_trunk_renames_no_other(reading: Reading) -> None:
    added = trunk("198.51.100.9", HostKind.ADDRESS, sources=("identify quite-new-one match",))
    more = replace(reading, trunks=(*reading.trunks, added))
    before = [each.exception.name for each in derive(reading, SHIPPED).exceptions]
    after = [each.exception.name for each in derive(more, SHIPPED).exceptions]
    assert after[: len(before)] == before
