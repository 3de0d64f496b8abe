"""A backend at work on the PBX of a lab."""

from __future__ import annotations

from dataclasses import dataclass

from geofence.apply import Applied, apply_ruleset, plan_for
from geofence.backends.interface import Backend
from geofence.lab.network import Lab
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class Fence:
    """Every call does what it says on the PBX, whatever host the test is on."""

    lab: Lab
    backend: Backend

    def apply(self, ruleset: Ruleset) -> Applied:
        with self.lab.pbx.entered():
            return apply_ruleset(self.backend, ruleset)

    def plan(self, ruleset: Ruleset) -> Plan:
        with self.lab.pbx.entered():
            return plan_for(self.backend, ruleset)

    def observe(self) -> Observed:
        with self.lab.pbx.entered():
            return self.backend.observe()

    def remove(self) -> bool:
        with self.lab.pbx.entered():
            return self.backend.remove()

    def dropped(self) -> dict[str, int]:
        """Packets that the fence has dropped, by service."""
        return {name: count.packets for name, count in self.observe().dropped.items()}

    def run(self, command: str) -> str:
        """Run a program on the PBX, its arguments separated by spaces."""
        return self.lab.pbx.run(*command.split())
