"""Kills at system calls: there is never a shield without its fence, and the next run heals."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from random import Random

from geofence.apply import fence_is_up
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldState
from geofence.operations.remove import remove
from geofence.shield import pins
from geofence.shield.attachment import filter_on
from tests.shield.scene import FRIENDS, Scene, probe, scene
from tests.shield.tracing import killed_at

_ACTS = ("apply", "keep", "remove")
_MORE = '[exception.more]\nprefixes = ["45.9.0.0/24"]\nenabled = true\n'
_SOURCES = (FRIENDS[Family.IPV4], ip_address("45.9.0.7"))


@dataclass(slots=True)
class Told:
    """What came of it."""

    kills: int = 0
    ended: int = 0
    """Runs that ended before they were killed."""
    up: int = 0
    """Kills that left a shield, with its fence."""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        what = f"{self.kills} kills at system calls ({self.ended} ended before), after which the "
        what += f"shield was up {self.up} times"
        return "; ".join((what, *(self.problems or ["no problem"])))


def kills(backend: str, number: int, seed: int, place: Path, *, tcx: bool) -> Told:
    """Kill so many runs."""
    with scene(place, backend, tcx=tcx) as stage:
        return killed(stage, number, seed)


def killed(stage: Scene, number: int, seed: int) -> Told:
    """Kill runs in a scene, each at a random system call, and heal after each."""
    dice, told = Random(seed), Told()  # noqa: S311 - a fixed sequence, no secret
    lengths: dict[str, int] = {}
    for act in _ACTS:
        _prepare(stage, act, dice)
        lengths[act] = _run(stage, act, 0)
    with suppress(KeyboardInterrupt):  # whoever has waited long enough wants to know
        for _ in range(number):
            act = dice.choice(_ACTS)
            _prepare(stage, act, dice)
            at = dice.randint(1, lengths[act])
            reached = _run(stage, act, at)
            problems = [*_judged(stage, told), *_healed(stage)]
            told.kills += 1
            told.ended += reached < at
            told.problems += [f"{act} at {at}: {each}" for each in problems]
    return told


def _prepare(stage: Scene, act: str, dice: Random) -> None:
    """Have an armed shield, and something to do."""
    stage.restart()
    stage.apply()
    if stage.look().state is not ShieldState.ARMED:
        stage.knock(30)
        stage.look()
    more = dice.random() < 0.5
    if act != "remove":
        stage.rules(_MORE if more else _MORE.replace("45.9.0", f"45.9.{dice.randint(1, 200)}"))
    if act == "keep":  # the process that keeps the shield finds it down
        stage.apply()


def _run(stage: Scene, act: str, at: int) -> int:
    """Run an act and kill it; return how many stops there were."""
    site = stage.site
    places = (site.rules_directory, site.state_directory, site.bpf_directory)
    command = [sys.executable, "-m", "tests.shield.victim", *map(str, places)]
    process = stage.lab.pbx.start([*command, str(site.backend), str(stage.how), act])
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        reached = killed_at(process.pid, at)
    process.returncode = 0  # it was waited for
    return reached


def _judged(stage: Scene, told: Told) -> Iterator[str]:
    with stage.lab.pbx.entered():
        up = pins.is_up(stage.site.bpf_directory)
        stray = not up and filter_on(2) is not None
        fenced = fence_is_up()
    told.up += up
    if stray:
        yield "a filter is left that has no name"
    if up and not fenced:
        yield "a shield without its fence"
    probes = [probe(source) for source in _SOURCES]
    with_shield = stage.lab.fire(probes)
    with stage.lab.pbx.entered():
        pins.lower(stage.site.bpf_directory)
    alone = stage.lab.fire(probes)
    for each, one, other in zip(probes, with_shield, alone, strict=True):
        if other and not one:
            yield f"{each.source} is dropped by the shield alone"


def _healed(stage: Scene) -> Iterator[str]:
    """Run once unharmed; then all must be whole, and go again."""
    stage.restart()
    stage.apply()
    record = stage.look()
    if record.state is ShieldState.OFF:
        yield f"not healed: {record.reasons}"
    if stage.knock() != [None]:
        yield "a stranger gets in after the healing"
    if stage.lab.fire([probe(FRIENDS[Family.IPV4])]) != ["pbx"]:
        yield "a friend is dropped after the healing"
    with stage.lab.pbx.entered():
        remove(stage.site)
        left = pins.directory(stage.site.bpf_directory).exists() or filter_on(2) is not None
    if left:
        yield "something is left after the removal"
