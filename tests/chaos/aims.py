"""When to kill a run: at random moments, or at the system calls by which it changes anything."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.cli.machine import Machine, ended

_BEYOND = 1.05
"""Kills come up to this many times the measured extent after its beginning."""
_PATIENCE = 60.0
_CALLS = (
    "write,fsync,rename,unlink,mkdir,chmod,fchmod,flock,socket,sendto,sendmsg,recvfrom,recvmsg,"
    "vfork,clone,wait4"
)
"""By what a run changes something, and what is between two changes."""


class Aim(StrEnum):
    """What the moment of a kill is counted from."""

    START = "start"
    """Seconds from the start of the process."""
    LOCK = "lock"
    """Seconds from when it held the lock: all that changes anything is done while it does."""
    CALL = "call"
    """The how-manieth system call of a kind that its main thread makes; needs strace(1)."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill."""

    aim: Aim
    at: float
    """Seconds, or the number of the system call, which is not carried out any more."""
    group: bool = False
    """Whether the programs that it runs are killed with it."""
    call: str = ""
    """The kind of system call."""

    def __str__(self) -> str:
        who = "group" if self.group else "process"
        if self.aim is Aim.CALL:
            return f"process at {self.call} {self.at:.0f}"
        return f"{who} {self.at:.3f} s after its {self.aim}"


Extent = Mapping[str, float]
"""How far a kill can be from what it is counted from: seconds, or calls of a kind."""


def measure(machine: Machine, command: tuple[str, ...], aim: Aim) -> Extent:
    """Run a command unharmed."""
    if aim is Aim.CALL:
        return _count_calls(machine, command)
    began = time.monotonic()
    process = machine.start(*command)
    if aim is Aim.LOCK:
        _await_lock(process)
        began = time.monotonic()
    done = ended(process)
    assert done.code == 0, done
    return {aim: time.monotonic() - began}


def choose(dice: random.Random, aim: Aim, extent: Extent) -> Blow:
    """A blow anywhere within the extent, and a little beyond.

    The kinds of system calls are equally likely: a file is written by a few of each, and most are
    questions to the kernel.
    """
    if aim is Aim.CALL:
        call = dice.choice(sorted(extent))
        return Blow(aim, dice.randint(1, int(extent[call])), call=call)
    return Blow(aim, dice.uniform(0, extent[aim] * _BEYOND), group=dice.random() < 0.5)


def strike(machine: Machine, command: tuple[str, ...], blow: Blow) -> bool:
    """Start a command, kill it, wait until all that it started is over; whether it lived."""
    if blow.aim is Aim.CALL:
        inject = f"inject={blow.call}:signal=SIGKILL:when={blow.at:.0f}"
        process = _traced(machine, os.devnull, inject).start(*command)
        _await_end(process)
        return process.returncode == -signal.SIGKILL
    process = machine.start(*command)
    if blow.aim is Aim.LOCK:
        _await_lock(process)
    time.sleep(blow.at)
    alive = process.poll() is None
    if alive:
        (os.killpg if blow.group else os.kill)(process.pid, signal.SIGKILL)
    _await_end(process)
    return alive


def _count_calls(machine: Machine, command: tuple[str, ...]) -> Extent:
    written = machine.directory / "calls"
    done = ended(_traced(machine, str(written)).start(*command))
    assert done.code == 0, done
    lines = written.read_text(encoding="utf-8", errors="replace").splitlines()
    calls = Counter(line.partition("(")[0] for line in lines)
    return {call: count for call, count in calls.items() if call in _CALLS.split(",")}


def _traced(machine: Machine, written: str, *more: str) -> Machine:
    """The same machine, on which commands are traced."""
    options = [f"trace={_CALLS}", *more]
    wrapper = ["strace", "-qq", "-o", written, *(w for o in options for w in ("-e", o))]
    return _like(machine, tuple(wrapper))


def _like(machine: Machine, wrapper: tuple[str, ...]) -> Machine:
    """A view of a machine: its rules are there already."""
    view = object.__new__(Machine)
    view.__dict__.update(machine.__dict__, wrapper=(*machine.wrapper, *wrapper))
    return view


def _await_lock(process: subprocess.Popen[str]) -> None:
    """Wait until a process holds the lock of the state directory, or is over (proc(5))."""
    while process.poll() is None:
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        if any(line.split()[1:5:3] == ["FLOCK", str(process.pid)] for line in locks):
            return
        time.sleep(0.0005)


def _await_end(process: subprocess.Popen[str]) -> None:
    """Wait for a killed process and for the programs it ran, which may live a little longer."""
    ended(process, _PATIENCE)
    deadline = time.monotonic() + _PATIENCE
    while _group_lives(process.pid):
        assert time.monotonic() < deadline, "A program that geofence ran did not end."
        time.sleep(0.002)


def _group_lives(group: int) -> bool:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        state, process_group = fields[0], int(fields[2])
        if process_group == group and state != "Z":
            return True
    return False
