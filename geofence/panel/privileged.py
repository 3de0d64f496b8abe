"""The privileged process of the panel: it answers on a Unix socket, to one process only.

Not to each process of that user: ``nobody`` runs other programs, too.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from geofence.panel.protocol import (
    ACTIONS,
    LONGEST_QUESTION,
    Answer,
    ProtocolError,
    Question,
    read_question,
)
from geofence.translation import tr

_UCRED = struct.Struct("3i")
"""``struct ucred`` of ``linux/socket.h``: process, user, group."""
_SECONDS = 10.0
"""Within which a question has to come."""
_AT_LEAST = 0.001
"""Seconds; with 0 a socket would not wait at all."""
_WAITING = 8
"""Connections that may wait: the panel has one reader."""


class Peer(NamedTuple):
    """Who is at the other end of a Unix socket."""

    process: int
    user: int


def listen(path: Path, user: int) -> socket.socket:
    """Return a socket that listens at a path, and that one user may connect to.

    Raises:
        OSError: it cannot be made.
    """
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o600)
    os.chown(path, user, -1)
    server.listen(_WAITING)
    return server


def serve(
    server: socket.socket, asking: Peer, answer: Callable[[Question], Answer], *, actions: bool
) -> None:
    """Answer until the socket is closed, one question at a time.

    Args:
        server: listens.
        asking: who may ask; the kernel tells who does.
        answer: answers what is a question.
        actions: whether actions are answered, too.
    """
    while True:
        try:
            link, _ = server.accept()
        except OSError:  # closed: the panel ends
            return
        with link, suppress(OSError):
            told = _answered(link, asking, answer, actions=actions)
            link.settimeout(_SECONDS)
            link.sendall(told.line())


def in_background(
    server: socket.socket, asking: Peer, answer: Callable[[Question], Answer], *, actions: bool
) -> None:
    """Do the same in a thread that ends with the process."""
    Thread(
        target=serve, args=(server, asking, answer), kwargs={"actions": actions}, daemon=True
    ).start()


def _answered(
    link: socket.socket, asking: Peer, answer: Callable[[Question], Answer], *, actions: bool
) -> Answer:
    try:
        line = _line(link)  # read even if it is refused: or the refusal would not arrive
        if _peer_of(link) != asking:
            return _refusal(tr("Only the panel may ask."))
        question = read_question(line)
    except ProtocolError:
        return _refusal(tr("This is not a question of the panel."))
    if question.verb in ACTIONS and not actions:
        return _refusal(tr("The panel was started without --actions, so it changes nothing."))
    return answer(question)


def _refusal(text: str) -> Answer:
    return Answer(ok=False, lines=(text,))


def _peer_of(link: socket.socket) -> Peer:
    """Return who is at the other end, by the kernel (``SO_PEERCRED``, unix(7))."""
    facts = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    process, user, _ = _UCRED.unpack(facts)
    return Peer(process, user)


def _line(link: socket.socket) -> bytes:
    """Return a line that is not too long and does not take too long, in however many parts."""
    found = b""
    until = time.monotonic() + _SECONDS
    while not found.endswith(b"\n"):
        link.settimeout(max(until - time.monotonic(), _AT_LEAST))
        part = link.recv(LONGEST_QUESTION)
        found += part
        if not part or len(found) > LONGEST_QUESTION:
            raise ProtocolError
    return found
