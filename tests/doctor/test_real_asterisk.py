"""A real Asterisk: its sockets, its console, and nothing that it holds for itself is reported."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from geofence.doctor.findings import FindingKind as Kind
from geofence.model.policy import BackendChoice
from geofence.operations.doctor import DoctorReport, Examined, doctor
from geofence.operations.site import Site
from tests.asterisk.real.asterisk import Asterisk, missing
from tests.doctor.ward import HEALTHY, Ward, ward

PHONE = """\
[101]
type=endpoint
aors=101
context=default
disallow=all
allow={codec}

[101]
type=aor
max_contacts=3
"""
_TLS = "bind=0.0.0.0:5061\n"
REGISTER = (
    "REGISTER sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {at}:5060;branch=z9hG4bKx1\r\n"
    "From: <sip:101@x>;tag=a\r\nTo: <sip:101@x>\r\nCall-ID: abc\r\nCSeq: 1 REGISTER\r\n"
    "Contact: <sip:101@{at}:5060>\r\nMax-Forwards: 70\r\nExpires: 600\r\n"
    "Content-Length: 0\r\n\r\n"
)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Callable[[str], tuple[Ward, Asterisk]]]:
    """Start an Asterisk on a healthy PBX, in the place of the process that stands for it."""
    if missing():
        pytest.skip(missing())
    with ExitStack() as closing:
        pbx = closing.enter_context(ward(tmp_path, "nftables"))
        pbx.processes[0].kill()
        pbx.processes[0].wait()

        def started(codec: str) -> tuple[Ward, Asterisk]:
            (own := tmp_path / "own").mkdir()
            text = HEALTHY["pjsip.conf"] + PHONE.format(codec=codec)
            tls = f"{_TLS}cert_file=/etc/ast.pem\npriv_key_file=/etc/ast.pem\n"
            pbx.configure(pjsip=text.replace(_TLS, tls))
            made = Asterisk(pbx.machine.host, pbx.asterisk, own)
            return pbx, closing.enter_context(made)

        yield started


def examined(pbx: Ward, asterisk: Asterisk, directory: Path) -> DoctorReport:
    made = pbx.machine
    (directory / "bin").mkdir()
    site = Site(made.rules, made.state, BackendChoice(made.backend), log_changes=False)
    console = str(asterisk.command(directory / "bin"))
    with made.host.entered():
        return doctor(site, Examined(pbx.asterisk, pbx.root, offline=True, console=console))


def kinds(report: DoctorReport) -> set[Kind]:
    return {each.kind for each in report.findings} - {Kind.CLOCK_UNSYNCHRONISED}


def test_nothing_is_found_on_a_real_healthy_asterisk(
    real: Callable[[str], tuple[Ward, Asterisk]], tmp_path: Path
) -> None:
    pbx, asterisk = real("g722")
    report = examined(pbx, asterisk, tmp_path)
    assert kinds(report) == set(), report
    assert report.unchecked == ()


def test_a_push_server_that_really_registered_and_a_codec_that_is_really_missing(
    real: Callable[[str], tuple[Ward, Asterisk]], tmp_path: Path
) -> None:
    pbx, asterisk = real("g729")
    with pbx.machine.host.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(10)
        phone.sendto(REGISTER.format(at="35.185.177.49").encode(), ("127.0.0.1", 5060))
        assert b"200 OK" in phone.recv(2048)
    report = examined(pbx, asterisk, tmp_path)
    assert kinds(report) == {Kind.PUSH_SERVER_BLOCKED, Kind.CODEC_NOT_TRANSLATABLE}, report
