"""A terminal at which ``setup`` asks its questions."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from tests.cli.machine import Machine

_SECONDS = 60.0


class Terminal:
    """The other end: what is shown, and what is typed."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self._master = master
        self.process = process
        self.shown = ""
        self._read = 0

    def wait_for(self, text: str) -> None:
        """Wait until something new is shown."""
        end = monotonic() + _SECONDS
        while text not in self.shown[self._read :]:
            assert monotonic() < end, f"{text!r} is not in {self.shown[self._read :]!r}"
            if not self._take(end - monotonic()):
                raise AssertionError(f"{text!r} is not in {self.shown[self._read :]!r}")
        self._read = self.shown.index(text, self._read) + len(text)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def answer(self, question: str, text: str) -> None:
        self.wait_for(question)
        self.type(f"{text}\n")

    def end(self) -> int:
        """Wait for the end; the exit code."""
        end = monotonic() + _SECONDS
        while self._take(end - monotonic()):
            pass
        return self.process.wait(_SECONDS)

    def _take(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(seconds, 0))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False  # the other end is closed
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


@contextmanager
def terminal(where: Machine, *arguments: str) -> Iterator[Terminal]:
    """Run geofence at a terminal."""
    master, slave = pty.openpty()

    def control() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    with where.host.entered():
        process = subprocess.Popen(
            where.command(*arguments),
            env={**where.variables(), "TERM": "dumb", "COLUMNS": "200"},
            cwd="/",
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=control,  # noqa: PLW1509 - nothing else runs in this process
        )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)
