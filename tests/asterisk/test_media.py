"""rtp.conf and udptl.conf: which ports carry media, and which servers help through NAT."""

from __future__ import annotations

import pytest

from geofence.asterisk.reading import Reading, Server
from geofence.asterisk.reading import WarningKind as Kind
from tests.asterisk.told import UDP, pjsip, ports, unseen, warned


def rtp(text: str) -> Reading:
    return pjsip(UDP, rtp=text)


RTP = {
    "nothing": ("", "5000-31001", None),
    "an empty section": ("[general]\n", "5000-31001", None),
    "RTCP above an even end": (
        "[general]\nrtpstart=10000\nrtpend=20000\n",
        "10000-20001",
        (10000, 20000),
    ),
    "an odd end": ("[general]\nrtpstart=10000\nrtpend=19999\n", "10000-19999", (10000, 19999)),
    "an odd start is rounded up": (
        "[general]\nrtpstart=16385\nrtpend=16484\n",
        "16386-16485",
        (16385, 16484),
    ),
    "only a start": ("[general]\nrtpstart=10000\n", "10000-31001", (10000, 31000)),
    "only an end": ("[general]\nrtpend=10000\n", "5000-10001", (5000, 10000)),
    "too low": ("[general]\nrtpstart=10\nrtpend=2000\n", "1024-2001", (10, 2000)),
    "too high": ("[general]\nrtpstart=60000\nrtpend=70000\n", "60000-65535", (60000, 70000)),
    "the highest even end": (
        "[general]\nrtpstart=60000\nrtpend=65534\n",
        "60000-65535",
        (60000, 65534),
    ),
    "text is 0": ("[general]\nrtpstart=ten\nrtpend=2000\n", "1024-2001", (0, 2000)),
    "text behind a number": (
        "[general]\nrtpstart=10000 x\nrtpend=10100ports\n",
        "10000-10101",
        (10000, 10100),
    ),
    "below 0": ("[general]\nrtpstart=-5\nrtpend=2000\n", "1024-2001", (-5, 2000)),
    "the other way round": (
        "[general]\nrtpstart=20000\nrtpend=10000\n",
        "5000-31001",
        (20000, 10000),
    ),
    "start and end alike": (
        "[general]\nrtpstart=10000\nrtpend=10000\n",
        "5000-31001",
        (10000, 10000),
    ),
    "alike after rounding": (
        "[general]\nrtpstart=9999\nrtpend=10000\n",
        "5000-31001",
        (9999, 10000),
    ),
    "the second section of a name": (
        "[general]\n[general]\nrtpstart=10000\nrtpend=10100\n",
        "5000-31001",
        None,
    ),
    "a template is not read": ("[general](!)\nrtpstart=10000\nrtpend=10100\n", "5000-31001", None),
    "what a template gives is": (
        "[t](!)\nrtpstart=10000\n[general](t)\nrtpend=10100\n",
        "10000-10101",
        (10000, 10100),
    ),
    "what is added to a section is": (
        "[general]\nrtpstart=10000\n[x]\n[general](+)\nrtpend=10100\n",
        "10000-10101",
        (10000, 10100),
    ),
    "the name in other letters": (
        "[General]\nRtpStart=10000\nRTPEND=10100\n",
        "10000-10101",
        (10000, 10100),
    ),
}


@pytest.mark.parametrize("case", RTP)
def test_ports_of_rtp(case: str) -> None:
    text, wanted, declared = RTP[case]
    reading = rtp(text)
    assert reading.rtp is not None
    assert ports(reading.rtp) == wanted
    assert (reading.rtp.declared, reading.rtp.declared_from_23) == (declared, None)
    assert reading.rtp.families == {4, 6}
    assert warned(reading) <= {Kind.RANGE_INVALID}
    assert (Kind.RANGE_INVALID in warned(reading)) == (
        wanted == "5000-31001" and declared is not None
    )


def test_without_rtp_conf_the_built_in_ports_count() -> None:
    reading = pjsip(UDP)
    assert ports(reading.rtp) == "5000-31001"
    assert reading.rtp is not None
    assert reading.rtp.declared is None


