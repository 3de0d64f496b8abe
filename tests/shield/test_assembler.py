"""Instructions are encoded as the kernel's documents say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.shield.assembler import Assembler, Jump, Op, Register

R = Register


def test_instructions_are_those_of_the_kernels_documents() -> None:
    code = Assembler()
    code.register(Op.SET, R.CONTEXT, R.A1)
    code.load(R.A2, R.CONTEXT, 4, 4)
    code.jump_if(R.A2, Jump.UNEQUAL, 0, "end")
    code.store_number(R.FRAME, -16, -1, 4)
    code.map_value(R.A3, 7, 131_072)
    code.call_kernel(65_687, 1)
    code.here("end")
    code.exit()
    words = [code.assembled()[at : at + 8].hex() for at in range(0, 8 * len(code), 8)]
    assert words == [
        "bf16000000000000",
        "6162040000000000",
        "5502040000000000",
        "620af0ffffffffff",
        "1823000007000000",
        "0000000000000200",
        "8520010097000100",
        "9500000000000000",
    ]


def test_a_place_that_is_nowhere_is_an_error() -> None:
    code = Assembler()
    code.jump("nowhere")
    with pytest.raises(KeyError):
        code.assembled()


@given(st.integers(-(1 << 31), (1 << 32) - 1))
def test_a_constant_has_its_lower_bits(value: int) -> None:
    code = Assembler()
    code.number(Op.SET, R.A1, value)
    assert int.from_bytes(code.assembled()[4:8], "little") == value & 0xFFFFFFFF
