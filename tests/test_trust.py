"""Who may have written a file, for owners and modes that tests cannot all make."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from geofence import trust
from geofence.trust import distrust
from tests.support.owners import given_away

ME = os.geteuid()
SOMEBODY = 54321
"""A user and group that no system has."""


def status(mode: int, uid: int = ME, gid: int = 0) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


BY_HAND = pytest.mark.parametrize("by_hand", [True, False])


@BY_HAND
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
@pytest.mark.parametrize("uid", [0, ME])
def test_what_only_root_and_the_user_can_write_is_believed(
    mode: int, uid: int, *, by_hand: bool
) -> None:
    assert distrust(status(mode, uid, SOMEBODY), by_hand=by_hand) is None


@BY_HAND
@pytest.mark.parametrize("mode", [0o602, 0o666, 0o777])
def test_what_everyone_can_write_is_not(mode: int, *, by_hand: bool) -> None:
    doubt = distrust(status(mode), by_hand=by_hand)
    assert doubt == ("can be written by everyone", "chmod go-w")


@BY_HAND
def test_what_belongs_to_somebody_else_is_not(*, by_hand: bool) -> None:
    doubt = distrust(status(0o600, SOMEBODY), by_hand=by_hand)
    assert doubt == (f"belongs to the user number {SOMEBODY}", "chown root")


@BY_HAND
def test_what_a_group_can_write_is_not(*, by_hand: bool) -> None:
    doubt = distrust(status(0o660, gid=SOMEBODY), by_hand=by_hand)
    assert doubt == (f"can be written by the group number {SOMEBODY}", "chmod go-w")


@BY_HAND
def test_a_group_is_named(*, by_hand: bool) -> None:
    group = next(group for group in grp.getgrall() if group.gr_name == "adm")
    doubt = distrust(status(0o660, gid=group.gr_gid), by_hand=by_hand)
    assert doubt == ("can be written by the group adm", "chmod go-w")


def test_who_owns_the_program_may_write_rules_but_not_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "trust.py"
    program.touch()
    theirs = given_away(program, "/etc/passwd")
    owner = theirs.stat().st_uid
    monkeypatch.setattr(trust, "__file__", str(theirs))
    assert distrust(status(0o644, owner, SOMEBODY), by_hand=True) is None
    assert distrust(status(0o644, owner, SOMEBODY), by_hand=False) is not None


def test_the_private_group_of_the_owner_may_write_rules_but_not_the_state() -> None:
    root = pwd.getpwuid(0)
    alone = not set(grp.getgrgid(root.pw_gid).gr_mem) - {"root"}
    mine = status(0o664, uid=0, gid=root.pw_gid)
    assert (distrust(mine, by_hand=True) is None) == alone
    assert distrust(mine, by_hand=False) == ("can be written by the group root", "chmod go-w")
