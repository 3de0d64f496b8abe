"""What a dropped and a passed packet cost behind this checkout's fence and behind another's.

Both fences are flooded in turns in the same namespaces (see ``packets``), and each flood of the one
is compared with the flood of the other that was nearest in time: what disturbs the machine for
longer than that disturbs both.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import report, world
from benchmarks.measure import empty_namespace, usual
from benchmarks.packets import (
    ELSEWHERE,
    FLOODS,
    HERE,
    PACKETS,
    SOURCES,
    Sender,
    received,
    sending,
)
from benchmarks.subject import world as merged
from geofence.backends import registry
from geofence.operations.site import shipped_rules
from geofence.policy import load_policy

_OURS = Path(__file__).parents[1]
_SCRIPT = Path(__file__).with_name("fence.py")
_KINDS = ("dropped", "passed")
"""By number of the file of sources."""


@dataclass(frozen=True, slots=True)
class _Costs:
    """Nanoseconds a packet above the device's, flood by flood."""

    before: list[float] = field(default_factory=list)
    """Behind the other checkout's fence."""
    now: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Of this checkout's cost to the other's, of floods that were neighbours in time."""
        return median(now / then for now, then in zip(self.now, self.before, strict=True))


def comparing(other: Path, lists: Path, scratch: Path, rounds: int) -> None:
    """The two fences in turns on each backend.

    Args:
        other: a checkout of an earlier version.
        lists: where the countries' lists are.
        scratch: an empty directory.
        rounds: how often each fence is put up.
    """
    report.heading(
        "One dropped and one passed packet, beside another checkout",
        f"400-byte UDP to port 5060 from {SOURCES:,} random addresses, foreign or of JP, which is "
        f"allowed; {rounds * FLOODS} floods of {PACKETS:,} packets; processor time above that of "
        "frames that are discarded at the device. Beside: "
        f"{_version(other)}, this: {_version(_OURS)}.",
    )
    listed = _list_of_japan(lists, scratch)
    costs = {(name, kind): _Costs() for name in sorted(registry.MODULES) for kind in _KINDS}
    with _drain(), sending(*_sources(listed, scratch)) as sender:
        for turn in range(rounds):
            for backend in sorted(registry.MODULES):
                checkouts = (other, _OURS) if turn % 2 else (_OURS, other)
                found = {each: _round(sender, each, backend, listed) for each in checkouts}
                for kind in _KINDS:
                    costs[backend, kind].before.extend(found[other][kind])
                    costs[backend, kind].now.extend(found[_OURS][kind])
    empty_namespace()
    _show(costs)


def _round(sender: Sender, checkout: Path, backend: str, listed: Path) -> dict[str, list[float]]:
    _build(checkout, backend, listed)
    return {kind: _floods(sender, kind) for kind in _KINDS}


def _build(checkout: Path, backend: str, listed: Path) -> None:
    empty_namespace()
    subprocess.run(["conntrack", "-F"], check=True, capture_output=True)
    command = [sys.executable, "-P", str(_SCRIPT), str(checkout), backend, str(listed)]
    subprocess.run(command, check=True)


def _floods(sender: Sender, kind: str) -> list[float]:
    """Floods above the device's cost; fails if a packet took another way than meant.

    The first one warms the caches, and begins the flows that pass.
    """
    which = _KINDS.index(kind)
    sender.send(HERE, which)
    sender.send(ELSEWHERE, which)
    costs = [_flood(sender, which) for _ in range(FLOODS)]
    floor = usual([sender.send(ELSEWHERE, which) for _ in range(FLOODS)])
    return [cost - floor for cost in costs]


def _flood(sender: Sender, which: int) -> float:
    before = received()
    cost = sender.send(HERE, which)
    looked_at, let_in = (now - then for now, then in zip(received(), before, strict=True))
    if abs(let_in - which * PACKETS) > PACKETS // 100 or abs(looked_at - PACKETS) > PACKETS // 100:
        raise SystemExit(f"{_KINDS[which]}: of {looked_at} packets {let_in} were let in.")
    return cost


def _list_of_japan(lists: Path, scratch: Path) -> Path:
    world.write_list(scratch / "jp", "JP", world.listed(lists, "JP"))
    (listed,) = world.list_files(scratch / "jp")
    return listed


def _sources(listed: Path, scratch: Path) -> Iterator[Path]:
    japan = merged([listed])
    policy = load_policy((shipped_rules(),))
    for kind, addresses in (
        ("dropped", world.outsiders(SOURCES, japan | policy.local.ipv4)),
        ("passed", world.insiders(SOURCES, japan)),
    ):
        path = scratch / f"sources-{kind}"
        path.write_text("\n".join(addresses))
        yield path


@contextmanager
def _drain() -> Iterator[None]:
    """A socket that takes what passes, as a PBX does; it is full soon, which costs little."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pbx:
        pbx.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        pbx.bind(("0.0.0.0", 5060))  # noqa: S104 - in a network namespace of its own
        yield


def _show(costs: dict[tuple[str, str], _Costs]) -> None:
    show: Callable[[list[float]], str] = lambda found: f"{usual(found):.0f}"  # noqa: E731
    report.table(
        ("packet", "backend", "before, extra ns", "now, extra ns", "ratio", "ratio of neighbours"),
        (
            (
                kind,
                backend,
                show(cost.before),
                show(cost.now),
                f"{usual(cost.now) / usual(cost.before):.2f}",
                f"{cost.ratio:.2f}",
            )
            for (backend, kind), cost in costs.items()
        ),
    )


def _version(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=7"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
