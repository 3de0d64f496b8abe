"""``python -m tests.oracle``: the long form of the trial."""

from __future__ import annotations

import argparse
import sys
import time

from geofence.backends import registry
from geofence.backends.nftables.backend import NftablesBackend
from geofence.lab import privilege
from tests.oracle.flooded import NOT_NOTED, Flooded
from tests.oracle.trial import trial


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--packets", type=int, default=100_000, help="how many are sent")
    parser.add_argument("--backend", choices=sorted(registry.MODULES), default="ipset")
    parser.add_argument(
        "--intervals", type=int, help="of a set of nftables that is not divided by lengths"
    )
    parser.add_argument(
        "--flooded",
        action="store_true",
        help="on nftables, as if more arrived than is noted; then nobody asks who is noted",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same packets")
    return parser.parse_args()


def main() -> int:
    """Run the trial, show how it goes, list every disagreement; 1 if there is one."""
    asked = _arguments()
    privilege.ensure()
    began, sent, passed, wrong = time.monotonic(), 0, 0, 0
    backend = registry.load(asked.backend)
    if asked.intervals is not None:
        backend = NftablesBackend(asked.intervals)
    if asked.flooded:
        backend = Flooded(asked.intervals)
    for outcome in trial(backend, asked.seed, asked.packets):
        sent += outcome.packets
        passed += outcome.passed
        found = [e for e in outcome.disagreements if not asked.flooded or e.seen != NOT_NOTED]
        wrong += len(found)
        _say(*(f"\nup to packet {sent}: {each}\n" for each in found))
        _say(f"\r{sent} packets, {wrong} disagreements")
    took = time.monotonic() - began
    _say(
        f"\n{asked.backend}, seed {asked.seed}: {sent} packets in {took:.0f} s, "
        f"{passed} got in, {sent - passed} were dropped, {wrong} disagreements with the oracle\n"
    )
    return 1 if wrong else 0


def _say(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
