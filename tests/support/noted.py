"""Sources put into the kernel's sets by its own tools, as packets would put them there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from typing import Protocol


class Runs(Protocol):
    """A host on which programs run."""

    def run(self, *command: str) -> str: ...


def note(
    host: Runs, backend: str, found: Mapping[str, int], service: str = "sip", digit: str = "4"
) -> None:
    """Note sources as turned away.

    Args:
        host: where.
        backend: which holds the fence.
        found: packets of each source, of 100 bytes each.
        service: that they tried.
        digit: of the family.
    """
    for role in ("denied", "seen"):
        name = f"{role}{digit}-{service}"
        if backend == "ipset":
            lines = (
                f"add geofence-{name} {source}"
                + (f" packets {packets} bytes {100 * packets}" if role == "denied" else "")
                for source, packets in found.items()
            )
            _run(host, ("ipset", "restore", "-file"), lines)
        else:
            elements = ", ".join(
                f"{source} counter packets {packets} bytes {100 * packets}"
                if role == "denied"
                else source
                for source, packets in found.items()
            )
            _run(host, ("nft", "-f"), [f"add element inet geofence {name} {{ {elements} }}"])


def _run(host: Runs, command: tuple[str, ...], lines: Iterable[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join([*lines, ""]))
        file.flush()
        host.run(*command, file.name)
