from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.netlink.columns import put, take


@given(st.data(), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12))
def test_a_column_is_read_back_and_others_are_unchanged(
    data: st.DataObject, count: int, step: int, width: int
) -> None:
    width = min(width, step)
    at = data.draw(st.integers(0, step - width))
    column = data.draw(st.binary(min_size=count * width, max_size=count * width))
    before = data.draw(st.binary(min_size=count * step, max_size=count * step))
    rows = bytearray(before)
    put(rows, step, at, width, column)
    assert take(bytes(rows), step, at, width) == column
    for row in range(count):
        was, now = (each[row * step : (row + 1) * step] for each in (before, rows))
        assert (was[:at], was[at + width :]) == (now[:at], now[at + width :])
        assert now[at : at + width] == column[row * width : (row + 1) * width]
