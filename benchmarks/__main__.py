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
_OF_PACKETS = {"dropped": packets.dropped, "passed": packets.passed}
"""Parts of the part packets."""
_ROUNDS = 9


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
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"of {', '.join(PARTS)}; of packets, dropped or passed alone [all]",
    )
    parser.add_argument(
        "--rounds",
        type=_several,
        help=f"times each subject runs [{_ROUNDS}; packets: {packets.ROUNDS}]",
    )
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
        help="with packets: measure the fences of another checkout as well",
    )
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        choices=refreshes.REFRESHED,
        help="with the part refreshes: only this policy; may be given several times",
    )
    parser.add_argument(
        "--geoip-shell",
        type=Path,
        metavar="CHECKOUT",
        help="with loads: measure the update of geoip-shell as well, whose code is there",
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, *_OF_PACKETS}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; they are {', '.join(PARTS)}")
    options.given, options.rounds = options.rounds, options.rounds or _ROUNDS
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
    """Run this again in namespaces of its own, as root of a user namespace if need be."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    again = [sys.executable, "-m", "benchmarks", "--inside", *arguments]
    return subprocess.run(["unshare", "--net", "--mount", *user, *again], check=False).returncode


def _measure(options: argparse.Namespace, scratch: Path) -> None:
    lists = options.lists or world.write_made_up(scratch / "lists")
    kind = f"those in {options.lists}" if options.lists else "made up"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else modules may be compiled each time
    print(f"# Measured on {datetime.now(UTC):%Y-%m-%d}\n")
    print(
        f"Machine: {report.machine()}.\nLists: {kind}. Lower quartiles of {options.rounds} rounds, "
        "if nothing else is said."
    )
    wanted = options.parts or PARTS
    if "loading" in wanted:
        processes.loading(lists, scratch, options.rounds)
    if "restoring" in wanted:
        processes.restoring(lists, scratch, options.rounds)
    if "loads" in wanted and options.lists:
        loads.loads(lists, scratch, options.rounds, options.geoip_shell)
    if "refreshes" in wanted and options.lists:
        refreshes.refreshes(lists, scratch, options.rounds, options.policy)
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
    parts = [do for name, do in _OF_PACKETS.items() if name in wanted or "packets" in wanted]
    if parts:
        rounds = options.given or packets.ROUNDS
        with packets.bench(lists, scratch, rounds, options.beside) as bench:
            for part in parts:
                part(bench)


if __name__ == "__main__":
    main()
