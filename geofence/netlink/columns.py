"""Many attributes of one layout in a row, such as the entries of a set.

They are a template repeated, in which a few fields differ. So a field of all of them is a column of
bytes that lie a fixed step apart, and is written or read by as many strided slices as it is wide:
a few operations a message instead of several an entry.
"""

from __future__ import annotations


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
