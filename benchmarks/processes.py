"""Whole processes beside their peers: loading lists, restoring, starting up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report, world
from benchmarks.measure import Cost, Subject, empty_namespace, in_turns, settled
from benchmarks.subject import fence
from benchmarks.subject import world as merged
from geofence.backends import registry
from geofence.model.generation import Generation
from geofence.model.prefixes import PrefixSet
from geofence.state.files import ensure_private_directory
from geofence.state.generations import GenerationStore

SIZES = (1_000, 5_000, 20_000, 50_000, 100_000, 200_000, 500_000)
"""Prefixes for which linearity is looked at."""

_IPSET, _NFT = "ipset restore", "nft -f"

_WITH_PYROUTE2 = "import pyroute2, runpy; runpy.run_module('geofence', run_name='__main__')"
"""The command line if it spoke netlink through pyroute2: with what importing that costs."""


def geofence(*arguments: str) -> list[str]:
    """The command line as a fresh process."""
    return [sys.executable, "-m", "geofence", *arguments]


def loader(depth: str, backend: str, lists: Path) -> list[str]:
    """A process that loads all list files; see ``subject``."""
    return [sys.executable, "-m", "benchmarks.subject", depth, backend, str(lists)]


def loading(lists: Path, scratch: Path, rounds: int) -> None:
    """The world's lists from their files into the kernel, whole processes."""
    listed = world.listed(lists)
    entries = [str(prefix) for prefix in merged(world.list_files(lists)).prefixes()]
    report.heading(
        "Loading the world's IPv4 lists",
        f"{len(listed):,} prefixes in the list files; {len(entries):,} when merged. The peers read "
        "one prepared file; geofence reads, checks and merges the lists themselves.",
    )
    peers = [
        Subject(_IPSET, ["ipset", "restore"], world.ipset_input(scratch / "all.ipset", listed)),
        Subject(
            f"{_IPSET}, grown from the default size",
            ["ipset", "restore"],
            world.ipset_input(scratch / "grown.ipset", listed, sized=False),
        ),
        Subject(
            f"{_IPSET}, merged entries",
            ["ipset", "restore"],
            world.ipset_input(scratch / "merged.ipset", entries),
        ),
        Subject(_NFT, ["nft", "-f", str(world.nft_input(scratch / "all.nft", listed))]),
    ]
    ours = [
        Subject(f"geofence, {backend}, {what}", loader(depth, backend, lists))
        for backend in registry.MODULES
        for depth, what in (("set", "set only"), ("fence", "whole fence, verified"))
    ]
    costs = in_turns([*peers, *ours], rounds, empty_namespace)
    report.costs(costs, _IPSET)
    _without_start(costs, [subject.name for subject in ours])


def _without_start(costs: dict[str, Cost], names: Sequence[str]) -> None:
    """The same, from opening the first list to the end, as the processes themselves say."""
    print("\nWithout starting Python and importing:\n")
    report.table(
        ("process", "time", f"of {_IPSET}", f"of {_NFT}"),
        (
            (
                name,
                f"{costs[name].inner * 1000:.1f} ms",
                f"{costs[name].inner / costs[_IPSET].typical:.2f}",
                f"{costs[name].inner / costs[_NFT].typical:.3f}",
            )
            for name in names
        ),
    )


def restoring(lists: Path, scratch: Path, rounds: int) -> None:
    """``geofence restore`` from a cold start beside ``ipset restore`` of the same entries."""
    allowed = merged(world.list_files(lists))
    entries = [str(prefix) for prefix in allowed.prefixes()]
    listed = world.listed(lists)
    report.heading(
        "Restoring the last fence, as at boot",
        f"Whole processes; {len(listed):,} prefixes listed, {len(entries):,} entries when merged.",
    )
    restores = {name: restore_arguments(name, scratch, allowed) for name in registry.MODULES}
    subjects = [
        Subject(_IPSET, ["ipset", "restore"], world.ipset_input(scratch / "all.ipset", listed)),
        Subject(
            f"{_IPSET}, merged entries",
            ["ipset", "restore"],
            world.ipset_input(scratch / "merged.ipset", entries),
        ),
        *(
            Subject(f"geofence restore, {name}", geofence(*arguments))
            for name, arguments in restores.items()
        ),
        *(
            Subject(
                f"geofence restore, {name}, and importing pyroute2",
                [sys.executable, "-c", _WITH_PYROUTE2, *arguments],
            )
            for name, arguments in restores.items()
        ),
    ]
    report.costs(in_turns(subjects, rounds, empty_namespace), _IPSET)


def restore_arguments(backend: str, scratch: Path, allowed: PrefixSet) -> tuple[str, ...]:
    """``geofence restore`` of a state directory that holds a generation which lets these in."""
    state = scratch / f"state-{backend}"
    ensure_private_directory(state)
    generation = Generation(1, datetime.now(UTC), "benchmark", backend, fence(allowed))
    GenerationStore(state).record(generation)
    rules = scratch / "rules.d"
    rules.mkdir(exist_ok=True)
    return ("--rules-dir", str(rules), "--state-dir", str(state), "restore")


def linearity(scratch: Path, rounds: int) -> None:
    """Time from list files to kernel by number of prefixes; made-up lists throughout."""
    report.heading(
        "Linear in the number of prefixes",
        "From opening the first list file to a set in the kernel, without starting Python; "
        "scattered prefixes, no two of which merge.",
    )
    head = ("prefixes", *(cell for name in registry.MODULES for cell in (name, "µs a prefix")))
    report.table(head, (_linear_row(size, scratch, rounds) for size in SIZES))


def _linear_row(size: int, scratch: Path, rounds: int) -> tuple[str, ...]:
    lists = world.write_scattered(scratch / f"lists-{size}", size)
    subjects = [Subject(name, loader("set", name, lists)) for name in registry.MODULES]
    costs = in_turns(subjects, rounds, empty_namespace)
    return (f"{size:,}", *(cell for cost in costs.values() for cell in _per_prefix(cost, size)))


def _per_prefix(cost: Cost, size: int) -> Iterator[str]:
    yield f"{cost.inner * 1000:.1f} ms"
    yield f"{cost.inner / size * 1e6:.2f}"


def starting(rounds: int) -> None:
    """What a command costs that does nothing."""
    report.heading("Starting up")
    reference = "python -c 'import typer'"
    subjects = [
        Subject(reference, [sys.executable, "-c", "import typer"]),
        Subject("geofence --version", geofence("--version")),
        Subject("geofence --help", geofence("--help")),
    ]
    for subject in subjects:  # compiles what is not compiled yet
        subprocess.run(subject.command, check=True, capture_output=True)
    turns = rounds * 5
    report.costs(in_turns(subjects, turns, settled), reference)
    print(f"\nLower quartiles of {turns} rounds.")
