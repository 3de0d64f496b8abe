"""A host of the lab: a network namespace, held by a file descriptor."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from geofence.errors import LabError, LabUnavailable
from geofence.lab.privilege import CLONE_NEWNET, call
from geofence.translation import tr

_HERE = "/proc/thread-self/ns/net"
"""The network namespace of the calling thread; namespaces(7)."""


class Host(AbstractContextManager["Host"]):
    """A machine of the lab: interfaces, routes and netfilter of its own.

    No process and no name in the file system keeps the namespace alive, so a killed run leaves
    nothing behind.
    """

    def __init__(self, name: str) -> None:
        """Make a new, empty namespace.

        Args:
            name: how messages call the host.

        Raises:
            LabUnavailable: the process may not make namespaces (``privilege.ensure`` gives the
                reason and the remedy).
        """
        self.name = name
        self.fd = _new_namespace()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread, and whatever it starts meanwhile, into this host.

        Sockets stay where they were made; other threads stay where they are.
        """
        back = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            call("setns", self.fd, CLONE_NEWNET)
            yield
        finally:
            call("setns", back, CLONE_NEWNET)
            os.close(back)

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a program on this host and return its standard output.

        Raises:
            LabError: it is not installed or failed; the message carries its standard error.
        """
        try:
            with self.entered():
                done = subprocess.run(  # noqa: S603 - a fixed program with its arguments, no shell
                    command, input=stdin, capture_output=True, text=True, check=True
                )
        except FileNotFoundError as error:
            raise LabError(
                tr("{program} is not installed. The lab needs it.", program=command[0])
            ) from error
        except subprocess.CalledProcessError as error:
            called = " ".join(command)
            raise LabError(
                tr(
                    "'{command}' failed on {host}: {reason}",
                    command=called,
                    host=self.name,
                    reason=error.stderr.strip(),
                )
            ) from error
        return done.stdout

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a program on this host with pipes to its standard input and output."""
        with self.entered():
            return subprocess.Popen(  # noqa: S603 - a fixed program with its arguments, no shell
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket that belongs to this host, whatever thread uses it."""
        with self.entered():
            return socket.socket(family, kind, protocol)

    def sysctl(self, name: str, value: int) -> None:
        """Set a kernel parameter of this host: ``net/ipv4/ip_forward``."""
        with self.entered():
            Path("/proc/sys", name).write_text(str(value), encoding="ascii")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the namespace; the kernel removes it when its last socket is closed."""
        os.close(self.fd)


def _new_namespace() -> int:
    """Return a descriptor of a new network namespace; the calling thread stays where it was."""
    back = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("unshare", CLONE_NEWNET)
        try:
            return os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            call("setns", back, CLONE_NEWNET)
    except OSError as error:
        raise LabUnavailable(
            tr(
                "No network namespace can be made here: {reason}. Run it as root.",
                reason=error.strerror,
            )
        ) from error
    finally:
        os.close(back)
