"""State and rules directories that earlier versions of geofence wrote, and how to record more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geofence.lab.host import Host
from geofence.model.generation import Generation
from tests.cli.machine import Machine
from tests.cli.world import japan_later, small
from tests.support.list_server import ListServer, content

PORT = 8080
"""Of the list server, since rules and stored lists hold its URLs."""
BLOCKED = b"133.7.0.0/16\n2400:4077::/32\n"


@contextmanager
def machine(directory: Path) -> Iterator[Machine]:
    """A machine without a fence; its server has the lists of the last recorded refresh."""
    with Host("recorded") as host:
        host.run("ip", "link", "set", "lo", "up")
        server = ListServer(at=PORT)
        with host.entered():
            server.__enter__()
        try:
            made = Machine(host, server, directory, "")
            made.serve("JP", japan_later())
            made.serve("MC", small("MC"))
            server.on("/blocked.txt", content(BLOCKED))
            yield made
        finally:
            server.__exit__(None, None, None)


def meaning(generation: Generation) -> dict[str, Any]:
    """Return what a generation means, as ``facts.json`` has it."""
    ruleset = generation.ruleset
    return {
        "reason": generation.reason,
        "backend": generation.backend,
        "created_at": generation.created_at.isoformat(),
        "services": {each.name: [str(ports) for ports in each.ports] for each in ruleset.services},
        "sets": {
            key.name: [str(prefix) for prefix in ruleset.sets[key].prefixes()]
            for key in sorted(ruleset.sets, key=lambda key: key.name)
        },
        "lists": {note.name: note.sha256 for note in generation.lists},
    }
