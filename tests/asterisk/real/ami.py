"""Asterisk's manager interface, which tells what it reads in a configuration file."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager

from geofence.errors import LabError
from geofence.lab.host import Host

CONFIGURATION = """\
[general]
enabled = yes
bindaddr = 127.0.0.1
port = 5038

[tests]
secret = tests
read = all
write = all
"""
"""As ``manager.conf``."""
_SECONDS = 30

Sections = list[tuple[str, list[str]]]
"""Names, each with its lines ``key=value``."""


class Manager(AbstractContextManager["Manager"]):
    """A session."""

    def __init__(self, host: Host) -> None:
        """Log in to the Asterisk of a host."""
        self._socket = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.settimeout(_SECONDS)
        self._socket.connect(("127.0.0.1", 5038))
        self._file = self._socket.makefile("rwb")
        self._file.readline()
        self._ask("Login", Username="tests", Secret="tests", Events="off")  # noqa: S106

    def sections(self, file: str) -> Sections | None:
        """Return what Asterisk reads in a file, without templates; None if it refuses the file."""
        succeeded, *lines = self._ask("GetConfig", Filename=file)
        if succeeded != "Response: Success":
            return None
        found: Sections = []
        for line in lines:
            kind, _, value = line.partition(": ")
            if kind.startswith("Category-"):
                found.append((value, []))
            elif kind.startswith("Line-"):
                found[-1][1].append(value)
        return found

    def _ask(self, action: str, **headers: str) -> list[str]:
        asked = {"Action": action, **headers}
        self._file.write("".join(f"{k}: {v}\r\n" for k, v in asked.items()).encode() + b"\r\n")
        self._file.flush()
        while True:
            answer = self._answer()
            if not answer[0].startswith("Event: "):
                return answer

    def _answer(self) -> list[str]:
        lines: list[str] = []
        for line in self._file:
            if line == b"\r\n":
                return lines
            lines.append(line.removesuffix(b"\r\n").decode("latin-1"))
        raise LabError("Asterisk has ended.")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._file.close()
        self._socket.close()
