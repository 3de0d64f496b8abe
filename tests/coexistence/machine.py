"""Machines with other people's firewalls on them, from Debian's packages, to throw away.

A package's files lie in a layer over this machine's files, which are not touched; so nothing is
installed here, nothing is enabled, and no service is started. Of the machine's processes none
outlives it.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from geofence.lab.host import Host

_HERE = Path(__file__).parent
DOWNLOADED = _HERE.parents[1] / ".venv" / "peers"
"""Where ``bootstrap`` puts the packages."""

_ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL=C.UTF-8",
    "HOME=/root",
)
_SECONDS = 20
"""Until a daemon counts as not coming up, and a machine as not going away."""


def is_real_root() -> bool:
    """Whether this is root of the machine, not of a user namespace that it made."""
    whole = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return whole == ["0", "0", "4294967295"] and os.geteuid() == 0


class Debian:
    """Packages in a layer of their own."""

    def __init__(self, top: Path, packages: Path, names: Sequence[str]) -> None:
        """Install them.

        Args:
            top: an empty directory.
            packages: holds the packages' files and those of what they need.
            names: of the packages that have to be among them.
        """
        missing = [name for name in names if not list(packages.glob(f"{name}_*.deb"))]
        assert not missing, (
            f"The Debian packages {' '.join(missing)} are not in {packages}. Run the tests with "
            "./bootstrap test, which fetches them, or see docs/coexistence.md."
        )
        self.top = top
        self.versions = sorted(path.name.rsplit("_", 1)[0] for path in packages.glob("*.deb"))
        self._numbers = itertools.count(1)
        self._keeper = keep(
            subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation", "private"),
                    *("sh", str(_HERE / "layer.sh"), str(top), str(packages)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )

    def machine(self, host: Host) -> Machine:
        """A machine with the packages on it, which has the host's network."""
        name = f"machine{next(self._numbers)}"
        inside = f"--mount=/proc/{self._keeper.pid}/ns/mnt"
        command = [
            *("nsenter", inside),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
            *("sh", str(_HERE / "machine.sh"), str(self.top), name),
        ]
        return Machine(host, keep(host.start(command)), self.top / name / "root")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the layer."""
        self._keeper.communicate(timeout=_SECONDS)


class Machine(AbstractContextManager["Machine"]):
    """One machine; its network is a lab's host."""

    def __init__(self, host: Host, keeper: subprocess.Popen[str], root: Path) -> None:
        self.host = host
        self._keeper = keeper
        self._root = root
        namespaces = f"/proc/{keeper.pid}/ns"
        self.enter: tuple[str, ...] = (
            *("nsenter", f"--mount={namespaces}/mnt", f"--pid={namespaces}/pid_for_children"),
            *("chroot", str(root), "env", "-i", *_ENVIRONMENT),
        )
        """What runs a program there, when it stands before it."""

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a program to its end and return what it printed.

        Raises:
            LabError: it failed.
        """
        return self.host.run(*self.enter, *command, stdin=stdin)

    def do(self, command: str) -> str:
        """Run a program, its arguments separated by spaces."""
        return self.run(*command.split())

    def write(self, path: str, text: str) -> None:
        """Write a file, and the directories that it is in."""
        self.run("install", "-D", "-m", "644", "/dev/stdin", path, stdin=text)

    def lend(self, directory: Path, path: str) -> None:
        """Let it see a directory of this machine's, and write there."""
        self.do(f"mkdir -p {path}")
        inside = f"--mount=/proc/{self._keeper.pid}/ns/mnt"
        self.host.run("nsenter", inside, "mount", "--rbind", str(directory), f"{self._root}{path}")

    def outside(self, path: str) -> Path:
        """How this process calls a file of the machine's."""
        return Path(f"/proc/{self._keeper.pid}/root{self._root}{path}")

    def start(self, name: str, command: str) -> None:
        """Start a daemon by a name of its own."""
        log, pid = f"/run/started-{name}.log", f"/run/started-{name}.pid"
        self.run("sh", "-c", f"setsid {command} </dev/null >>{log} 2>&1 & echo $! >{pid}")

    def stop(self, name: str) -> None:
        """End a daemon as systemd does, and wait for it."""
        pid = self.do(f"cat /run/started-{name}.pid").strip()
        self.run("sh", "-c", f"kill {pid}")
        self.until(f"! kill -0 {pid}")

    def until(self, command: str) -> None:
        """Wait until a shell command succeeds.

        Raises:
            LabError: it does not; the message has what the daemons said.
        """
        loop = f"until {command}; do sleep 0.05; done >/dev/null 2>&1"
        self.run(
            *("sh", "-c", 'timeout "$0" sh -c "$1" || { cat /run/started-*.log >&2; exit 1; }'),
            *(str(_SECONDS), loop),
        )

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill its processes and let go of its files."""
        self._keeper.communicate(timeout=_SECONDS)


def keep(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Return a process that keeps a machine, once it says that the machine is made."""
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "ready\n", "The machine could not be made; see what it printed."
    return process
