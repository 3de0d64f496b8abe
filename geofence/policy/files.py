"""The rules files on disk: which ones, in which order, and their text."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from geofence.host.acl import read_acl
from geofence.host.mounts import is_config_map
from geofence.host.ownership import Ways, distrust
from geofence.model.frozen import NamedTuple
from geofence.model.policy import Origin, PassedOver, WhyPassedOver
from geofence.policy.mistakes import Mistake, Problems
from geofence.spelling import printable
from geofence.translation import tr

_TRIES = 3
"""How often rules are read again that change meanwhile."""
MOST_BYTES = 4_000_000
"""The largest rules file that is read: some 200,000 addresses, which take seconds."""


class RulesFile(NamedTuple):
    """One drop-in."""

    name: str
    """As messages name it."""
    text: str


def _shipped_is_missing() -> Mistake:
    return Mistake(tr("does not exist"), tr("the directory with the rules that ship with geofence"))


def _given_is_missing() -> Mistake:
    return Mistake(
        tr("does not exist"),
        tr("the directory with your rules, as set by --rules-dir or GEOFENCE_RULES_DIR"),
    )


def read_rules(
    directories: Sequence[Path], problems: Problems, *, all_must_exist: bool
) -> tuple[RulesFile, ...]:
    """Read all drop-ins, in the order in which they are merged.

    Args:
        directories: the one with the shipped rules, which must exist, then others.
        problems: told which files cannot be read or trusted; these are left out.
        all_must_exist: whether the others must exist, too.
    """
    given = _given_is_missing() if all_must_exist else None
    absent = [_shipped_is_missing(), *[given for _ in directories[1:]]]
    for last in (*[False] * _TRIES, True):
        found = Problems()
        before, ways = _versions(directories), Ways()
        paths = [
            path
            for directory, mistake in zip(directories, absent, strict=True)
            for path in _drop_ins(directory, found, mistake, ways)
        ]
        texts = [(path, _read(path, found, ways)) for path in paths]
        if last or _versions(directories) == before:
            break
    problems.join(found)
    return tuple(RulesFile(_name(path), text) for path, text in texts if text is not None)


def _versions(directories: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """Return what tells the files of now from those that another program is just exchanging.

    A ConfigMap changes all at once, and to read its files one by one takes longer. Half of the old
    ones and half of the new ones may be rules that nobody has written.
    """
    found: dict[str, tuple[int, ...]] = {}
    for directory in directories:
        with suppress(OSError):  # reading it tells what is wrong
            paths = [directory / name for name in os.listdir(directory) if _is_drop_in(name)]  # noqa: PTH208 - as below
            found |= {str(path): _version(path) for path in paths}
    return found


def _version(path: Path) -> tuple[int, ...]:
    try:
        facts = path.stat()
    except OSError:
        return ()
    times = facts.st_mtime_ns, facts.st_ctime_ns
    return facts.st_dev, facts.st_ino, facts.st_size, *times


def _name(path: Path) -> str:
    return printable(str(path))


def _drop_ins(
    directory: Path, problems: Problems, absent: Mistake | None, ways: Ways
) -> list[Path]:
    """Return the directory's ``*.toml`` in lexical order, without editors' hidden files.

    Args:
        directory: where to look.
        problems: told what is wrong with it.
        absent: the mistake if it does not exist; None if it need not.
        ways: to what was read before.
    """
    found: list[Path] = []
    try:
        with _opened(directory, os.O_DIRECTORY) as handle:
            _require_trust(directory, handle, ways)
            names = sorted(os.listdir(handle))  # noqa: PTH208 - pathlib cannot list what was checked
            found = [directory / name for name in names if _is_drop_in(name)]
    except FileNotFoundError:
        if absent:
            problems.add(_name(directory), absent)
    except OSError as error:
        problems.add(
            _name(directory), _unreadable(error, tr("a directory of rules that geofence may read"))
        )
    except Mistake as mistake:
        problems.add(_name(directory), mistake)
    return found


def _is_drop_in(name: str) -> bool:
    return name.endswith(".toml") and not name.startswith(".")


_BACKUPS = (
    r"(?is).*(~|\.(bak|old|orig|save|swp|tmp|disabled|off|dpkg-\w+|ucf-\w+|rpm(save|new|orig)))"
)
"""What editors and packagers leave behind, and what people call files that are not to be read."""


def passed_over(directory: Path) -> tuple[PassedOver, ...]:
    """Return what is in a directory of rules and is not read, in lexical order.

    Hidden files are left out. A directory that cannot be listed gives nothing: ``read_rules``
    reports it.
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
    return WhyPassedOver.BACKUP if re.fullmatch(_BACKUPS, name) else WhyPassedOver.NAME


def _read(path: Path, problems: Problems, ways: Ways) -> str | None:
    content = b""
    try:
        with _opened(path) as handle:
            _require_trust(path, handle, ways)
            content = _content(handle)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = tr("is not UTF-8 (byte {byte})", byte=f"0x{content[error.start]:02x}")
        problems.add(Origin(_name(path), line), Mistake(wrong, tr("text in UTF-8")))
    except OSError as error:
        problems.add(_name(path), _unreadable(error, tr("a rules file that geofence may read")))
    except Mistake as mistake:
        problems.add(_name(path), mistake)
    return None


def _unreadable(error: OSError, expected: str) -> Mistake:
    return Mistake(tr("cannot be read ({reason})", reason=error.strerror or error), expected)


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    """Open a descriptor, so that what is checked is then what is read.

    Does not wait, as a pipe without a writer would make it.
    """
    flags |= os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    handle = os.open(path, flags)
    try:
        yield handle
    finally:
        os.close(handle)


def _require_trust(path: Path, handle: int, ways: Ways) -> None:
    """Raise a Mistake about a file or directory that other users could have written."""
    doubt = distrust(os.fstat(handle), read_acl(handle), by_hand=True)
    if doubt and not _is_pods_own(path, handle):
        raise _written_by_others(doubt.reason, doubt.remedy, path)
    way = ways.distrust(path)
    if way:
        place, doubt = way
        reason = tr(
            "is reached through {place}, which {reason}", place=_name(place), reason=doubt.reason
        )
        raise _written_by_others(reason, doubt.remedy, place)


def _is_pods_own(path: Path, handle: int) -> bool:
    """Whether it is the directory of a pod's ConfigMap, whose mode says more than is true."""
    facts = os.fstat(handle)
    return stat.S_ISDIR(facts.st_mode) and not facts.st_uid and is_config_map(path)


def _written_by_others(reason: str, remedy: str, place: Path) -> Mistake:
    # Translators: the command is one such as "chmod go-w /etc/geofence/rules.d".
    expected = tr(
        "rules that only root and you can write; check what they say, then run: {command}",
        command=f"{remedy} {shlex.quote(_name(place))}",
    )
    return Mistake(reason, expected)


def _content(handle: int) -> bytes:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise Mistake(tr("is not a regular file"), tr("a rules file"))
    with os.fdopen(os.dup(handle), "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Mistake(
            tr("is larger than {most} bytes", most=f"{MOST_BYTES:,}"),
            tr(
                "a smaller file: write neighbouring addresses as prefixes, or divide them among "
                "several exceptions or blocklists in several files"
            ),
        )
    return content
