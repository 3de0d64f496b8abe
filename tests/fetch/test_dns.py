from __future__ import annotations

import pytest

from geofence.errors import ListError
from geofence.fetch.dns import MOST_SERVERS, Resolution, resolve, resolve_sip, resolve_srv
from geofence.fetch.records import Ask, Records, RecordType
from geofence.model.lists import MOST_ADDRESSES
from geofence.model.prefixes import AddressSpace, Family
from tests.support.values import prefix

SERVFAIL = Records(failure="SERVFAIL")
SRV = "_sips._tcp.provider.net"


def answering(answers: dict[str, Records | list[str]]) -> Ask:
    """A resolver's answers by name, for a host's family by ``NAME/TYPE``; nothing for others."""

    def ask(name: str, wanted: RecordType, _seconds: float) -> Records:
        found = answers.get(f"{name}/{wanted}", answers.get(name, []))
        if isinstance(found, Records):
            return found
        if wanted is RecordType.SRV:
            return Records(tuple(found) if name.startswith("_") else (), 300)
        return Records(tuple(e for e in found if (":" in e) == (wanted is RecordType.AAAA)), 60)

    return ask


def of(host: str, *addresses: str) -> Ask:
    return answering({host: list(addresses)})


def space(*prefixes: str) -> AddressSpace:
    return AddressSpace.of(map(prefix, prefixes))


def test_both_families_sorted_and_each_address_once() -> None:
    ask = of("push.example", "198.51.100.9", "192.0.2.1", "2001:DB8:0::1", "2001:db8::1")
    expected = Resolution(("192.0.2.1", "198.51.100.9"), ("2001:db8::1",), ttl=60)
    assert resolve("push.example", 5, ask) == expected


def test_the_shortest_time_to_live_of_both_families_counts() -> None:
    name = "push.example"
    answers: dict[str, Records | list[str]] = {
        f"{name}/A": Records(("192.0.2.1",), 300),
        f"{name}/AAAA": Records(("2001:db8::1",), 20),
    }
    assert resolve(name, 5, answering(answers)).ttl == 20
    answers[f"{name}/AAAA"] = Records()
    assert resolve(name, 5, answering(answers)).ttl == 300
    answers[f"{name}/A"] = Records(("192.0.2.1",))
    assert resolve(name, 5, answering(answers)).ttl is None


def test_a_family_of_which_dns_cannot_tell_is_unknown() -> None:
    ask = answering({"push.example": ["192.0.2.1"], "push.example/AAAA": SERVFAIL})
    assert resolve("push.example", 5, ask) == Resolution(
        ("192.0.2.1",), (), frozenset({Family.IPV6}), 60
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Records(), "DNS has no address for push.example. Is the name correct"),
        (SERVFAIL, r"The DNS lookup of push.example failed \(SERVFAIL\)"),
    ],
)
def test_no_address_at_all(answer: Records, why: str) -> None:
    with pytest.raises(ListError, match=why):
        resolve("push.example", 5, answering({"push.example/A": answer}))


def test_a_name_with_srv_records_alone_is_told_how_to_be_written() -> None:
    host = "tel.provider.net"
    ask = answering({f"_sip._udp.{host}": ["a.provider.net"], f"_sips._tcp.{host}": ["a.example"]})
    rule = f'srv = \\["_sip._udp.{host}", "_sips._tcp.{host}"\\]'
    with pytest.raises(ListError, match=f"but SRV records. Write {rule} instead of the host name"):
        resolve(host, 5, ask)


def test_srv_records_written_as_a_host_name_are_recognised() -> None:
    with pytest.raises(ListError, match=f'Write srv = \\["{SRV}"\\] instead of the host name'):
        resolve(SRV, 5, answering({f"{SRV}/SRV": ["a.provider.net"]}))


PRIVATE = ["10.1.2.3", "172.31.255.255", "192.168.7.7", "100.64.0.1", "fd00::1"]


@pytest.mark.parametrize("host", ["pbx", "pbx.lan", "pbx.office.local", "pbx.home.arpa"])
@pytest.mark.parametrize("address", PRIVATE)
def test_a_local_name_may_have_a_private_address(host: str, address: str) -> None:
    assert resolve(host, 5, of(host, address)).addresses == (address,)


