"""What the demo does, in the order in which it tells it."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable

from geofence.demo.stage import Stage
from geofence.demo.world import ABROAD, JAPAN, PEOPLE, RTP, SIP, TARGETS, Person, Target
from geofence.errors import ExitCode
from geofence.lab.stream import Report
from geofence.model.policy import BackendChoice
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Action, Ruleset
from geofence.operations.report import RunReport
from geofence.screen import Screen, Styled
from geofence.verdict import Packet, decide
from geofence.wording import addresses

_COLUMNS = 80
_REFRESHES = 10
_PACKETS = 300
"""At least so many of each flow come in while the list is changed."""

Cell = tuple[Person, Family, Target]
Seen = dict[Cell, bool]
"""Whether the person's packet to the target got in."""


def run_demo(backend: BackendChoice | None = None) -> ExitCode:
    """Show it all.

    Args:
        backend: overrides the rules' choice.

    Returns:
        ``DONE`` if every packet did what the rules say.

    Raises:
        LabUnavailable: neither root nor user namespaces are to be had.
        GeofenceError: something that is shown did not work.
    """
    began, screen = time.monotonic(), Screen()
    with Stage(backend) as stage:
        surprises = _Demo(stage, screen).run()
    took = time.monotonic() - began
    if surprises:
        screen.say(f"\n{surprises} packets did otherwise than the rules say: a bug.", "bold red")
        return ExitCode.FAILED
    screen.say(
        f"\nEvery packet did what the rules say. It took {took:.1f} s, and nothing is left of it.",
        "bold green",
    )
    return ExitCode.DONE


class _Demo:
    """One performance."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage, self._screen = stage, screen
        self._before: Seen = {}
        self._surprises = 0

    def run(self) -> int:
        """Every act; how many packets did otherwise than the rules say."""
        self._open()
        self._fence()
        self._exception()
        self._changing_list()
        self._remove()
        return self._surprises

    def _open(self) -> None:
        self._say(
            "A PBX, the Internet and a LAN in a network of their own: real packets, made-up "
            "addresses. This host, its network and its firewall are not touched. A star marks "
            "what has changed since the table before."
        )
        self._act("No fence")
        self._send(Ruleset())

    def _fence(self) -> None:
        self._act("$ geofence refresh")
        report = self._stage.refresh()
        for each in report.lists:
            self._screen.say(f"Fetched {each.id}: {_sizes(each.space)}")
            for part in each.provenance:
                self._screen.say(f"  from {part.url}")
        self._say_applied(report)
        self._send(self._stage.ruleset())
        self._say_counted()

    def _exception(self) -> None:
        self._act("$ geofence allow push-as")
        self._say(
            "A softphone on a mobile sleeps, and the vendor's push server, abroad, calls in its "
            "stead. That exception ships with geofence: for SIP alone, off until allowed."
        )
        self._say_applied(self._stage.allow("push-as"))
        self._send(self._stage.ruleset())
        self._say_counted()

    def _changing_list(self) -> None:
        self._act(f"$ geofence refresh   ({_REFRESHES} times, under traffic)")
        probes = {
            f"{person.name} {target.name} {family}": target.flow(person, family)
            for person in (JAPAN, ABROAD)
            for target in (SIP, RTP)
            for family in Family
        }
        with self._stage.lab.stream(probes) as stream:
            began = time.monotonic()
            for turn in range(1, _REFRESHES + 1):
                self._stage.publish(changed=turn % 2 == 0)
                report = self._stage.refresh()
            while min(map(stream.arrived, _names(probes, JAPAN))) < _PACKETS:
                self._stage.lab.settle()
            took = time.monotonic() - began
            reports = stream.finish()
        self._say_applied(report)
        self._say_traffic(reports, took)
        self._send(self._stage.ruleset())

    def _remove(self) -> None:
        self._act("$ geofence remove")
        self._say(f"The fence ({', '.join(self._stage.remove())}) is gone.")
        self._send(Ruleset(), table=False)

    def _act(self, title: str) -> None:
        self._screen.say(f"\n{title}", "bold")

    def _say(self, text: str) -> None:
        self._screen.say(textwrap.fill(text, _COLUMNS))

    def _say_applied(self, report: RunReport) -> None:
        plan = report.plan
        sets = len(plan.set_changes)
        backend = report.backend.partition(",")[0]
        rules = " and the rules" if plan.rules_differ else ""
        self._say(
            f"Applied with {backend} and verified: {sets} sets{rules} changed "
            f"(generation {report.generation})."
        )

    def _say_counted(self) -> None:
        counted = ", ".join(
            f"{service.name} {service.dropped.packets}" for service in self._stage.status().services
        )
        self._say(f"Dropped and counted by the fence so far: {counted}.")

    def _say_traffic(self, reports: dict[str, Report], took: float) -> None:
        self._say(
            f"Meanwhile SIP and RTP came every millisecond, of both families, for {took:.1f} s:"
        )
        for person, wanted in ((JAPAN, "lost"), (ABROAD, "let in")):
            mine = [reports[name] for name in _names(reports, person)]
            sent = sum(report.sent for report in mine)
            got_in = sum(len(report.arrived) for report in mine)
            wrong = sent - got_in if person is JAPAN else got_in
            self._surprises += wrong
            said = f"  {person.name}: {sent:,} packets sent, {wrong:,} {wanted}"
            self._screen.say(said, "bold red" if wrong else "green")

    def _send(self, ruleset: Ruleset, *, table: bool = True) -> None:
        """The same packets each time; whoever fares differently than last time stands out."""
        cells = [
            (person, family, target) for person in PEOPLE for family in Family for target in TARGETS
        ]
        landed = self._stage.lab.fire(
            target.probe(person, family) for person, family, target in cells
        )
        seen = {cell: where is not None for cell, where in zip(cells, landed, strict=True)}
        self._surprises += sum(got_in != _expected(ruleset, cell) for cell, got_in in seen.items())
        if table:
            self._screen.table(("packets from", "", *_headings()), self._rows(seen))
        else:
            self._say(f"{sum(seen.values())} of the same {len(seen)} packets get in.")
        self._before = seen

    def _rows(self, seen: Seen) -> Iterable[tuple[Styled, ...]]:
        for person in PEOPLE:
            for family in Family:
                name = person.name if family is Family.IPV4 else ""
                marks = (self._mark(seen, (person, family, target)) for target in TARGETS)
                yield (name, str(person.address(family)), *marks)

    def _mark(self, seen: Seen, cell: Cell) -> Styled:
        """In or dropped; with a star if that is not as last time."""
        star = "*" if self._before.get(cell, seen[cell]) != seen[cell] else ""
        weight = "bold " if star else ""
        if seen[cell]:
            return f"in{star}", f"{weight}green"
        return f"dropped{star}", f"{weight}red"


def _sizes(space: AddressSpace) -> str:
    ipv4, ipv6 = (addresses(family, space[family].size) for family in Family)
    return f"{ipv4} addresses of IPv4, {ipv6} of IPv6"


def _headings() -> tuple[str, ...]:
    return tuple(target.name for target in TARGETS)


def _names(probes: Iterable[str], person: Person) -> list[str]:
    return [name for name in probes if name.startswith(person.name)]


def _expected(ruleset: Ruleset, cell: Cell) -> bool:
    person, family, target = cell
    port = target.port or None
    source, by = int(person.address(family)), person.link
    packet = Packet(family, target.transport, source, port, interface=by)
    return decide(ruleset, packet).action is Action.PASS
