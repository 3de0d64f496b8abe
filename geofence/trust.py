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


def distrust(status: os.stat_result, *, by_hand: bool) -> Distrust | None:
    """Why others than root and the one who runs geofence could have written a file or directory.

    What people write, and install, is seen with more indulgence than what geofence alone does.
    Whoever owns the program itself is believed there too: they could change that as well. And a
    group may write where it is the owner's private one (as ``useradd`` makes them), since nobody
    else is in it.

    Args:
        status: of the file itself (``fstat``), symbolic links followed.
        by_hand: whether people write it, as rules; geofence alone writes its state.

    Returns:
        What is wrong with it and what helps, or None if nothing is.
    """
    owner, group = status.st_uid, status.st_gid
    if owner not in {0, os.geteuid()} and not (by_hand and owner == _owner_of_program()):
        return Distrust(f"belongs to {_user_name(owner)}", "chown root")
    if status.st_mode & stat.S_IWOTH:
        return Distrust("can be written by everyone", "chmod go-w")
    if status.st_mode & stat.S_IWGRP and not (by_hand and _is_private_group(group, owner)):
        return Distrust(f"can be written by the group {_group_name(group)}", "chmod go-w")
    return None


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
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {owner.pw_name}
    return owner.pw_gid == gid and group.gr_name == owner.pw_name and alone
