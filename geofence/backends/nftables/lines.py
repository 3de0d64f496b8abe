"""Lines of a ruleset's rules, which are put into words once somebody reads one.

Where a ruleset goes into an empty kernel, and is read back as it was written, nobody does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from geofence.backends.nftables.objects import KernelChain, KernelRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload


class RuleLines(Sequence[str]):
    """All rules of chains, by their usual names, chain by chain."""

    def __init__(self, chains: Sequence[KernelChain], rules: Sequence[KernelRule]) -> None:
        """Keep what the lines are made of.

        Args:
            chains: the table's chains.
            rules: their rules, in the order that decides within each chain.
        """
        self._chains, self._rules = chains, rules

    @cached_property
    def _lines(self) -> tuple[str, ...]:
        from geofence.backends.nftables import render

        return render.lines(self._chains, self._rules, render.Shown({}, {}))

    def __len__(self) -> int:
        return len(self._rules) + sum(chain.hook is not None for chain in self._chains)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, at: int) -> str: ...
        @overload
        def __getitem__(self, at: slice) -> Sequence[str]: ...

    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        return self._lines[at]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return self._lines == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # it equals a tuple

    def __repr__(self) -> str:
        return repr(self._lines)
