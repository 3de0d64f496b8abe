"""Transports and endpoints of pjsip.conf: what listens, and what is dropped."""

from __future__ import annotations

import pytest

from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import OPEN, UDP, peers, pjsip, ports, sockets, unseen, warned

T = "[a]\ntype=transport\n"
WS = f"{T}protocol=ws\n"
WEB = "[general]\nenabled=yes\nbindaddr=0.0.0.0\n"

TRANSPORTS = {
    "udp by default": ("bind=0.0.0.0\n", {OPEN}),
    "tcp": ("protocol=tcp\nbind=0.0.0.0\n", {"sip 0.0.0.0 5060/tcp v4"}),
    "tls": ("protocol=TLS\nbind=0.0.0.0\n", {"sips 0.0.0.0 5061/tcp v4"}),
    "tls on a port": ("protocol=tls\nbind=0.0.0.0:5060\n", {"sips 0.0.0.0 5060/tcp v4"}),
    "any IPv6 address is not IPv4": ("bind=[::]\n", {"sip :: 5060/udp v6"}),
    "any IPv6 address with a port": ("bind=[::]:5071\n", {"sip :: 5071/udp v6"}),
    "any IPv6 address without brackets": ("bind=::\n", {"sip :: 5060/udp v6"}),
    "one IPv6 address": ("bind=[2001:DB8::1]:5060\n", {"sip 2001:db8::1 5060/udp v6"}),
    "one address": ("bind=192.0.2.1\n", {"sip 192.0.2.1 5060/udp v4"}),
    "loopback": ("bind=127.0.0.1\n", {"sip 127.0.0.1 5060/udp v4 hidden"}),
    "loopback of IPv6": ("bind=[::1]\n", {"sip ::1 5060/udp v6 hidden"}),
    "localhost": ("bind=localhost\n", {"sip 127.0.0.1 5060/udp v4 hidden"}),
    "a port alone is an address": ("bind=5063\n", {"sip 0.0.19.199 5060/udp v4"}),
    "an empty bind is any address": ("bind=\n", {OPEN}),
    "the last bind counts": ("bind=0.0.0.0:1\nbind=0.0.0.0:2\n", {"sip 0.0.0.0 2/udp v4"}),
    "the last protocol counts": (
        "protocol=udp\nprotocol=tcp\nbind=0.0.0.0\n",
        {"sip 0.0.0.0 5060/tcp v4"},
    ),
    "flow opens nothing": ("protocol=flow\n", set()),
    "ws opens nothing of its own": ("protocol=ws\nbind=0.0.0.0:5066\n", set()),
    "wss opens nothing of its own": ("protocol=wss\nbind=0.0.0.0:7443\n", set()),
    "options of wizards are known": ("bind=0.0.0.0\n@pjsip_wizard=x\n", {OPEN}),
}


@pytest.mark.parametrize("case", TRANSPORTS)
def test_where_a_transport_listens(case: str) -> None:
    text, wanted = TRANSPORTS[case]
    reading = pjsip(T + text)
    assert sockets(reading) == wanted
    assert warned(reading) <= {Kind.NO_SIP_TRANSPORT}


DROPPED = {
    "no bind": ("protocol=udp\n", Kind.OPTION_MISSING),
    "ws without bind": ("protocol=ws\n", Kind.OPTION_MISSING),
    "a star": ("bind=*:5065\n", Kind.VALUE_INVALID),
    "no port in a port": ("bind=0.0.0.0:sip\n", Kind.VALUE_INVALID),
    "a port that is too high": ("bind=0.0.0.0:65536\n", Kind.VALUE_INVALID),
    "a hash behind the port": ("bind=0.0.0.0:5070#x\n", Kind.VALUE_INVALID),
    "brackets around IPv4": ("bind=[0.0.0.0]:5060\n", Kind.VALUE_INVALID),
    "an unknown protocol": ("protocol=sctp\nbind=0.0.0.0\n", Kind.VALUE_INVALID),
    "a space in local_net": (
        "bind=0.0.0.0\nlocal_net=10.0.0.0/8, 10.1.0.0/16\n",
        Kind.SPACE_AFTER_COMMA,
    ),
    "a name in local_net": ("bind=0.0.0.0\nlocal_net=lan\n", Kind.VALUE_INVALID),
    "a mask that is too long": ("bind=0.0.0.0\nlocal_net=10.0.0.0/33\n", Kind.VALUE_INVALID),
    "a mask with holes": ("bind=0.0.0.0\nlocal_net=10.0.0.0/255.0.255.0\n", Kind.VALUE_INVALID),
    "a mask of the other family": ("bind=0.0.0.0\nlocal_net=10.0.0.0/ffff::\n", Kind.VALUE_INVALID),
}


