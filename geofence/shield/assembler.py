"""An assembler of BPF: what the shield's program needs, and no more.

Encoding: ``linux/bpf.h``, ``linux/bpf_common.h``, and the kernel's instruction-set.rst.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

_INSTRUCTION = Struct("=BBhi")
_STEP = _INSTRUCTION.size
_SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_LOAD, _STORE_NUMBER, _STORE = 0x61, 0x62, 0x63
_ALU_NUMBER, _ALU_REGISTER = 0x07, 0x0F
_JUMP_NUMBER, _JUMP_REGISTER, _JUMP_NUMBER_32 = 0x05, 0x0D, 0x06
_TO_BIG_ENDIAN, _WIDE, _CALL, _EXIT = 0xDC, 0x18, 0x85, 0x95
_OF_KERNEL = 2
"""``BPF_PSEUDO_KFUNC_CALL``."""
_MAP, _MAP_VALUE = 1, 2
"""``BPF_PSEUDO_MAP_FD``, ``BPF_PSEUDO_MAP_VALUE``."""


class Register(IntEnum):
    """What a register is for."""

    RESULT = 0
    A1 = 1
    A2 = 2
    A3 = 3
    A4 = 4
    A5 = 5
    """Arguments of calls, which do not keep them."""
    CONTEXT = 6
    DATA = 7
    END = 8
    PROTOCOL = 9
    """These are kept by calls; the names say what the shield keeps there."""
    FRAME = 10
    """The end of the stack."""


class Jump(IntEnum):
    """Conditions of jumps, unsigned."""

    ALWAYS = 0x00
    EQUAL = 0x10
    GREATER = 0x20
    AT_LEAST = 0x30
    ANY_BIT = 0x40
    UNEQUAL = 0x50
    LESS = 0xA0
    AT_MOST = 0xB0


class Op(IntEnum):
    """Arithmetic in 64 bits."""

    ADD = 0x00
    SUBTRACT = 0x10
    OR = 0x40
    AND = 0x50
    SHIFT_LEFT = 0x60
    SHIFT_RIGHT = 0x70
    SET = 0xB0


class Assembler:
    """Instructions in their order, with named places to jump to."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int | str, int]] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._code)

    def here(self, place: str) -> None:
        """Name the place of the next instruction."""
        self._places[place] = len(self._code)

    def load(self, to: Register, base: Register, offset: int, size: int) -> None:
        """Load so many bytes from an address."""
        self._put(_LOAD | _SIZES[size], to, base, offset)

    def store(self, base: Register, offset: int, value: Register, size: int) -> None:
        """Store so many bytes of a register."""
        self._put(_STORE | _SIZES[size], base, value, offset)

    def store_number(self, base: Register, offset: int, value: int, size: int) -> None:
        """Store a constant of so many bytes."""
        self._put(_STORE_NUMBER | _SIZES[size], base, 0, offset, _signed(value))

    def number(self, op: Op, to: Register, value: int) -> None:
        """Calculate with a constant, of which the upper half is its sign."""
        self._put(_ALU_NUMBER | op, to, 0, 0, _signed(value))

    def register(self, op: Op, to: Register, value: Register) -> None:
        """Calculate with a register."""
        self._put(_ALU_REGISTER | op, to, value)

    def from_network_order(self, register: Register, bits: int) -> None:
        """Exchange bytes where the host's order is not that of the network.

        Linux 6.1 knows nothing of the result, so its bits are said anew.
        """
        self._put(_TO_BIG_ENDIAN, register, 0, 0, bits)
        self.number(Op.AND, register, (1 << bits) - 1)

    def jump(self, place: str) -> None:
        """Go on at a place."""
        self._put(_JUMP_NUMBER, 0, 0, place)

    def jump_if(
        self, one: Register, condition: Jump, value: int, place: str, *, wide: bool = True
    ) -> None:
        """Go on at a place if a register compares so with a constant.

        Args:
            one: the register.
            condition: how they compare.
            value: the constant.
            place: where to go on.
            wide: compare 64 bits, not the lower 32.
        """
        code = _JUMP_NUMBER if wide else _JUMP_NUMBER_32
        self._put(code | condition, one, 0, place, _signed(value))

    def jump_if_register(self, one: Register, condition: Jump, other: Register, place: str) -> None:
        """Go on at a place if two registers compare so."""
        self._put(_JUMP_REGISTER | condition, one, other, place)

    def map(self, to: Register, descriptor: int) -> None:
        """Load a map, as helpers take it."""
        self._wide(to, _MAP, descriptor, 0)

    def map_value(self, to: Register, descriptor: int, offset: int = 0) -> None:
        """Load an address in the one value of an array."""
        self._wide(to, _MAP_VALUE, descriptor, offset)

    def call(self, helper: int) -> None:
        """Call a helper by its number."""
        self._put(_CALL, imm=helper)

    def call_kernel(self, type_id: int, module: int = 0) -> None:
        """Call a function of the kernel.

        Args:
            type_id: its number in the type information.
            module: which of the descriptors that the program is loaded with has it; 0: the kernel.
        """
        self._put(_CALL, 0, _OF_KERNEL, module, type_id)

    def exit(self) -> None:
        """Return ``RESULT``."""
        self._put(_EXIT)

    def assembled(self) -> bytes:
        """Return the instructions as the kernel takes them."""
        return b"".join(
            _INSTRUCTION.pack(code, source << 4 | to, self._offset(at, offset), imm)
            for at, (code, to, source, offset, imm) in enumerate(self._code)
        )

    def _offset(self, at: int, offset: int | str) -> int:
        return self._places[offset] - at - 1 if isinstance(offset, str) else offset

    def _put(
        self, code: int, to: int = 0, source: int = 0, offset: int | str = 0, imm: int = 0
    ) -> None:
        self._code.append((code, to, source, offset, imm))

    def _wide(self, to: Register, kind: int, low: int, high: int) -> None:
        self._put(_WIDE, to, kind, 0, low)
        self._put(0, imm=high)


def _signed(value: int) -> int:
    """Return the lower 32 bits as the signed number that an instruction has."""
    return (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
