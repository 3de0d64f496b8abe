"""``geofence refresh`` of policies of different sizes, beside ``ipset restore`` of the same lists.

The fence stands, as it does each night. Its lists are confirmed by the source (304), or the source
serves a new version of every one of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks import report
from benchmarks.installed import installed
from benchmarks.loads import POLICIES, Load, ipset_input, sizes
from benchmarks.measure import Cost, Runner, Subject, empty_namespace, usual
from benchmarks.world import SET_FILES
from geofence.backends import registry
from geofence.model.prefixes import Family

_REFERENCE = "ipset restore"
_FEW = 50
"""Prefixes of a list that loses none in the newer version."""
_NIGHTS = {"304": "nothing changed", "200": "every list anew"}

REFRESHED: Mapping[str, str] = {
    "JP, IPv4": "JP",
    **{f"{name}, both families": name for name in ("JP", "US", "EU", "world")},
}
"""Policies, and what ``loads`` calls their countries."""


@dataclass(frozen=True, slots=True)
class _Night:
    """One kind of night on one backend."""

    name: str
    backend: str
    anew: bool
    options: Sequence[str]
    state: Path
    source: Path


def refreshes(lists: Path, scratch: Path, rounds: int, only: Sequence[str] = ()) -> None:
    """Refresh all policies, or some; ratios to ``ipset restore`` of the same, pair by pair."""
    report.heading(
        "Refreshing policies of different sizes",
        "Whole processes; the fence stands, and its lists are stored. A source on the loopback "
        "says of each list that it is unchanged (304), or serves a new version of each (200). "
        "Processor time of the process and what it runs, lower quartile and median of "
        f"{rounds} rounds, and its ratio to `ipset restore` of the same lists in the same round.",
    )
    program = installed(scratch)
    for name, countries in REFRESHED.items():
        if only and name not in only:
            continue
        families = (Family.IPV4,) if name.endswith("IPv4") else tuple(Family)
        codes = POLICIES[countries][0] or sorted(each.name for each in lists.iterdir())
        load = Load.read(name, lists, POLICIES[countries][0], families)
        place = scratch / f"refresh-{name.replace(', ', '-').replace(' ', '-')}"
        place.mkdir()
        entries = Subject(_REFERENCE, ["ipset", "restore"], ipset_input(place / "entries", load))
        _write_trees(place, lists, codes, families)
        with _served(place) as url:
            accept = () if len(families) == len(Family) else _without_ipv6(codes)
            nights = list(_nights(program, place, codes, url, accept))
            costs = _measured(entries, program, nights, rounds)
        print(f"\n{name}: {sizes(load)}\n")
        _show(costs)


def _without_ipv6(codes: Sequence[str]) -> Sequence[str]:
    """Return the overrides for lists that lack a family."""
    return [each for code in codes for each in ("--accept", f"first-run={code.upper()}")]


def _write_trees(
    place: Path, lists: Path, codes: Sequence[str], families: Sequence[Family]
) -> None:
    for code in codes:
        prefixes = {family: _prefixes(lists / code / SET_FILES[family]) for family in Family}
        wanted = {family: prefixes[family] if family in families else [] for family in Family}
        older = {family: each[:-1] if len(each) > _FEW else each for family, each in wanted.items()}
        for tree, content, remark in (("before", older, ""), ("after", wanted, "anew")):
            folder = place / tree / code
            folder.mkdir(parents=True)
            body = {"country": remark, "countryCode": code.upper(), "prefixes": content}
            (folder / "aggregated.json").write_text(json.dumps(body, indent=2))


def _prefixes(file: Path) -> list[str]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


@contextmanager
def _served(place: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.source", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout  # noqa: S101 - for the type checker; it is a pipe
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def _nights(
    program: Path, place: Path, codes: Sequence[str], url: str, accept: Sequence[str]
) -> Iterator[_Night]:
    """Set up an installation a backend, with the older lists stored and its fence recorded."""
    rules = place / "rules.d"
    rules.mkdir()
    countries = ", ".join(f'"{code.upper()}"' for code in codes)
    (rules / "policy.toml").write_text(
        f"[allow]\ncountries = [{countries}]\n\n"
        f'[source.country]\nurls = ["{url}/{{cc}}/aggregated.json"]\n'
    )
    for backend in registry.MODULES:
        empty_namespace()
        state = place / f"state-{backend}"
        (rules / "backend.toml").write_text(f'backend = "{backend}"\n')
        options = ("--rules-dir", str(rules), "--state-dir", str(state))
        _run(program, options, ("refresh", *accept), backend)
        shutil.copytree(state, place / f"stored-{backend}")
        for status, what in _NIGHTS.items():
            name = f"geofence refresh, {backend}, {what} ({status})"
            yield _Night(name, backend, status == "200", options, state, place)


def _run(program: Path, options: Sequence[str], verb: Sequence[str], backend: str) -> None:
    command = [str(program), *options, *verb]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{verb[0]}, {backend}: exit code {done.returncode}\n{done.stderr}")


def _measured(
    entries: Subject, program: Path, nights: Sequence[_Night], rounds: int
) -> dict[str, Cost]:
    costs = {entries.name: Cost(), **{night.name: Cost() for night in nights}}
    with Runner() as runner:
        for turn in range(rounds):
            empty_namespace()
            runner.run(entries, costs[entries.name])
            shift = turn % len(nights)
            for night in (*nights[shift:], *nights[:shift]):
                _prepare(program, night)
                runner.run(
                    Subject(night.name, [str(program), *night.options, "refresh"]),
                    costs[night.name],
                )
    empty_namespace()
    return costs


def _prepare(program: Path, night: _Night) -> None:
    """Put up the fence as it was before the night."""
    empty_namespace()
    shutil.rmtree(night.state)
    shutil.copytree(night.source / f"stored-{night.backend}", night.state)
    rules = night.source / "rules.d" / "backend.toml"
    rules.write_text(f'backend = "{night.backend}"\n')
    _run(program, night.options, ("restore",), night.backend)
    marker = night.source / "anew"
    if night.anew:
        marker.touch()
    else:
        marker.unlink(missing_ok=True)


def _show(costs: Mapping[str, Cost]) -> None:
    report.table(
        ("process", "lower quartile", "median", "ratio", "middle half", "time", "peak memory"),
        (tuple(_row(name, cost, costs[_REFERENCE])) for name, cost in costs.items()),
    )


def _row(name: str, cost: Cost, base: Cost) -> Iterator[str]:
    ratios = cost.ratios_to(base)
    low, _, high = quantiles(ratios, method="inclusive")
    yield name
    yield f"{usual(cost.busy) * 1000:.0f} ms"
    yield f"{median(cost.busy) * 1000:.0f} ms"
    yield f"{median(ratios):.2f}"
    yield f"{low:.2f} to {high:.2f}"
    yield f"{cost.typical * 1000:.0f} ms"
    yield f"{cost.peak:.0f} MB"
