"""Jails of fail2ban, as fail2ban itself reads its configuration.

``fail2ban-client -d`` prints what it would tell the server, a Python list a line; it changes
nothing and needs no server.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from geofence.errors import BackendError
from geofence.translation import tr

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAM = "fail2ban-client"
_SECONDS = 20
_TAIL = 256 * 1024
"""Bytes at the end of a log file that are read."""
_FEWEST_WORDS = 2


@dataclass(slots=True)
class JailSettings:
    """One enabled jail."""

    name: str
    log_paths: list[str] = field(default_factory=list)
    regexes: list[str] = field(default_factory=list)
    """Of its filter, the one for all lines (``prefregex``) among them."""
    ignore_command: str = ""


def read_jails() -> tuple[JailSettings, ...]:
    """Return the enabled jails; none where fail2ban is not on this host.

    Raises:
        BackendError: fail2ban does not print its configuration.
    """
    path = shutil.which(_PROGRAM, path=_PATH)
    if path is None:
        return ()
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program with its arguments, no shell
            [path, "-d"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise _refusal(said[-1] if said else str(error.returncode)) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise _refusal(str(error)) from error
    return parse_dump(done.stdout)


def _refusal(reason: str) -> BackendError:
    return BackendError(
        tr("'fail2ban-client -d' does not print its configuration: {reason}", reason=reason)
    )


def parse_dump(text: str) -> tuple[JailSettings, ...]:
    """Return the jails of a dump; lines that are not understood are passed over."""
    jails: dict[str, JailSettings] = {}
    for verb, *words in _commands(text):
        if verb == "add":
            jails.setdefault(words[0], JailSettings(words[0]))
        elif verb in {"set", "multi-set"} and words[0] in jails and len(words) > _FEWEST_WORDS:
            _set(jails[words[0]], words[1], words[2:])
    return tuple(jails.values())


def _set(jail: JailSettings, key: str, values: list[str]) -> None:
    if key == "addlogpath":
        jail.log_paths.append(values[0])
    elif key in {"addfailregex", "prefregex"}:
        jail.regexes += values
    elif key == "ignorecommand":
        jail.ignore_command = values[0]


def _commands(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        try:
            found = ast.literal_eval(line.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list | tuple) and len(found) >= _FEWEST_WORDS:
            words = [each for each in found if isinstance(each, str)]
            lists = [one for each in found if isinstance(each, list) for one in each]
            if len(words) >= _FEWEST_WORDS:
                yield [*words, *(each for each in lists if isinstance(each, str))]


def log_tail(path: str) -> str:
    """Return the end of a log file; empty if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            return file.read(_TAIL).decode(errors="replace")
    except OSError:
        return ""
