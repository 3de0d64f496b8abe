"""Lookups in the world index beside those in a country database and in Python's own lists."""

from __future__ import annotations

import gc
import random
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import maxminddb

from benchmarks import report
from benchmarks.country_database import write_database
from benchmarks.measure import Subject, in_turns, settled, usual
from benchmarks.processes import geofence
from geofence.errors import StateError
from geofence.geoip.atlas import Atlas, make_atlas
from geofence.lists.text import parse_text
from geofence.model.address import Address
from geofence.model.prefixes import AddressSpace, Family, PrefixSet, address_text
from geofence.state.atlas import StoredAtlas, atlas_path, open_atlas, save_atlas

LOOKUPS = 1_000_000
SOURCES = 65_536
"""As many as ``denied`` can have."""
_SLOW = 50_000
"""Lookups by which a reader without compiled code is judged."""
_REFERENCE = "bisection of Python lists, in memory"


@dataclass(frozen=True, slots=True)
class _Peer:
    """A way to look addresses up."""

    name: str
    work: Callable[[], object]
    lookups: int


def looking_up(lists: Path, scratch: Path, rounds: int) -> None:
    """The country of random addresses: one by one, and many together."""
    spaces = world_spaces(lists)
    begun = time.process_time()
    made = make_atlas(spaces, datetime.now(UTC))
    seconds = time.process_time() - begun
    state = scratch / "state"
    state.mkdir(mode=0o700)
    save_atlas(state, StoredAtlas(made, {}))
    database = write_database(scratch / "country.mmdb", spaces)
    report.heading(
        "Lookups in the world index",
        f"{len(spaces)} countries; {made.ipv4.intervals:,} IPv4 and {made.ipv6.intervals:,} IPv6 "
        f"intervals; made in {seconds:.1f} s. The index has "
        f"{atlas_path(state).stat().st_size / 1e6:.1f} MB, a database of the same lists in "
        f"MaxMind's format {database.stat().st_size / 1e6:.1f} MB.",
        f"{LOOKUPS:,} random addresses in random intervals, processor time in one process.",
    )
    for family in Family:
        if spaces_have(spaces, family):
            _compare(family, spaces, opened(state), database, rounds)
    _starting(state, database, rounds)


def spaces_have(spaces: Mapping[str, AddressSpace], family: Family) -> bool:
    """Whether the lists have addresses of a family; those that are made up have IPv4 only."""
    return any(space[family] for space in spaces.values())


def opened(state: Path) -> Atlas:
    """The index, opened as a command opens it."""
    found = open_atlas(state)
    if found is None:
        raise StateError(f"no index in {state}")
    return found


def world_spaces(lists: Path) -> dict[str, AddressSpace]:
    """The addresses of each country, from its text lists."""
    return {
        place.name.upper(): AddressSpace(*(_listed(place, family) for family in Family))
        for place in sorted(lists.iterdir())
        if place.is_dir()
    }


def _listed(place: Path, family: Family) -> PrefixSet:
    file = place / f"{family}-aggregated.txt"
    return (
        parse_text(file.read_bytes(), family).space[family] if file.exists() else PrefixSet(family)
    )


def _compare(
    family: Family,
    spaces: Mapping[str, AddressSpace],
    atlas: Atlas,
    database: Path,
    rounds: int,
) -> None:
    chance = random.Random(LOOKUPS)  # noqa: S311 - the same addresses every time, nothing secret
    known = [(first, past) for first, past, label in atlas[family] if label]
    numbers = [chance.randrange(*chance.choice(known)) for _ in range(LOOKUPS)]
    _agree(family, spaces, atlas, database, numbers[:1000])
    peers = _peers(family, atlas, database, numbers)
    costs: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for turn in range(rounds):
        shift = turn % len(peers)
        for peer in (*peers[shift:], *peers[:shift]):
            costs[peer.name].append(_seconds(peer.work) / peer.lookups)
    base = usual(costs[_REFERENCE])
    print(f"\n{family.label}:\n")
    report.table(
        ("lookup", "each", "a second", "ratio"),
        (
            (name, f"{usual(c) * 1e9:.0f} ns", f"{1 / usual(c):,.0f}", f"{usual(c) / base:.2f}")
            for name, c in costs.items()
        ),
    )
    together = usual(costs[_TOGETHER]) * SOURCES * 1000
    print(f"\n{SOURCES:,} sorted sources together: {together:.1f} ms.", flush=True)


