"""Many hosts in one process, each of which refreshes at a moment of its own.

They fetch lists by the real code, and check them by the real guards.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from geofence.fetch.events import Failed, Renewed, Unchanged
from geofence.fetch.fetcher import fetch_lists
from geofence.fetch.limits import Limits
from geofence.guards.lists import check_list
from geofence.mirror.memory import MirrorMemory
from geofence.model.lists import AcceptedList, ListId, ListKind
from geofence.model.policy import Policy

LISTS = tuple(ListId(ListKind.COUNTRY, code) for code in ("JP", "DE"))
_LIMITS = Limits(workers=1, backoff=0.2)


@dataclass(frozen=True, slots=True)
class Phase:
    """What all hosts of a process are to do."""

    policy: Policy
    window: float
    """Seconds in which they begin, each at a random moment."""
    anew: bool = False
    """Whether they have nothing yet."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one host fared."""

    begun: float
    """Seconds after the window began."""
    seconds: float
    renewed: int = 0
    unchanged: int = 0
    refused: int = 0
    """By a check of this host."""
    failed: int = 0
    """Not fetched, or not signed as they should be."""
    why: str = ""


@dataclass(slots=True)
class _Host:
    accepted: dict[ListId, AcceptedList] = field(default_factory=dict)
    memory: MirrorMemory = field(default_factory=MirrorMemory)

    def refresh(self, policy: Policy, begun: float) -> Ran:
        """Do what a refresh does with lists, the disk and the kernel left out."""
        start = time.monotonic()
        report = fetch_lists(
            LISTS,
            policy,
            self.accepted,
            lambda: datetime.now(UTC),
            limits=_LIMITS,
            mirrors=self.memory,
        )
        self.memory = report.mirrors
        renewed = [each for each in report.candidates if self._takes(each.accepted, policy)]
        outcomes = report.outcomes.values()
        failed = [each for each in outcomes if isinstance(each, Failed)]
        return Ran(
            begun,
            time.monotonic() - start,
            len(renewed),
            sum(isinstance(each, Unchanged) for each in outcomes),
            sum(isinstance(each, Renewed) for each in outcomes) - len(renewed),
            len(failed),
            failed[0].why if failed else "",
        )

    def _takes(self, new: AcceptedList, policy: Policy) -> bool:
        before = self.accepted.get(new.id)
        if before and check_list(new.id, new.space, before.space, policy):
            return False
        self.accepted[new.id] = new
        return True


def serve(commands: Connection, hosts: int, seed: int) -> None:
    """Do phases as they are asked for, until there are no more."""
    chance = random.Random(seed)  # noqa: S311 - spreads load
    fleet = [_Host() for _ in range(hosts)]
    while (phase := commands.recv()) is not None:
        if phase.anew:
            fleet = [_Host() for _ in range(hosts)]
        moments = sorted(chance.uniform(0, phase.window) for _ in fleet)
        commands.send(_played(phase, dict(zip(moments, fleet, strict=True))))


def _played(phase: Phase, fleet: Mapping[float, _Host]) -> Sequence[Ran]:
    start, ran, threads = time.monotonic(), [], []
    lock = threading.Lock()

    def refresh(host: _Host, moment: float) -> None:
        found = host.refresh(phase.policy, moment)
        with lock:
            ran.append(found)

    for moment, host in fleet.items():
        time.sleep(max(0.0, start + moment - time.monotonic()))
        thread = threading.Thread(target=refresh, args=(host, moment))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return ran
