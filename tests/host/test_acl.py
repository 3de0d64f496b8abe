"""Who may write by an access control list, against what the kernel does."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.host.acl import Writers, read_acl, writers
from tests.support.acl import GROUP, MASK, NOBODY, OTHER, OWNER, OWNING_GROUP, USER, acl

ALLOWED = st.integers(0, 7)
NUMBERS = st.integers(1, 65_000)


def test_a_file_without_an_access_control_list(tmp_path: Path) -> None:
    assert read_acl(tmp_path) is None
    handle = os.open(tmp_path, os.O_RDONLY)
    assert read_acl(handle) is None
    os.close(handle)


def test_a_file_system_without_access_control_lists() -> None:
    assert read_acl(Path("/proc/self/stat")) is None


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_acl(tmp_path / "none")


@given(
    users=st.dictionaries(NUMBERS, ALLOWED, max_size=3),
    groups=st.dictionaries(NUMBERS, ALLOWED, max_size=3),
    own=ALLOWED,
    mask=ALLOWED,
)
def test_the_mask_limits_named_users_and_groups(
    users: dict[int, int], groups: dict[int, int], own: int, mask: int
) -> None:
    entries = [(OWNER, 7, NOBODY), (OWNING_GROUP, own, NOBODY), (MASK, mask, NOBODY)]
    entries += [(USER, allowed, number) for number, allowed in users.items()]
    entries += [(GROUP, allowed, number) for number, allowed in groups.items()]
    found = writers(acl(*entries, (OTHER, 7, NOBODY)))
    assert found == Writers(
        bool(own & mask & 2),
        tuple(number for number, allowed in users.items() if allowed & mask & 2),
        tuple(number for number, allowed in groups.items() if allowed & mask & 2),
    )


@given(mask=ALLOWED, named=ALLOWED)
def test_the_kernel_shows_the_mask_as_the_bits_of_the_group(
    tmp_path_factory: pytest.TempPathFactory, mask: int, named: int
) -> None:
    file = tmp_path_factory.mktemp("acl")
    entries = [(OWNER, 7, NOBODY), (USER, named, 12345), (OWNING_GROUP, 0, NOBODY)]
    os.setxattr(
        file, "system.posix_acl_access", acl(*entries, (MASK, mask, NOBODY), (OTHER, 0, NOBODY))
    )
    assert bool(file.stat().st_mode & stat.S_IWGRP) == bool(mask & 2)
    read = read_acl(file)
    assert read is not None
    assert writers(read).users == ((12345,) if mask & named & 2 else ())


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_read(octets: bytes) -> None:
    try:
        found = writers(octets)
    except ValueError as error:
        assert "unknown form" in str(error)  # noqa: PT017 - most are none, a few are
    else:
        assert len(found.users) + len(found.groups) <= len(octets) // 8
