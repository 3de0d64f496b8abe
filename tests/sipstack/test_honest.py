"""What those lose who are allowed, or whom the PBX asked: nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from geofence.model.prefixes import Family
from tests.sipstack.addresses import (
    OTHER_PHONE,
    PHONE,
    STRANGER,
    STUN,
    TRUNK,
    Role,
    pbx_for,
    sip_host,
)
from tests.sipstack.conftest import IPV4_ONLY
from tests.sipstack.peers import Server, udp_socket, until
from tests.sipstack.site import NOTHING, Site
from tests.sipstack.stacks import Agent
from tests.sipstack.test_before_the_fence import TRACKED
from tests.sipstack.test_while_down import flush_rules, remove

RTP_PACKETS = 10
"""So many more in each direction show that a call goes on; pjsip sends 50 a second."""
STUN_PORT = 3478
RTP_PORT = 10_090
"""One that pjsip does not use yet."""


def phone(site: Site, role: Role = PHONE) -> Agent:
    """A phone that is pjsip."""
    return site.closing.enter_context(Agent(site.lab.internet, site.address(role), rtp=30_000))


def call(site: Site, caller: Agent) -> None:
    """Call the PBX, which takes the call."""
    caller.do("call", f"sip:anybody@{site.host}")
    until(lambda: bool(caller.do("states") == ["CONFIRMED"]))


def talks(site: Site, caller: Agent) -> None:
    """Wait until a call has gone on for a while in both directions."""
    for side in (caller, site.pbx.media):
        hears(side, RTP_PACKETS)


def hears(side: Agent, packets: int) -> None:
    """Wait until one side of its call has heard so many packets more."""
    until(lambda: bool(side.do("media")))
    before = _media(side)["received"]
    until(lambda: _media(side)["received"] >= before + packets)


def _media(side: Agent) -> Mapping[str, int]:
    counted: list[dict[str, int]] = side.do("media")
    assert len(counted) == 1
    return counted[0]


def hang_up(site: Site, caller: Agent) -> dict[str, int]:
    """End the call from the phone, and return what each side had lost of it."""
    lost = {"phone": _media(caller)["lost"], "pbx": _media(site.pbx.media)["lost"]}
    caller.do("hangup")
    until(lambda: bool(site.pbx.media.do("states")[-1] == "DISCONNECTED"))
    return lost


REGISTRANT = pytest.mark.parametrize(
    ("attacked", "family"),
    [("pjsip", Family.IPV4), ("kamailio", Family.IPV6)],
    indirect=True,
)
"""A PBX that registers at a trunk, in each family."""

NO_LOSS = {"phone": 0, "pbx": 0}


def give_up_the_country(site: Site) -> None:
    site.geofence.rule("60.toml", "[allow]\ncountries = []\n")
    site.geofence.ok("apply", "--accept", "live-sources", "--accept", "shut-out")


def apply_again(site: Site) -> None:
    site.geofence.ok("apply")


def flush_and_repair(site: Site) -> None:
    flush_rules(site)
    site.geofence.ok("apply", "--accept", "live-sources")


def remove_and_restore(site: Site) -> None:
    remove(site)
    site.geofence.ok("restore")


@IPV4_ONLY
@pytest.mark.parametrize("deed", [give_up_the_country, flush_and_repair])
def test_a_call_in_progress_loses_nothing(attacked: Site, deed: Callable[[Site], None]) -> None:
    attacked.fence()
    assert lost_during(attacked, deed) == NO_LOSS


@IPV4_ONLY
@pytest.mark.parametrize("deed", [apply_again, remove_and_restore])
def test_calls_in_progress_survive_every_verb(on_pjsip: Site, deed: Callable[[Site], None]) -> None:
    on_pjsip.fence()
    assert lost_during(on_pjsip, deed) == NO_LOSS


def lost_during(site: Site, deed: Callable[[Site], None]) -> dict[str, int]:
    """Return what each side lost of a call in the course of which something is done."""
    caller = phone(site)
    call(site, caller)
    talks(site, caller)
    deed(site)
    talks(site, caller)
    return hang_up(site, caller)


@IPV4_ONLY
@pytest.mark.parametrize("deed", [give_up_the_country, flush_and_repair, remove_and_restore])
def test_a_call_over_a_trunk_abroad_loses_nothing(
    on_pjsip: Site, deed: Callable[[Site], None]
) -> None:
    """The PBX calls; its far end is in no set, and answers and sends media all the same."""
    on_pjsip.fence()
    trunk = phone(on_pjsip, TRUNK)
    on_pjsip.pbx.media.do("call", f"sip:anybody@{sip_host(on_pjsip.address(TRUNK))}")
    until(lambda: bool(on_pjsip.pbx.media.do("states") == ["CONFIRMED"]))
    talks(on_pjsip, trunk)

    deed(on_pjsip)
    talks(on_pjsip, trunk)

    assert hang_up(on_pjsip, trunk) == NO_LOSS


@IPV4_ONLY
def test_strangers_of_a_removed_country_are_blocked(attacked: Site) -> None:
    attacked.fence()
    caller = phone(attacked)
    call(attacked, caller)

    give_up_the_country(attacked)
    talks(attacked, caller)

    assert attacked.got(attacked.peer(OTHER_PHONE)) == NOTHING


@IPV4_ONLY
def test_a_call_from_before_the_first_fence_loses_nothing(attacked: Site) -> None:
    caller = phone(attacked)
    call(attacked, caller)
    talks(attacked, caller)

    attacked.fence()
    talks(attacked, caller)

    assert hang_up(attacked, caller) == NO_LOSS


def test_a_phone_registers(on_kamailio: Site) -> None:
    on_kamailio.fence()
    for by in (on_kamailio.peer(PHONE), on_kamailio.caller(PHONE)):
        assert on_kamailio.works_for(by, "REGISTER")


@IPV4_ONLY
def test_a_phone_that_is_pjsip_registers(on_kamailio: Site) -> None:
    on_kamailio.fence()
    registering = phone(on_kamailio)
    registering.do("register", on_kamailio.host)
    until(lambda: bool(registering.do("registered") == [200]))


@REGISTRANT
@pytest.mark.parametrize("deed", [apply_again, flush_and_repair, remove_and_restore])
def test_a_registration_abroad_continues(attacked: Site, deed: Callable[[Site], None]) -> None:
    """The registrar's answers come in, and its calls on the registered flow."""
    attacked.fence()
    trunk = attacked.registrar(TRUNK)
    assert not heard(attacked, trunk)
    register(attacked, trunk)
    assert heard(attacked, trunk)

    deed(attacked)
    assert heard(attacked, trunk)

    register(attacked, trunk)
    assert heard(attacked, trunk)


