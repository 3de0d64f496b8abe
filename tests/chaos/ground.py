"""Where things break: a PBX with geofence, its list server, and people who never stop calling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from geofence.apply import plan_for
from geofence.backends import registry
from geofence.backends.interface import Backend
from geofence.lab.network import PBX, Lab
from geofence.lab.probes import Probe, Transport
from geofence.lab.stream import Report
from geofence.model.generation import Generation
from geofence.model.plan import Observed
from geofence.model.policy import BackendChoice
from geofence.model.prefixes import Family
from geofence.model.ruleset import Ruleset
from geofence.operations.site import Site
from tests.cli.machine import Machine
from tests.cli.world import FOREIGN, JAPANESE
from tests.lists.bodies import country_json
from tests.support.list_server import ListServer
from tests.support.probes import lost as lost_of

_HOLES = 256
"""Blocks missing from a list, so that it has some two thousand prefixes, as Japan's."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A machine that is the PBX of a lab."""

    lab: Lab
    machine: Machine

    @property
    def backend(self) -> Backend:
        return registry.load(self.machine.backend)

    @property
    def site(self) -> Site:
        """The installation, for looking into it from the test's own process."""
        choice = BackendChoice(self.machine.backend)
        return Site(self.machine.rules, self.machine.state, backend=choice)

    def observe(self) -> Observed:
        """What the kernel of the PBX holds."""
        with self.lab.pbx.entered():
            return self.backend.observe()

    def fence(self) -> tuple[object, ...]:
        """What of that decides a packet, and what lies about."""
        observed = self.observe()
        return observed.sets, observed.rules, observed.debris

    def holds(self, ruleset: Ruleset) -> bool:
        """Whether the kernel holds exactly this and nothing besides."""
        with self.lab.pbx.entered():
            return plan_for(self.backend, ruleset).is_empty

    def newest(self) -> Generation:
        """The newest generation; none may be damaged."""
        found, damaged = self.site.generations.newest()
        assert damaged == ()
        assert found is not None
        return found

    def debris(self) -> list[str]:
        """Half-written files, wherever geofence writes any."""
        places = (self.machine.state, self.machine.rules)
        return [path.name for place in places for path in place.rglob("*.tmp")]

    def assert_whole(self) -> None:
        """Kernel and state agree, and nothing is left of any run that was killed."""
        assert self.holds(self.newest().ruleset)
        assert self.debris() == []
        assert self.site.journal.probation() is None

    def assert_fenced(self) -> None:
        """Real packets: the allowed get in, the others do not."""
        landed = self.lab.fire(callers().values())
        assert landed == ["pbx" if "allowed" in name else None for name in callers()]


@contextmanager
def ground(directory: Path, backend: str, lab: Lab) -> Iterator[Ground]:
    """The PBX of a lab, on which nothing was done yet; its server has a medium list of Japan."""
    server = ListServer()
    with lab.pbx.entered():
        server.__enter__()
    try:
        machine = Machine(lab.pbx, server, directory, backend)
        machine.serve("JP", medium_list(7))
        yield Ground(lab, machine)
    finally:
        server.__exit__(None, None, None)


def medium_list(hole: int, added: Sequence[str] = ()) -> bytes:
    """Japan's list, with one /24 missing from each /16 of one /8, and the same in IPv6.

    Two such lists differ by 0.03 %: no guard objects to one after the other.

    Args:
        hole: which /24 and /48 is missing, 0 to 255.
        added: IPv4 prefixes that it has beside.
    """
    whole = [59, 61, 101, 103, 111, 113, 115, 119, 121, 125, 133]
    ipv4 = [f"{octet}.0.0.0/8" for octet in whole[1:]]
    ipv4 += [
        f"59.{second}.{third}.0/{length}"
        for second in range(_HOLES)
        for third, length in _without(hole, 24)
    ]
    ipv6 = ["2400:4000::/20", "2400:5800::/21"]
    ipv6 += [
        f"2400:5000:{third * 256:x}::/{length + 16}".replace(":0::", "::")
        for third, length in _without(hole, 24)
    ]
    return country_json("JP", [*ipv4, *added], ipv6)


def varying_list(hole: int) -> bytes:
    """The same list, and for every other hole with 10,500 prefixes more, no two of which touch.

    That is more than nftables holds as one set of intervals.
    """
    if hole % 2:
        return medium_list(hole)
    added = [f"105.{at >> 8}.{at & 255}.0/28" for at in range(10_500)]
    return medium_list(hole, added)


def _without(hole: int, longest: int) -> list[tuple[int, int]]:
    """What is left of 256 neighbours without one: first of each block and its prefix length."""
    blocks = []
    for bit in range(8):
        first = (hole ^ (1 << bit)) >> bit << bit
        blocks.append((first, longest - bit))
    return blocks


def callers() -> Mapping[str, Probe]:
    """SIP from an always-allowed and a never-allowed source, both families."""
    people = {"allowed": JAPANESE, "foreign": FOREIGN}
    return {
        f"{who} {family}": Probe(ip_address(addresses[at]), PBX[family], Transport.UDP, 5060)
        for who, addresses in people.items()
        for at, family in enumerate(Family)
    }


def lost(reports: Mapping[str, Report]) -> int:
    """Packets of the allowed that did not get in."""
    return sum(lost_of(report) for name, report in reports.items() if "allowed" in name)


def leaked(reports: Mapping[str, Report]) -> int:
    """Packets of others that got in."""
    return sum(len(report.arrived) for name, report in reports.items() if "foreign" in name)
