"""The configuration directory on disk: the only place where files of Asterisk are opened."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from geofence.asterisk.files import MOST_BYTES, Absent, below
from geofence.errors import AsteriskError
from geofence.translation import tr

ASTERISK_DIRECTORY = Path("/etc/asterisk")
_USUAL = str(ASTERISK_DIRECTORY)
"""Where Asterisk believes its configuration to be, also in a container."""
_HOST_PREFIXES = ("", "/usr", "/usr/local")
"""What may be before ``/etc/asterisk`` on a host; behind anything else is a container's root."""
_OF_PROCESS = re.compile(r"/proc/(self|\d+)/root(/|$)")
"""The root that a process sees, such as that of a container."""
_MOST_LINKS = 40
_MOST_NAMES = 100_000
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO)
_SIGNS = ("asterisk.conf", "pjsip.conf", "modules.conf", "iax.conf", "sip.conf", "rtp.conf")
"""Files of which every Asterisk has one."""


class Directory:
    """Files below a directory; links are followed, within a container's root if it is in one."""

    def __init__(self, directory: Path) -> None:
        self._given = os.path.abspath(directory)  # noqa: PTH100 - resolve() leaves the root
        before = _root_of(self._given)
        # The root of a process is no link to a path: what it leads to may have no name here.
        is_of_process = _OF_PROCESS.match(before) is not None
        self._root = before if is_of_process else os.path.realpath(before)
        self._base = ""
        self._base = self._checked(self._walk(self._root, self._given.removeprefix(before)))

    def _checked(self, place: str | Absent) -> str:
        """Return the directory, if it is one of Asterisk's."""
        try:
            names = os.listdir(self._given if isinstance(place, Absent) else place)  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing() from error
        except OSError as error:
            raise AsteriskError(
                tr(
                    "Cannot read {directory}: {reason}. Run the command as root.",
                    directory=self._given,
                    reason=error.strerror,
                )
            ) from error
        if isinstance(place, Absent):
            raise self._missing()
        if not any(name in names for name in _SIGNS):
            raise AsteriskError(
                tr(
                    "{directory} holds no file of Asterisk's, such as pjsip.conf. Give its "
                    "directory with '--asterisk-dir'.",
                    directory=self._given,
                )
            )
        return place

    def _missing(self) -> AsteriskError:
        return AsteriskError(
            tr(
                "There is no Asterisk configuration in {directory}. Give its directory with "
                "'--asterisk-dir'.",
                directory=self._given,
            )
        )

    def content(self, path: str) -> bytes | Absent:
        """Return what a file holds, or why that is not known."""
        place = self._walk(self._base, path)
        return place if isinstance(place, Absent) else _read(place)

    def listed(self, directory: str) -> Iterable[str]:
        """Return the names in a directory; none where it cannot be read."""
        place = self._walk(self._base, directory)
        if isinstance(place, Absent):
            return ()
        try:
            with os.scandir(place) as entries:
                return [entry.name for entry in islice(entries, _MOST_NAMES)]
        except OSError:
            return ()

    def inside(self, path: str) -> str | None:
        """Return where an absolute path of Asterisk's is below the directory."""
        for start in (_USUAL, self._given, self._base):
            rest = below(path, start)
            if rest is not None:
                return rest
        return None

    def _walk(self, start: str, path: str) -> str | Absent:
        """Follow a path and all links in it; none of them leads out of the root."""
        waiting = [part for part in reversed(path.split("/")) if part]
        current = start
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                current = current if current == self._root else os.path.dirname(current)  # noqa: PTH120
                continue
            place = f"{current.rstrip('/')}/{part}"
            try:
                target = os.readlink(place)  # noqa: PTH115
            except OSError as error:
                if error.errno == errno.EACCES:
                    return Absent.UNREADABLE
                if error.errno in _NO_FILE:
                    return self._nothing(links)
                current = place
                continue
            links += 1
            if links > _MOST_LINKS:
                return Absent.MISSING
            if target.startswith("/"):
                current, target = self._absolute(target)
            waiting += [each for each in reversed(target.split("/")) if each not in ("", ".")]
        return current

    def _nothing(self, links: int) -> Absent:
        """Return what a path means that ends nowhere: in a container, a link may end elsewhere."""
        return Absent.OUTSIDE if links and self._root != "/" else Absent.MISSING

    def _absolute(self, target: str) -> tuple[str, str]:
        """Return where an absolute link begins, and the rest of it."""
        inside = self.inside(target) if self._base else None
        if inside is not None:
            return self._base, inside
        return self._root, target


def _root_of(directory: str) -> str:
    """Return the root of the file system that Asterisk sees."""
    before = directory.removesuffix(_USUAL)
    return "/" if before == directory or before in _HOST_PREFIXES else before


def _read(place: str) -> bytes | Absent:
    """Read a regular file; nothing else is opened, so that no pipe and no device is touched."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY
    try:
        if not stat.S_ISREG(os.lstat(place).st_mode):
            return Absent.MISSING
        handle = os.open(place, flags)
    except OSError as error:
        return Absent.MISSING if error.errno in _NO_FILE else Absent.UNREADABLE
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return Absent.MISSING
        if found.st_size > MOST_BYTES:
            return Absent.TOO_LARGE
        return _all_of(handle)
    except OSError:
        return Absent.UNREADABLE
    finally:
        os.close(handle)


def _all_of(handle: int) -> bytes | Absent:
    pieces = []
    left = MOST_BYTES + 1
    while left and (piece := os.read(handle, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces) if left else Absent.TOO_LARGE
