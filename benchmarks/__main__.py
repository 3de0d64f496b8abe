"""``python -m benchmarks``: everything, or the parts named, in a private network namespace."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import (
    atlas,
    beside,
    denied,
    discover,
    glance,
    loads,
    packets,
    processes,
    refreshes,
    report,
    world,
)

PARTS = (
    "loading",
    "restoring",
    "loads",
    "refreshes",
    "growth",
    "linearity",
    "starting",
    "atlas",
    "denied",
    "glance",
    "discover",
    "packets",
    "bans",
    "fleet",
)


def main() -> None:
    """Re-run inside a namespace that nothing else lives in, then measure."""
    options = _options()
    if not options.inside:
        sys.exit(_inside(sys.argv[1:]))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with TemporaryDirectory() as scratch:
        _measure(options, Path(scratch))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} [all]")
    parser.add_argument("--rounds", type=_several, default=9, help="times each subject runs [9]")
    parser.add_argument(
        "--lists",
        type=Path,
        metavar="DIRECTORY",
        help="real lists: a directory that holds jp/ipv4-aggregated.txt and so on; "
        "without, made-up lists of the same shape",
    )
    parser.add_argument(
        "--beside",
        type=_checkout,
        metavar="CHECKOUT",
        help="with the part packets: measure dropped and passed packets behind another checkout's "
        "fence as well, in turns, instead of beside other tools",
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; they are {', '.join(PARTS)}")
    if options.beside and options.parts != ["packets"]:
        parser.error("--beside goes with the part packets alone: packets --beside CHECKOUT")
    return options


def _several(text: str) -> int:
    rounds = int(text)
    if rounds < 2:
        raise argparse.ArgumentTypeError("needs 2 rounds or more")
    return rounds


def _checkout(text: str) -> Path:
    path = Path(text).resolve()
    if not (path / "geofence" / "__init__.py").is_file():
        raise argparse.ArgumentTypeError(f"{text} has no geofence/__init__.py")
    return path


def _inside(arguments: list[str]) -> int:
    """Run this again in a network namespace of its own, as root of a user namespace if need be."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    again = [sys.executable, "-m", "benchmarks", "--inside", *arguments]
    return subprocess.run(["unshare", "--net", *user, *again], check=False).returncode


def _measure(options: argparse.Namespace, scratch: Path) -> None:
    lists = options.lists or world.write_made_up(scratch / "lists")
    kind = f"those in {options.lists}" if options.lists else "made up"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else modules may be compiled each time
    print(f"# Measured on {datetime.now(UTC):%Y-%m-%d}\n")
    print(
        f"Machine: {report.machine()}.\nLists: {kind}. Lower quartiles of {options.rounds} rounds."
    )
    wanted = options.parts or PARTS
    if "loading" in wanted:
        processes.loading(lists, scratch, options.rounds)
    if "restoring" in wanted:
        processes.restoring(lists, scratch, options.rounds)
    if "loads" in wanted and options.lists:
        loads.loads(lists, scratch, options.rounds)
    if "refreshes" in wanted and options.lists:
        refreshes.refreshes(lists, scratch, options.rounds)
    if "growth" in wanted:
        loads.growth(scratch, options.rounds)
    if "linearity" in wanted:
        processes.linearity(scratch, options.rounds)
    if "starting" in wanted:
        processes.starting(options.rounds)
    if "atlas" in wanted:
        atlas.looking_up(lists, scratch, options.rounds)
    _measure_noted(options, wanted, lists, scratch)
    if "discover" in wanted:
        discover.reading(scratch, options.rounds)
    _measure_packets(options, wanted, lists, scratch)
    _measure_with_libraries_of_tests(options, wanted, lists, scratch)


def _measure_with_libraries_of_tests(
    options: argparse.Namespace, wanted: Sequence[str], lists: Path, scratch: Path
) -> None:
    """Measure what shares code with the tests, and so needs their libraries."""
    if "bans" in wanted:
        from benchmarks import bans

        bans.bans(scratch, options.rounds)
    if "fleet" in wanted:
        from benchmarks import fleet

        fleet.refreshing(lists, scratch)


def _measure_noted(
    options: argparse.Namespace, wanted: Sequence[str], lists: Path, scratch: Path
) -> None:
    if "denied" in wanted:
        denied.showing(lists, scratch, options.rounds)
    if "glance" in wanted:
        glance.showing(lists, scratch, options.rounds)


def _measure_packets(
    options: argparse.Namespace, wanted: Sequence[str], lists: Path, scratch: Path
) -> None:
    if "packets" in wanted and options.beside:
        beside.comparing(options.beside, lists, scratch, options.rounds)
    elif "packets" in wanted:
        packets.dropping(lists, scratch, options.rounds)


if __name__ == "__main__":
    main()
