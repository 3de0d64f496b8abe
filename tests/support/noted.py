"""Sources put into the kernel's sets by its own tools, as packets would put them there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Protocol

from geofence.backends.nftables.kernel_sets import part_of
from geofence.model.prefixes import Family


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
            parts: dict[str, list[str]] = {}
            for source, packets in found.items():
                counted = f" counter packets {packets} bytes {100 * packets}"
                parts.setdefault(_part(source, f"{role}{digit}", service), []).append(
                    source + (counted if role == "denied" else "")
                )
            lines = (
                f"add element inet geofence {part} {{ {', '.join(elements)} }}"
                for part, elements in parts.items()
            )
            _run(host, ("nft", "-f"), lines)


def _part(source: str, stem: str, service: str) -> str:
    """Return the name of the set in which the nftables backend notes a source."""
    address = ip_address(source)
    family = Family.IPV4 if address.version == 4 else Family.IPV6
    return f"{stem}.{part_of(family, int(address))}-{service}"


def _run(host: Runs, command: tuple[str, ...], lines: Iterable[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join([*lines, ""]))
        file.flush()
        host.run(*command, file.name)
