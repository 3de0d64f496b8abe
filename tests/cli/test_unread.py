"""Files among the rules that are not read are told of."""

from __future__ import annotations

import pytest

from geofence.model.notes import NoteKind
from tests.cli.facts import fact
from tests.cli.machine import Machine
from tests.cli.world import FOREIGN, small

ANDORRA = '[allow]\ncountries = ["JP", "AD"]\n'


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("10-mine.conf", "10-mine.toml"),
        ("10-mine", "10-mine.toml"),
        ("10-mine.TOML", "10-mine.toml"),
        ("10-mine.toml.txt", "10-mine.toml"),
        ("10-my rules.conf", "10-my rules.toml"),
    ],
)
def test_a_file_with_another_suffix_is_reported_with_the_remedy(
    one: Machine, name: str, meant: str
) -> None:
    one.serve("AD", small("AD"))
    path = one.rule(name, ANDORRA)
    told = f"{path} is not read, since its name does not end in .toml. If it has rules, run 'mv "
    for verb in ("plan", "refresh", "apply", "status"):
        assert told in one.ok(verb).err
    assert fact(one.ok("status", "--json"), NoteKind.FILE_NOT_READ) == (
        str(path),
        {"name": str(one.rules / meant)},
    )
    [line] = [each for each in one.ok("status").err.splitlines() if told in each]
    assert meant in line

    path.rename(one.rules / meant)
    assert "is not read" not in one.ok("refresh").said
    assert one.gets_in("85.94.160.1", FOREIGN[0]) == [True, False]


def test_a_directory_is_reported(one: Machine) -> None:
    (one.rules / "mine").mkdir()
    (one.rules / "mine" / "10.toml").write_text(ANDORRA)
    told = f"{one.rules / 'mine'} is a directory, and geofence reads nothing in it."
    assert told in one.ok("refresh").err
    assert told in one.ok("status").err


def test_backup_copies_are_reported_together(one: Machine) -> None:
    names = ["10.toml~", "10.toml.bak", "10.toml.dpkg-old", "10.toml.disabled"]
    paths = sorted(str(one.rule(name, ANDORRA)) for name in names)
    told = f"These files look like backup copies and are not read: {', '.join(paths)}."
    err = one.ok("refresh").err
    assert told in " ".join(err.split())
    assert "mv " not in err


def test_nothing_is_said_of_hidden_files(one: Machine) -> None:
    one.rule(".10.toml.swp", ANDORRA)
    one.rule(".git", "")
    assert "not read" not in one.ok("refresh").said
