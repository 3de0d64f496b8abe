"""Functions of the kernel are found in its type information, or a module's; damage is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from geofence.shield.btf import Found, kernel_functions

NAMES = ("one", "two")


def btf(functions: tuple[str, ...], base: int = 0) -> bytes:
    """Type information with an integer, a structure of two members, and functions."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in functions)
    types = struct.pack("=III I", 0, 1 << 24, 4, 32)
    types += struct.pack("=III", 0, 4 << 24 | 2, 8) + bytes(24)
    for name in functions:
        at = strings.index(b"\0" + name.encode() + b"\0") + 1
        types += struct.pack("=III", at + base, 12 << 24, 1)
    header = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return header + types + strings


def test_functions_of_the_kernel_are_numbered_from_one(tmp_path: Path) -> None:
    (tmp_path / "vmlinux").write_bytes(btf(("other", "two", "one")))
    assert kernel_functions(NAMES, tmp_path) == Found({"two": 4, "one": 5}, "")


def test_those_of_a_module_go_on_where_the_kernel_ends(tmp_path: Path) -> None:
    kernel = btf(("other",))
    (tmp_path / "vmlinux").write_bytes(kernel)
    assert kernel_functions(NAMES, tmp_path) is None
    strings = len(b"\0other\0")
    (tmp_path / "nf_conntrack").write_bytes(btf(("one", "two"), strings))
    assert kernel_functions(NAMES, tmp_path) == Found({"one": 6, "two": 7}, "nf_conntrack")


@pytest.mark.parametrize("cut", [0, 10, 23, 30, 60])
def test_what_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    whole = btf(("one", "two"))
    (tmp_path / "vmlinux").write_bytes(whole[:cut])
    (tmp_path / "nf_conntrack").write_bytes(b"")
    with pytest.raises(ValueError, match=r"type information"):
        kernel_functions(NAMES, tmp_path)
