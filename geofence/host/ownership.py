"""Ownership of files and directories: whether others could have written or exchanged them.

Rules and state decide who reaches the PBX. So a file is refused if others can write it, or can
exchange a directory on the way to it.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator

from geofence.host.acl import Writers, read_acl, writers
from geofence.lean import Path
from geofence.model.frozen import NamedTuple
from geofence.translation import tr

_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
"""Bits of a mode without which no others may write: the group's is the mask of an access control
list, too."""
_MOST_LINKS = 40
"""The kernel follows as many."""


class Distrust(NamedTuple):
    """Why a file or directory is not trusted."""

    reason: str
    """Predicate of a sentence whose subject is the path: ``can be written by everyone``."""
    remedy: str
    """The command that removes the reason; the path follows."""


def distrust(facts: os.stat_result, acl: bytes | None, *, by_hand: bool) -> Distrust | None:
    """Return why others than root and this user could have written a file.

    Files that people write and install are judged less strictly than those that only geofence
    writes. There, the owner of the program is trusted too, since they could change it as well; and
    a group may write if it is the owner's private one (as ``useradd`` makes them), since nobody
    else is in it.

    Args:
        facts: of the file or directory itself (``fstat``), symbolic links followed.
        acl: its access control list, if it has one.
        by_hand: whether people write it, as they do rules; only geofence writes its state.

    Returns:
        What is wrong and what helps; None if nothing is wrong.
    """
    trusted = {0, os.geteuid()} | ({_owner_of_program()} if by_hand else set())
    if facts.st_uid not in trusted:
        return _foreign(facts.st_uid, "chown root")
    return _other_writer(facts, acl, trusted, private_groups=by_hand)


def distrust_on_the_way(path: Path) -> tuple[Path, Distrust] | None:
    """Return what ``Ways.distrust`` does, for one path."""
    return Ways().distrust(path)


class Ways:
    """The ways to files that are read one after another; of each directory, looked up once.

    A way that only trusted users can change stays so until one of them changes it. So what was
    found safe may be relied on while a few hundred files are read, and not for longer.
    """

    def __init__(self) -> None:
        """Look nothing up yet."""
        root = os.stat("/")  # noqa: PTH116 - of each file that is read, so it should be quick
        self._root = _Found("/", root)
        self._trusted = {0, os.geteuid(), _owner_of_program(), root.st_uid}
        self._safe: dict[str, tuple[_Found, ...]] = {}
        """Directories that were found safe, and the directories on the way to each."""

    def distrust(self, path: Path) -> tuple[Path, Distrust] | None:
        """Return the directory on the way to a file that others could exchange.

        Symbolic links are followed, and the directories that they lead through count. Others may
        write to a sticky one (``/tmp``), where users can exchange only their own entries. A
        ConfigMap of a pod has a mode as if others could write, and they cannot (see
        ``host.mounts``). The owner of the root directory is trusted: it is root, or unknown in a
        user namespace without root.

        Args:
            path: of a file or directory; neither it nor all above it need exist.

        Returns:
            The directory, or the link in a sticky one, with what is wrong with it; None for
            nothing.

        Raises:
            OSError: the system does not say.
        """
        absolute = str(path) if path.is_absolute() else str(path.absolute())
        directory, _, name = absolute.rpartition("/")
        if directory not in self._safe:
            way = [self._root]
            doubt = self._looked_up(way, directory)
            if doubt or not way:
                return doubt
            self._safe[directory] = tuple(way)
        return self._looked_up([*self._safe[directory]], name)

    def _looked_up(self, way: list[_Found], path: str) -> tuple[Path, Distrust] | None:
        """Follow a path from where a way has led, and return what is wrong on it."""
        for directory, entry in _lookups(way, path):
            doubt = _exchangeable(directory, entry, self._trusted)
            if doubt:
                return doubt
        return None


class _Found(NamedTuple):
    """A directory or an entry of one."""

    path: str
    """Without a symbolic link on the way to it."""
    facts: os.stat_result
    """Of the link itself if it is one."""


def _exchangeable(
    directory: _Found, entry: _Found, trusted: set[int]
) -> tuple[Path, Distrust] | None:
    facts = directory.facts
    if facts.st_uid not in trusted:
        return Path(directory.path), _foreign(facts.st_uid, "chown root")
    if not facts.st_mode & _WRITTEN_BY_OTHERS:
        return None
    place = Path(directory.path)
    doubt = _other_writer(facts, read_acl(place), trusted, private_groups=True)
    owner, is_sticky = entry.facts.st_uid, facts.st_mode & stat.S_ISVTX
    if doubt is None or (is_sticky and owner in trusted):
        return None
    from geofence.host.mounts import is_config_map  # asked of few directories, and of none at boot

    if is_config_map(place):
        return None
    return (Path(entry.path), _foreign(owner, "chown -h root")) if is_sticky else (place, doubt)


def _lookups(way: list[_Found], path: str) -> Iterator[tuple[_Found, _Found]]:
    """Yield each directory and entry that the system looks up for a path.

    Args:
        way: the directories from the root directory to where the path begins; on return, to where
            it leads. Empty where an entry does not exist, which ends it.
        path: to look up.
    """
    links = 0
    pending = _names(path)
    while pending:
        name = pending.pop()
        if name == os.pardir:
            del way[max(1, len(way) - 1) :]
            continue
        place = f"{way[-1].path.rstrip('/')}/{name}"
        try:
            entry = _Found(place, os.lstat(place))
        except FileNotFoundError:
            way.clear()
            return
        yield way[-1], entry
        if not stat.S_ISLNK(entry.facts.st_mode):
            way.append(entry)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(place)  # noqa: PTH115 - as above
        pending += _names(target)
        del way[1 if target.startswith("/") else len(way) :]


def _names(path: str) -> list[str]:
    """Return the names in a path, the last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", os.curdir)]


