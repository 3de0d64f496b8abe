"""Who could have written a file, and what is found under its name."""

from __future__ import annotations

import grp
import os
import pwd
import sys
import tempfile
from pathlib import Path

import pytest

from geofence.host import ownership
from geofence.host.acl import read_acl
from geofence.host.ownership import Distrust, distrust, distrust_on_the_way
from tests.demo.ordinary_user import run_as_ordinary_user
from tests.support.acl import GROUP, USER, let_write
from tests.support.owners import given_away

ME = os.geteuid()
SOMEBODY = 54321
"""A user and group that no system has."""


def status(mode: int, uid: int = ME, gid: int = 0) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def doubted(facts: os.stat_result, *, by_hand: bool) -> Distrust | None:
    return distrust(facts, None, by_hand=by_hand)


BY_HAND = pytest.mark.parametrize("by_hand", [True, False])


@BY_HAND
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o644, 0o755])
@pytest.mark.parametrize("uid", [0, ME])
def test_files_writable_by_root_and_the_user_are_trusted(
    mode: int, uid: int, *, by_hand: bool
) -> None:
    assert doubted(status(mode, uid, SOMEBODY), by_hand=by_hand) is None


@BY_HAND
@pytest.mark.parametrize("mode", [0o602, 0o666, 0o777])
def test_files_writable_by_everyone_are_not_trusted(mode: int, *, by_hand: bool) -> None:
    doubt = doubted(status(mode), by_hand=by_hand)
    assert doubt == ("can be written by everyone", "chmod go-w")


@BY_HAND
def test_files_of_another_user_are_not_trusted(*, by_hand: bool) -> None:
    doubt = doubted(status(0o600, SOMEBODY), by_hand=by_hand)
    assert doubt == (f"belongs to the user number {SOMEBODY}", "chown root")


@BY_HAND
def test_files_writable_by_a_group_are_not_trusted(*, by_hand: bool) -> None:
    doubt = doubted(status(0o660, gid=SOMEBODY), by_hand=by_hand)
    assert doubt == (f"can be written by the group number {SOMEBODY}", "chmod go-w")


@BY_HAND
def test_a_group_is_named(*, by_hand: bool) -> None:
    group = next(group for group in grp.getgrall() if group.gr_name == "adm")
    doubt = doubted(status(0o660, gid=group.gr_gid), by_hand=by_hand)
    assert doubt == ("can be written by the group adm", "chmod go-w")


def test_the_owner_of_the_program_may_write_rules_but_not_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "trust.py"
    program.touch()
    theirs = given_away(program, "/etc/passwd")
    owner = theirs.stat().st_uid
    monkeypatch.setattr(ownership, "__file__", str(theirs))
    assert doubted(status(0o644, owner, SOMEBODY), by_hand=True) is None
    assert doubted(status(0o644, owner, SOMEBODY), by_hand=False) is not None


def test_the_private_group_of_the_owner_may_write_rules_but_not_the_state() -> None:
    root = pwd.getpwuid(0)
    alone = not set(grp.getgrgid(root.pw_gid).gr_mem) - {"root"}
    alone &= {user.pw_uid for user in pwd.getpwall() if user.pw_gid == root.pw_gid} <= {0}
    mine = status(0o664, uid=0, gid=root.pw_gid)
    assert (doubted(mine, by_hand=True) is None) == alone
    assert doubted(mine, by_hand=False) == ("can be written by the group root", "chmod go-w")


def give_away(path: Path) -> None:
    """Make it a stranger's; in a namespace that knows only one user, nobody is one."""
    try:
        os.chown(path, SOMEBODY, 0, follow_symlinks=False)
    except OSError as error:
        pytest.skip(f"no other user is known here: {error}")


def reason(path: Path, *, by_hand: bool = True) -> str:
    doubt = distrust(path.stat(), read_acl(path), by_hand=by_hand)
    return doubt.reason if doubt else ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch(mode=0o644)
    return path


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize(
    ("tag", "number", "who"),
    [(USER, SOMEBODY, "the user number 54321"), (GROUP, SOMEBODY, "the group number 54321")],
)
def test_writers_by_an_access_control_list_are_named(
    file: Path, by_hand: bool, tag: int, number: int, who: str
) -> None:
    let_write(file, tag, number)
    assert distrust(file.stat(), read_acl(file), by_hand=by_hand) == Distrust(
        f"can be written by {who}", "setfacl -b"
    )


