"""Record what this version of geofence writes: ``python -m tests.recorded NAME BACKEND``.

The real command runs in a network namespace of its own. Its state and rules directories become
``tests/recorded/NAME/state`` and ``rules``; ``facts.json`` holds what the generations mean, as this
version understands them. Run it before a release, and never change what was recorded.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from geofence.lab import privilege
from geofence.model.generation import Generation
from geofence.state.generations import GenerationStore
from tests.cli.machine import Machine
from tests.cli.world import japan, japan_later, small
from tests.lists.bodies import country_json
from tests.recorded import machine, meaning
from tests.support.list_server import status

_RULES = """\
backend = "{backend}"

[allow]
countries = ["JP", "MC"]

[blocklist.listed]
url = "http://127.0.0.1:8080/blocked.txt"
"""


def record(where: Machine, backend: str) -> None:
    """Do what an operator does in some weeks: five generations, a refusal, a pending one."""
    where.rule("60-more.toml", _RULES.format(backend=backend))
    where.serve("JP", japan())
    where.ok("refresh")
    where.ok("allow", "office")
    where.serve("JP", japan_later())
    where.ok("refresh")
    where.ok("rollback", "1")
    where.ok("refresh")
    where.serve("MC", country_json("MC", ["80.94.96.0/24"], []))
    assert where.run("refresh").code == 5
    where.server.on("/blocked.txt", status(429, retry_after="40"))
    assert where.run("--patience", "5", "refresh").code == 5
    where.serve("MC", small("MC"))
    where.rule("70-lab.toml", "[exception.lab]\nenabled = true\n")
    pending = where.run("apply", "--confirm-within", "30s")
    assert "confirm" in pending.err, pending


def save(where: Machine, target: Path) -> None:
    """Copy the directories and describe what is in them."""
    for name in ("state", "rules"):
        shutil.copytree(where.directory / name, target / name)
    pending = json.loads((where.state / "probation.json").read_text())
    if watchman := pending.get("watchman"):
        os.kill(int(watchman.split()[0]), signal.SIGKILL)
    store = GenerationStore(where.state)
    found = {n: store.read(n) for n in store.numbers()}
    facts = {
        "restored": pending["former"],
        "generations": {
            str(n): meaning(g) for n, g in sorted(found.items()) if isinstance(g, Generation)
        },
    }
    assert len(found) == len(facts["generations"])
    (target / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main(name: str, backend: str) -> None:
    """Record under a name."""
    privilege.ensure()
    with tempfile.TemporaryDirectory() as directory, machine(Path(directory)) as where:
        record(where, backend)
        save(where, Path(__file__).parent / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