def _other_writer(
    facts: os.stat_result, acl: bytes | None, trusted: set[int], *, private_groups: bool
) -> Distrust | None:
    """Return why others than the owner and those who are trusted may write."""
    if facts.st_mode & stat.S_IWOTH:
        return Distrust(tr("can be written by everyone"), "chmod go-w")
    if not facts.st_mode & stat.S_IWGRP:  # also the mask of an access control list
        return None
    try:
        found = Writers(owning_group=True) if acl is None else writers(acl)
    except ValueError:
        return Distrust(tr("has an access control list of an unknown format"), "setfacl -b")
    owner = facts.st_uid
    named = [_user_name(user) for user in found.users if user not in {*trusted, owner}]
    groups = [*found.groups, *([facts.st_gid] if found.owning_group else [])]
    named += [
        _group_name(group)
        for group in groups
        if not (private_groups and _is_private_group(group, owner))
    ]
    remedy = "chmod go-w" if acl is None else "setfacl -b"
    return Distrust(tr("can be written by {who}", who=named[0]), remedy) if named else None


# Translators: the predicates here follow the path of a file or directory.
def _foreign(uid: int, remedy: str) -> Distrust:
    return Distrust(tr("belongs to {who}", who=_user_name(uid)), remedy)


def _owner_of_program() -> int:
    return os.stat(__file__).st_uid  # noqa: PTH116 - of each file that is read, too


def _user_name(uid: int) -> str:
    try:
        return tr("the user {name}", name=pwd.getpwuid(uid).pw_name)
    except KeyError:
        return tr("the user number {uid}", uid=uid)


def _group_name(gid: int) -> str:
    try:
        return tr("the group {name}", name=grp.getgrgid(gid).gr_name)
    except KeyError:
        return tr("the group number {gid}", gid=gid)


def _is_private_group(gid: int, uid: int) -> bool:
    """Whether only this user is in the group, as a member or by primary group."""
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {owner.pw_name}
    own = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid}
    return owner.pw_gid == gid and group.gr_name == owner.pw_name and alone and own <= {uid}
