from __future__ import annotations

import errno
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.netlink.attributes import MalformedError
from geofence.netlink.messages import ERROR, Message, answered, dumped, error_number, pack, unpack

DONE = 3
INTERRUPTED = 0x10
SEQUENCE = 7

MESSAGES = st.lists(
    st.tuples(
        st.integers(16, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 9), st.binary(max_size=30)
    ),
    max_size=5,
)


def datagram(*messages: Message) -> bytes:
    """Messages as the kernel sends them together, each padded."""
    return b"".join(pack(*message) + bytes(-len(message[3]) % 4) for message in messages)


def code(number: int) -> bytes:
    return struct.pack("=i", -number)


def answer(*datagrams: bytes) -> list[Message]:
    return list(dumped(iter(datagrams).__next__, SEQUENCE))


@given(MESSAGES)
def test_packed_messages_are_read_back(messages: list[Message]) -> None:
    assert list(unpack(datagram(*messages))) == messages


@given(MESSAGES, st.integers(1, 15))
def test_a_message_cut_short_is_refused(messages: list[Message], missing: int) -> None:
    last = pack(16, 0, 0, b"")
    with pytest.raises(MalformedError, match="cut short"):
        list(unpack(datagram(*messages) + last[:-missing]))


@pytest.mark.parametrize("length", [0, 1, 15, 17, 0xFFFFFFFF])
def test_an_impossible_length_is_refused(length: int) -> None:
    data = struct.pack("=IHHII", length, 16, 0, 0, 0)
    with pytest.raises(MalformedError, match="cut short"):
        list(unpack(data))


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(MalformedError):
        for kind, _, _, body in unpack(data):
            error_number(kind, body)


def test_error_numbers_are_errno() -> None:
    assert error_number(ERROR, code(errno.ENOENT)) == errno.ENOENT
    assert error_number(ERROR, code(0)) == 0
    assert error_number(DONE, b"") == 0
    with pytest.raises(MalformedError, match="cut short"):
        error_number(ERROR, b"")


def test_a_dump_ends_where_the_kernel_says_so() -> None:
    one, two = (20, 2, SEQUENCE, b"one."), (20, 2, SEQUENCE, b"two.")
    end, later = (DONE, 2, SEQUENCE, code(0)), (20, 2, SEQUENCE, b"more")
    assert answer(datagram(one), datagram(two, end, later)) == [one, two]


def test_answers_to_an_earlier_request_are_passed_over() -> None:
    earlier = ((20, 2, SEQUENCE - 1, b"old."), (DONE, 2, SEQUENCE - 1, code(errno.EPERM)))
    mine = (20, 2, SEQUENCE, b"new.")
    assert answer(datagram(*earlier, mine), datagram((DONE, 2, SEQUENCE, code(0)))) == [mine]


@pytest.mark.parametrize("kind", [ERROR, DONE])
def test_a_refused_dump_raises_its_error(kind: int) -> None:
    with pytest.raises(PermissionError):
        answer(datagram((kind, 0, SEQUENCE, code(errno.EPERM))))


@pytest.mark.parametrize("flags", [(INTERRUPTED, 0), (0, INTERRUPTED)])
def test_an_interrupted_dump_is_read_to_its_end_and_not_believed(flags: tuple[int, int]) -> None:
    left = [
        datagram((20, flags[0], SEQUENCE, b"one.")),
        datagram((DONE, flags[1], SEQUENCE, code(0))),
    ]
    with pytest.raises(InterruptedError):
        list(dumped(lambda: left.pop(0), SEQUENCE))
    assert left == []


def test_the_first_answer_to_the_request_is_taken() -> None:
    earlier, mine = (20, 0, SEQUENCE - 1, b"old."), (20, 0, SEQUENCE, b"new.")
    received = iter([datagram(earlier), datagram(earlier, mine, earlier)])
    assert answered(received.__next__, SEQUENCE) == mine


def test_a_request_is_confirmed_or_refused() -> None:
    done, refused = (ERROR, 0, SEQUENCE, code(0)), (ERROR, 0, SEQUENCE, code(errno.EPERM))
    assert answered(lambda: datagram(done), SEQUENCE) == done
    with pytest.raises(PermissionError):
        answered(lambda: datagram(refused), SEQUENCE)
