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
from pathlib import Path

from geofence.host.acl import Writers, read_acl, writers
from geofence.host.mounts import is_config_map
from geofence.model.frozen import NamedTuple
from geofence.translation import tr

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
    """Return the directory on the way to a file that others could exchange.

    Symbolic links are followed, and the directories that they lead through count. Others may write
    to a sticky one (``/tmp``), where users can exchange only their own entries. A ConfigMap of a
    pod has a mode as if others could write, and they cannot (see ``host.mounts``). The owner of the
    root directory is trusted: it is root, or unknown in a user namespace without root.

    Args:
        path: of a file or directory; neither it nor all above it need exist.

    Returns:
        The directory, or the link in a sticky one, with what is wrong with it; None for nothing.

    Raises:
        OSError: the system does not say.
    """
    trusted = {0, os.geteuid(), _owner_of_program(), Path("/").stat().st_uid}
    for directory, entry in _lookups(path):
        doubt = _exchangeable(directory, entry, trusted)
        if doubt:
            return doubt
    return None


def _exchangeable(directory: Path, entry: Path, trusted: set[int]) -> tuple[Path, Distrust] | None:
    facts = directory.stat()
    if facts.st_uid not in trusted:
        return directory, _foreign(facts.st_uid, "chown root")
    doubt = _other_writer(facts, read_acl(directory), trusted, private_groups=True)
    if doubt is None or is_config_map(directory):
        return None
    if not facts.st_mode & stat.S_ISVTX:
        return directory, doubt
    owner = entry.lstat().st_uid
    if owner in trusted:
        return None
    return entry, _foreign(owner, "chown -h root")


def _lookups(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each directory and entry that the system looks up for a path.

    The directory's own path has no symbolic link in it. Ends at an entry that does not exist.
    """
    pending = _names(path.absolute())
    directory, links = Path("/"), 0
    while pending:
        name = pending.pop()
        if name == os.pardir:
            directory = directory.parent
            continue
        entry = directory / name
        try:
            facts = entry.lstat()
        except FileNotFoundError:
            return
        yield directory, entry
        if not stat.S_ISLNK(facts.st_mode):
            directory = entry
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = entry.readlink()
        pending += _names(target)
        directory = Path("/") if target.is_absolute() else directory


def _names(path: Path) -> list[str]:
    """Return the names in a path, the last one first."""
    return [name for name in reversed(path.parts) if name != "/"]


def _other_writer(
    facts: os.stat_result, acl: bytes | None, trusted: set[int], *, private_groups: bool
) -> Distrust | None:
    """Return why others than the owner and those who are trusted may write."""
    if facts.st_mode & stat.S_IWOTH:
        return Distrust(tr("can be written by everyone"), "chmod go-w")
    if not facts.st_mode & stat.S_IWGRP:
        return None  # also the mask of an access control list, if there is one
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
    return Path(__file__).stat().st_uid


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
