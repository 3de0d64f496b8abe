"""An Asterisk that runs on a host of a lab, from a directory of configuration."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

from geofence.lab.host import Host
from tests.coexistence.machine import Machine, is_real_root, keep

_HERE = Path(__file__).parent
BASE = _HERE.parents[2] / ".venv" / "asterisk" / "sid"
"""Debian sid with Asterisk, as ``bootstrap`` makes it."""

CERTIFICATE = "/etc/ast.pem"
"""A certificate with its key, on the machine that Asterisk runs on."""

_DEFAULTS = {
    "asterisk.conf": "[options]\nnocolor = yes\n",
    "logger.conf": "[general]\n[logfiles]\nconsole => notice,warning,error\n",
    "extensions.conf": "[general]\n",
}
"""Without these it does not start, or says nothing; written where a configuration has none."""

_UNUSED = (
    *("app_voicemail", "app_minivm", "app_queue", "app_confbridge", "cdr_", "cel_", "chan_motif"),
    *("pbx_ael", "pbx_lua", "pbx_dundi", "res_ari", "res_calendar", "res_config_", "res_hep"),
    *("res_odbc", "res_phoneprov", "res_prometheus", "res_snmp", "res_stasis_", "res_xmpp"),
)
"""How the names of modules begin that have nothing to do with any test; each takes time."""

_RX = """\
#!/bin/sh
exec {enter} asterisk "$@"
"""


def missing() -> str:
    """Return why no Asterisk can run here; nothing where one can."""
    if not is_real_root():
        return "a real Asterisk needs root, and not just of a user namespace"
    if not BASE.is_dir():
        return f"no Asterisk in {BASE}: './bootstrap test' makes it where Debian's packages are"
    return ""


class Asterisk(AbstractContextManager["Asterisk"]):
    """One Asterisk, fully booted; its network is a lab's host."""

    def __init__(self, host: Host, configuration: Path, own: Path) -> None:
        """Start it.

        Args:
            host: whose network it has; a name server of its own is asked at 127.0.0.1.
            configuration: its directory of configuration, which is copied.
            own: an empty directory, for its files.
        """
        space = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation")
        script = ("sh", str(_HERE / "machine.sh"), str(BASE), str(own))
        self._keeper = keep(host.start([*space, "private", *script]))
        self.machine = Machine(host, self._keeper, own / "root")
        self._configure(configuration)
        self.start()

    def _configure(self, configuration: Path) -> None:
        there = self.machine.outside("/etc/asterisk")
        shutil.copytree(configuration, there, symlinks=True, dirs_exist_ok=True)
        for name, text in _DEFAULTS.items():
            if not (there / name).exists():
                (there / name).write_text(text, encoding="utf-8")
        if not (there / "modules.conf").exists():
            (there / "modules.conf").write_text(_modules(), encoding="utf-8")
        self.machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1\n")
        self.machine.write(CERTIFICATE, certificate())

    @property
    def configuration(self) -> Path:
        """Its directory of configuration, as this process calls it; also to be changed."""
        return self.machine.outside("/etc/asterisk")

    @property
    def log(self) -> str:
        """All that it printed."""
        return self.machine.outside("/run/started-asterisk.log").read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it after a stop, and wait until it is fully booted."""
        self.machine.start("asterisk", "asterisk -f")
        self.machine.until("asterisk -rx 'core waitfullybooted' | grep -q 'fully booted'")

    def stop(self) -> None:
        """Stop it as systemd does."""
        self.machine.stop("asterisk")

    def rx(self, command: str) -> str:
        """Return what the command line of Asterisk answers."""
        return self.machine.run("asterisk", "-rx", command)

    def command(self, directory: Path) -> Path:
        """Write a program ``asterisk`` into a directory, for the search path of others."""
        program = directory / "asterisk"
        program.write_text(_RX.format(enter=" ".join(self.machine.enter)), encoding="utf-8")
        program.chmod(0o755)
        return program

    def sockets(self, *options: str) -> str:
        """Return what ``ss`` says of its host."""
        return self.machine.host.run("ss", "--no-header", "--numeric", *options)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill it, and remove its files."""
        self.machine.close()


@cache
def _modules() -> str:
    """Return a ``modules.conf`` that leaves out what is not used."""
    found = sorted(BASE.glob("usr/lib/*/asterisk/modules/*.so"))
    unused = [path.name for path in found if path.name.startswith(_UNUSED)]
    return "[modules]\nautoload = yes\n" + "".join(f"noload = {name}\n" for name in unused)


@cache
def certificate() -> str:
    """Return a certificate of a day with its key, made once a run of the tests."""
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", "/CN=pbx.example.net", "-keyout", "-", "-out", "-"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout
