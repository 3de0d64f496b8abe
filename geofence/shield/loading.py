"""Loading the shield's program: functions of the kernel, tables, instructions."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from geofence.model.prefixes import Family
from geofence.model.shield import ShieldReason, Why
from geofence.shield import bpf, btf
from geofence.shield.counting import COUNT_SIZE, counters
from geofence.shield.design import Design
from geofence.shield.program import Functions, Maps, program
from geofence.shield.tables import Table

LOOKUP, RELEASE = "bpf_skb_ct_lookup", "bpf_ct_release"


class ShieldError(Exception):
    """The shield cannot be up, for a reason that is a fact."""

    def __init__(self, reason: ShieldReason) -> None:
        self.reason = reason
        super().__init__(f"{reason.why}: {reason.subject}")


class KernelSide(NamedTuple):
    """What programs need of the kernel."""

    functions: Functions
    module: int = 0
    """Number of the type information of the module that has them; 0: the kernel has them."""


def kernel_side() -> KernelSide:
    """Find the functions that ask conntrack; this reads all type information of the kernel.

    Raises:
        ShieldError: the kernel has none, or this process may not use them.
    """
    try:
        found = btf.kernel_functions((LOOKUP, RELEASE))
    except (OSError, ValueError) as error:
        raise ShieldError(ShieldReason(Why.KERNEL, str(error))) from error
    if found is None:
        raise ShieldError(ShieldReason(Why.KERNEL, LOOKUP))
    numbers = found.numbers
    functions = Functions(numbers[LOOKUP], numbers[RELEASE], bool(found.module))
    with refusing():
        return KernelSide(functions, _module_number(found.module) if found.module else 0)


def _module_number(name: str) -> int:
    number = 0
    while True:
        number = bpf.next_type_information(number)
        descriptor = bpf.type_information(number)
        try:
            if bpf.type_information_name(descriptor) == name:
                return number
        finally:
            os.close(descriptor)


@contextmanager
def refusing() -> Iterator[None]:
    """Raise ``ShieldError`` for what the kernel refuses."""
    try:
        yield
    except OSError as error:
        denied = error.errno in (errno.EPERM, errno.EACCES)
        reason = ShieldReason(Why.RIGHTS if denied else Why.KERNEL, error.strerror or str(error))
        raise ShieldError(reason) from error


def new_counters(made: Design) -> int:
    """Return the descriptor of counters for a shield."""
    with refusing():
        return bpf.per_cpu_array(COUNT_SIZE, counters(made))


def load(  # noqa: PLR0913 - what a program is made of
    side: KernelSide,
    made: Design,
    tables: Mapping[Family, Table],
    counts: int,
    *,
    sample: int,
    mark: int,
) -> int:
    """Load tables and program; return the descriptor of the program.

    Args:
        side: functions of the kernel.
        made: what to drop.
        tables: its tables.
        counts: descriptor of the counters.
        sample: one in so many is marked instead of dropped; 0: none.
        mark: the bit that marks it.

    Raises:
        ShieldError: the kernel refuses it.
    """
    with ExitStack() as closing, refusing():
        descriptors: dict[Family, int] = {}
        for family, table in tables.items():
            descriptors[family] = bpf.read_only_array(table.content)
            closing.callback(os.close, descriptors[family])
        maps = Maps(descriptors, {family: each.blocks for family, each in tables.items()}, counts)
        modules = (bpf.type_information(side.module),) if side.module else ()
        for each in modules:
            closing.callback(os.close, each)
        code = program(made, maps, side.functions, sample=sample, mark=mark)
        return bpf.load_program(code, modules)
