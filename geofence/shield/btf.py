"""Where functions of the kernel are in its type information (BTF).

Layout: ``linux/btf.h`` and the kernel's btf.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_DIRECTORY = Path("/sys/kernel/btf")
_KERNEL, _MODULE = "vmlinux", "nf_conntrack"
_HEADER = struct.Struct("=HBBIIIII")
_MAGIC = 0xEB9F
_RECORD = struct.Struct("=II")
_FUNCTION = 12
_KINDS = 32
_MORE = {1: 4, 3: 12, 14: 4, 17: 4}
"""Bytes after the twelve that all have: integers, arrays, variables, declaration tags."""
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""Bytes of each member: structures, unions, enumerations, prototypes, sections, wide
enumerations."""
_FIXED = [12 + _MORE.get(kind, 0) for kind in range(_KINDS)]
_MEMBER = [_EACH.get(kind, 0) for kind in range(_KINDS)]


class Found(NamedTuple):
    """Functions by name, and whose they are."""

    numbers: dict[str, int]
    module: str
    """Empty: the kernel's own."""


class _Walked(NamedTuple):
    numbers: dict[str, int]
    past: int
    """The number after the last type."""
    strings: int
    """Bytes of all names."""


def kernel_functions(names: Iterable[str], directory: Path = _DIRECTORY) -> Found | None:
    """Return where conntrack's functions are; None if this kernel has not all of them.

    They are the kernel's own, or those of the module nf_conntrack, whose types go on where the
    kernel's end.

    Raises:
        OSError: the kernel has no type information, or the module is not loaded.
        ValueError: it is not understood.
    """
    wanted = tuple(names)
    kernel = _walked((directory / _KERNEL).read_bytes(), wanted, 1, 0)
    if len(kernel.numbers) == len(wanted):
        return Found(kernel.numbers, "")
    path = directory / _MODULE
    if not path.exists():
        return None
    module = _walked(path.read_bytes(), wanted, kernel.past, kernel.strings)
    return Found(module.numbers, _MODULE) if len(module.numbers) == len(wanted) else None


def _walked(data: bytes, names: tuple[str, ...], first: int, base: int) -> _Walked:
    """Walk through all types, which is the only way to their numbers."""
    try:
        magic, _, _, header, types, types_size, strings, size = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("That is no type information.")
        wanted = _named(data[header + strings : header + strings + size], names, base)
        return _Walked(*_numbers(data, header + types, types_size, first, wanted), size)
    except (struct.error, IndexError) as error:
        raise ValueError("The type information of the kernel is cut short.") from error


def _named(strings: bytes, names: tuple[str, ...], base: int) -> dict[int, str]:
    """Return which names are where among the strings."""
    found = {}
    for name in names:
        at = strings.find(b"\0" + name.encode() + b"\0")
        if at >= 0:
            found[at + 1 + base] = name
    return found


def _numbers(
    data: bytes, at: int, size: int, first: int, wanted: dict[int, str]
) -> tuple[dict[str, int], int]:
    found: dict[str, int] = {}
    record, number, past = _RECORD.unpack_from, first, at + size
    while at < past:
        name, what = record(data, at)
        kind = what >> 24 & 31
        if kind == _FUNCTION and name in wanted:
            found[wanted[name]] = number
        at += _FIXED[kind] + _MEMBER[kind] * (what & 0xFFFF)
        number += 1
    return found, number
