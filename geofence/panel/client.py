"""The question of the process of the browser to the privileged one."""

from __future__ import annotations

import socket
from pathlib import Path

from geofence.panel.protocol import LONGEST_ANSWER, Answer, ProtocolError, Question, read_answer

_SECONDS = 300.0
"""A refresh may ask slow servers."""


class PrivilegedGoneError(Exception):
    """The privileged process does not answer."""


def ask(path: Path, question: Question) -> Answer:
    """Return the answer to a question.

    Raises:
        PrivilegedGoneError: there is none.
    """
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(_SECONDS)
            link.connect(str(path))
            link.sendall(question.line())
            return read_answer(_line(link))
    except (OSError, ProtocolError) as error:
        raise PrivilegedGoneError(str(error)) from error


def _line(link: socket.socket) -> bytes:
    parts, size = [], 0
    while True:
        part = link.recv(1 << 16)
        parts.append(part)
        size += len(part)
        if not part or part.endswith(b"\n"):
            return b"".join(parts)
        if size > LONGEST_ANSWER:
            raise ProtocolError
