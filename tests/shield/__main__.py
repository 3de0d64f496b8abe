"""``python -m tests.shield``: the long forms of what the tests do shortly. Needs root.

Each is done on both backends, with tcx and with clsact; options name one of them.

    python -m tests.shield packets changes kills
    python -m tests.shield packets --packets 20000 --backend nftables --how tcx
    python -m tests.shield kills --kills 50
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from geofence.backends import registry
from geofence.shield.attachment import has_tcx
from tests.shield.changes import Told as Changed
from tests.shield.changes import changes
from tests.shield.kills import Told as Killed
from tests.shield.kills import kills
from tests.shield.scene import bpf_directory
from tests.shield.trial import trial


@dataclass(frozen=True, slots=True)
class Where:
    """On what it is done."""

    backend: str
    how: str

    @property
    def tcx(self) -> bool:
        return self.how == "tcx"

    def __str__(self) -> str:
        return f"{self.backend}, {self.how}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.shield",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="+", choices=("packets", "changes", "kills"))
    parser.add_argument("--packets", type=int, default=100_000, help="how many are sent")
    parser.add_argument("--changes", type=int, default=200, help="refreshes under probes")
    parser.add_argument("--kills", type=int, default=200, help="at system calls")
    parser.add_argument("--backend", choices=sorted(registry.MODULES), help="default: both")
    parser.add_argument("--how", choices=("tcx", "clsact"), help="default: what the kernel has")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    return parser.parse_args()


def _places(asked: argparse.Namespace) -> list[Where]:
    backends = [asked.backend] if asked.backend else sorted(registry.MODULES)
    hows = [asked.how] if asked.how else ["tcx", "clsact"] if has_tcx() else ["clsact"]
    return [Where(backend, how) for backend in backends for how in hows]


def _packets(asked: argparse.Namespace, where: Where, place: Path) -> bool:
    began, sent, passed, by_shield, lost = time.monotonic(), 0, 0, 0, 0
    backend = registry.load(where.backend)
    with bpf_directory(place / "bpf") as directory:
        for found in trial(backend, asked.seed, asked.packets, directory, tcx=where.tcx):
            sent, passed = sent + found.packets, passed + found.passed
            by_shield, lost = by_shield + found.by_shield, lost + len(found.lost)
            _say(*(f"\nlost up to packet {sent}: {each}\n" for each in found.lost))
            _say(f"\r{sent} packets, {lost} lost")
    _say(
        f"\n{where}, seed {asked.seed}: {sent} packets in {time.monotonic() - began:.0f} s, "
        f"{passed} got in, {by_shield} were dropped by the shield, {lost} of these pass the fence "
        "alone\n"
    )
    return not lost


def _done(asked: argparse.Namespace, what: str, where: Where, place: Path) -> bool:
    """Do one of them at one place; whether all is well."""
    if what == "packets":
        return _packets(asked, where, place)
    began = time.monotonic()
    told: Changed | Killed
    if what == "changes":
        told = changes(where.backend, asked.changes, place, tcx=where.tcx)
    else:
        told = kills(where.backend, asked.kills, asked.seed, place, tcx=where.tcx)
    _say(f"{where}: {told}; {time.monotonic() - began:.0f} s\n")
    return not told.problems


def _say(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()


def main() -> int:
    """Do it, and say what came of it; 1 if something is wrong."""
    asked = _arguments()
    well = True
    for what in asked.what:
        for where in _places(asked):
            with tempfile.TemporaryDirectory(prefix="geofence-shield-") as scratch:
                well &= _done(asked, what, where, Path(scratch))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
