"""Runs for a target that are killed at a request, and what the cluster may hold then."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import kubernetes.client  # noqa: F401 - the fork server loads it once for all runs

from geofence.model.address import Address
from geofence.operations.commit import Wish
from geofence.operations.targets.apply import apply_to_cluster
from geofence.operations.targets.remove import remove_from_cluster
from geofence.operations.targets.restore import restore_cluster
from geofence.operations.targets.site import TargetSite
from geofence.targets.networkpolicy import ranges
from geofence.verdict import Packet
from tests.clusters.fake import FakeApi, Fault, FaultKind
from tests.clusters.fake.server import Seen
from tests.clusters.scene import GERMAN, JAPANESE, PARTNERS, STRANGER, Scene

SMALL_RANGES = (100, 50)
"""Bytes of one object and of one range, so that a few prefixes make several objects."""
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.clusters.killing"])
_PROBES = (
    *(JAPANESE, GERMAN, PARTNERS, STRANGER, "61.0.0.0", "91.0.0.0", "91.63.255.255"),
    *("91.64.0.0", "2400:4000::1", "2003::1", "203.0.113.255", "2a00::1", "10.0.0.1"),
)
_PORTS = (("udp", 5060), ("udp", 5059), ("udp", 15_000), ("tcp", 5061), ("tcp", 443))
Verdicts = tuple[bool, ...]


@contextmanager
def chunked(sizes: tuple[int, int] | None) -> Iterator[None]:
    """Make objects of NetworkPolicies small, in this process."""
    before = ranges.MOST_IN_ONE, ranges.MOST_IN_RANGE
    ranges.MOST_IN_ONE, ranges.MOST_IN_RANGE = sizes or before
    try:
        yield
    finally:
        ranges.MOST_IN_ONE, ranges.MOST_IN_RANGE = before


def verdicts(scene: Scene) -> Verdicts:
    """What the objects in the cluster say of some packets."""
    place = scene.place
    judge = place.engine.judge(scene.in_cluster().objects, place.target)
    packets = product(map(Address.parse, _PROBES), _PORTS)
    return tuple(
        judge(Packet(source.family, protocol, source.number, port))
        for source, (protocol, port) in packets
    )


def between(found: Verdicts, old: Verdicts, new: Verdicts) -> bool:
    """Whether nothing is open that neither opens, and nothing shut that both open."""
    return all(each in pair for each, *pair in zip(found, old, new, strict=True))


def run(verb: str, place: TargetSite, sizes: tuple[int, int] | None) -> None:
    """Do what a command does, in a process of its own."""
    with chunked(sizes):
        if verb == "remove":
            remove_from_cluster(place)
        elif verb == "restore":
            restore_cluster(place, Wish("restore"))
        else:
            apply_to_cluster(place, Wish("apply"))


@dataclass
class Killer:
    """Kills a run at each of its requests in turn, before it is done or after."""

    scene: Scene
    api: FakeApi
    verb: str = "apply"
    sizes: tuple[int, int] | None = None
    kinds: tuple[FaultKind, ...] = (FaultKind.DROPPED, FaultKind.LOST)
    """Whether the request at which it is killed is done."""
    reads_too: bool = False
    """Whether it is killed at requests that change nothing, too."""
    seen: list[Verdicts] = field(default_factory=list)
    """What was in force after each kill."""

    def kill_everywhere(self, check: Callable[[Verdicts], None]) -> int:
        """Kill at each request; check what is in force; then the next run heals.

        Returns:
            At how many requests it was killed.
        """
        begun = self._saved()
        number = 0
        while True:
            for kind in self.kinds:
                self._restore(begun)
                killed = self._killed_at(number, kind)
                if not killed:
                    return number
                self.seen.append(verdicts(self.scene))
                check(self.seen[-1])
            number += 1

    def _killed_at(self, number: int, kind: FaultKind) -> bool:
        """Run it, and kill it at a request; whether it got that far."""
        api = self.api
        process = _server.Process(target=run, args=(self.verb, self.scene.place, self.sizes))
        left = iter(range(number + 1))

        def kill(request: Seen) -> None:
            if (request.writes or self.reads_too) and next(left, None) == number and process.pid:
                api.faults[len(api.seen) - 1] = Fault(kind)
                os.kill(process.pid, signal.SIGKILL)

        api.at_request = kill
        process.start()
        process.join()
        api.at_request, api.faults = None, {}
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return process.exitcode != 0

    def _saved(self) -> tuple[object, Path]:
        state = self.scene.directory / "state"
        copy = self.scene.directory / "state-before"
        shutil.copytree(state, copy)
        return dict(self.api.cluster.objects), copy

    def _restore(self, saved: tuple[object, Path]) -> None:
        objects, copy = saved
        assert isinstance(objects, dict)
        state = self.scene.directory / "state"
        shutil.rmtree(state)
        shutil.copytree(copy, state)
        self.api.cluster.objects = dict(objects)


if __name__ == "__main__":
    sys.exit("Run the tests: pytest tests/clusters/test_killed.py")