@pytest.mark.parametrize("case", DROPPED)
def test_what_drops_a_transport(case: str) -> None:
    text, kind = DROPPED[case]
    reading = pjsip(T + text + "[b]\ntype=transport\nbind=0.0.0.0:9\n")
    assert sockets(reading) == {"sip 0.0.0.0 9/udp v4"}
    assert kind in warned(reading)


@pytest.mark.parametrize("value", ["Transport", "TRANSPORT"])
def test_the_value_of_type_is_compared_letter_by_letter(value: str) -> None:
    reading = pjsip(f"[a]\ntype={value}\nbind=0.0.0.0\n")
    assert sockets(reading) == set()
    assert Kind.TYPE_UNKNOWN in warned(reading)


def test_the_first_type_counts_also_an_inherited_one() -> None:
    reading = pjsip(f"[m](!)\ntype=endpoint\n[b](m)\ntype=transport\nbind=0.0.0.0\n{UDP}type=aor\n")
    assert sockets(reading) == {OPEN}
    given = [each.data for each in reading.warnings if each.kind is Kind.TYPE_GIVEN_BEFORE]
    assert given == [
        {"value": "transport", "first": "endpoint"},
        {"value": "aor", "first": "transport"},
    ]


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("externip", Kind.OPTION_UNKNOWN),
        ("localnet", Kind.OPTION_UNKNOWN),
        ("newer_than_this_reader", Kind.OPTION_UNKNOWN),
        ("external_signaling_hostname", Kind.OPTION_BY_VERSION),
    ],
)
def test_what_an_unknown_option_drops_may_be_open(option: str, kind: Kind) -> None:
    reading = pjsip(f"{UDP}{option}=h.example\nlocal_net=10.0.0.0/8\n")
    assert sockets(reading) == {f"{OPEN} ?"}
    assert reading.local_nets == ()
    [warning] = [each for each in reading.warnings if each.kind is kind]
    assert warning.data == {"options": [option]}


def test_a_second_transport_on_one_address_is_refused() -> None:
    reading = pjsip(f"{UDP}[b]\ntype=transport\nbind=0.0.0.0:5060\nlocal_net=10.0.0.0/8\n")
    assert (sockets(reading), reading.local_nets) == ({OPEN}, ())
    [warning] = reading.warnings
    assert warning.data == {"bind": "0.0.0.0:5060/udp", "other": "pjsip.conf [udp]"}


def test_tls_and_tcp_share_their_ports_and_udp_does_not() -> None:
    text = "".join(
        f"[{each}]\ntype=transport\nprotocol={each}\nbind=0.0.0.0:7\n"
        for each in ("udp", "tcp", "tls")
    )
    reading = pjsip(text)
    assert sockets(reading) == {"sip 0.0.0.0 7/udp v4", "sip 0.0.0.0 7/tcp v4"}
    assert warned(reading) == {Kind.BOUND_TWICE}


def test_of_duplicate_transports_the_sockets_before_stay_open() -> None:
    def one(name: str, port: int) -> str:
        return f"[{name}]\ntype=transport\nbind=0.0.0.0:{port}\nlocal_net=10.0.0.0/8\n"

    reading = pjsip(one("a", 1) + one("b", 2) + one("a", 3) + one("c", 4))
    assert sockets(reading) == {
        "sip 0.0.0.0 1/udp v4",
        "sip 0.0.0.0 2/udp v4",
        "sip 0.0.0.0 3/udp v4 ?",
        "sip 0.0.0.0 4/udp v4 ?",
    }
    assert reading.local_nets == ()
    assert Kind.OBJECT_DUPLICATE in warned(reading)


NETS = {
    "one": ("local_net=192.168.1.0/24\n", ["192.168.1.0/24"]),
    "several in one value": (
        "local_net=192.168.1.0/24,10.0.0.0/8\n",
        ["192.168.1.0/24", "10.0.0.0/8"],
    ),
    "several values": (
        "local_net=192.168.1.0/24\nlocal_net=fd00::/8\n",
        ["192.168.1.0/24", "fd00::/8"],
    ),
    "a dotted mask": ("local_net=10.0.0.0/255.0.0.0\n", ["10.0.0.0/8"]),
    "no mask": ("local_net=10.1.2.3\n", ["10.1.2.3/32"]),
    "no mask on IPv6": ("local_net=fd00::1\n", ["fd00::1/128"]),
    "host bits": ("local_net=10.1.2.3/16\n", ["10.1.0.0/16"]),
    "an IPv4 address as IPv6": ("local_net=::ffff:10.1.2.3\n", ["10.1.2.3/32"]),
    "an empty value starts anew": (
        "local_net=10.0.0.0/8\nlocal_net=\nlocal_net=10.1.1.1\n",
        ["10.1.1.1/32"],
    ),
    "an exclusion": ("local_net=10.0.0.0/30,!10.0.0.1\n", ["10.0.0.0/32", "10.0.0.2/31"]),
    "an exclusion of another": ("local_net=10.0.0.0/30,!10.1.0.0/16\n", ["10.0.0.0/30"]),
    "an exclusion before": ("local_net=!10.0.0.1,10.0.0.0/30\n", ["10.0.0.0/30"]),
    "an exclusion of all": ("local_net=10.0.0.0/30,!10.0.0.0/8\n", []),
}


