"""A snapshot of a world policy with a full set of denied sources: report and panel show it.

As a program, it takes one snapshot and prints the processor time of that alone, in seconds:

    python -m benchmarks.glance RULES STATE
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from benchmarks import report
from benchmarks.atlas import world_spaces
from benchmarks.denied import fill, world_sources
from benchmarks.measure import Subject, empty_namespace, in_turns, settled
from benchmarks.processes import geofence
from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.geoip.atlas import make_atlas
from geofence.geoip.countries import countries
from geofence.lists.formats import parse_part
from geofence.lists.parsed import Candidate, joined
from geofence.merge import merge
from geofence.model.generation import Generation
from geofence.model.lists import AcceptedList, ListId, ListKind, Provenance
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.model.ruleset import MOST_NOTED, LocalNetwork
from geofence.operations.site import Site
from geofence.operations.snapshot import snapshot
from geofence.state.atlas import StoredAtlas, save_atlas
from geofence.state.files import ensure_private_directory
from geofence.state.generations import KEPT

_VERSION = "geofence --version"
_SERVICE = "sip"


def showing(lists: Path, scratch: Path, rounds: int) -> None:
    """A snapshot, alone and in the commands that show it, on each backend."""
    report.heading(
        "Seen at a glance",
        "All countries are allowed. Their lists are stored, and the world index and "
        f"{KEPT} generations are there. One set has {MOST_NOTED:,} IPv4 sources. Whole processes; "
        "of the snapshot alone, its processor time in a process of its own.",
    )
    spaces = world_spaces(lists)
    named = dict(zip(_codes(list(spaces)), spaces.values(), strict=True))
    for name in registry.MODULES:
        site = _installed(name, scratch, lists, named)
        fill(name, world_sources(spaces))
        costs = in_turns(list(_subjects(name, site, scratch)), rounds, settled)
        alone = costs[f"snapshot, {name}"]
        report.costs(costs, _VERSION)
        print(
            f"\nThe snapshot alone, {name}: at least {min(alone.inside) * 1000:.0f} ms, "
            f"usually {alone.inner * 1000:.0f} ms.\n"
        )
    empty_namespace()


def _subjects(backend: str, site: Site, scratch: Path) -> Iterator[Subject]:
    options = _options(site)
    yield Subject(_VERSION, geofence("--version"))
    alone = [sys.executable, "-m", "benchmarks.glance", *options[1::2]]
    yield Subject(f"snapshot, {backend}", alone)
    for view in ("", f"--html {scratch / 'report.html'}", "--json"):
        name = f"geofence report {view.split(' ')[0]}".rstrip()
        yield Subject(f"{name}, {backend}", geofence(*options, "report", *view.split()))


def _options(site: Site) -> Sequence[str]:
    return ("--rules-dir", str(site.rules_directory), "--state-dir", str(site.state_directory))


def _codes(names: Sequence[str]) -> list[str]:
    """Return the names if they are codes of countries; lists that are made up have others."""
    known = countries()
    return list(names) if set(names) <= set(known) else list(known)[: len(names)]


def _installed(backend: str, scratch: Path, lists: Path, named: dict[str, AddressSpace]) -> Site:
    """Return an installation that allows the world, with its fence in the kernel."""
    rules, state = scratch / "world.d", scratch / f"world-{backend}"
    rules.mkdir(exist_ok=True)
    codes = ", ".join(f'"{code}"' for code in named)
    (rules / "world.toml").write_text(f"[allow]\ncountries = [{codes}]\n")
    ensure_private_directory(state)
    site = Site(rules, state)
    places = sorted(place for place in lists.iterdir() if place.is_dir())
    for code, place in zip(named, places, strict=True):
        candidate = _candidate(ListId(ListKind.COUNTRY, code), place)
        site.lists.save(candidate)
        site.versions.note(candidate.accepted)
    save_atlas(state, StoredAtlas(make_atlas(named, datetime.now(UTC)), {}))
    held = {ListId(ListKind.COUNTRY, code): space for code, space in named.items()}
    ruleset = merge(site.policy(), held)
    empty_namespace()
    apply_ruleset(registry.load(backend), ruleset)
    for number in range(KEPT):
        local = (LocalNetwork("lan", Prefix(Family.IPV4, (10 << 24) + (number << 8), 24)),)
        then = ruleset if number == KEPT - 1 else replace(ruleset, local=local)
        generation = Generation(number + 1, datetime.now(UTC), "refresh", backend, then)
        site.generations.record(generation)
    return site


def _candidate(wanted: ListId, place: Path) -> Candidate:
    """Return the list of a country as two downloads of text files."""
    files = [(family, place / f"{family}-aggregated.txt") for family in Family]
    bodies = [(family, file.read_bytes()) for family, file in files if file.exists()]
    now = datetime.now(UTC)
    provenance = tuple(
        Provenance(f"file://{place}", None, sha256(body).hexdigest(), now, now, family)
        for family, body in bodies
    )
    parsed = joined(parse_part(wanted, family, body, None) for family, body in bodies)
    accepted = AcceptedList(wanted, parsed.space, provenance)
    return Candidate(accepted, tuple(body for _, body in bodies), parsed)


def main(rules: str, state: str) -> None:
    """Take a snapshot once."""
    site = Site(Path(rules), Path(state))
    begun = time.process_time()
    snapshot(site)
    print(time.process_time() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
