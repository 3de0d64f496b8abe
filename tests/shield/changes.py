"""Changes of fence and shield under probes: nobody allowed is lost, nobody else gets in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geofence.model.prefixes import Family
from geofence.model.shield import ShieldState
from tests.shield.scene import FRIENDS, MEDIA, STRANGERS, Scene, asked, probe, scene
from tests.support.probes import lost

_EXCEPTION = '[exception.more]\nprefixes = ["45.9.{number}.0/24"]\nenabled = true\n'


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it."""

    changes: int
    sent: int
    lost: int
    leaked: int
    by_shield: int
    """Packets of strangers that the shield dropped."""
    down: int
    """Changes after which the shield was not up."""

    @property
    def problems(self) -> bool:
        """Whether something went wrong."""
        return bool(self.lost or self.leaked or self.down)

    def __str__(self) -> str:
        return (
            f"{self.changes} changes of fence and shield, {self.sent} packets: {self.lost} lost, "
            f"{self.leaked} got in that may not; the shield dropped {self.by_shield}, and was "
            f"down after {self.down} changes"
        )


def changes(backend: str, count: int, place: Path, *, tcx: bool) -> Told:
    """Apply another ruleset so often, each time with the shield put up anew."""
    with scene(place, backend, tcx=tcx) as stage:
        return changed(stage, count)


def changed(stage: Scene, count: int) -> Told:
    """Do so in a scene."""
    stage.armed()
    asked(stage.lab, Family.IPV4, MEDIA, 3478)
    reply = probe(STRANGERS[Family.IPV4], MEDIA, source_port=3478)
    allowed = {
        "friend4": probe(FRIENDS[Family.IPV4]),
        "friend6": probe(FRIENDS[Family.IPV6], family=Family.IPV6),
        "reply": reply,
    }
    others = {
        "stranger4": probe(STRANGERS[Family.IPV4] + 1),
        "stranger6": probe(STRANGERS[Family.IPV6], family=Family.IPV6),
    }
    down = 0
    with stage.lab.stream({**allowed, **others}, every=0.002) as stream:
        for number in range(count):
            stage.rules(_EXCEPTION.format(number=number % 250))
            stage.apply()
            down += stage.look().state is not ShieldState.ARMED
        reports = stream.finish()
    return Told(
        count,
        sum(each.sent for each in reports.values()),
        sum(lost(reports[name]) for name in allowed),
        sum(len(reports[name].arrived) for name in others),
        stage.dropped(),
        down,
    )
