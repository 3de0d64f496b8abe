"""Traffic that does not stop while the fence is changed: a process of its own sends it.

The process's side is ``python -m geofence.lab.traffic``; the two speak JSON over its standard input
and output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from geofence.errors import LabError
from geofence.lab.host import Host
from geofence.lab.observer import Observer
from geofence.lab.probes import Probe
from geofence.translation import tr


@dataclass(frozen=True, slots=True)
class RepeatedProbe:
    """A probe that is sent again and again."""

    probe: Probe
    first_token: int
    """The n-th packet, counted from 0, bears this plus n; the first of a block of tokens."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a flow."""

    sent: int
    arrived: frozenset[int]
    """Which packets got in, the first sent being 0."""


class Stream(AbstractContextManager["Stream"]):
    """A process that sends flows from a host, and what an observer saw of them."""

    def __init__(
        self,
        host: Host,
        observer: Observer,
        flows: Mapping[str, RepeatedProbe],
        marker: RepeatedProbe,
        every: float,
    ) -> None:
        """Start it, and return when its first packets are out.

        Args:
            host: where the packets come from.
            observer: who sees them.
            flows: what is sent, by name.
            marker: sent once, last of all, to something that nothing fences.
            every: seconds between two packets of a flow.

        Raises:
            LabError: the process did not start.
        """
        self._observer, self._flows, self._marker = observer, flows, marker
        self._process = host.start([sys.executable, "-P", "-m", "geofence.lab.traffic"])
        self._tell(
            {"every": every, "flows": [_as_json(flow) for flow in (*flows.values(), marker)]}
        )
        self._hear()

    def arrived(self, name: str) -> int:
        """Return how many packets of a flow got in so far."""
        return self._observer.count(self._flows[name].first_token)

    def finish(self) -> dict[str, Report]:
        """Stop sending, wait until all has arrived or been dropped, and report on each flow.

        Raises:
            LabError: the process failed, or its last packet, which nothing fences, got lost.
        """
        self._tell("stop")
        rounds = self._hear()
        self._observer.await_token(self._marker.first_token)
        return {name: self._report(flow, rounds) for name, flow in self._flows.items()}

    def _report(self, flow: RepeatedProbe, sent: int) -> Report:
        tokens = self._observer.block(flow.first_token)
        return Report(sent, frozenset(token - flow.first_token for token in tokens))

    def _tell(self, what: object) -> None:
        assert self._process.stdin is not None  # noqa: S101 - started with pipes
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> int:
        assert self._process.stdout is not None  # noqa: S101 - started with pipes
        line = self._process.stdout.readline()
        if not line:
            raise LabError(
                tr("The process that sends the lab's traffic failed. See what it printed.")
            )
        return int(json.loads(line))

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


def _as_json(flow: RepeatedProbe) -> dict[str, object]:
    probe = flow.probe
    return {
        "source": str(probe.source),
        "destination": str(probe.destination),
        "transport": probe.transport,
        "port": probe.port,
        "source_port": probe.source_port,
        "payload": probe.payload.__name__,
        "link": probe.link,
        "first_token": flow.first_token,
    }
