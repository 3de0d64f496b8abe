"""Elements of noted sets, read as columns: the same as one by one, whatever their layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.backends.nftables import timed, uapi
from geofence.backends.nftables.noted import decode_noted
from geofence.backends.nftables.uapi import ElementAttribute, Expression
from geofence.model.prefixes import Family
from geofence.netlink.attributes import MalformedError, attribute, nested, number, string

FAMILIES = st.sampled_from(Family)


def element(
    family: Family, key: int, left: int, counts: tuple[int, int] | None, timeout: int | None
) -> bytes:
    value = attribute(uapi.DATA_VALUE, key.to_bytes(family.bits // 8, "big"))
    parts = [nested(ElementAttribute.KEY, value)]
    if counts is not None:
        data = nested(
            Expression.DATA,
            number(uapi.Counter.BYTES, counts[1], 8),
            number(uapi.Counter.PACKETS, counts[0], 8),
        )
        name = string(Expression.NAME, "counter")
        parts.append(nested(ElementAttribute.EXPRESSION, name, data))
    if timeout is not None:
        parts.append(number(ElementAttribute.TIMEOUT, timeout, 8))
    parts.append(number(ElementAttribute.EXPIRATION, left, 8))
    return nested(uapi.LIST_ELEM, *parts)


COUNTS = st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 50))
ROWS = st.lists(
    st.tuples(
        st.integers(0, (1 << 32) - 1),
        st.integers(1, 604_800_000),
        st.none() | COUNTS,
        st.none() | st.integers(1, 604_800_000),
    )
)


@given(FAMILIES, ROWS, st.integers(0, 5))
def test_columns_have_what_the_elements_have(
    family: Family,
    rows: list[tuple[int, int, tuple[int, int] | None, int | None]],
    cut: int,
) -> None:
    encoded = [element(family, *row) for row in rows]
    pieces = [b"".join(encoded[:cut]), b"".join(encoded[cut:])]
    noted = decode_noted(family, pieces)
    wanted = [(key, left / 1000, *(counts or (0, 0))) for key, left, counts, _ in rows]
    columns = (noted.networks, noted.seconds, noted.packets, noted.octets)
    assert sorted(zip(*columns, strict=True)) == sorted(wanted)
    marks = timed.each_mark(family, b"".join(pieces))
    assert sorted(mark.key for mark in marks) == sorted(noted.networks)


def test_elements_of_one_length_and_different_layouts_are_told_apart() -> None:
    """A time-out and a time that is left are as long as each other."""
    value = nested(ElementAttribute.KEY, attribute(uapi.DATA_VALUE, bytes((1, 2, 3, 4))))
    unlike = nested(uapi.LIST_ELEM, value, number(ElementAttribute.TIMEOUT, 9000, 8))
    like = nested(uapi.LIST_ELEM, value, number(ElementAttribute.EXPIRATION, 5000, 8))
    noted = decode_noted(Family.IPV4, [like + unlike + like])
    assert list(noted.seconds) == [5, 0, 5]


@pytest.mark.parametrize("cut", [1, 3, 20, 60])
def test_what_is_cut_short_is_refused(cut: int) -> None:
    whole = element(Family.IPV4, 7, 1000, (1, 2), None) * 2
    with pytest.raises(MalformedError):
        decode_noted(Family.IPV4, [whole[:-cut]])


def test_an_address_of_the_other_family_is_refused() -> None:
    with pytest.raises(MalformedError):
        decode_noted(Family.IPV6, [element(Family.IPV4, 7, 1000, None, None)])