def test_a_key_given_twice_is_read_in_both_ways() -> None:
    reading = rtp("[general]\nrtpstart=10000\nrtpend=10999\nrtpstart=9000\nrtpend=12000\n")
    assert reading.rtp is not None
    assert ports(reading.rtp) == "9000-12001"
    assert reading.rtp.declared == (10000, 10999)
    assert reading.rtp.declared_from_23 == (9000, 12000)
    assert warned(reading) == {Kind.KEY_TWICE}


def test_the_same_value_twice_is_nothing_special() -> None:
    reading = rtp("[general]\nrtpstart=10000\nrtpstart=10000\n")
    assert warned(reading) == set()


def test_a_refused_rtp_conf_leaves_the_ports_unknown() -> None:
    reading = rtp("[general\n")
    assert (reading.rtp, reading.invalid) == (None, ("rtp.conf",))


def test_a_placeholder_for_a_port_is_named() -> None:
    reading = rtp("[general]\nrtpstart=${RTP_START}\nrtpend=10100\n")
    assert unseen(reading) == {Kind.PLACEHOLDER}


SERVERS = {
    "stun.example": Server("stun.example", 3478),
    "stun.example:19302": Server("stun.example", 19302),
    "192.0.2.3": Server("192.0.2.3", 3478),
    "192.0.2.3:3479": Server("192.0.2.3", 3479),
}


@pytest.mark.parametrize("value", SERVERS)
def test_stun_and_turn_servers(value: str) -> None:
    reading = rtp(f"[general]\nstunaddr={value}\nturnaddr={value} ; ours\n")
    assert (reading.stun, reading.turn) == ((SERVERS[value],), (SERVERS[value],))
    assert reading.trunks == ()


def test_a_stun_server_given_twice_is_read_in_both_ways() -> None:
    reading = rtp("[general]\nstunaddr=a.example\nstunaddr=b.example\nstunaddr=\n")
    assert reading.stun == (Server("a.example", 3478), Server("b.example", 3478))


@pytest.mark.parametrize("value", ["a b", "h.example:stun", "${STUN}"])
def test_a_bad_server_is_reported(value: str) -> None:
    reading = rtp(f"[general]\nstunaddr={value}\n")
    assert reading.stun == ()
    assert warned(reading) | unseen(reading) <= {Kind.VALUE_INVALID, Kind.PLACEHOLDER} != set()


def test_addresses_for_ice_are_seen_from_outside() -> None:
    text = (
        "[ice_host_candidates]\n192.0.2.10 => 203.0.113.10,include_local_address\n10.0.0.1 => x\n"
    )
    reading = rtp(text)
    assert reading.external == ("203.0.113.10",)


FAX = {
    "the sample": ("[general]\nudptlstart=4000\nudptlend=4999\n", "4000-4999", (4000, 4999)),
    "nothing": ("[general]\n", "4000-4999", None),
    "an odd start": ("[general]\nudptlstart=4101\nudptlend=4200\n", "4101-4200", (4101, 4200)),
    "even ports": (
        "[general]\nudptlstart=4101\nudptlend=4201\nuse_even_ports=yes\n",
        "4102-4200",
        (4101, 4201),
    ),
    "a bad start": ("[general]\nudptlstart=80\nudptlend=4200\n", "4000-4200", (4000, 4200)),
    "a bad end": ("[general]\nudptlstart=4100\nudptlend=x\n", "4100-4999", (4100, 4999)),
    "the other way round": (
        "[general]\nudptlstart=4900\nudptlend=4100\n",
        "4000-4999",
        (4900, 4100),
    ),
    "the last value counts": (
        "[general]\nudptlstart=4100\nudptlstart=4200\n",
        "4200-4999",
        (4200, 4999),
    ),
}


@pytest.mark.parametrize("case", FAX)
def test_ports_of_faxes(case: str) -> None:
    text, wanted, declared = FAX[case]
    for t38 in ("yes", "no"):
        reading = pjsip(f"{UDP}[x]\ntype=endpoint\nt38_udptl={t38}\n", udptl=text)
        assert reading.udptl is not None
        assert ports(reading.udptl) == wanted
        assert reading.udptl.declared == declared
        assert reading.udptl.needed == (t38 == "yes")


def test_faxes_without_udptl_conf_have_the_built_in_ports() -> None:
    reading = pjsip(f"{UDP}[t](!)\nt38_udptl=yes\n[x](t)\ntype=endpoint\n")
    assert ports(reading.udptl) == "4000-4999"
    assert pjsip(UDP).udptl is None
