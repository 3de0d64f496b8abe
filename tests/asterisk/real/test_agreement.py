"""Configurations as Asterisk itself reads them, beside what the reader makes of them.

Where no Asterisk can run, what one answered earlier stands in, and the tests' names say so.
"""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path

import pytest

from geofence.asterisk.reader import read_configuration
from geofence.asterisk.reading import Reading
from tests.asterisk.real.asterisk import Asterisk, missing
from tests.asterisk.real.cases import Case, cases
from tests.asterisk.real.facts import Facts, Socket, read, told
from tests.asterisk.real.hosts import OWN, by_address, pbx_host
from tests.asterisk.real.transcript import Transcript, recorded, release, take

_HOW = "recorded" if missing() else "live"
NOT_SHOWN = {"09-database-backed": {"203.0.113.10"}}
"""External addresses that Asterisk has no command to show: those of ICE."""


@pytest.fixture(scope="module", params=cases(), ids=lambda case: f"{case.name}-{_HOW}")
def case(request: pytest.FixtureRequest) -> Case:
    """Each configuration in turn."""
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture(scope="module")
def directory(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return case.directory(tmp_path_factory.mktemp("configuration"))


@pytest.fixture(scope="module")
def transcript(case: Case, directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    if missing():
        warnings.warn(f"compared with what was recorded: {missing()}", stacklevel=1)
        return recorded(case.name)
    with (
        pbx_host(case.names) as host,
        Asterisk(host, directory, tmp_path_factory.mktemp("asterisk")) as asterisk,
    ):
        return take(asterisk)


@pytest.fixture(scope="module")
def by_asterisk(case: Case, transcript: Transcript) -> Facts:
    return told(transcript, by_address(case.names), OWN)


@pytest.fixture(scope="module")
def reading(directory: Path) -> Reading:
    return read_configuration(directory)


@pytest.fixture(scope="module")
def by_reader(reading: Reading) -> Facts:
    return read(reading)


def test_the_reader_knows_each_socket_that_listens(by_asterisk: Facts, by_reader: Facts) -> None:
    assert by_asterisk.sockets - by_reader.sockets - by_reader.uncertain == set()


def test_what_the_reader_is_certain_of_listens(by_asterisk: Facts, by_reader: Facts) -> None:
    can_be_bound = {socket for socket in by_reader.sockets if _is_here(socket)}
    assert can_be_bound - by_asterisk.sockets == set()


def test_the_ranges_of_media_agree(by_asterisk: Facts, by_reader: Facts, reading: Reading) -> None:
    assert reading.rtp
    assert by_asterisk.rtp
    assert by_reader.rtp == _with_later_versions(by_asterisk.rtp, reading)
    assert by_reader.rtp_more == by_asterisk.rtp_more
    assert by_reader.udptl == by_asterisk.udptl
    assert by_reader.udptl_needed == by_asterisk.udptl_needed


def test_the_hosts_of_trunks_agree(case: Case, by_asterisk: Facts, by_reader: Facts) -> None:
    known = {(host, port) for host, port in by_reader.hosts if host not in case.dropped}
    assert known == by_asterisk.hosts
    assert by_reader.left_out == by_asterisk.left_out


def test_networks_and_addresses_agree(case: Case, by_asterisk: Facts, by_reader: Facts) -> None:
    assert by_reader.local_nets == by_asterisk.local_nets
    assert by_reader.external - NOT_SHOWN.get(case.name, set()) == by_asterisk.external
    assert by_reader.stun == by_asterisk.stun


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_what_was_recorded_is_what_asterisk_still_answers(
    case: Case, transcript: Transcript, by_asterisk: Facts
) -> None:
    if release(transcript) != release(recorded(case.name)):
        pytest.skip("this is another release of Asterisk than the one that was recorded")
    before = told(recorded(case.name), by_address(case.names), OWN)
    changed = [each.name for each in fields(Facts) if _differ(before, by_asterisk, each.name)]
    assert changed == [], "python -m tests.asterisk.real records it anew"


def _differ(one: Facts, other: Facts, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))


def _is_here(socket: Socket) -> bool:
    """Whether a socket can be bound, as one at another host's address cannot."""
    return socket.address in OWN | {"any", "127.0.0.1", "::1"}


def _with_later_versions(used: tuple[int, int], reading: Reading) -> tuple[int, int]:
    """Return a range together with that of later versions, where these read the file otherwise."""
    assert reading.rtp
    later = reading.rtp.declared_from_23
    return (min(used[0], later[0]), max(used[1], later[1] | 1)) if later else used
