"""The world index on disk: what was written is what is read, and damage is noticed."""

from __future__ import annotations

import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import StateError
from geofence.geoip.atlas import make_atlas
from geofence.model.lists import Provenance
from geofence.model.prefixes import Family
from geofence.state import atlas as module
from geofence.state.atlas import (
    StoredAtlas,
    atlas_path,
    encode_atlas,
    load_atlas,
    open_atlas,
    save_atlas,
)
from geofence.state.files import ensure_private_directory
from tests.geoip.test_atlas import Spaces, telling, worlds
from tests.support.values import space

MADE = datetime(2026, 2, 1, 3, 30, tzinfo=UTC)
PART = Provenance("https://lists.example/jp.json", '"one"', "0" * 64, MADE, MADE, None, "json")
WORLD = {"DE": space("192.0.2.0/24", "2001:db8::/32"), "JP": space("198.51.100.0/25")}
WIDE = {"DE": space("192.0.2.0/24"), "JP": space("192.0.2.0/28", "2001:db8::8/125")}


def stored(spaces: Spaces) -> StoredAtlas:
    return StoredAtlas(make_atlas(spaces, MADE), {"JP": (PART, PART)}, ("FR", "JP"))


SEALED = encode_atlas(stored(WORLD))


def answers(found: StoredAtlas, spaces: Spaces) -> list[list[str | None]]:
    return [found.atlas.countries(family, telling(spaces, family)) for family in Family]


@given(worlds())
def test_what_was_written_is_read(spaces: Spaces) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        written = stored(spaces)
        save_atlas(directory, written)
        read, opened = load_atlas(directory), open_atlas(directory)
        assert read is not None
        assert opened is not None
        assert (read.lists, read.failed) == (written.lists, written.failed)
        assert read.size == atlas_path(directory).stat().st_size
        assert read.atlas.made == opened.made == MADE
        assert read.atlas.spaces() == opened.spaces() == written.atlas.spaces()
        assert answers(read, spaces) == answers(written, spaces)
        for family in Family:
            for number in telling(spaces, family):
                expected = written.atlas.country(family, number)
                assert opened.country(family, number) == expected


def test_without_a_file_there_is_no_index(tmp_path: Path) -> None:
    assert open_atlas(tmp_path) is None
    assert load_atlas(tmp_path) is None


def test_the_file_is_private_and_others_must_not_have_written_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    save_atlas(state, stored(WORLD))
    assert stat.S_IMODE(atlas_path(state).stat().st_mode) == 0o600
    atlas_path(state).chmod(0o666)
    for reading in (open_atlas, load_atlas):
        with pytest.raises(StateError, match="Others could have changed it"):
            reading(state)


def test_a_state_directory_with_an_index_is_one_of_geofence(tmp_path: Path) -> None:
    save_atlas(tmp_path, stored(WORLD))
    tmp_path.chmod(0o755)  # others can look into it, as into /var/lib
    ensure_private_directory(tmp_path)


@pytest.mark.parametrize("spaces", [WORLD, WIDE], ids=["halves", "whole addresses"])
@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_every_changed_byte_is_noticed(tmp_path: Path, spaces: Spaces, change: int) -> None:
    whole = encode_atlas(stored(spaces))
    for at in range(len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]
        check_damaged(tmp_path, damaged, spaces)


@pytest.mark.parametrize("spaces", [WORLD, WIDE], ids=["halves", "whole addresses"])
def test_a_file_of_another_length_is_noticed_at_once(tmp_path: Path, spaces: Spaces) -> None:
    whole = encode_atlas(stored(spaces))
    for content in (*(whole[:length] for length in range(len(whole))), whole + b"\n"):
        atlas_path(tmp_path).write_bytes(content)
        with pytest.raises(StateError, match=r"cannot be used\. .* Run 'geofence atlas --renew'\."):
            open_atlas(tmp_path)


def check_damaged(directory: Path, content: bytes, spaces: Spaces) -> None:
    """Reading all of it fails, and lookups in it give a country or a sentence."""
    atlas_path(directory).write_bytes(content)
    with pytest.raises(StateError, match="cannot be used"):
        load_atlas(directory)
    with pytest.raises(StateError, match="cannot be used"):
        open_atlas(directory, whole=True)
    with suppress(StateError):
        opened = open_atlas(directory)
        assert opened is not None
        for family in Family:
            numbers = telling(spaces, family)
            assert {*opened.countries(family, numbers)} <= {"DE", "JP", None}
            assert {opened.country(family, each) for each in numbers} <= {"DE", "JP", None}


@settings(max_examples=200)
@given(st.binary() | st.binary().map(lambda tail: SEALED[:120] + tail))
def test_a_foreign_file_is_named(content: bytes) -> None:
    with TemporaryDirectory() as name:
        atlas_path(Path(name)).write_bytes(content)
        with pytest.raises(StateError, match="cannot be used"):
            open_atlas(Path(name))


def test_a_newer_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_atlas(tmp_path, stored(WORLD))
    monkeypatch.setattr(module, "FORMAT", 0)
    with pytest.raises(StateError, match="A newer version of geofence wrote it"):
        open_atlas(tmp_path)


def test_another_byte_order_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_atlas(tmp_path, stored(WORLD))
    monkeypatch.setattr(module, "byteorder", "other")
    with pytest.raises(StateError, match="another byte order"):
        open_atlas(tmp_path)


def test_an_index_that_was_replaced_still_answers_as_it_was(tmp_path: Path) -> None:
    save_atlas(tmp_path, stored(WORLD))
    before = open_atlas(tmp_path)
    save_atlas(tmp_path, stored({"FR": space("192.0.2.0/24")}))
    after = open_atlas(tmp_path)
    assert before is not None
    assert after is not None
    number = 0xC0000201
    assert (before.country(Family.IPV4, number), after.country(Family.IPV4, number)) == ("DE", "FR")


def test_opening_does_not_read_the_columns(tmp_path: Path) -> None:
    whole = bytearray(encode_atlas(stored(WORLD)))
    whole[whole.rindex(b'{"lists"') - 1] ^= 0xFF  # the end of the last column
    atlas_path(tmp_path).write_bytes(whole)
    opened = open_atlas(tmp_path)
    assert opened is not None
    assert isinstance(opened.ipv4.firsts, memoryview)
    with pytest.raises(StateError, match="Its checksum does not match its content"):
        open_atlas(tmp_path, whole=True)