_TOGETHER = f"geofence, {SOURCES:,} sorted ones together"


def _peers(
    family: Family, atlas: Atlas, database: Path, numbers: Sequence[int]
) -> tuple[_Peer, ...]:
    pieces = atlas[family]
    firsts = [first for first, _, _ in pieces]
    names = [next(iter(atlas.labels[label]), None) for _, _, label in pieces]
    texts = [address_text(family, number) for number in numbers]
    ascending, some = sorted(numbers), sorted(numbers[:SOURCES])
    compiled = maxminddb.open_database(database, maxminddb.MODE_MMAP_EXT)
    plain = maxminddb.open_database(database, maxminddb.MODE_MMAP)
    country, countries = atlas.country, atlas.countries
    every = len(numbers)
    return (
        _Peer(_REFERENCE, lambda: [names[bisect_right(firsts, n) - 1] for n in numbers], every),
        _Peer("geofence, one by one", lambda: [country(family, n) for n in numbers], every),
        _Peer(
            "geofence, one by one, from text",
            lambda: [country(family, Address.parse(text).number) for text in texts],
            every,
        ),
        _Peer("geofence, all together", lambda: countries(family, numbers), every),
        _Peer("geofence, all together, sorted", lambda: countries(family, ascending), every),
        _Peer(_TOGETHER, lambda: countries(family, some), SOURCES),
        _Peer("maxminddb, compiled", lambda: [compiled.get(text) for text in texts], every),
        _Peer("maxminddb, Python", lambda: [plain.get(text) for text in texts[:_SLOW]], _SLOW),
    )


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _agree(
    family: Family,
    spaces: Mapping[str, AddressSpace],
    atlas: Atlas,
    database: Path,
    numbers: Sequence[int],
) -> None:
    """See that the peers and the lists themselves give the same answers.

    Raises:
        SystemExit: they do not.
    """
    with maxminddb.open_database(database) as reader:
        for number in numbers:
            lists = [code for code, space in spaces.items() if number in space[family]]
            listed: set[str | None] = {*lists} or {None}
            entry = reader.get(address_text(family, number))
            theirs = entry["country"]["iso_code"] if isinstance(entry, dict) else None  # type: ignore[index,call-overload]  # as it was written
            ours = atlas.country(family, number)
            if {ours, theirs} != listed:
                raise SystemExit(f"{address_text(family, number)}: {ours}, {theirs}, {listed}")


def _starting(state: Path, database: Path, rounds: int) -> None:
    """What one lookup costs a process that does nothing else."""
    print("\nOne lookup in a fresh process:\n")
    reference = "geofence --version"
    ours = ("--state-dir", str(state), "atlas", "133.1.2.3")
    theirs = f"import maxminddb; maxminddb.open_database({str(database)!r}).get('133.1.2.3')"
    index = (
        "from pathlib import Path; from geofence.state.atlas import open_atlas; "
        f"from geofence.model.prefixes import Family; "
        f"open_atlas(Path({str(state)!r})).country(Family.IPV4, 0x85010203)"
    )
    subjects = [
        Subject(reference, geofence("--version")),
        Subject("geofence atlas 133.1.2.3", geofence(*ours)),
        Subject("python -c, open_atlas and country", [*geofence()[:1], "-c", index]),
        Subject("python -c, maxminddb", [*geofence()[:1], "-c", theirs]),
        Subject("python -c pass", [*geofence()[:1], "-c", "pass"]),
    ]
    report.costs(in_turns(subjects, rounds * 3, settled), reference)
    opening = [_seconds(lambda: opened(state).country(Family.IPV4, 0x85010203)) for _ in range(99)]
    print(
        f"\nOpening the index and one lookup, in a running process: {usual(opening) * 1e6:.0f} µs."
    )
