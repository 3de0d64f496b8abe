"""The rules on disk: which files, in which order, and what they say."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from geofence.host.acl import read_acl
from geofence.host.ownership import distrust, distrust_on_the_way
from geofence.model.policy import Origin, PassedOver, WhyPassedOver
from geofence.policy.mistakes import Mistake, Problems, printable

MOST_OCTETS = 4_000_000
"""A rules file larger than this is none: some 200,000 addresses, which take seconds to read."""


class RulesFile(NamedTuple):
    """One drop-in."""

    name: str
    """As messages name it."""
    text: str


_SHIPPED = Mistake("does not exist", "the directory with the rules that ship with geofence")
_GIVEN = Mistake(
    "does not exist",
    "the directory with your rules, for --rules-dir or GEOFENCE_RULES_DIR names it",
)


def read_rules(
    directories: Sequence[Path], problems: Problems, *, all_must_exist: bool
) -> tuple[RulesFile, ...]:
    """All drop-ins in the order in which they count.

    Args:
        directories: the one with the shipped rules, which must exist, then others.
        problems: told which files cannot be had or should not be believed; these are left out.
        all_must_exist: whether the others must, too.
    """
    absent = [_SHIPPED, *[_GIVEN if all_must_exist else None for _ in directories[1:]]]
    paths = [
        path
        for directory, mistake in zip(directories, absent, strict=True)
        for path in _drop_ins(directory, problems, mistake)
    ]
    texts = ((path, _read(path, problems)) for path in paths)
    return tuple(RulesFile(_name(path), text) for path, text in texts if text is not None)


def _name(path: Path) -> str:
    return printable(str(path))


def _drop_ins(directory: Path, problems: Problems, absent: Mistake | None) -> list[Path]:
    """The directory's ``*.toml`` in lexical order; editors' hidden files are none.

    Args:
        directory: where to look.
        problems: told what is wrong with it.
        absent: what is wrong if it does not exist; None for nothing.
    """
    found: list[Path] = []
    try:
        with _opened(directory, os.O_DIRECTORY) as handle:
            _believe(directory, handle)
            names = sorted(os.listdir(handle))  # noqa: PTH208 - pathlib cannot list what was checked
            found = [directory / name for name in names if _is_drop_in(name)]
    except FileNotFoundError:
        if absent:
            problems.add(_name(directory), absent)
    except OSError as error:
        problems.add(_name(directory), _unreadable(error, "a directory of rules"))
    except Mistake as mistake:
        problems.add(_name(directory), mistake)
    return found


def _is_drop_in(name: str) -> bool:
    return name.endswith(".toml") and not name.startswith(".")


_BACKUPS = re.compile(
    r".*(~|\.(bak|old|orig|save|swp|tmp|disabled|off|dpkg-\w+|ucf-\w+|rpm(save|new|orig)))",
    re.IGNORECASE | re.DOTALL,
)
"""What editors and packagers leave behind, and what people name files that are not to count."""


def passed_over(directory: Path) -> tuple[PassedOver, ...]:
    """Return what lies in a directory of rules and is not read, in lexical order.

    Hidden files are left out. What cannot be listed is none: ``read_rules`` says it.
    """
    try:
        with os.scandir(directory) as entries:
            found = sorted((each.name, each.is_dir()) for each in entries)
    except OSError:
        return ()
    return tuple(
        PassedOver(_name(directory / name), _why(name, is_directory=is_directory))
        for name, is_directory in found
        if not name.startswith(".") and (is_directory or not _is_drop_in(name))
    )


def _why(name: str, *, is_directory: bool) -> WhyPassedOver:
    if is_directory:
        return WhyPassedOver.DIRECTORY
    return WhyPassedOver.BACKUP if _BACKUPS.fullmatch(name) else WhyPassedOver.NAME


def _read(path: Path, problems: Problems) -> str | None:
    octets = b""
    try:
        with _opened(path) as handle:
            _believe(path, handle)
            octets = _content(handle)
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        mistake = Mistake(f"is not UTF-8 (octet 0x{octets[error.start]:02x})", "text in UTF-8")
        problems.add(Origin(_name(path), line), mistake)
    except OSError as error:
        problems.add(_name(path), _unreadable(error, "a file of rules"))
    except Mistake as mistake:
        problems.add(_name(path), mistake)
    return None


def _unreadable(error: OSError, expected: str) -> Mistake:
    return Mistake(
        f"cannot be read ({error.strerror or error})", f"{expected} that geofence may read"
    )


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    """A descriptor: what is checked is then what is read. Never waits, as for a pipe's writer."""
    flags |= os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    handle = os.open(path, flags)
    try:
        yield handle
    finally:
        os.close(handle)


def _believe(path: Path, handle: int) -> None:
    """Raise a Mistake about what others could have written."""
    doubt = distrust(os.fstat(handle), read_acl(handle), by_hand=True)
    if doubt:
        raise _written_by_others(doubt.reason, doubt.remedy, path)
    way = distrust_on_the_way(path)
    if way:
        place, doubt = way
        raise _written_by_others(
            f"is found through {_name(place)}, which {doubt.reason}", doubt.remedy, place
        )


def _written_by_others(reason: str, remedy: str, place: Path) -> Mistake:
    return Mistake(
        reason,
        "rules that only root and you can write; "
        f"read through them, then: {remedy} {shlex.quote(_name(place))}",
    )


def _content(handle: int) -> bytes:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise Mistake("is no regular file", "a file of rules")
    with os.fdopen(os.dup(handle), "rb") as file:
        octets = file.read(MOST_OCTETS + 1)
    if len(octets) > MOST_OCTETS:
        raise Mistake(
            f"is larger than {MOST_OCTETS:,} bytes",
            "a file of rules; write neighbouring addresses as prefixes, or divide them among "
            "several exceptions or blocklists in several files",
        )
    return octets
