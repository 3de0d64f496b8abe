"""System log: who changed the fence, by which command, and the generation that resulted.

Lines are English. They go to journald by its own protocol, so that facts are fields; else to
syslog. If neither listens, nothing is written: the fence does not depend on the log.

Sources: systemd's "Native Journal Protocol" (systemd.io), RFC 3164, proc(5), credentials(7).
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from contextlib import closing, suppress
from enum import StrEnum

from geofence.lean import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, Path, socket
from geofence.model.frozen import dataclass
from geofence.translation import english

JOURNAL = Path("/run/systemd/journal/socket")
SYSLOG = Path("/dev/log")

_SECONDS = 1.0
"""How long to wait for the log to take a line."""
_NOTICE = 5
_DAEMON = 3
"""Facility of RFC 3164."""
_NO_LOGIN = 2**32 - 1
"""``/proc/self/loginuid`` of processes without a login: units, cron."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who started this process."""

    user: str
    """Name of the user who logged in; ``SUDO_USER`` if the kernel does not know; or empty."""
    by_sudo: bool
    terminal: str
    """``pts/3``; empty for none."""
    unit: str
    """The systemd unit; empty for none."""

    def __str__(self) -> str:
        where = f" on {self.terminal}" if self.terminal else ""
        if self.user:
            return f"{self.user}{' with sudo' if self.by_sudo else ''}{where}"
        return self.unit or f"root{where}"


def author() -> Author:
    """Return who started this process, as far as the kernel and the environment know."""
    sudo = os.environ.get("SUDO_USER", "")
    return Author(_login() or sudo, bool(sudo), _terminal(), _unit())


class Event(StrEnum):
    """What a line of the log is about: its ``MESSAGE_ID``, which never changes."""

    CHANGED = "cd0f902ad0894681a64b50fd69341793"
    """The fence was changed, by a command or by the daemon."""
    NOTICED = "9762e850465b400f865689219e3c8e2d"
    """A run of the daemon went well, and something should be known."""
    FAILED = "d3ddb4e70e1a4a9db808bb60888344fe"
    """A run of the daemon failed."""
    WORKED = "0c60d809ebb44d7a915199f91b084f1c"
    """The daemon did something and changed nothing."""


def log_event(message: str, priority: int, event: Event | None = None, **facts: str) -> bool:
    """Write a line to the journal with facts as fields; whether the journal took it.

    Args:
        message: the line, in English.
        priority: from 0 (emergency) to 7 (debug), as syslog(3) numbers them.
        event: what it is about.
        facts: more fields, by name; ``GEOFENCE_`` is put before each.
    """
    with suppress(OSError):
        return _sent(JOURNAL, _native(_fields(message, priority, event, facts)))
    return False


def _fields(
    message: str, priority: int, event: Event | None, facts: Mapping[str, str]
) -> dict[str, str]:
    """Return the fields of a line; those without a value are left out."""
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(priority),
        "SYSLOG_FACILITY": str(_DAEMON),
        "SYSLOG_IDENTIFIER": "geofence",
        "MESSAGE_ID": event.value if event else "",
        **{f"GEOFENCE_{name.upper()}": value for name, value in facts.items()},
    }
    return {name: _printable(value) for name, value in fields.items() if value}


def _printable(text: str) -> str:
    """Return a text without control characters and what is beyond the basic plane."""
    return "".join(each if _is_printable(each) else "?" for each in text)


def _is_printable(character: str) -> bool:
    """Whether the log takes a character; not half of one, as of arguments that are not UTF-8."""
    is_half = "\ud800" <= character <= "\udfff"
    return " " <= character <= "~" or ("\u00a0" <= character <= "\uffff" and not is_half)


def log_change(command: str, what: str, generation: int | None = None) -> None:
    """Write to the system log what was changed, by which command and by whom.

    Args:
        command: the verb with its arguments, or the part of geofence that acts without one.
        what: what happened, as a clause; its English is logged.
        generation: number of the generation that is active now; None for none.
    """
    by = author()
    number = "" if generation is None else str(generation)
    message = f"{command}: {english(what)}; by {by}{_elsewhere()}"
    facts = {"command": command, "generation": number, "by": str(by)}
    fields = _fields(message, _NOTICE, Event.CHANGED, facts)
    with suppress(OSError):
        if not _sent(JOURNAL, _native(fields)):
            _sent(SYSLOG, _classic(fields["MESSAGE"]))


def _elsewhere() -> str:
    """Return a note if the network is not the host's, as far as the kernel says."""
    try:
        own, host = (Path(f"/proc/{process}/ns/net").stat() for process in ("self", "1"))
    except OSError:
        return ""
    return "" if os.path.samestat(own, host) else " (in a network namespace of its own)"


def _native(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in fields.items()).encode()


def _classic(message: str) -> bytes:
    return f"<{_DAEMON << 3 | _NOTICE}>geofence[{os.getpid()}]: {message}".encode()


def _sent(path: Path, data: bytes) -> bool:
    """Whether the log at this path took the data."""
    with closing(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)) as channel:
        channel.settimeout(_SECONDS)
        try:
            channel.sendto(data, str(path))
        except OSError:
            return False
    return True


def _login() -> str:
    try:
        number = int(Path("/proc/self/loginuid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    if number == _NO_LOGIN:
        return ""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _terminal() -> str:
    for descriptor in range(3):
        with suppress(OSError):
            return os.ttyname(descriptor).removeprefix("/dev/")
    return ""


def _unit() -> str:
    """Return the innermost service of the process's control group."""
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.findall(r"/([^/\n]+\.service)\b", groups)
    return found[-1] if found else ""
