"""A Debian as debootstrap makes it, installed and booted on the PBX of a lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

from geofence.lab.host import Host

_HERE = Path(__file__).parent
_TOP = _HERE.parents[1]
_MIRROR = "http://deb.debian.org/debian"
_SECONDS = 120
"""Until a boot counts as one that does not end."""


class WalkError(Exception):
    """The walk cannot go on."""


def debootstrapped(release: str) -> Path:
    """Return the directory of a release, made by debootstrap where it is not there yet."""
    base = _TOP / ".venv/walk" / release
    if not base.is_dir():
        making = base.with_name(f"{release}.making")
        shutil.rmtree(making, ignore_errors=True)
        making.parent.mkdir(parents=True, exist_ok=True)
        _run("debootstrap", "--include=python3,sudo", release, str(making), _MIRROR)
        making.rename(base)
    return base


def tracked_files() -> list[str]:
    """Return the files that git knows and that are there."""
    listed = _run("git", "-C", str(_TOP), "ls-files", "-z").split("\0")
    return [name for name in listed if name and (_TOP / name).is_file()]


class System:
    """One installation: a release, and all that was written over it."""

    def __init__(self, base: Path, over: Path) -> None:
        self._base = base
        self._over = over

    @property
    def upper(self) -> Path:
        """What is laid over the release; to be written to while nothing runs."""
        return self._over / "upper"

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file before the system is booted."""
        target = self.upper / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def check_out(self, place: str) -> None:
        """Put the files that git knows, as they are now, where a clone would put them."""
        target = self.upper / place.lstrip("/")
        for name in tracked_files():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_TOP / name, copy)

    def trust_as_here(self) -> None:
        """Resolve names and trust certificates as this machine does, while installing."""
        self.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_text(encoding="utf-8"))
        bundle = Path(os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt"))
        self.write("/etc/ssl/certs/host.crt", bundle.read_text(encoding="utf-8"))
        self.write("/etc/pip.conf", "[global]\ncert = /etc/ssl/certs/host.crt\n")

    def run(self, *command: str) -> str:
        """Run a program in it, not booted, with this machine's network."""
        return _run("unshare", "--mount", *self._boot_sh(), "run", *command)

    def boot(self, host: Host) -> Booted:
        """Boot it on a host of the lab."""
        spaces = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup")
        return Booted(host.start(["unshare", *spaces, *self._boot_sh(), "boot"]))

    def _boot_sh(self) -> tuple[str, ...]:
        return ("sh", str(_HERE / "boot.sh"), str(self._base), str(self._over))


class Booted(AbstractContextManager["Booted"]):
    """A system that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until it is up.

        Raises:
            WalkError: it does not come up.
        """
        self._process = process
        deadline = time.monotonic() + _SECONDS
        while self.state() not in {"running", "degraded"}:
            if time.monotonic() > deadline or process.poll() is not None:
                raise WalkError(f"systemd did not come up: {self.state()}")
            time.sleep(0.5)

    def state(self) -> str:
        """What ``systemctl is-system-running`` says."""
        return self.do("systemctl is-system-running")[1].strip()

    def do(self, command: str) -> tuple[int, str]:
        """Run shell commands as root there; exit code and all that they printed."""
        entering = self.entering()
        if not entering:
            return 1, "not up yet"
        done = subprocess.run(
            [*entering, "sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def entering(self) -> tuple[str, ...]:
        """Return what a program is run there by; nothing while it is not up."""
        init = self._init()
        if init is None:
            return ()
        return (
            *("nsenter", "--target", init, "--all", "env", "-i", "HOME=/root", "TERM=dumb"),
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )

    def _init(self) -> str | None:
        """Its first process, as this machine numbers it, once that is systemd."""
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children")
        found = children.read_text(encoding="ascii").split() if children.exists() else []
        for child in found:
            if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() == "systemd":
                return child
        return None

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Power it off."""
        self.do("systemctl poweroff --force")
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        raise WalkError(f"'{' '.join(command)}' failed:\n{said}")
    return done.stdout
