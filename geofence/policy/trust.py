"""Who may have written a file or directory, and whether to believe it.

Rules and state decide who reaches the PBX, so what others could have written is refused.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path
from typing import NamedTuple


class Distrust(NamedTuple):
    """Why something is not believed."""

    reason: str
    """``can be written by everyone``; what it is about stands before it."""
    remedy: str
    """The command that takes the reason away; the path follows."""


def distrust(status: os.stat_result) -> Distrust | None:
    """Why others than root and the one who runs geofence could have written a file or directory.

    Whoever owns the program itself is believed too: they could change that as well. A group may
    write where it is the owner's private one (as ``useradd`` makes them), since nobody else is in
    it.

    Args:
        status: of the file itself (``fstat``), symbolic links followed.

    Returns:
        What is wrong with it and what helps, or None if nothing is.
    """
    if status.st_uid not in {0, os.geteuid(), Path(__file__).stat().st_uid}:
        return Distrust(f"belongs to {_user_name(status.st_uid)}", "chown root")
    if status.st_mode & stat.S_IWOTH:
        return Distrust("can be written by everyone", "chmod go-w")
    if status.st_mode & stat.S_IWGRP and not _is_private_group(status.st_gid, status.st_uid):
        group = _group_name(status.st_gid)
        return Distrust(f"can be written by the group {group}", "chmod go-w")
    return None


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
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {owner.pw_name}
    return owner.pw_gid == gid and group.gr_name == owner.pw_name and alone
