from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.netlink.attributes import (
    NESTED,
    NET_BYTEORDER,
    MalformedError,
    as_number,
    as_string,
    attribute,
    each,
    nested,
    number,
    spans,
    string,
    values,
)

KINDS = st.integers(0, 0x3FFF)
RUNS = st.lists(st.tuples(KINDS, st.binary(max_size=20)), max_size=6)


def packed(run: list[tuple[int, bytes]]) -> bytes:
    return b"".join(attribute(kind, value) for kind, value in run)


def test_an_attribute_is_laid_out_as_the_kernel_wants_it() -> None:
    assert attribute(3, b"\x18") == struct.pack("=HH", 5, 3) + b"\x18\0\0\0"
    assert nested(1, string(2, "ab"), number(3, -2)) == (
        struct.pack("=HH", 20, 1 | NESTED)
        + (struct.pack("=HH", 7, 2) + b"ab\0\0")
        + (struct.pack("=HH", 8, 3) + b"\xff\xff\xff\xfe")
    )


@given(RUNS)
def test_packed_attributes_are_read_back(run: list[tuple[int, bytes]]) -> None:
    assert list(each(packed(run))) == run
    assert values(packed(run)) == dict(run)


@given(RUNS, st.binary(max_size=9))
def test_spans_lead_to_the_values_at_any_offset(
    run: list[tuple[int, bytes]], before: bytes
) -> None:
    data = before + packed(run) + b"and more"
    found = spans(data, len(before), len(data) - 8)
    assert {kind: data[slice(*span)] for kind, span in found.items()} == dict(run)


def test_flags_are_not_part_of_the_type() -> None:
    assert list(each(attribute(5 | NESTED, b"") + attribute(6 | NET_BYTEORDER, b""))) == [
        (5, b""),
        (6, b""),
    ]


@given(RUNS, KINDS, st.binary(max_size=20), st.data())
def test_an_attribute_cut_short_is_refused(
    run: list[tuple[int, bytes]], kind: int, value: bytes, data: st.DataObject
) -> None:
    last = struct.pack("=HH", 4 + len(value), kind) + value
    whole = packed(run) + last
    kept = len(packed(run)) + data.draw(st.integers(4, len(last)))
    for read in (lambda cut: list(each(cut)), lambda cut: spans(cut, 0, len(cut))):
        if kept == len(whole):
            assert len(read(whole)) >= bool(last)
        else:
            with pytest.raises(MalformedError, match="cut short"):
                read(whole[:kept])


@pytest.mark.parametrize("length", range(4))
def test_a_length_below_that_of_the_header_is_refused(length: int) -> None:
    data = struct.pack("=HH", length, 1) + bytes(8)
    with pytest.raises(MalformedError, match="cut short"):
        list(each(data))
    with pytest.raises(MalformedError, match="cut short"):
        spans(data, 0, len(data))


@given(st.binary(max_size=100))
def test_both_readers_agree_on_any_bytes(data: bytes) -> None:
    found: dict[int, bytes] | None = None
    with suppress(MalformedError):
        found = values(data)
    if found is None:
        with pytest.raises(MalformedError):
            spans(data, 0, len(data))
    else:
        read = spans(data, 0, len(data))
        assert {kind: data[slice(*span)] for kind, span in read.items()} == found


@given(st.integers(0, (1 << 64) - 1))
def test_a_number_is_read_as_it_was_written(wanted: int) -> None:
    assert as_number(values(number(1, wanted, 8))[1]) == wanted


def test_missing_values_are_zero_or_empty() -> None:
    assert as_number(None) == 0
    assert as_string(None) == ""
    assert as_string(values(string(1, "wan"))[1]) == "wan"
