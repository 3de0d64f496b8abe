"""Refreshes of fence and shield under probes: nobody allowed is lost, nobody else gets in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from geofence.lab.probes import Probe
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldState
from geofence.operations.commit import Wish
from geofence.operations.refresh import refresh
from tests.chaos.ground import medium_list
from tests.cli.world import JAPANESE
from tests.shield.scene import FRIENDS, MEDIA, STRANGERS, Scene, asked, probe, scene
from tests.support.list_server import ListServer, content
from tests.support.probes import lost

_LISTS = """\
[allow]
countries = ["JP"]
[source.country]
urls = ["http://127.0.0.1:{port}/{{cc}}.json"]
"""
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
            f"{self.changes} refreshes of fence and shield, {self.sent} packets: {self.lost} lost, "
            f"{self.leaked} got in that may not; the shield dropped {self.by_shield}, and was "
            f"down after {self.down} of them"
        )


def changes(backend: str, count: int, place: Path, *, tcx: bool) -> Told:
    """Refresh so often, each time with another list and the shield put up anew."""
    with scene(place, backend, tcx=tcx) as stage:
        return changed(stage, count)


def changed(stage: Scene, count: int) -> Told:
    """Do so in a scene."""
    with _list_server(stage) as server:
        _refresh(stage, server, 0)
        stage.armed()
        asked(stage.lab, Family.IPV4, MEDIA, 3478)
        allowed, others = _allowed(), _others()
        done = down = 0
        with stage.lab.stream({**allowed, **others}, every=0.002) as stream:
            with suppress(KeyboardInterrupt):  # whoever has waited long enough wants to know
                for number in range(1, count + 1):
                    _refresh(stage, server, number)
                    down += stage.look().state is not ShieldState.ARMED
                    done = number
            reports = stream.finish()
    return Told(
        done,
        sum(each.sent for each in reports.values()),
        sum(lost(reports[name]) for name in allowed),
        sum(len(reports[name].arrived) for name in others),
        stage.dropped(),
        down,
    )


def _allowed() -> dict[str, Probe]:
    return {
        "friend4": probe(FRIENDS[Family.IPV4]),
        "friend6": probe(FRIENDS[Family.IPV6], family=Family.IPV6),
        "phone4": probe(ip_address(JAPANESE[0])),
        "phone6": probe(ip_address(JAPANESE[1]), family=Family.IPV6),
        "reply": probe(STRANGERS[Family.IPV4], MEDIA, source_port=3478),
    }


def _others() -> dict[str, Probe]:
    return {
        "stranger4": probe(STRANGERS[Family.IPV4] + 1),
        "stranger6": probe(STRANGERS[Family.IPV6], family=Family.IPV6),
    }


@contextmanager
def _list_server(stage: Scene) -> Iterator[ListServer]:
    server = ListServer()
    with stage.lab.pbx.entered():
        server.__enter__()
    try:
        stage.rules(_LISTS.format(port=server.port), "55-lists.toml")
        yield server
    finally:
        server.__exit__(None, None, None)


def _refresh(stage: Scene, server: ListServer, number: int) -> None:
    """Publish another list, write another exception, and refresh."""
    server.on("/jp.json", content(medium_list(number % 256)))
    stage.rules(_EXCEPTION.format(number=number % 250))
    with stage.lab.pbx.entered():
        refresh(stage.site, Wish("refresh", ("shut-out", "live-sources")))
