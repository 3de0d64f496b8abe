"""Whole processes, timed in turns: what disturbs one subject disturbs the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Self


@dataclass(frozen=True, slots=True)
class Subject:
    """A command whose cost is measured from its start to its end."""

    name: str
    command: Sequence[str]
    given: Path | None = None
    """What it reads on standard input."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one subject took, over all rounds."""

    seconds: list[float] = field(default_factory=list)
    """Wall clock, start of the process to its end."""
    busy: list[float] = field(default_factory=list)
    """Processor time, user and kernel, of the process and those it ran; hardly disturbed by others
    on the machine."""
    inside: list[float] = field(default_factory=list)
    """Seconds that the process printed as its own account; empty if it printed none."""
    megabytes: list[float] = field(default_factory=list)
    """Peak resident memory; no less than some 10, which is what starts it (see ``runner``)."""

    @property
    def typical(self) -> float:
        """The usual number of seconds."""
        return usual(self.seconds)

    @property
    def work(self) -> float:
        """The usual processor time, in seconds."""
        return usual(self.busy)

    @property
    def inner(self) -> float:
        """What the process itself usually accounted for, in seconds."""
        return usual(self.inside)

    @property
    def peak(self) -> float:
        """The most memory that any round took, in megabytes."""
        return max(self.megabytes)

    def ratios_to(self, base: Cost) -> list[float]:
        """The processor time as a ratio to that of another subject, round by round."""
        return [ours / theirs for ours, theirs in zip(self.busy, base.busy, strict=True)]


def usual(measured: Sequence[float]) -> float:
    """The lower quartile: what disturbs a measurement on a shared machine only ever adds to it."""
    return quantiles(measured, method="inclusive")[0]


class Runner:
    """The small process that starts what is measured; see ``runner``."""

    def __enter__(self) -> Self:
        script = Path(__file__).with_name("runner.py")
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.communicate()

    def run(self, subject: Subject, cost: Cost) -> None:
        """Run a subject once and add what it took."""
        assert self._process.stdin  # noqa: S101 - for the type checker; it is a pipe
        assert self._process.stdout  # noqa: S101 - for the type checker; it is a pipe
        request = [list(subject.command), str(subject.given or os.devnull)]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code, seconds, busy, kilobytes, said = json.loads(self._process.stdout.readline())
        if code:
            raise SystemExit(f"{subject.name}: exit code {code}")
        cost.seconds.append(seconds)
        cost.busy.append(busy)
        cost.megabytes.append(kilobytes / 1024)
        if said.strip().replace(".", "", 1).isdecimal():
            cost.inside.append(float(said))


def in_turns(
    subjects: Sequence[Subject], rounds: int, clear: Callable[[], None]
) -> dict[str, Cost]:
    """Run each subject once a round, in an order that rotates, from a cleared kernel each time."""
    costs = {subject.name: Cost() for subject in subjects}
    with Runner() as runner:
        for turn in range(rounds):
            shift = turn % len(subjects)
            for subject in (*subjects[shift:], *subjects[:shift]):
                clear()
                runner.run(subject, costs[subject.name])
    clear()
    return costs


def settled() -> None:
    """Nothing to clear; lets the kernel finish what it put off."""
    time.sleep(0.05)


def empty_namespace() -> None:
    """Take all rules, tables and sets out of this private namespace."""
    chains = ("INPUT", "FORWARD", "OUTPUT")
    tables = {"filter": chains, "mangle": ("PREROUTING", *chains, "POSTROUTING")}
    text = "".join(
        f"*{table}\n" + "".join(f":{chain} ACCEPT [0:0]\n" for chain in names) + "COMMIT\n"
        for table, names in tables.items()
    )
    for program in ("iptables-restore", "ip6tables-restore"):
        subprocess.run([program], input=text, text=True, check=True)
    for command in (["nft", "flush", "ruleset"], ["ipset", "destroy"]):
        subprocess.run(command, check=True)
    time.sleep(0.2)  # the kernel frees sets in the background
