"""Short floods of many hosts in turns, and what a packet took in each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.flood import Cost
from benchmarks.network import ASKED, HERE, MEDIA, SIP, Network, Sender
from benchmarks.pairs import Series, Turn
from geofence.model.ruleset import NOTED_PER_SECOND

COUNT = 4_096
"""Packets that are measured in one flood."""
WARM = 1_024
"""Those before them, which bring all into the caches."""
WARM_DROPPED = COUNT
"""The same for packets that are dropped: these use up what may be noted at once, too."""
TURNS, TURNS_DROPPED = 1, 2
"""Floods of each host in a round, with packets that pass and with those that are dropped."""
_TOLERATED = COUNT // 40
"""Packets of a flood that may take another way than meant: the host has some of its own."""

assert WARM_DROPPED > NOTED_PER_SECOND  # noqa: S101 - else noting were measured where no flood has it


class Subject(NamedTuple):
    """What stands before a host, and what becomes of strangers' packets."""

    build: Callable[[], None]
    """Called in the host's network namespace."""
    looked_at: float = 1.0
    """The part of them that is left for IP to look at."""
    mac: str = HERE
    """Where all packets are sent."""
    wanted: float | None = None
    """Ratio of a dropped packet to the reference."""


class Kind(NamedTuple):
    """One kind of packets."""

    name: str
    file: Path
    passes: bool = False
    anew: bool = False
    """Whether each packet begins a flow."""
    asked: tuple[str, ...] = ()
    """Addresses that the host asks something before, so that these are replies."""
    answered: tuple[str, ...] = ()
    """Addresses that the host answers before, once each has sent the first packet of a flow."""


Visit = tuple[Cost, Cost, Cost]
"""Of the host that does the least, of another, and of the former again."""
Turns = Mapping[str, Visit]
"""Visits of all hosts, by subject."""


class Found(NamedTuple):
    """What packets of one kind took: in each round, its turns."""

    rounds: Sequence[Sequence[Turns]]

    @property
    def counted(self) -> bool:
        """Whether instructions could be counted."""
        visits = (visit for turns in self.rounds[0] for visit in turns.values())
        return all(cost.instructions is not None for visit in visits for cost in visit)

    def time(self, name: str) -> Series:
        """Nanoseconds of processor time a packet, of one subject."""
        return self._series(name, lambda cost: cost.nanoseconds / COUNT)

    def instructions(self, name: str) -> Series:
        """Instructions a packet, of one subject."""
        return self._series(name, lambda cost: (cost.instructions or 0) / COUNT)

    def _series(self, name: str, of: Callable[[Cost], float]) -> Series:
        return Series(
            [
                [Turn(of(cost), of(before), of(after)) for before, cost, after in visits]
                for visits in ([turns[name] for turns in each] for each in self.rounds)
            ]
        )


def build(network: Network, subjects: Mapping[str, Subject]) -> None:
    """Add a host for each."""
    for name, subject in subjects.items():
        fenced = network.add(name)
        with fenced.host.entered():
            subject.build()


def flooded(
    network: Network,
    subjects: Mapping[str, Subject],
    kinds: Sequence[Kind],
    floor: str,
    rounds: int,
) -> list[Found]:
    """Flood each host with each kind in each round, which has a flooding process of its own.

    Args:
        network: which has the hosts.
        subjects: what they are.
        kinds: in the order of the network's files.
        floor: the subject that is flooded before and after each.
        rounds: how many.
    """
    taken: list[list[list[Turns]]] = [[] for _ in kinds]
    for _ in range(rounds):
        with network.sending() as sender:
            for which, kind in enumerate(kinds):
                flooder = _Flooder(network, sender, subjects, kind, which)
                turns = TURNS if kind.passes else TURNS_DROPPED
                taken[which].append([flooder.turn(floor) for _ in range(turns)])
    return [Found(each) for each in taken]


class _Flooder(NamedTuple):
    """One flooding process with one kind of packets."""

    network: Network
    sender: Sender
    subjects: Mapping[str, Subject]
    kind: Kind
    which: int
    """The kind's file."""

    def turn(self, floor: str) -> Turns:
        """Flood all hosts in some order, and the floor between them."""
        names = list(self.subjects)
        random.shuffle(names)
        return dict(self._visits(names, floor))

    def _visits(self, names: Sequence[str], floor: str) -> Iterator[tuple[str, Visit]]:
        before = self._flood(floor)
        for name in names:
            cost, after = self._flood(name), self._flood(floor)
            yield name, (before, cost, after)
            before = after

    def _flood(self, name: str) -> Cost:
        """Flood a host; fails if the packets took another way than meant."""
        fenced, subject, kind = self.network.fenced[name], self.subjects[name], self.kind
        if kind.anew:
            fenced.forget_flows()
        if kind.answered:
            self.sender.send(fenced.interface, subject.mac, self.which, len(kind.answered), 0)
        fenced.tell(kind.answered, SIP, SIP)
        fenced.tell(kind.asked, MEDIA, ASKED)
        before = fenced.received()
        warm = WARM if kind.passes else WARM_DROPPED
        cost = self.sender.send(fenced.interface, subject.mac, self.which, warm, COUNT)
        got = fenced.received().since(before)
        sent = warm + COUNT
        looked_at, let_in = (sent, sent) if kind.passes else (sent * subject.looked_at, 0)
        if max(abs(got.looked_at - looked_at), abs(got.delivered - let_in)) > _TOLERATED:
            raise SystemExit(
                f"{name}, {kind.name}: of {sent} packets {got.looked_at} were looked at and "
                f"{got.delivered} were let in."
            )
        return cost
