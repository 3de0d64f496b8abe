"""A few facts of the newest generation, without the modules that read all of it."""

from __future__ import annotations

import json
from pathlib import Path

from geofence.errors import StateError
from geofence.model.frozen import NamedTuple
from geofence.state.files import read_trusted
from geofence.state.records import DAMAGE, RecordError, unseal

_FORMAT = 2
"""Of files in which values have names; those of before 0.2 had no observed services."""


class NewestFacts(NamedTuple):
    """What the newest generation is held by, and what of it only observes."""

    backend: str | None = None
    """None: unknown."""
    observed: frozenset[str] = frozenset()
    """Names of services that are only observed."""


def newest_facts(state_directory: Path) -> NewestFacts:
    """Return the facts of the newest generation that can be read; nothing without one."""
    try:
        names = sorted((state_directory / "generations").glob("*.generation"), reverse=True)
    except OSError:
        return NewestFacts()
    for path in names:
        try:
            form, body = unseal(read_trusted(path), _FORMAT)
            facts = json.loads(body.partition(b"\n")[0])
            services = facts["ruleset"]["services"] if form == _FORMAT else ()
            observed = frozenset(str(s["name"]) for s in services if s.get("observe") is True)
            return NewestFacts(str(facts["backend"]), observed)
        except (*DAMAGE, RecordError, StateError):
            continue
    return NewestFacts()
