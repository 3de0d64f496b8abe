"""A process that loads all countries' IPv4 list files into the kernel: what peers are timed beside.

Prints the seconds from opening the first file to the end, so without starting Python and importing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from benchmarks.world import FAMILY, list_files
from geofence.apply import apply_ruleset
from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.lists.text import parse_text
from geofence.model.plan import Observed
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.plan import make_plan


def fence(allowed: PrefixSet) -> Ruleset:
    """One fenced service and the sets that it needs, nothing excepted."""
    service = FencedService("sip", (Ports(Protocol.UDP, 5060, 5060),), "")
    return Ruleset((service,), (), sets_of(allowed, "sip"))


def sets_of(allowed: PrefixSet, service: str) -> dict[SetKey, PrefixSet]:
    """The allow sets and the empty exceptions of one service."""
    empty = {
        SetKey(role, group, family): PrefixSet(family)
        for role, group in ((Role.ALLOW, ""), (Role.EXCEPTION, service))
        for family in Family
    }
    return empty | {SetKey(Role.ALLOW, "", allowed.family): allowed}


def world(files: Sequence[Path]) -> PrefixSet:
    """All lists, parsed, checked and merged."""
    parsed = (parse_text(file.read_bytes(), FAMILY) for file in files)
    return PrefixSet.union(FAMILY, (part.space[FAMILY] for part in parsed))


def load_set(backend: Backend, allowed: PrefixSet) -> None:
    """Only the set, without rules, as ``ipset restore`` does."""
    ruleset = Ruleset(sets={SetKey(Role.ALLOW, "", FAMILY): allowed})
    backend.commit(make_plan(ruleset, Observed(), ()))


def _import_all_of(backend: Backend) -> None:
    """Import what the backend would import when it is first used."""
    package = import_module(registry.MODULES[backend.name])
    for module in iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)


def main(depth: str, backend_name: str, directory: str) -> None:
    """Load once.

    Args:
        depth: ``set``, or ``fence`` for sets and rules, read back and compared.
        backend_name: as the registry names it.
        directory: where the lists are.
    """
    backend = registry.load(backend_name)
    _import_all_of(backend)
    files = list_files(Path(directory))
    begun = time.perf_counter()
    allowed = world(files)
    if depth == "set":
        load_set(backend, allowed)
    else:
        apply_ruleset(backend, fence(allowed))
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
