"""Nothing is found on a healthy PBX, and what cannot be looked at is told."""

from __future__ import annotations

from tests.doctor.ward import Ward


def test_nothing_is_found_on_a_healthy_pbx(each: Ward) -> None:
    assert each.found() == []


def test_random_high_ports_of_asterisk_are_its_own(pbx: Ward) -> None:
    """Asterisk holds one for each family, which are no SIP."""
    pbx.hold("asterisk", "40123/udp", ":::41234/udp")
    assert pbx.found() == []


def test_sockets_of_other_programs_and_on_loopback_are_no_business_of_the_fence(pbx: Ward) -> None:
    pbx.hold("sshd", "22/tcp")
    pbx.hold("named", "53/udp")
    pbx.hold("asterisk", "127.0.0.1:5038/tcp")
    assert pbx.found() == []
