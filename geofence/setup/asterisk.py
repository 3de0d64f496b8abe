"""Asterisk's configuration on this host: where it is, and what it asks of the rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from geofence.asterisk.console import contacts, is_installed
from geofence.asterisk.derived import derive
from geofence.asterisk.reader import read_configuration
from geofence.errors import AsteriskError, BackendError
from geofence.host.ownership import distrust_on_the_way
from geofence.host.sockets import program_name
from geofence.model.address import Address
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace
from geofence.setup.machine import AsteriskFound

DIRECTORY = Path("/etc/asterisk")
_PROGRAM = "asterisk"
_PROC = Path("/proc")


def find_asterisk(
    directory: Path | None, policy: Policy, own: AddressSpace, proc: Path = _PROC
) -> AsteriskFound:
    """Return Asterisk's configuration, and what it asks of the rules.

    Args:
        directory: where it is; None: look for it.
        policy: the rules that there are.
        own: addresses of this host.
        proc: where processes are listed.
    """
    place, hidden = (directory, ()) if directory else _looked_for(proc)
    if place is None:
        return AsteriskFound(hidden=hidden)
    place = place.absolute()
    try:
        reading = read_configuration(place)
    except AsteriskError as error:
        return AsteriskFound(place, hidden=hidden, unread=str(error))
    return AsteriskFound(place, reading, derive(reading, policy, own), hidden)


def registered(program: str) -> tuple[Address, ...]:
    """Return the addresses of registered contacts; none where no Asterisk answers.

    Args:
        program: the path of ``asterisk``; the usual one if empty.
    """
    if not (program or is_installed()):
        return ()
    try:
        hosts = [each.host for each in contacts(program)]
    except BackendError:
        return ()
    found: dict[Address, None] = {}
    for host in hosts:
        with suppress(ValueError):  # a name
            found[Address.parse(host)] = None
    return tuple(found)


def _looked_for(proc: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Return the configuration of an Asterisk that runs, else the usual place."""
    hidden: list[str] = []
    for process in _processes(proc):
        if _is_here(process):
            continue
        place = _on_this_host(process)
        if place:
            return place, ()
        hidden.append(process.name)
    return (DIRECTORY if DIRECTORY.is_dir() else None), tuple(hidden)


def _processes(proc: Path) -> Iterator[Path]:
    for name in sorted(os.listdir(proc)):  # noqa: PTH208 - hundreds
        if name.isdecimal() and program_name(int(name)) == _PROGRAM:
            yield proc / name


def _is_here(process: Path) -> bool:
    """Whether a process has the file system of this one; also where nothing tells."""
    with suppress(OSError):
        return (process / "ns/mnt").stat().st_ino == Path("/proc/self/ns/mnt").stat().st_ino
    return True


def _on_this_host(process: Path) -> Path | None:
    """Return where a container's ``/etc/asterisk`` is on this host: the source of a bind mount.

    Any user can run a program that is called asterisk, in a mount namespace of his own. So only a
    directory counts that root alone can put there.
    """
    inside = process / "root" / DIRECTORY.relative_to("/")
    with suppress(OSError):
        for line in (process / "mountinfo").read_text("utf-8", "replace").splitlines():
            fields = line.split(" ")
            if len(fields) > 4 and fields[4] == str(DIRECTORY):  # noqa: PLR2004 - proc(5)
                source = Path(_unescaped(fields[3]))
                if distrust_on_the_way(source) is None and source.samefile(inside):
                    return source
    return None


def _unescaped(text: str) -> str:
    r"""Return a path as it is; mountinfo has blanks as ``\040``."""
    return text.encode("latin-1", "replace").decode("unicode_escape")
