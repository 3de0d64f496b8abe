"""Who may have written a file, for owners and modes that tests cannot all make."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from geofence.policy import trust
from geofence.policy.trust import distrust

ME = os.geteuid()
SOMEBODY = 54321
"""A user and group that no system has."""


def status(mode: int, uid: int = ME, gid: int = 0) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
@pytest.mark.parametrize("uid", [0, ME, Path(trust.__file__).stat().st_uid])
def test_what_only_root_and_the_user_can_write_is_believed(mode: int, uid: int) -> None:
    assert distrust(status(mode, uid, SOMEBODY)) is None


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o777])
def test_what_everyone_can_write_is_not(mode: int) -> None:
    doubt = distrust(status(mode))
    assert doubt == ("can be written by everyone", "chmod go-w")


def test_what_belongs_to_somebody_else_is_not() -> None:
    doubt = distrust(status(0o600, SOMEBODY))
    assert doubt == (f"belongs to the user number {SOMEBODY}", "chown root")


def test_what_a_group_can_write_is_not() -> None:
    doubt = distrust(status(0o660, gid=SOMEBODY))
    assert doubt == (f"can be written by the group number {SOMEBODY}", "chmod go-w")


def test_a_group_is_named() -> None:
    group = next(group for group in grp.getgrall() if group.gr_name == "adm")
    doubt = distrust(status(0o660, gid=group.gr_gid))
    assert doubt == ("can be written by the group adm", "chmod go-w")


def test_the_private_group_of_the_owner_is_nobody_else() -> None:
    root = pwd.getpwuid(0)
    alone = not set(grp.getgrgid(root.pw_gid).gr_mem) - {"root"}
    assert (distrust(status(0o664, uid=0, gid=root.pw_gid)) is None) == alone
