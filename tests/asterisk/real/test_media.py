"""Which ports media really has, beside those that the reader gives to the fence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from geofence.asterisk.reader import read_configuration
from tests.asterisk.real.asterisk import Asterisk
from tests.sipstack.peers import until

PJSIP = """\
[udp]
type=transport
bind=0.0.0.0:5060

[shared]
type=endpoint
allow=ulaw
aors=nobody
[own]
type=endpoint
allow=ulaw
aors=nobody
rtp_port_start=20001
rtp_port_end=20002
[bound]
type=endpoint
transport=udp
allow=ulaw
aors=nobody

[nobody]
type=aor
contact=sip:203.0.113.77
"""
RTP = "[general]\nrtpstart=10000\nrtpend=10004\n"


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    (made := tmp_path / "configuration").mkdir()
    (made / "pjsip.conf").write_text(PJSIP)
    (made / "rtp.conf").write_text(RTP)
    return made


def media(asterisk: Asterisk, *, begun: str = "") -> dict[int, str]:
    """Return the addresses of the sockets of calls, by port; begin a call of an endpoint first."""
    before = _sockets(asterisk)
    if begun:
        asterisk.rx(f"channel originate PJSIP/{begun} application Wait 60")
        until(lambda: len(_sockets(asterisk)) == len(before) + 2)
    return _sockets(asterisk)


def _sockets(asterisk: Asterisk) -> dict[int, str]:
    found = re.findall(r"(\S+):([12]0\d\d\d)\s", asterisk.sockets("-lun"))
    return {int(port): address for address, port in found}


def test_calls_use_the_ports_that_the_reader_gives(
    start: Callable[[Path], Asterisk], configuration: Path
) -> None:
    reading = read_configuration(configuration)
    assert reading.rtp
    asterisk = start(configuration)

    shared = media(asterisk, begun="shared")
    bound = {port: at for port, at in media(asterisk, begun="bound").items() if port not in shared}
    three = media(asterisk, begun="shared")
    four = media(asterisk, begun="own")

    # Whatever SIP is bound to: both families, unless the endpoint's transport is bound to one.
    assert (set(shared.values()), set(bound.values())) == ({"*"}, {"0.0.0.0"})  # noqa: S104
    # RTCP has the port above the last, which is even.
    assert set(three) == set(range(reading.rtp.first, reading.rtp.last + 1))
    assert reading.rtp.last == 10_005
    [own_range] = reading.rtp_more
    assert set(four) - set(three) <= set(range(own_range.first, own_range.last + 1))
    assert own_range.first == 20_000
