"""Who may have written a file or directory, and whether to believe it.

Rules and state decide who reaches the PBX, so what others could have written is refused: the file
itself, and what is found under its name because others may exchange a directory on the way to it.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from geofence.host.acl import Writers, read_acl, writers

_MOST_LINKS = 40
"""As many as the kernel follows."""


class Distrust(NamedTuple):
    """Why something is not believed."""

    reason: str
    """``can be written by everyone``; what it is about stands before it."""
    remedy: str
    """The command that takes the reason away; the path follows."""


def distrust(facts: os.stat_result, acl: bytes | None, *, by_hand: bool) -> Distrust | None:
    """Tell why others than root and the one who runs geofence could have written a file.

    What people write, and install, is seen with more indulgence than what geofence alone does.
    Whoever owns the program itself is believed there too: they could change that as well. And a
    group may write where it is the owner's private one (as ``useradd`` makes them), since nobody
    else is in it.

    Args:
        facts: of the file or directory itself (``fstat``), symbolic links followed.
        acl: its access control list, if it has one.
        by_hand: whether people write it, as rules; geofence alone writes its state.

    Returns:
        What is wrong with it and what helps, or None if nothing is.
    """
    believed = {0, os.geteuid()} | ({_owner_of_program()} if by_hand else set())
    if facts.st_uid not in believed:
        return Distrust(f"belongs to {_user_name(facts.st_uid)}", "chown root")
    return _other_writer(facts, acl, believed, private_groups=by_hand)


def distrust_on_the_way(path: Path) -> tuple[Path, Distrust] | None:
    """Tell which directory on the way to a file others could exchange, with all below it.

    Symbolic links are followed, and the directories that they lead through count. Others may write
    to a sticky one (``/tmp``), where each can exchange only what is theirs. Whoever owns the root
    directory is believed: that is root, or in a user namespace that does not know root, nobody
    can tell who it is.

    Args:
        path: of a file or directory; neither it nor all above it need exist.

    Returns:
        The directory, or the link in a sticky one, with what is wrong with it; None for nothing.

    Raises:
        OSError: the system does not tell.
    """
    believed = {0, os.geteuid(), _owner_of_program(), Path("/").stat().st_uid}
    for directory, entry in _lookups(path):
        doubt = _exchangeable(directory, entry, believed)
        if doubt:
            return doubt
    return None


def _exchangeable(directory: Path, entry: Path, believed: set[int]) -> tuple[Path, Distrust] | None:
    facts = directory.stat()
    if facts.st_uid not in believed:
        return directory, Distrust(f"belongs to {_user_name(facts.st_uid)}", "chown root")
    doubt = _other_writer(facts, read_acl(directory), believed, private_groups=True)
    if doubt is None or not facts.st_mode & stat.S_ISVTX:
        return (directory, doubt) if doubt else None
    owner = entry.lstat().st_uid
    if owner in believed:
        return None
    return entry, Distrust(f"belongs to {_user_name(owner)}", "chown -h root")


def _lookups(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each name that the system looks up for a path: the directory, and what is there.

    The directory's own path has no symbolic link in it. Ends where nothing is there.
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
    facts: os.stat_result, acl: bytes | None, believed: set[int], *, private_groups: bool
) -> Distrust | None:
    """Tell who may write besides the owner and those who are believed."""
    if facts.st_mode & stat.S_IWOTH:
        return Distrust("can be written by everyone", "chmod go-w")
    if not facts.st_mode & stat.S_IWGRP:
        return None  # the mask of an access control list, too, where there is one
    try:
        found = Writers(owning_group=True) if acl is None else writers(acl)
    except ValueError:
        return Distrust("has an access control list of an unknown form", "setfacl -b")
    owner = facts.st_uid
    named = [_user_name(user) for user in found.users if user not in {*believed, owner}]
    groups = [*found.groups, *([facts.st_gid] if found.owning_group else [])]
    named += [
        f"the group {_group_name(group)}"
        for group in groups
        if not (private_groups and _is_private_group(group, owner))
    ]
    remedy = "chmod go-w" if acl is None else "setfacl -b"
    return Distrust(f"can be written by {named[0]}", remedy) if named else None


def _owner_of_program() -> int:
    return Path(__file__).stat().st_uid


def _user_name(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user number {uid}"


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"number {gid}"


def _is_private_group(gid: int, uid: int) -> bool:
    """Whether nobody but this user is in the group: named in it, or with it as their own."""
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {owner.pw_name}
    own = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid}
    return owner.pw_gid == gid and group.gr_name == owner.pw_name and alone and own <= {uid}