@pytest.mark.parametrize("address", ["192.0.2.1", "64:ff9b::c000:201", "172.32.0.1", "2001:db8::1"])
def test_a_public_name_may_have_public_and_translated_addresses(address: str) -> None:
    name = "sip.provider.net"
    assert resolve(name, 5, of(name, address)).addresses == (address,)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_public_name_has_a_private_address_only_if_the_rules_say_so(address: str) -> None:
    ask = answering({"sip.provider.net": ["8.8.8.8", address], SRV: ["sip.provider.net"]})
    within = space("8.8.8.8/32", "fd00::/16", *PRIVATE_NETWORKS)
    for name, resolver in (("sip.provider.net", resolve), (SRV, resolve_srv)):
        with pytest.raises(ListError, match=rf'a private address.*add within = \["{address}"\]'):
            resolver(name, 5, ask)
        assert address in resolver(name, 5, ask, within).addresses


PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")


def test_answers_outside_of_what_the_rules_name_spoil_the_answer() -> None:
    within = space("192.0.2.0/24", "2001:db8::/32")
    name = "sip.provider.net"
    inside = of(name, "192.0.2.1", "192.0.2.255", "2001:db8::1")
    assert len(resolve(name, 5, inside, within).addresses) == 3
    for outside in ("192.0.3.0", "2001:db9::"):
        with pytest.raises(ListError, match=rf'gives {outside} for .*, which is outside "within"'):
            resolve(name, 5, of(name, "192.0.2.1", outside), within)


def test_not_even_the_rules_make_a_loopback_address_of_a_distant_host() -> None:
    ask = of("sip.provider.net", "127.0.0.1")
    with pytest.raises(ListError, match="a loopback address"):
        resolve("sip.provider.net", 5, ask, space("127.0.0.0/8"))


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "taken"), [(64, 0, True), (32, 32, True), (40, 25, False)]
)
def test_a_name_has_no_more_addresses_than_a_pool(ipv4: int, ipv6: int, taken: bool) -> None:
    addresses = [f"192.0.2.{n}" for n in range(ipv4)] + [
        f"2001:db8::{n + 1:x}" for n in range(ipv6)
    ]
    ask = of("sip.provider.net", *addresses)
    if taken:
        assert len(resolve("sip.provider.net", 5, ask).addresses) == MOST_ADDRESSES
    else:
        with pytest.raises(ListError, match=r"gives 65 addresses for .*at most 64"):
            resolve("sip.provider.net", 5, ask)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"),  # noqa: S104 - nothing is bound
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("255.255.255.255", "reserved"),
        ("::ffff:192.0.2.1", "reserved"),
    ],
)
def test_addresses_no_distant_host_can_have_spoil_the_answer(address: str, kind: str) -> None:
    ask = answering({"sip.provider.net": ["192.0.2.1", address], SRV: ["sip.provider.net"]})
    for name, resolver in (("sip.provider.net", resolve), (SRV, resolve_srv)):
        with pytest.raises(ListError, match=f"{address} for sip.*, which is an? {kind} address"):
            resolver(name, 5, ask)


def test_srv_records_stand_for_the_addresses_of_all_their_servers() -> None:
    ask = answering(
        {
            SRV: ["a.provider.net", "b.provider.net", "a.provider.net"],
            "a.provider.net": ["192.0.2.7", "2001:db8::7"],
            "b.provider.net": ["192.0.2.1"],
        }
    )
    assert resolve_srv(SRV, 5, ask) == Resolution(
        ("192.0.2.1", "192.0.2.7"), ("2001:db8::7",), ttl=60
    )


def test_a_server_that_dns_cannot_tell_makes_its_families_unknown() -> None:
    ask = answering(
        {
            SRV: ["a.provider.net", "b.provider.net"],
            "a.provider.net": ["192.0.2.7"],
            "b.provider.net/A": SERVFAIL,
        }
    )
    assert resolve_srv(SRV, 5, ask).unknown == {Family.IPV4}


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        (Records(), f"DNS has no SRV record for {SRV}. Is the name correct"),
        (Records(("",), 60), "says that there is no such service"),
        (SERVFAIL, f"The DNS lookup of {SRV} failed"),
        (Records(("nowhere.provider.net",), 60), f"DNS has no address for {SRV}"),
        (Records(("a.provider.net", "pbx.lan"), 60), '"pbx.lan", which is a local name'),
        (Records(("a.provider.net", "localhost"), 60), '"localhost", which is a local name'),
        (Records(("a.provider.net", "192.0.2.1"), 60), '"192.0.2.1", which is not a valid host'),
        (Records(("a b.provider.net",), 60), "which is not a valid host"),
        (Records(("a..net",), 60), "which is not a valid host"),
        (
            Records(tuple(f"{n}.provider.net" for n in range(MOST_SERVERS + 1)), 60),
            "give 17 servers, but at most 16 are allowed",
        ),
    ],
)
def test_srv_records_that_are_not_used(servers: Records, why: str) -> None:
    ask = answering({SRV: servers, "a.provider.net": ["192.0.2.1"], "pbx.lan": ["192.0.2.2"]})
    with pytest.raises(ListError, match=why):
        resolve_srv(SRV, 5, ask)


