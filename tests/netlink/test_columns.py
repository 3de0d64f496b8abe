from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from geofence.netlink.columns import put, same_rows, take


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


@given(st.data(), st.integers(1, 28), st.integers(0, 24))
def test_rows_are_the_same_in_whatever_order_and_no_others_are(
    data: st.DataObject, width: int, constant: int
) -> None:
    # Long rows of few bytes that differ, as the kernel's are, and short ones that differ in all.
    head = data.draw(
        st.binary(min_size=min(constant, width - 1), max_size=min(constant, width - 1))
    )
    rest = width - len(head)
    drawn = data.draw(st.lists(st.binary(min_size=rest, max_size=rest), unique=True, max_size=20))
    rows = [head + each for each in drawn]
    shuffled = data.draw(st.permutations(rows))
    assert same_rows(b"".join(rows), b"".join(shuffled), width)
    if not rows:
        return
    other = data.draw(st.binary(min_size=width, max_size=width))
    changed = [other, *shuffled[1:]]
    assert same_rows(b"".join(rows), b"".join(changed), width) == (set(changed) == set(rows))
    assert not same_rows(b"".join(rows), b"".join(shuffled[1:]), width)
    twice = [*shuffled[1:], shuffled[-1]]
    assert same_rows(b"".join(rows), b"".join(twice), width) == (len(rows) == 1)
