"""``geofence denied`` with a full set of sources, beside a command that does nothing.

The sources are put into the kernel's set by its own tools, as packets would do it in half a minute.
"""

from __future__ import annotations

import random
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from benchmarks import report
from benchmarks.atlas import world_spaces
from benchmarks.measure import Cost, Subject, empty_namespace, in_turns, settled
from benchmarks.processes import geofence, restore_arguments
from geofence.backends import registry
from geofence.backends.nftables.kernel_sets import PARTS, part_of
from geofence.geoip.atlas import make_atlas
from geofence.model.prefixes import AddressSpace, Family, PrefixSet, address_text
from geofence.model.ruleset import MOST_NOTED
from geofence.state.atlas import StoredAtlas, save_atlas

_VERSION = "geofence --version"
_SERVICE = "sip"


def showing(lists: Path, scratch: Path, rounds: int) -> None:
    """The views of one full set, on each backend, with the world index."""
    report.heading(
        "Who was blocked",
        f"One set of {MOST_NOTED:,} IPv4 sources, spread over the world's lists; the world index "
        "is there. Whole processes.",
    )
    spaces = world_spaces(lists)
    sources = world_sources(spaces)
    costs: dict[str, Cost] = {}
    for name in registry.MODULES:
        arguments = restore_arguments(name, scratch, PrefixSet(Family.IPV4))
        state = scratch / f"state-{name}"
        save_atlas(state, StoredAtlas(make_atlas(spaces, datetime.now(UTC)), {}))
        empty_namespace()
        subprocess.run(geofence(*arguments), check=True, stdout=subprocess.DEVNULL)
        fill(name, sources)
        costs |= in_turns(list(_subjects(name, arguments[:-1])), rounds, settled)
    empty_namespace()
    report.costs(costs, f"{_VERSION}, {next(iter(registry.MODULES))}")


def _subjects(backend: str, options: Sequence[str]) -> Iterator[Subject]:
    yield Subject(f"{_VERSION}, {backend}", geofence("--version"))
    for view in ("--by country", "--by network", "", "--json"):
        command = geofence(*options, "denied", *view.split())
        yield Subject(f"geofence denied {view}".rstrip() + f", {backend}", command)


def world_sources(spaces: dict[str, AddressSpace]) -> list[str]:
    """As many sources as one set can have, spread over the world's lists."""
    chance = random.Random(MOST_NOTED)  # noqa: S311 - the same addresses every time, no secret
    known = [interval for space in spaces.values() for interval in space.ipv4.intervals()]
    found: list[set[int]] = [set() for _ in range(PARTS)]
    room = MOST_NOTED // PARTS
    while any(len(part) < room for part in found):
        source = chance.randrange(*chance.choice(known))
        part = found[part_of(Family.IPV4, source)]
        if len(part) < room:
            part.add(source)
    return [address_text(Family.IPV4, each) for each in sorted(set().union(*found), key=_mixed)]


def _mixed(number: int) -> int:
    """An order that has nothing to do with the numbers' own."""
    return number * 2_654_435_761 % (1 << 32)


def fill(backend: str, sources: Sequence[str]) -> None:
    """Put sources into the set of those that were blocked, and into that of their times."""
    chance = random.Random(len(sources))  # noqa: S311 - the same counts every time, no secret
    packets = [chance.randrange(1, 50) for _ in sources]
    counts = [f" packets {number} bytes {number * 428}" for number in packets]
    for role, counted in (("denied", counts), ("seen", [""] * len(sources))):
        added = zip(sources, counted, strict=True)
        if backend == "ipset":
            lines = [f"add geofence-{role}4-{_SERVICE} {each}{count}" for each, count in added]
            command, given = ["ipset", "restore"], "\n".join([*lines, ""])
        else:
            command, given = ["nft", "-f", "-"], _additions(role, added)
        subprocess.run(command, input=given, text=True, check=True)


def _additions(role: str, added: Iterable[tuple[str, str]]) -> str:
    """Return nft's input that notes sources, each in its part."""
    parts: defaultdict[int, list[str]] = defaultdict(list)
    for source, count in added:
        element = f"{source} counter{count}" if count else source
        parts[part_of(Family.IPV4, int(ip_address(source)))].append(element)
    return "".join(
        f"add element inet geofence {role}4.{part}-{_SERVICE} {{ {', '.join(elements)} }}\n"
        for part, elements in parts.items()
    )
