"""A lab whose PBX has a fence and a shield."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.policy import BackendChoice
from geofence.model.prefixes import Family
from geofence.model.shield import ShieldRecord, ShieldState
from geofence.operations.apply import apply
from geofence.operations.commit import Wish
from geofence.operations.shield_keeper import Keeper, Pace
from geofence.operations.site import Site
from geofence.shield.attachment import How
from geofence.shield.pins import is_up
from tests.shield.kernel import side
from tests.support.probes import Dress, send_from_pbx

STRANGERS = {Family.IPV4: ip_address("8.8.4.4"), Family.IPV6: ip_address("2a00:1450::8")}
FRIENDS = {Family.IPV4: ip_address("203.0.113.5"), Family.IPV6: ip_address("2001:db8:5::5")}
NEIGHBOURS = {Family.IPV4: ip_address("203.0.113.77"), Family.IPV6: ip_address("2001:db8:77::5")}
"""Blocked, in a network of the table that holds a friend."""
SIP, MEDIA = 5060, 12_000
_RULES = """\
[allow]
countries = []
[exception.friend]
prefixes = ["203.0.113.5", "2001:db8:5::/48"]
enabled = true
[shield]
enabled = true
"""
SOON = Pace(samples=20, seconds=0.0, check=0.0, again=3600.0, lost=60)


@dataclass
class Scene:
    """The lab, the installation on its PBX, and the keeper of its shield."""

    lab: Lab
    site: Site
    tcx: bool
    pace: Pace = SOON
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        """Begin without a fence."""
        self.restart()

    def restart(self) -> None:
        """Begin with a new process that keeps the shield."""
        with self.lab.pbx.entered():
            self.keeper = Keeper(self.site, self.pace, tcx=self.tcx)

    def rules(self, more: str = "", name: str = "60-more.toml") -> None:
        """Write more rules."""
        (self.site.rules_directory / name).write_text(more, encoding="utf-8")

    def apply(self) -> None:
        with self.lab.pbx.entered():
            apply(self.site, Wish("apply", ("shut-out",)))

    def look(self, *, changed: bool = True) -> ShieldRecord:
        """Let the keeper look once, and not be in a hurry."""
        with self.lab.pbx.entered():
            self.keeper._not_before = 0.0  # noqa: SLF001 - it pauses where a test does not
            return self.keeper.look(changed=changed)

    def armed(self) -> ShieldRecord:
        """Have a fence and an armed shield."""
        self.apply()
        assert self.look().state is ShieldState.AUDITING
        self.knock(30)
        record = self.look()
        assert record.state is ShieldState.ARMED, record
        return record

    @property
    def how(self) -> How:
        """By what programs are attached."""
        return How.TCX if self.tcx else How.CLSACT

    @property
    def up(self) -> bool:
        """Whether a program is attached."""
        with self.lab.pbx.entered():
            return is_up(self.site.bpf_directory)

    def knock(self, times: int = 1) -> list[str | None]:
        """Let a stranger send to SIP."""
        probe = Probe(STRANGERS[Family.IPV4], PBX[Family.IPV4], Transport.UDP, SIP)
        return self.lab.fire([probe] * times)

    def dropped(self) -> int:
        """How many packets the shield has dropped."""
        return sum(each.packets for each in self.look().dropped)

    def fired(self, probe: Probe) -> tuple[bool, int]:
        """Whether a packet gets in, and how many the shield dropped meanwhile."""
        before = self.dropped()
        (landed,) = self.lab.fire([probe])
        return landed is not None, self.dropped() - before


def probe(
    source: object,
    port: int = SIP,
    *,
    family: Family = Family.IPV4,
    transport: Transport = Transport.UDP,
    **more: object,
) -> Probe:
    """A packet to the PBX."""
    return Probe(source, PBX[family], transport, port, **more)  # type: ignore[arg-type]


def asked(lab: Lab, family: Family, port: int, there: int) -> None:
    """Let the PBX ask a stranger."""
    question = Probe(PBX[family], STRANGERS[family], Transport.UDP, there, port, build=Dress())
    assert send_from_pbx(lab, question)


@contextmanager
def bpf_directory(path: Path) -> Iterator[Path]:
    """A BPF file system of its own, gone afterwards with what is in it."""
    path.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


@contextmanager
def scene(place: Path, backend: str, *, tcx: bool) -> Iterator[Scene]:
    """A scene on a backend; without tcx by cls_bpf."""
    side()
    rules = place / "rules"
    rules.mkdir()
    (rules / "50-scene.toml").write_text(_RULES, encoding="utf-8")
    with bpf_directory(place / "bpf") as directory, Lab() as lab:
        site = Site(
            rules_directory=rules,
            state_directory=place / "state",
            backend=BackendChoice(backend),
            bpf_directory=directory,
            log_changes=False,
        )
        yield Scene(lab, site, tcx)
