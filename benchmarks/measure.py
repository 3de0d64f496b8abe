"""Whole processes, timed in turns: what disturbs one subject disturbs the others."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile


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
    inside: list[float] = field(default_factory=list)
    """Seconds that the process printed as its own account; empty if it printed none."""
    megabytes: list[float] = field(default_factory=list)
    """Peak resident memory; no less than the harness's own, which the kernel counts in."""

    @property
    def typical(self) -> float:
        """Median of the seconds."""
        return median(self.seconds)

    @property
    def inner(self) -> float:
        """Median of what the process itself accounted for, in seconds."""
        return median(self.inside)

    @property
    def peak(self) -> float:
        """The most memory that any round took, in megabytes."""
        return max(self.megabytes)


def in_turns(
    subjects: Sequence[Subject], rounds: int, clear: Callable[[], None]
) -> dict[str, Cost]:
    """Run each subject once a round, in an order that rotates, from a cleared kernel each time."""
    costs = {subject.name: Cost() for subject in subjects}
    for turn in range(rounds):
        shift = turn % len(subjects)
        for subject in (*subjects[shift:], *subjects[:shift]):
            clear()
            _run(subject, costs[subject.name])
    clear()
    return costs


def _run(subject: Subject, cost: Cost) -> None:
    with (subject.given or Path(os.devnull)).open("rb") as source, TemporaryFile("w+") as sink:
        begun = time.perf_counter()
        process = subprocess.Popen(subject.command, stdin=source, stdout=sink)
        _, status, usage = os.wait4(process.pid, 0)
        cost.seconds.append(time.perf_counter() - begun)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{subject.name}: exit code {process.returncode}")
        cost.megabytes.append(usage.ru_maxrss / 1024)
        sink.seek(0)
        said = sink.read().strip()
    if said.replace(".", "", 1).isdecimal():
        cost.inside.append(float(said))


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
