"""Reading the configuration of a panel with many phones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import report
from benchmarks.measure import Subject, in_turns, settled
from benchmarks.processes import geofence

ENDPOINTS = 5_000
_VERSION = "geofence --version"
_ENDPOINT = """[{number}]
type=endpoint
aors={number}
auth={number}-auth
tos_audio=ef
tos_video=af41
cos_audio=5
cos_video=4
allow=ulaw,alaw,gsm,g726,g722
context=from-internal
callerid=Person {number} <{number}>
dtmf_mode=rfc4733
direct_media=no
mailboxes={number}@default
mwi_subscribe_replaces_unsolicited=yes
transport=0.0.0.0-udp
aggregate_mwi=yes
use_avpf=no
rtcp_mux=no
max_audio_streams=1
max_video_streams=1
bundle=no
ice_support=no
media_use_received_transport=no
trust_id_inbound=yes
user_eq_phone=no
send_connected_line=yes
media_encryption=no
timers=yes
timers_min_se=90
media_encryption_optimistic=no
refer_blind_progress=yes
rtp_timeout=30
rtp_timeout_hold=300
rtp_keepalive=0
send_pai=yes
rtp_symmetric=yes
rewrite_contact=yes
force_rport=yes
language=en
one_touch_recording=on
record_on_feature=apprecord
record_off_feature=apprecord

"""
_AOR = """[{number}]
type=aor
max_contacts=1
remove_existing=yes
maximum_expiration=7200
minimum_expiration=60
qualify_frequency=60

"""
_AUTH = """[{number}-auth]
type=auth
auth_type=userpass
password=0123456789abcdef
username={number}

"""
_TRUNK = """[north]
type=aor
contact=sip:4420@north.carrier.example:5060

"""
_READ = """
import time
from pathlib import Path
from geofence.asterisk.reader import read_configuration
begun = time.process_time()
assert read_configuration(Path({directory!r})).trunks
print(time.process_time() - begun)
"""


def reading(scratch: Path, rounds: int) -> None:
    """The command as a whole, and within it the reader alone."""
    directory = write_panel(scratch / "asterisk", ENDPOINTS)
    size = sum(each.stat().st_size for each in directory.iterdir())
    report.heading(
        "Reading Asterisk's configuration",
        f"As a panel writes it for {ENDPOINTS:,} endpoints: {size / 1e6:.1f} MB.",
    )
    command = geofence("discover", "--asterisk-dir", str(directory), "--json")
    alone = [command[0], "-c", _READ.format(directory=str(directory))]
    subjects = [
        Subject(_VERSION, geofence("--version")),
        Subject("geofence discover --json", command),
        Subject("the reader alone", alone),
    ]
    costs = in_turns(subjects, rounds, settled)
    report.costs(costs, _VERSION)
    inner = costs["the reader alone"].inner
    print(f"\nReading took {inner:.2f} s of processor time.", flush=True)


def write_panel(directory: Path, endpoints: int) -> Path:
    """Write what a panel writes for so many phones; return the directory."""
    directory.mkdir(parents=True)
    for name, text in panel_files(endpoints):
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def panel_files(endpoints: int) -> Iterator[tuple[str, str]]:
    """Yield the files of a panel with so many phones, by name."""
    kinds = ("transports", "endpoint", "aor", "auth")
    yield "pjsip.conf", "".join(f"#include pjsip.{kind}.conf\n" for kind in kinds)
    transport = "[0.0.0.0-udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:5060\n"
    yield "pjsip.transports.conf", transport
    yield "pjsip.endpoint.conf", _many(_ENDPOINT, endpoints)
    yield "pjsip.aor.conf", _TRUNK + _many(_AOR, endpoints)
    yield "pjsip.auth.conf", _many(_AUTH, endpoints)
    yield "rtp.conf", "[general]\nrtpstart=10000\nrtpend=20000\n"


def _many(text: str, endpoints: int) -> str:
    return "".join(text.format(number=number) for number in range(1000, 1000 + endpoints))
