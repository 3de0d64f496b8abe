"""The running Asterisk, asked by ``asterisk -rx``: registered contacts, translated codecs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from geofence.errors import BackendError
from geofence.translation import tr

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM = "asterisk"
_SECONDS = 10
_CONTACT = re.compile(r"^/registrar/contact/(?P<name>.*?);@[0-9a-f]+\s*: (?P<json>\{.*\})\s*$")
_HOST = re.compile(r"^sips?:(?:[^@]*@)?(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:;>]+))", re.IGNORECASE)
_COLUMNS = 2
_RATED = frozenset({"slin8", "speex8", "silk8"})


class RegisteredContact(NamedTuple):
    """A contact that a phone, or a push server for it, has registered."""

    name: str
    """Of its address of record."""
    host: str
    """An address, as a rule."""


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
        done = subprocess.run(  # noqa: S603 - fixed programs and arguments, no shell
            [path, "-rx", command],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8", "TERM": "dumb"},
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise _refusal(said[-1] if said else str(error.returncode)) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise _refusal(str(error)) from error
    return done.stdout


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
        found = _CONTACT.match(line)
        if found is None:
            continue
        try:
            uri = json.loads(found["json"])["uri"]
        except (ValueError, KeyError, TypeError):
            continue
        host = _HOST.match(uri) if isinstance(uri, str) else None
        if host is not None:
            yield RegisteredContact(found["name"], host["six"] or host["four"])


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