@pytest.mark.parametrize("case", NETS)
def test_local_networks(case: str) -> None:
    text, wanted = NETS[case]
    reading = pjsip(UDP + text)
    assert list(reading.local_nets) == wanted
    assert warned(reading) == set()


def test_local_networks_of_templates_are_added_to() -> None:
    reading = pjsip(f"[t](!)\nlocal_net=10.0.0.0/8\n[u](t)\n{UDP[6:]}local_net=192.168.0.0/16\n")
    assert reading.local_nets == ("10.0.0.0/8", "192.168.0.0/16")


def test_addresses_seen_from_outside() -> None:
    reading = pjsip(
        f"{UDP}external_media_address=a.example\nexternal_signaling_address=203.0.113.1\n"
        "[v]\ntype=transport\nprotocol=tls\nbind=[::]:5061\n"
        "external_signaling_address=2001:db8::9\nexternal_signaling_port=15061\n"
    )
    assert reading.external == ("203.0.113.1", "a.example", "2001:db8::9", "[2001:db8::9]:15061")
    assert warned(reading) == {Kind.FORWARDED_PORT}


ENDPOINTS = {
    "both": ("rtp_port_start=20000\nrtp_port_end=20999\n", ["20000-20999"]),
    "an odd start is not rounded up": (
        "rtp_port_start=20001\nrtp_port_end=20002\n",
        ["20000-20003"],
    ),
    "an even end": ("rtp_port_start=20000\nrtp_port_end=20010\n", ["20000-20011"]),
    "only one": ("rtp_port_start=20000\n", []),
    "below 1024": ("rtp_port_start=1000\nrtp_port_end=2000\n", []),
    "upside down": ("rtp_port_start=3000\nrtp_port_end=2000\n", []),
    "no numbers": ("rtp_port_start=a\nrtp_port_end=b\n", []),
}


@pytest.mark.parametrize("case", ENDPOINTS)
def test_ports_of_endpoints(case: str) -> None:
    text, wanted = ENDPOINTS[case]
    reading = pjsip(f"{UDP}[x]\ntype=endpoint\n{text}")
    assert [ports(each) for each in reading.rtp_more] == wanted


@pytest.mark.parametrize(
    ("text", "families"),
    [
        ("", {4, 6}),
        ("transport=udp\n", {4, 6}),
        ("transport=one\n", {4}),
        ("transport=none\n", {4, 6}),
        ("media_address=2001:db8::1\nbind_rtp_to_media_address=yes\n", {6}),
        ("media_address=2001:db8::1\n", {4, 6}),
    ],
)
def test_media_is_of_both_families_unless_an_address_narrows_it(
    text: str, families: set[int]
) -> None:
    one = "[one]\ntype=transport\nbind=192.0.2.1\n"
    own = "rtp_port_start=20000\nrtp_port_end=20999\n"
    [more] = pjsip(f"{UDP}{one}[x]\ntype=endpoint\n{own}{text}").rtp_more
    assert more.families == families


def test_an_endpoint_without_anything_special_is_not_looked_at() -> None:
    reading = pjsip(f"{UDP}[x]\ntype=endpoint\nold_word=yes\n")
    assert warned(reading) == set()


def test_no_transport_at_all_is_said() -> None:
    assert warned(pjsip("[x]\ntype=aor\n")) == {Kind.NO_SIP_TRANSPORT}


def test_chan_sip_alone_is_said_and_not_read() -> None:
    reading = pjsip("", sip="[general]\nbindport=5061\n[t]\nhost=h.example\n")
    assert (sockets(reading), peers(reading)) == (set(), set())
    assert unseen(reading) == {Kind.CHAN_SIP_ONLY}


def test_an_old_sip_conf_beside_pjsip_is_nothing_special() -> None:
    reading = pjsip(UDP, sip="[general]\nbindport=5061\n")
    assert (sockets(reading), unseen(reading)) == ({OPEN}, set())


def test_websockets_are_those_of_the_web_server() -> None:
    reading = pjsip(f"{WS}bind=0.0.0.0:5066\n", http=WEB)
    assert sockets(reading) == {"http 0.0.0.0 8088/tcp v4"}


def test_words_of_chan_sip_in_a_section_without_a_type_are_ignored() -> None:
    text = "[general]\nextern_ip=203.0.113.1\nlocal_net=10.0.0.0/8\nbindport=5099\nnat=yes\n"
    reading = pjsip(f"{text}[t]\ntype=user\nhost=192.0.2.1\n{UDP}")
    assert (sockets(reading), peers(reading)) == ({OPEN}, set())
    assert (reading.local_nets, reading.external, warned(reading)) == ((), (), set())
