"""``python -m tests.shield``: the long forms of what the tests do shortly. Needs root.

python -m tests.shield packets --packets 100000 --backend nftables
python -m tests.shield changes --changes 200
python -m tests.shield kills --kills 200
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from geofence.backends import registry
from geofence.shield.attachment import has_tcx
from tests.shield.changes import Told as Changed
from tests.shield.changes import changes
from tests.shield.kills import Told as Killed
from tests.shield.kills import kills
from tests.shield.scene import bpf_directory
from tests.shield.trial import trial


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.shield",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("packets", "changes", "kills"))
    parser.add_argument("--packets", type=int, default=100_000, help="how many are sent")
    parser.add_argument("--changes", type=int, default=200, help="of the fence, under probes")
    parser.add_argument("--kills", type=int, default=200, help="at system calls")
    parser.add_argument("--backend", choices=sorted(registry.MODULES), default="nftables")
    parser.add_argument("--clsact", action="store_true", help="not tcx, where the kernel has it")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    return parser.parse_args()


def _packets(asked: argparse.Namespace, place: Path, *, tcx: bool) -> int:
    began, sent, passed, by_shield, lost = time.monotonic(), 0, 0, 0, 0
    backend = registry.load(asked.backend)
    with bpf_directory(place / "bpf") as directory:
        for found in trial(backend, asked.seed, asked.packets, directory, tcx=tcx):
            sent, passed = sent + found.packets, passed + found.passed
            by_shield, lost = by_shield + found.by_shield, lost + len(found.lost)
            _say(*(f"\nlost up to packet {sent}: {each}\n" for each in found.lost))
            _say(f"\r{sent} packets, {lost} lost")
    _say(
        f"\n{asked.backend}, {'tcx' if tcx else 'clsact'}, seed {asked.seed}: {sent} packets in "
        f"{time.monotonic() - began:.0f} s, {passed} got in, {by_shield} were dropped by the "
        f"shield, {lost} of these pass the fence alone\n"
    )
    return 1 if lost else 0


def _say(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()


def main() -> int:
    """Do it, and say what came of it; 1 if something is wrong."""
    asked = _arguments()
    tcx = has_tcx() and not asked.clsact
    with tempfile.TemporaryDirectory(prefix="geofence-shield-") as scratch:
        if asked.what == "packets":
            return _packets(asked, Path(scratch), tcx=tcx)
        if asked.what == "changes":
            told: Changed | Killed = changes(asked.backend, asked.changes, Path(scratch), tcx=tcx)
        else:
            told = kills(asked.backend, asked.kills, asked.seed, Path(scratch), tcx=tcx)
    _say(f"{asked.backend}, {'tcx' if tcx else 'clsact'}: {told}\n")
    return 1 if told.problems else 0


if __name__ == "__main__":
    sys.exit(main())
