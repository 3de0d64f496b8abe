"""``python -m tests.chaos``: the long forms of what the tests here do in short."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from geofence.lab import privilege
from geofence.lab.network import Lab
from tests.chaos.aims import Aim
from tests.chaos.fuzzing import TARGETS, fuzz
from tests.chaos.ground import ground
from tests.chaos.killing import Attempt, Killer
from tests.chaos.killing_bans import BanAttempt, BanKiller
from tests.cli.machine import BACKENDS

_BATCH = 10
"""Kills during one stream of traffic; each batch has a fresh network and a seed of its own."""
_BOOT_EVERY = 5
"""One batch in so many begins each run on a host without a fence."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    forms = parser.add_subparsers(dest="form", required=True)
    kill = forms.add_parser("kill", help="kill runs at random moments under traffic")
    kill.add_argument("--kills", type=int, default=250, help="how many, per backend")
    kill.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0])
    kill.add_argument("--seed", type=int, default=1, help="of the first batch of ten")
    kill.add_argument(
        "--aim",
        choices=list(Aim),
        nargs="+",
        default=[Aim.START, Aim.LOCK],
        type=Aim,
        help="at what",
    )
    bans = forms.add_parser("kill-bans", help="kill what changes bans, and refreshes beside them")
    bans.add_argument("--kills", type=int, default=100, help="how many, per backend")
    bans.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0])
    bans.add_argument("--seed", type=int, default=1, help="of the first batch of ten")
    bans.add_argument("--aim", choices=list(Aim), nargs="+", default=[*Aim], type=Aim)
    fuzz = forms.add_parser("fuzz", help="run what fuzzes with many more inputs")
    fuzz.add_argument("--inputs", type=int, default=100_000, help="how many at least")
    fuzz.add_argument("--target", choices=sorted(TARGETS), required=True)
    fuzz.add_argument("--seed", type=int, default=1, help="of hypothesis")
    return parser.parse_args()


def main() -> int:
    """Run the form that was asked for; 1 if anything was wrong."""
    asked = _arguments()
    privilege.ensure()
    if asked.form == "fuzz":
        return _fuzz(asked.target, asked.inputs, asked.seed)
    if asked.form == "kill-bans":
        return _kill_bans(asked.backend, asked.kills, asked.seed, tuple(asked.aim))
    return _kill(asked.backend, asked.kills, asked.seed, tuple(asked.aim))


def _fuzz(target: str, inputs: int, seed: int) -> int:
    began = time.monotonic()
    counts, failed = fuzz(target, inputs, seed)
    took = time.monotonic() - began
    _say(*(f"{name}: {count}\n" for name, count in counts.items()))
    _say(*(f"\n{failure}\n" for failure in failed))
    _say(f"{target}, seed {seed}: {counts.total()} inputs, {took:.0f} s, {len(failed)} failures\n")
    return 1 if failed else 0


def _kill(backend: str, kills: int, seed: int, aims: tuple[Aim, ...]) -> int:
    began, attempts, packets, wrong = time.monotonic(), list[Attempt](), 0, 0
    for batch in range(-(-kills // _BATCH)):
        boot = batch % _BOOT_EVERY == _BOOT_EVERY - 1
        made, sent, problems = _batch(backend, seed + batch, aims, boot=boot)
        attempts += made
        packets += sent
        for problem in problems:
            wrong += 1
            _say(f"\nseed {seed + batch}: {problem}\n")
        _say(f"\r{len(attempts)} kills, {wrong} problems")
    took = time.monotonic() - began
    _say(f"\n{backend}: {len(attempts)} kills, {packets} packets, {took:.0f} s, {wrong} problems\n")
    _say(*(f"{line}\n" for line in _table(attempts)))
    return 1 if wrong else 0


def _batch(
    backend: str, seed: int, aims: tuple[Aim, ...], *, boot: bool
) -> tuple[list[Attempt], int, list[str]]:
    """Kill a few runs; the attempts, packets sent, and what was wrong."""
    with TemporaryDirectory() as name, Lab() as lab, ground(Path(name), backend, lab) as made:
        killer = Killer(made, seed, aims=aims)
        attempts, sent, lost, leaked = killer.traffic(lambda: list(killer.kills(_BATCH, boot=boot)))
    problems = [str(attempt) for attempt in attempts if attempt.problems]
    if lost:
        problems.append(f"{lost} packets of the allowed were lost")
    if leaked and not boot:  # where there was no fence, everybody gets in until there is one
        problems.append(f"{leaked} packets of others got in")
    return attempts, sent, problems


def _kill_bans(backend: str, kills: int, seed: int, aims: tuple[Aim, ...]) -> int:
    began, attempts, packets, wrong = time.monotonic(), list[BanAttempt](), 0, 0
    for batch in range(-(-kills // _BATCH)):
        with TemporaryDirectory() as name, Lab() as lab, ground(Path(name), backend, lab) as made:
            killer = BanKiller(made, seed + batch, aims=aims)
            found, sent, lost, leaked = killer.traffic(lambda: list(killer.kills(_BATCH)))  # noqa: B023
        attempts += found
        packets += sent
        problems = [str(attempt) for attempt in found if attempt.problems]
        problems += [f"{lost} packets were lost, {leaked} got in"] if lost or leaked else []
        wrong += len(problems)
        _say(*(f"\nseed {seed + batch}: {problem}\n" for problem in problems))
        _say(f"\r{len(attempts)} kills, {wrong} problems")
    took = time.monotonic() - began
    alive = [attempt for attempt in attempts if attempt.alive]
    done = Counter((each.command[0], "recorded" if each.new else "not recorded") for each in alive)
    _say(f"\n{backend}: {len(attempts)} kills, {len(alive)} of them of a process that still ran\n")
    _say(*(f"{' '.join(what)}: {count}\n" for what, count in sorted(done.items())))
    _say(f"{packets} packets, {took:.0f} s, {wrong} problems\n")
    return 1 if wrong else 0


def _table(attempts: list[Attempt]) -> Iterator[str]:
    """Where the kills hit: for each verb, how often each state was found."""
    columns = ("old", "between", "new")
    yield "| killed | kills | ended before | kernel old | between | new | recorded | debris |"
    yield "|---|---|---|---|---|---|---|---|"
    for verb in sorted({attempt.verb for attempt in attempts}):
        of_verb = [attempt for attempt in attempts if attempt.verb == verb]
        alive = [attempt for attempt in of_verb if attempt.alive]
        found = Counter(attempt.kernel for attempt in alive)
        cells = (
            verb,
            len(of_verb),
            len(of_verb) - len(alive),
            *(found[column] for column in columns),
            sum(attempt.record == "new" for attempt in alive),
            sum(bool(attempt.debris) for attempt in alive),
        )
        yield f"| {' | '.join(map(str, cells))} |"


def _say(*texts: str) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
