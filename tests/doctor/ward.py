"""A PBX to examine: a fence, sockets of real processes, files of Asterisk and of systemd."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from geofence.doctor.findings import Finding, FindingKind
from geofence.host.clock import is_synchronised
from geofence.lab.host import Host
from geofence.lab.wiring import connect, plug
from geofence.model.policy import BackendChoice
from geofence.operations.doctor import DoctorReport, Examined, doctor
from geofence.operations.site import Site
from geofence.sentences.doctor import finding_json, finding_texts
from tests.cli.machine import Machine, machine

PBX, STRANGER = "192.0.2.10", "192.0.2.1"
TRANSPORTS = """\
[udp]
type=transport
protocol=udp
bind=0.0.0.0:5060
external_media_address=192.0.2.10
external_signaling_address=192.0.2.10
local_net=192.168.7.0/24

[tcp]
type=transport
protocol=tcp
bind=0.0.0.0:5060

[tls]
type=transport
protocol=tls
bind=0.0.0.0:5061
"""
TRUNK = """\
[north]
type=endpoint
aors=north
disallow=all
allow=alaw,ulaw

[north]
type=aor

[north]
type=identify
endpoint=north
match=45.88.0.7
"""
HEALTHY = {
    "pjsip.conf": TRANSPORTS + TRUNK,
    "rtp.conf": "[general]\nrtpstart=10000\nrtpend=19999\n",
    "iax.conf": "[general]\n",
    "http.conf": "[general]\nenabled=no\n",
    "modules.conf": "[modules]\nautoload=yes\nnoload=chan_iax2.so\n",
}
LISTENING = ("5060/udp", "5060/tcp", "5061/tcp")
CONTACT = (
    '/registrar/contact/101;@44054d3fb71011ca93a3973e0dad66e5: {{"via_addr":"x","endpoint":"101",'
    '"uri":"sip:101@{address}:5060;transport=udp","user_agent":""}}'
)
MATRIX = """\
         Translation times between formats (in microseconds) for one second of data
          Source Format (Rows) Destination Format (Columns)

            ulaw  alaw  g722
     ulaw      -  9150 15000
     alaw   9150     - 15000
     g722  15600 15600     -
"""
"""As Asterisk 22 prints it."""

_HOLD = """\
import socket, sys
name, *ports = sys.argv[1:]
open("/proc/self/comm", "w").write(name)
held = []
for each in ports:
    where, _, protocol = each.partition("/")
    address, _, port = where.rpartition(":")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    one = socket.socket(family, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((address or "0.0.0.0", int(port)))
    if protocol == "tcp":
        one.listen()
    held.append(one)
print("ready", flush=True)
sys.stdin.read()
"""
_CONSOLE = """\
#!/bin/sh
case $2 in
"database show registrar") cat {directory}/contacts ;;
"core show translation") cat {directory}/matrix ;;
*) exit 1 ;;
esac
"""


@dataclass
class Ward:
    """The machine, and what is around it."""

    machine: Machine
    internet: Host
    directory: Path
    closing: ExitStack
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def asterisk(self) -> Path:
        """Its directory of configuration."""
        return self.directory / "asterisk"

    @property
    def root(self) -> Path:
        """The directory that stands for the root of its file system."""
        return self.directory / "root"

    def configure(self, **files: str) -> None:
        """Write files of Asterisk's configuration: ``rtp`` for rtp.conf."""
        for name, text in files.items():
            (self.asterisk / f"{name}.conf").write_text(text, encoding="utf-8")

    def hold(self, program: str, *ports: str) -> subprocess.Popen[str]:
        """Start a process of that name that has sockets: ``5060/udp``, ``127.0.0.1:5038/tcp``."""
        process = self.machine.host.start([sys.executable, "-c", _HOLD, program, *map(_at, ports)])
        self.closing.callback(_end, process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        self.processes.append(process)
        return process

    def say(self, *addresses: str, matrix: str = MATRIX) -> None:
        """Have the console tell registered contacts and translations."""
        lines = [CONTACT.format(address=address) for address in addresses]
        (self.directory / "contacts").write_text("\n".join([*lines, ""]), encoding="utf-8")
        (self.directory / "matrix").write_text(matrix, encoding="utf-8")

    def enable(self, *units: str) -> None:
        """Enable units as systemctl does."""
        for unit in units:
            wants = self.root / "etc/systemd/system" / "multi-user.target.wants"
            wants.mkdir(parents=True, exist_ok=True)
            (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")

    def examine(self, *, offline: bool = True) -> DoctorReport:
        """Examine it in this process."""
        made = self.machine
        site = Site(made.rules, made.state, BackendChoice(made.backend), log_changes=False)
        console = str(self.directory / "console")
        wanted = Examined(self.asterisk, self.root, offline=offline, console=console)
        with made.host.entered():
            return doctor(site, wanted)

    def found(self, *, offline: bool = True) -> list[Finding]:
        """Return the findings, without that on the clock of the machine that runs the tests."""
        report = self.examine(offline=offline)
        assert report.unchecked == ()
        for each in report.findings:
            assert all(map(str.strip, finding_texts(each)))
            json.dumps(finding_json(each))
        mine = {FindingKind.CLOCK_UNSYNCHRONISED} if is_synchronised() is False else set()
        return [each for each in report.findings if each.kind not in mine]

    def kinds(self) -> list[FindingKind]:
        """Return the kinds of the findings."""
        return [each.kind for each in self.found()]

    def only(self) -> Finding:
        """Return the only finding."""
        (finding,) = self.found()
        return finding


def _at(port: str) -> str:
    return port if ":" in port else f"0.0.0.0:{port}"


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=20)


@contextmanager
def ward(directory: Path, backend: str) -> Iterator[Ward]:
    """A healthy PBX: its fence is up, and all is as it should be."""
    (directory / "machine").mkdir()
    with ExitStack() as closing:
        made = closing.enter_context(machine(directory / "machine", backend))
        internet = closing.enter_context(Host("internet"))
        cable = plug(internet, "isp", "02:00:00:00:00:01", f"{STRANGER}/24")
        connect(cable, plug(made.host, "wan", "02:00:00:00:00:02", f"{PBX}/24"))
        made.join_lan()
        one = Ward(made, internet, directory, closing)
        one.asterisk.mkdir()
        for name, text in HEALTHY.items():
            (one.asterisk / name).write_text(text, encoding="utf-8")
        (directory / "console").write_text(_CONSOLE.format(directory=directory), encoding="utf-8")
        (directory / "console").chmod(0o755)
        one.say("133.1.2.3")
        one.enable("geofence-restore.service", "geofence-refresh.timer")
        made.ok("refresh")
        one.hold("asterisk", *LISTENING)
        yield one
