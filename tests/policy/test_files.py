"""Rules files as they can be found on a disk."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from geofence.errors import ExitCode, RulesError
from geofence.policy import files, load_policy
from geofence.policy.files import MOST_BYTES
from tests.support.acl import USER, let_write
from tests.support.config_map import ConfigMapVolume

RULES = '[allow]\ncountries = ["JP"]\n'


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    directory = tmp_path / "shipped"
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def own(tmp_path: Path) -> Path:
    directory = tmp_path / "own"
    directory.mkdir(mode=0o755)
    return directory


def written(path: Path, text: str = RULES) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def complaint(*directories: Path) -> str:
    with pytest.raises(RulesError) as caught:
        load_policy(directories)
    assert caught.value.exit_code is ExitCode.USAGE
    return str(caught.value)


def test_files_count_in_lexical_order_directory_by_directory(shipped: Path, own: Path) -> None:
    written(shipped / "20.toml", 'allow.countries = ["SG"]')
    written(shipped / "10.toml", 'allow.countries = ["US"]\nbackend = "ipset"')
    assert load_policy([shipped]).countries == ("SG",)
    written(own / "00.toml", 'allow.countries = ["DE"]')
    both = load_policy([shipped, own])
    assert (both.countries, both.backend) == (("DE",), "ipset")
    assert both.origins["allow"].file == str(own / "00.toml")


def test_only_files_named_toml_are_read(shipped: Path) -> None:
    written(shipped / "a.toml")
    written(shipped / "b.toml~", "no TOML")
    written(shipped / ".c.toml", "no TOML")
    (shipped / ".#d.toml").symlink_to("editor@host.1")
    assert load_policy([shipped]).countries == ("JP",)


def test_an_empty_directory_and_an_empty_file_are_rules_without_anything(shipped: Path) -> None:
    assert load_policy([shipped]).services == ()
    written(shipped / "a.toml", "")
    assert load_policy([shipped]).services == ()


def test_only_the_first_directory_must_exist(shipped: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert load_policy([shipped, missing]).countries == ()
    assert complaint(missing, shipped) == (
        f"{missing}: does not exist; expected the directory with the rules that ship with geofence"
    )


def test_a_byte_order_mark_does_no_harm(shipped: Path) -> None:
    written(shipped / "a.toml", f"\ufeff{RULES}")
    assert load_policy([shipped]).countries == ("JP",)


def test_line_ends_of_other_systems(shipped: Path) -> None:
    (shipped / "a.toml").write_bytes(b'[allow]\r\ncountries = [\r\n"JP",\r\n"XX"]\r\n')
    assert complaint(shipped).startswith(
        f'{shipped}/a.toml:4: allow.countries: unknown country "XX"'
    )


def test_text_that_is_not_utf_8(shipped: Path) -> None:
    (shipped / "a.toml").write_bytes(b"# fine\n\n# M\xfcnchen\n")
    assert complaint(shipped) == (
        f"{shipped}/a.toml:3: is not UTF-8 (byte 0xfc); expected text in UTF-8"
    )


def test_a_file_that_is_too_large(shipped: Path) -> None:
    written(shipped / "a.toml", "#" * (MOST_BYTES + 1))
    assert complaint(shipped) == (
        f"{shipped}/a.toml: is larger than 4,000,000 bytes; expected a smaller file: "
        "write neighbouring addresses as prefixes, or divide them among several exceptions or "
        "blocklists in several files"
    )
    written(shipped / "a.toml", RULES + "#" * (MOST_BYTES - len(RULES)))
    assert load_policy([shipped]).countries == ("JP",)


def test_directories_and_pipes_named_toml_are_refused(shipped: Path) -> None:
    (shipped / "a.toml").mkdir()
    os.mkfifo(shipped / "b.toml")
    (shipped / "c.toml").symlink_to("nowhere")
    (shipped / "b.toml").chmod(0o600)
    assert complaint(shipped) == (
        f"{shipped}/a.toml: is not a regular file; expected a rules file\n"
        f"{shipped}/b.toml: is not a regular file; expected a rules file\n"
        f"{shipped}/c.toml: cannot be read (No such file or directory); "
        "expected a rules file that geofence may read"
    )


def test_a_missing_or_wrong_rules_directory_is_refused(shipped: Path) -> None:
    file = written(shipped / "a.toml")
    assert complaint(shipped, file) == (
        f"{file}: cannot be read (Not a directory); "
        "expected a directory of rules that geofence may read"
    )


def test_all_unreadable_files_are_reported_at_once(shipped: Path, own: Path) -> None:
    (shipped / "a.toml").mkdir()
    written(own / "b.toml", "no TOML")
    written(own / "c.toml", 'allow.countries = ["XX"]')
    assert [line.split(":")[0] for line in complaint(shipped, own).splitlines()] == [
        f"{own}/b.toml",
        f"{shipped}/a.toml",
    ]


def test_a_file_that_others_can_write_is_refused(shipped: Path) -> None:
    file = written(shipped / "it's.toml")
    file.chmod(0o646)
    assert complaint(shipped) == (
        f"{file}: can be written by everyone; expected rules that only root and you can write; "
        f"""check what they say, then run: chmod go-w '{shipped}/it'"'"'s.toml'"""
    )


def test_a_directory_that_others_can_write_is_refused(shipped: Path, own: Path) -> None:
    written(own / "a.toml", "no TOML, and not even looked at")
    own.chmod(0o777 | stat.S_ISVTX)
    assert complaint(shipped, own) == (
        f"{own}: can be written by everyone; expected rules that only root and you can write; "
        f"check what they say, then run: chmod go-w {own}"
    )


def test_links_are_followed(shipped: Path, own: Path) -> None:
    target = written(own / "rules")
    (shipped / "a.toml").symlink_to(target)
    assert load_policy([shipped]).countries == ("JP",)
    target.chmod(0o666)
    assert complaint(shipped).startswith(f"{shipped}/a.toml: can be written by everyone")


def test_control_characters_in_file_names_are_escaped(shipped: Path) -> None:
    written(shipped / "\x1b[2J\n.toml", "x")
    (shipped / "z\udcff.toml").mkdir()
    first, second = complaint(shipped).splitlines()
    assert first.startswith(f"{shipped}/\\x1b[2J\\n.toml:1: not valid TOML")
    assert second.startswith(f"{shipped}/z\\udcff.toml: is not a regular file")


def test_reading_rules_loads_nothing_heavy(shipped: Path) -> None:
    written(shipped / "a.toml", '[local]\nprefixes = ["10.0.0.0/8"]')
    program = (
        "import sys; from pathlib import Path; from geofence.policy import load_policy; "
        "load_policy([Path(sys.argv[1])]); "
        "print([name for name in ('netaddr', 'difflib', 'requests') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(shipped)], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_rules_that_others_could_exchange_are_refused(shipped: Path, tmp_path: Path) -> None:
    written(shipped / "a.toml")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "rules").symlink_to(shipped)
    link = tmp_path / "theirs" / "rules"
    assert load_policy([link]).countries == ("JP",)
    (tmp_path / "theirs").chmod(0o777)
    assert complaint(link) == (
        f"{link}: is reached through {link.parent}, which can be written by everyone; expected "
        "rules that only root and you can write; check what they say, then run: "
        f"chmod go-w {link.parent}"
    )


def test_a_drop_in_linked_to_where_others_write_is_refused(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (shipped / "a.toml").symlink_to(written(tmp_path / "theirs" / "rules"))
    assert load_policy([shipped]).countries == ("JP",)
    (tmp_path / "theirs").chmod(0o777)
    assert complaint(shipped).startswith(f"{shipped}/a.toml: is reached through {tmp_path}/theirs")


def test_a_file_that_an_access_control_list_opens_is_refused(shipped: Path) -> None:
    file = written(shipped / "a.toml")
    let_write(file, USER, 12345)
    assert complaint(shipped).endswith(f"check what they say, then run: setfacl -b {file}")


@pytest.mark.parametrize("number", range(6))
def test_rules_that_are_exchanged_while_they_are_read_are_the_old_ones_or_the_new_ones(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A key that moves to another file would be in neither, if half of the old ones were read."""
    volume = ConfigMapVolume(tmp_path)
    volume.path.chmod(0o755)
    country = 'allow.countries = ["{}"]\n'.format
    volume.write({"a.toml": country("JP"), "b.toml": 'backend = "ipset"\n'})
    real, opened = files._opened, 0  # noqa: SLF001 - to act between two of them

    def opening(path: Path, flags: int = 0) -> AbstractContextManager[int]:
        nonlocal opened
        opened += 1
        if opened == number:
            volume.write({"b.toml": country("DE"), "c.toml": 'backend = "nftables"\n'})
        return real(path, flags)

    monkeypatch.setattr(files, "_opened", opening)
    policy = load_policy([shipped, volume.path])
    assert (policy.countries, policy.backend) in [(("JP",), "ipset"), (("DE",), "nftables")]