@REGISTRANT
@TRACKED
def test_a_registration_from_before_the_first_fence_is_renewed(
    attacked: Site, tracked: bool
) -> None:
    if tracked:
        attacked.track()
    trunk = attacked.registrar(TRUNK)
    register(attacked, trunk)

    attacked.fence()

    register(attacked, trunk)
    assert heard(attacked, trunk)


def register(site: Site, trunk: Server) -> None:
    """Let the PBX register at a trunk, and wait until the answer was delivered to it."""
    site.ear.heard()
    site.pbx.send("REGISTER", trunk.endpoint.address)
    until(lambda: site.has_heard(trunk))


def heard(site: Site, trunk: Server) -> bool:
    """Whether a call from the trunk is delivered to the PBX and answered."""
    before = len(trunk.answers)
    if not site.is_reached_by(trunk, "INVITE"):
        return False
    until(lambda: len(trunk.answers) > before)
    return True


def test_a_stun_server_abroad_answers(on_pjsip: Site) -> None:
    on_pjsip.fence()
    lab, server = on_pjsip.lab, on_pjsip.address(STUN)
    asked = Server(lab, server, STUN_PORT, lambda binding: b"\x01\x01" + binding[2:])
    on_pjsip.closing.enter_context(asked)
    rtp = on_pjsip.closing.enter_context(udp_socket(lab.pbx, pbx_for(server), RTP_PORT))
    rtp.settimeout(30)

    for turn in range(20):
        binding = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes([turn] * 12)
        rtp.sendto(binding, (server, STUN_PORT))
        assert rtp.recv(100) == b"\x01\x01" + binding[2:]


@IPV4_ONLY
def test_repairs_under_traffic_lose_nothing_and_keep_strangers_out(on_pjsip: Site) -> None:
    """A call and a registration go on; a stranger talks all the time, and is out after each."""
    on_pjsip.track()
    on_pjsip.fence()
    caller, stranger = phone(on_pjsip), on_pjsip.peer(STRANGER)
    trunk = on_pjsip.registrar(TRUNK)
    register(on_pjsip, trunk)
    call(on_pjsip, caller)

    for _ in range(3):
        flush_rules(on_pjsip)
        assert on_pjsip.works_for(stranger)
        on_pjsip.geofence.ok("apply", "--accept", "live-sources")
        stranger.answers()
        assert on_pjsip.got(stranger) == NOTHING
        assert heard(on_pjsip, trunk)
        talks(on_pjsip, caller)

    assert hang_up(on_pjsip, caller) == NO_LOSS