def test_a_local_name_may_give_local_servers() -> None:
    ask = answering({"_sip._udp.office.lan": ["pbx.lan"], "pbx.lan": ["192.168.1.2"]})
    assert resolve_srv("_sip._udp.office.lan", 5, ask).addresses == ("192.168.1.2",)


def test_the_servers_of_one_service_have_no_more_addresses_than_one_name() -> None:
    answers: dict[str, Records | list[str]] = {
        f"{n}.provider.net": [f"192.0.2.{n * 5 + m}" for m in range(5)] for n in range(13)
    }
    ask = answering({SRV: list(answers), **answers})
    with pytest.raises(ListError, match=f"DNS gives 65 addresses for {SRV}"):
        resolve_srv(SRV, 5, ask)


def test_all_questions_share_the_time() -> None:
    left: list[float] = []

    def ask(_name: str, _wanted: RecordType, seconds: float) -> Records:
        left.append(seconds)
        return Records(failure="no answer in time")

    with pytest.raises(ListError, match="no answer in time"):
        resolve("push.example", 8, ask)
    assert left[0] == pytest.approx(4, abs=0.5)
    assert left[1] == pytest.approx(8, abs=0.5)


DOMAIN = "voice.provider.net"


def test_a_sip_domain_has_the_servers_of_its_records_and_the_host_itself() -> None:
    ask = answering(
        {
            f"_sip._udp.{DOMAIN}": ["a.provider.net"],
            f"_sips._tcp.{DOMAIN}": ["b.provider.net", "a.provider.net"],
            "a.provider.net": ["192.0.2.1"],
            "b.provider.net": ["2001:db8::2"],
            DOMAIN: ["192.0.2.3"],
        }
    )
    assert resolve_sip(DOMAIN, 5, ask) == Resolution(
        ("192.0.2.1", "192.0.2.3"), ("2001:db8::2",), ttl=60
    )


@pytest.mark.parametrize(
    "answers", [{DOMAIN: ["192.0.2.3"]}, {f"_sip._tcp.{DOMAIN}": ["a.provider.net"]}]
)
def test_a_sip_domain_may_lack_records_or_an_address(
    answers: dict[str, Records | list[str]],
) -> None:
    found = resolve_sip(DOMAIN, 5, answering({"a.provider.net": ["192.0.2.3"], **answers}))
    assert found.addresses == ("192.0.2.3",)
    assert not found.unknown


@pytest.mark.parametrize("records", [{}, {f"_sip._udp.{DOMAIN}": Records(("",))}])
def test_a_sip_domain_without_any_address_is_an_error(
    records: dict[str, Records | list[str]],
) -> None:
    with pytest.raises(ListError, match=f"no address for {DOMAIN}"):
        resolve_sip(DOMAIN, 5, answering(records))


def test_addresses_of_a_sip_domain_stay_while_dns_cannot_tell_its_records() -> None:
    ask = answering({f"_sip._udp.{DOMAIN}": SERVFAIL, DOMAIN: ["192.0.2.3"]})
    assert resolve_sip(DOMAIN, 5, ask).unknown == set(Family)
    with pytest.raises(ListError, match="SERVFAIL"):
        resolve_sip(DOMAIN, 5, answering({f"_sip._udp.{DOMAIN}": SERVFAIL}))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "224.0.0.1"])
def test_a_server_of_a_sip_domain_must_not_be_near(address: str) -> None:
    ask = answering({f"_sip._udp.{DOMAIN}": ["a.provider.net"], "a.provider.net": [address]})
    with pytest.raises(ListError, match="not used"):
        resolve_sip(DOMAIN, 5, ask)


def test_a_sip_domain_does_not_lead_to_hundreds_of_servers() -> None:
    many = [f"s{number}.provider.net" for number in range(MOST_SERVERS + 1)]
    with pytest.raises(ListError, match="servers"):
        resolve_sip(DOMAIN, 5, answering({f"_sip._udp.{DOMAIN}": many}))
