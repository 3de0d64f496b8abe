"""Many attributes of one layout in a row, such as the entries of a set.

They are a template repeated, in which a few fields differ. So a field of all of them is a column of
bytes that lie a fixed step apart, and is written or read by as many strided slices as it is wide:
a few operations a message instead of several an entry.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from struct import iter_unpack

from geofence.netlink.attributes import Span

_WORD = array("Q").itemsize


def put(rows: bytearray, step: int, at: int, width: int, column: bytes) -> None:
    """Write one field of all rows.

    Args:
        rows: all rows, one after the other.
        step: bytes of a row.
        at: where in its row the field begins.
        width: bytes of the field.
        column: the field of each row, one after the other.
    """
    for byte in range(width):
        rows[at + byte :: step] = column[byte::width]


def take(rows: bytes, step: int, at: int, width: int) -> bytes:
    """Read one field of all rows; the inverse of ``put``."""
    column = bytearray(len(rows) // step * width)
    for byte in range(width):
        column[byte::width] = rows[at + byte :: step]
    return bytes(column)


def alike(data: bytes, start: int, step: int, fields: Iterable[Span]) -> int:
    """Return how many rows from a place on differ in nothing but some fields.

    Args:
        data: rows, and perhaps more.
        start: where the first row begins.
        step: bytes of a row.
        fields: where in a row the fields lie that may differ.
    """
    count = (len(data) - start) // step
    end = start + count * step
    values = {at for span in fields for at in range(*span)}
    fixed = [at for at in range(step) if at not in values]
    first = {at: data[start + at : start + at + 1] for at in fixed}
    if all(data[start + at : end : step] == first[at] * count for at in fixed):
        return count
    for rows in range(1, count):
        row = start + rows * step
        if any(data[row + at : row + at + 1] != first[at] for at in fixed):
            return rows
    return count


def same_rows(one: bytes, other: bytes, width: int) -> bool:
    """Whether two columns have the same values, in whatever order.

    Args:
        one: values that differ from each other, one after the other.
        other: any values.
        width: bytes of a value.
    """
    if len(one) != len(other):
        return False
    if one == other:
        return True
    varying = [at for at in range(width) if not _is_constant(one, other, at, width)]
    missing = set(_values(one, width, varying))
    missing.difference_update(_values(other, width, varying))
    return not missing


def _is_constant(one: bytes, other: bytes, at: int, width: int) -> bool:
    """Whether all values of both columns have the same byte at a place."""
    column = one[at::width]
    return column == column[:1] * len(column) and column == other[at::width]


def _values(column: bytes, width: int, varying: list[int]) -> Iterable[object]:
    """Return what differs in the values of a column, as integers if they are short enough.

    Integers of a word are made and compared in a third of the time.
    """
    if len(varying) > _WORD:
        return iter_unpack(f"{width}s", column)
    words = bytearray(len(column) // width * _WORD)
    for place, at in enumerate(varying):
        words[place::_WORD] = column[at::width]
    return array("Q", bytes(words))
