"""What becomes of packets that the shield could drop: they are counted, and a few become samples.

A sample is marked and goes on to the fence, which shows whether it agrees.
"""

from __future__ import annotations

from geofence.model.prefixes import Family
from geofence.shield.assembler import Assembler, Jump, Op, Register
from geofence.shield.design import Design

PASS, DROP = -1, 2
"""``TC_ACT_UNSPEC``, ``TC_ACT_SHOT``: as tcx has them, too."""
COUNT_SIZE = 24
"""Bytes of a counter: packets, bytes, and how many packets there are up to the next sample."""

_LEN, _MARK = 0, 8
"""Offsets in ``struct __sk_buff``."""
_MAP_LOOKUP, _RANDOM = 1, 7
"""Helpers: ``bpf_map_lookup_elem``, ``bpf_get_prandom_u32``."""
_PACKETS, _OCTETS, _UP_TO_NEXT = 0, 8, 16
"""Offsets in a counter."""

R = Register


def counter_index(made: Design, service: str, family: Family) -> int:
    """Return which counter counts what is dropped of a service and a family."""
    names = [each.name for each in made.services]
    return names.index(service) + (len(names) if family is Family.IPV6 else 0)


def sampled_index(made: Design) -> int:
    """Return which counter counts the samples."""
    return 2 * len(made.services)


def counters(made: Design) -> int:
    """Return the number of counters."""
    return sampled_index(made) + 1


def count_and_end(code: Assembler, made: Design, counters_map: int, sample: int, mark: int) -> None:
    """Drop and count, or mark and count and pass; ``PROTOCOL`` becomes what is returned.

    How many packets there are up to the next sample is in the counter itself, which is written
    anyway: that costs less than to draw for each packet. It is drawn anew each time, so nobody can
    tell which packets become samples.

    Args:
        code: where to; goes on from "drop" with the counter's number in ``END``.
        made: what to drop.
        counters_map: descriptor of the counters.
        sample: one in so many becomes a sample, a power of two; 0: none.
        mark: the bit that marks it.
    """
    code.number(Op.SET, R.PROTOCOL, DROP)
    if sample == 1:
        _take(code, made, mark)
    _load_counter(code, counters_map)
    if sample > 1:
        code.load(R.A1, R.DATA, _UP_TO_NEXT, 8)
        code.jump_if(R.A1, Jump.AT_MOST, 1, "draw")
        code.number(Op.SUBTRACT, R.A1, 1)
        code.store(R.DATA, _UP_TO_NEXT, R.A1, 8)
    code.here("count")
    _count(code)
    if sample > 1:
        _draw(code, made, counters_map, sample, mark)
    code.here("pass")
    code.number(Op.SET, R.RESULT, PASS)
    code.exit()


def _load_counter(code: Assembler, counters: int) -> None:
    """Load the address of the counter whose number is in ``END`` into ``DATA``."""
    code.store(R.FRAME, -4, R.END, 4)
    code.register(Op.SET, R.A2, R.FRAME)
    code.number(Op.ADD, R.A2, -4)
    code.map(R.A1, counters)
    code.call(_MAP_LOOKUP)
    code.jump_if(R.RESULT, Jump.EQUAL, 0, "counted")
    code.register(Op.SET, R.DATA, R.RESULT)


def _count(code: Assembler) -> None:
    """Count a packet, and return ``PROTOCOL``."""
    code.load(R.A1, R.DATA, _PACKETS, 8)
    code.number(Op.ADD, R.A1, 1)
    code.store(R.DATA, _PACKETS, R.A1, 8)
    code.load(R.A1, R.DATA, _OCTETS, 8)
    code.load(R.A2, R.CONTEXT, _LEN, 4)
    code.register(Op.ADD, R.A1, R.A2)
    code.store(R.DATA, _OCTETS, R.A1, 8)
    code.here("counted")
    code.register(Op.SET, R.RESULT, R.PROTOCOL)
    code.exit()


def _draw(code: Assembler, made: Design, counters_map: int, sample: int, mark: int) -> None:
    """Draw how many packets there are up to the next sample, and take this one.

    It is not taken if nothing was drawn before. The odd numbers below twice ``sample`` have the
    mean that is wanted.
    """
    code.here("draw")
    code.register(Op.SET, R.END, R.A1)
    code.call(_RANDOM)
    code.number(Op.AND, R.RESULT, 2 * sample - 2)
    code.number(Op.ADD, R.RESULT, 1)
    code.store(R.DATA, _UP_TO_NEXT, R.RESULT, 8)
    code.jump_if(R.END, Jump.EQUAL, 0, "count")
    _take(code, made, mark)
    _load_counter(code, counters_map)
    code.jump("count")


def _take(code: Assembler, made: Design, mark: int) -> None:
    """Make a packet a sample."""
    code.load(R.A2, R.CONTEXT, _MARK, 4)
    code.number(Op.OR, R.A2, mark)
    code.store(R.CONTEXT, _MARK, R.A2, 4)
    code.number(Op.SET, R.END, sampled_index(made))
    code.number(Op.SET, R.PROTOCOL, PASS)