def test_an_access_control_list_for_root_alone_is_trusted(file: Path) -> None:
    let_write(file, USER, 0)
    assert distrust(file.stat(), read_acl(file), by_hand=False) is None


def test_an_access_control_list_with_a_read_only_mask_is_trusted(file: Path) -> None:
    let_write(file, USER, SOMEBODY)
    file.chmod(0o644)
    assert distrust(file.stat(), read_acl(file), by_hand=False) is None


def group(*members: str) -> grp.struct_group:
    return grp.struct_group(("root", "x", 0, list(members)))


def user(name: str, uid: int, gid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh"))


@pytest.mark.parametrize(
    ("members", "users", "private"),
    [
        ([], [user("eve", SOMEBODY, 100)], True),
        (["root"], [], True),
        (["root", "eve"], [], False),
        ([], [user("eve", SOMEBODY, 0)], False),
        ([], [user("toor", 0, 0)], True),
    ],
)
def test_a_group_is_private_without_other_members(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    members: list[str],
    users: list[pwd.struct_passwd],
    private: bool,
) -> None:
    file.chmod(0o664)
    root = pwd.getpwuid(0)
    monkeypatch.setattr(grp, "getgrgid", lambda _: group(*members))
    monkeypatch.setattr(pwd, "getpwall", lambda: [root, *users])
    assert reason(file) == ("" if private else "can be written by the group root")
    assert reason(file, by_hand=False) == "can be written by the group root"


@pytest.fixture
def way(tmp_path: Path) -> Path:
    """A file three directories down, which need not exist."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    return inner / "file"


def test_a_path_below_directories_of_root_is_trusted(way: Path) -> None:
    assert distrust_on_the_way(way) is None
    assert distrust_on_the_way(way.parent / "none" / "file") is None


def test_a_parent_directory_that_others_can_write(way: Path) -> None:
    way.parents[1].chmod(0o777)
    expected = Distrust("can be written by everyone", "chmod go-w")
    assert distrust_on_the_way(way) == (way.parents[1], expected)


def test_a_parent_directory_of_another_user(way: Path) -> None:
    give_away(way.parents[1])
    expected = Distrust("belongs to the user number 54321", "chown root")
    assert distrust_on_the_way(way) == (way.parents[1], expected)


def test_a_parent_directory_opened_by_an_access_control_list(way: Path) -> None:
    let_write(way.parents[1], USER, SOMEBODY)
    expected = Distrust("can be written by the user number 54321", "setfacl -b")
    assert distrust_on_the_way(way) == (way.parents[1], expected)


def test_own_files_in_a_sticky_directory_are_trusted(way: Path) -> None:
    way.parents[1].chmod(0o1777)
    assert distrust_on_the_way(way) is None
    give_away(way.parent)
    found = distrust_on_the_way(way)
    assert found
    assert found[0] == way.parent


@pytest.mark.usefixtures("way")
def test_the_way_through_a_link_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "link").symlink_to(Path("..", "outer"))
    start = tmp_path / "start"
    start.symlink_to(tmp_path / "theirs" / "link")
    path = start / "inner" / "file"
    assert distrust_on_the_way(path) is None
    give_away(tmp_path / "theirs")
    found = distrust_on_the_way(path)
    assert found
    assert found[0] == tmp_path / "theirs"


def test_a_link_of_another_user_in_a_sticky_directory(way: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(way.parent)
    give_away(link)
    assert distrust_on_the_way(link / "file") is None
    tmp_path.chmod(0o1777)
    expected = Distrust("belongs to the user number 54321", "chown -h root")
    assert distrust_on_the_way(link / "file") == (link, expected)


def test_links_that_never_end_are_given_up(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        distrust_on_the_way(tmp_path / "a" / "file")


IN_A_USER_NAMESPACE = """
import sys
from pathlib import Path
from geofence.host.ownership import distrust_on_the_way
print(Path("/").stat().st_uid, distrust_on_the_way(Path(sys.argv[1])))
"""


def test_where_root_is_not_known_its_directories_are_believed() -> None:
    done = run_as_ordinary_user(
        *("unshare", "--user", "--map-root-user"),
        *(sys.executable, "-c", IN_A_USER_NAMESPACE, str(Path(tempfile.gettempdir(), "none"))),
    )
    assert done.stdout == "65534 None\n", done.stderr
