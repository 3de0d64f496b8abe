"""The running Asterisk, asked by ``asterisk -rx``: registered contacts, translated codecs."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from geofence.errors import BackendError
from geofence.host.ownership import distrust, distrust_on_the_way
from geofence.translation import tr

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM = "asterisk"
_SECONDS = 10
_MILLISECONDS = 1000
_PIECE = 1 << 16
_MOST_BYTES = 32_000_000
"""Of one answer: 60,000 contacts."""
_KEY = "/registrar/contact/"
_LONGEST = 16_384
"""Characters of a contact; Asterisk itself takes URIs of some hundreds."""
_HOST = re.compile(r"^sips?:(?:[^@]*@)?(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:;>]+))", re.IGNORECASE)
_COLUMNS = 2
_RATED = frozenset({"slin8", "speex8", "silk8"})


class RegisteredContact(NamedTuple):
    """A contact that a phone, or a push server for it, has registered."""

    name: str
    """Of its address of record."""
    host: str
    """An address, as a rule."""
    endpoint: str = ""
    via: str = ""
    """The address that the registration named as its sender."""


def is_installed() -> bool:
    """Whether Asterisk's program is on this host."""
    return shutil.which(_PROGRAM, path=_PATH) is not None


def ask(command: str, program: str = "") -> str:
    """Return what the running Asterisk answers to a command of its console.

    Args:
        command: of those that only tell something.
        program: the path of ``asterisk``; the usual one if empty.

    Raises:
        BackendError: no Asterisk answers.
    """
    path = program or shutil.which(_PROGRAM, path=_PATH) or _PROGRAM
    try:
        _require_trust(path)
        with subprocess.Popen(  # noqa: S603 - fixed programs and arguments, no shell
            [path, "-rx", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8", "TERM": "dumb"},
        ) as running:
            try:
                said = _output(running)
                code = running.wait(_SECONDS)
            finally:
                running.kill()
    except (OSError, subprocess.SubprocessError) as error:
        raise _refusal(str(error)) from error
    if code:
        lines = said.strip().splitlines()
        raise _refusal(lines[-1] if lines else str(code))
    return said


def _require_trust(path: str) -> None:
    """Raise an error about a program that others, such as the user of Asterisk, could change."""
    doubt = distrust(os.stat(path), None, by_hand=True)  # noqa: PTH116
    if doubt:
        raise _refusal(tr("{path} {reason}, so it is not run", path=path, reason=doubt.reason))
    way = distrust_on_the_way(Path(path))
    if way:
        place, doubt = way
        raise _refusal(tr("{path} {reason}, so it is not run", path=place, reason=doubt.reason))


def _output(running: subprocess.Popen[bytes]) -> str:
    """Return what a program says, if it says it in time and it is not too much.

    Raises:
        BackendError: it is too late or too much.
    """
    descriptor = running.stdout.fileno() if running.stdout else -1
    end = monotonic() + _SECONDS
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    pieces: list[bytes] = []
    size = 0
    while True:
        if not poll.poll(max(0.0, end - monotonic()) * _MILLISECONDS):
            raise _refusal(tr("no answer in {seconds} seconds", seconds=_SECONDS))
        piece = os.read(descriptor, _PIECE)
        if not piece:
            return b"".join(pieces).decode(errors="replace")
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise _refusal(tr("it says more than {most} bytes", most=f"{_MOST_BYTES:,}"))


def _refusal(reason: str) -> BackendError:
    return BackendError(tr("'asterisk -rx' does not answer: {reason}", reason=reason))


def contacts(program: str = "") -> tuple[RegisteredContact, ...]:
    """Return the registered contacts.

    Raises:
        BackendError: no Asterisk answers.
    """
    return tuple(parse_contacts(ask("database show registrar", program)))


def parse_contacts(text: str) -> Iterator[RegisteredContact]:
    """Yield the contacts of Asterisk's database; what is not understood is passed over."""
    for line in text.splitlines():
        # Not by one expression: over a line that is made for it, that takes the square of its time.
        key, _, value = line[:_LONGEST].partition(": ")
        name, mark, _ = key.removeprefix(_KEY).rpartition(";@")
        if not key.startswith(_KEY) or not mark:
            continue
        try:
            facts = json.loads(value)
            uri = facts["uri"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        host = _HOST.match(uri) if isinstance(uri, str) else None
        if host is not None:
            others = (str(facts.get(key, "")) for key in ("endpoint", "via_addr"))
            yield RegisteredContact(name, host["six"] or host["four"], *others)


def translated(program: str = "") -> frozenset[str]:
    """Return the codecs that the running Asterisk can translate to another one.

    Raises:
        BackendError: no Asterisk answers.
    """
    return parse_translations(ask("core show translation", program))


def parse_translations(text: str) -> frozenset[str]:
    """Return the codecs of a matrix of translations whose row has a time.

    The matrix names some by their sampling rate; endpoints call ``speex8`` ``speex``.
    """
    rows = (line.split() for line in text.splitlines())
    found = frozenset(
        name
        for name, *cells in (row for row in rows if len(row) > _COLUMNS)
        if all(cell == "-" or cell.isdecimal() for cell in cells)
        and any(cell.isdecimal() for cell in cells)
    )
    return found | {name.removesuffix("8") for name in found if name in _RATED}
