"""The acts of the demo, in their order."""

from __future__ import annotations

import time
from collections.abc import Iterable

from geofence.demo.environment import DemoEnvironment
from geofence.demo.world import ABROAD, DESTINATIONS, JAPAN, PEOPLE, RTP, SIP, Destination, Person
from geofence.errors import ExitCode
from geofence.lab.stream import Report
from geofence.model.policy import BackendChoice
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Action, Ruleset
from geofence.operations.report import RunReport
from geofence.screen import Screen, Styled, wrapped
from geofence.translation import join, tr, trn
from geofence.verdict import Packet, decide
from geofence.wording import address_count

_COLUMNS = 80
_REFRESHES = 10
_PACKETS = 300
"""At least so many of each flow come in while the list is changed."""

Cell = tuple[Person, Family, Destination]
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
    with DemoEnvironment(backend) as environment:
        surprises = _Demo(environment, screen).run()
    took = time.monotonic() - began
    if surprises:
        told = trn(
            surprises,
            "{number} packet did not do what the rules say: a bug.",
            "{number} packets did not do what the rules say: a bug.",
        )
        screen.say(f"\n{told}", "bold red")
        return ExitCode.FAILED
    told = tr(
        "Every packet did what the rules say. It took {seconds} s, and nothing is left of it.",
        seconds=f"{took:.1f}",
    )
    screen.say(f"\n{told}", "bold green")
    return ExitCode.DONE


class _Demo:
    """One performance."""

    def __init__(self, environment: DemoEnvironment, screen: Screen) -> None:
        self._environment, self._screen = environment, screen
        self._before: Seen = {}
        self._surprises = 0

    def run(self) -> int:
        """Run every act and return how many packets did not do what the rules say."""
        self._open()
        self._fence()
        self._exception()
        self._changing_list()
        self._remove()
        return self._surprises

    def _open(self) -> None:
        self._say(
            tr(
                "A PBX, the Internet and a LAN in a network of their own: real packets, made-up "
                "addresses. This host, its network and its firewall are not touched. A star marks "
                "what has changed since the table before."
            )
        )
        self._act(tr("No fence"))
        self._send(Ruleset())

    def _fence(self) -> None:
        self._act("$ geofence refresh")
        report = self._environment.refresh()
        for each in report.lists:
            self._screen.say(tr("Fetched {list}: {sizes}", list=each.id, sizes=_sizes(each.space)))
            for part in each.provenance:
                self._screen.say(tr("  from {url}", url=part.url))
        self._say_applied(report)
        self._send(self._environment.ruleset())
        self._say_counted()

    def _exception(self) -> None:
        self._act("$ geofence allow push-as")
        self._say(
            tr(
                "A softphone on a mobile sleeps. The vendor's push server, which is abroad, "
                "connects in its place. geofence ships this exception: for SIP only, off until it "
                "is allowed."
            )
        )
        self._say_applied(self._environment.allow("push-as"))
        self._send(self._environment.ruleset())
        self._say_counted()

    def _changing_list(self) -> None:
        self._act(tr("$ geofence refresh   ({number} times, under traffic)", number=_REFRESHES))
        probes = {
            f"{person.key} {target.name} {family}": target.flow(person, family)
            for person in (JAPAN, ABROAD)
            for target in (SIP, RTP)
            for family in Family
        }
        with self._environment.lab.stream(probes) as stream:
            began = time.monotonic()
            for turn in range(1, _REFRESHES + 1):
                self._environment.publish(changed=turn % 2 == 0)
                report = self._environment.refresh()
            while min(map(stream.arrived, _names(probes, JAPAN))) < _PACKETS:
                self._environment.lab.settle()
            took = time.monotonic() - began
            reports = stream.finish()
        self._say_applied(report)
        self._say_traffic(reports, took)
        self._send(self._environment.ruleset())

    def _remove(self) -> None:
        self._act("$ geofence remove")
        backends = ", ".join(self._environment.remove())
        self._say(tr("The fence ({backends}) is down.", backends=backends))
        self._send(Ruleset(), table=False)

    def _act(self, title: str) -> None:
        self._screen.say(f"\n{title}", "bold")

    def _say(self, text: str) -> None:
        self._screen.say(wrapped(text, _COLUMNS))

    def _say_applied(self, report: RunReport) -> None:
        plan = report.plan
        told = {
            "backend": report.backend.name,
            "sets": len(plan.content_changes),
            "generation": report.generation,
        }
        self._say(
            tr(
                "Applied with {backend} and verified: {sets} sets and the rules changed "
                "(generation {generation}).",
                **told,
            )
            if plan.rules_differ
            else tr(
                "Applied with {backend} and verified: {sets} sets changed "
                "(generation {generation}).",
                **told,
            )
        )

    def _say_counted(self) -> None:
        counted = ", ".join(
            f"{service.name} {service.dropped.packets}"
            for service in self._environment.status().services
        )
        self._say(tr("Dropped and counted by the fence so far: {counts}.", counts=counted))

    def _say_traffic(self, reports: dict[str, Report], took: float) -> None:
        self._say(
            tr(
                "Meanwhile SIP and RTP came every millisecond, over IPv4 and IPv6, for "
                "{seconds} s:",
                seconds=f"{took:.1f}",
            )
        )
        for person in (JAPAN, ABROAD):
            mine = [reports[name] for name in _names(reports, person)]
            sent = sum(report.sent for report in mine)
            got_in = sum(len(report.arrived) for report in mine)
            wrong = sent - got_in if person is JAPAN else got_in
            self._surprises += wrong
            told = {"name": person.name, "sent": f"{sent:,}", "wrong": f"{wrong:,}"}
            said = (
                tr("  {name}: {sent} packets sent, {wrong} lost", **told)
                if person is JAPAN
                else tr("  {name}: {sent} packets sent, {wrong} got in", **told)
            )
            self._screen.say(said, "bold red" if wrong else "green")

    def _send(self, ruleset: Ruleset, *, table: bool = True) -> None:
        """Send the same packets each time; what differs from last time is marked."""
        cells = [
            (person, family, target)
            for person in PEOPLE
            for family in Family
            for target in DESTINATIONS
        ]
        landed = self._environment.lab.fire(
            target.probe(person, family) for person, family, target in cells
        )
        seen = {cell: where is not None for cell, where in zip(cells, landed, strict=True)}
        self._surprises += sum(got_in != _expected(ruleset, cell) for cell, got_in in seen.items())
        if table:
            self._screen.table((tr("packets from"), "", *_headings()), self._rows(seen))
        else:
            arrived = sum(seen.values())
            self._say(
                tr("{number} of the same {all} packets get in.", number=arrived, all=len(seen))
            )
        self._before = seen

    def _rows(self, seen: Seen) -> Iterable[tuple[Styled, ...]]:
        for person in PEOPLE:
            for family in Family:
                name = person.name if family is Family.IPV4 else ""
                marks = (self._mark(seen, (person, family, target)) for target in DESTINATIONS)
                yield (name, str(person.address(family)), *marks)

    def _mark(self, seen: Seen, cell: Cell) -> Styled:
        """Return in or dropped; with a star if that is not as last time."""
        star = "*" if self._before.get(cell, seen[cell]) != seen[cell] else ""
        weight = "bold " if star else ""
        if seen[cell]:
            return tr("in") + star, f"{weight}green"
        return tr("dropped") + star, f"{weight}red"


def _sizes(space: AddressSpace) -> str:
    return join(", ", (address_count(family, space[family].size) for family in Family))


def _headings() -> tuple[str, ...]:
    return tuple(target.name for target in DESTINATIONS)


def _names(probes: Iterable[str], person: Person) -> list[str]:
    return [name for name in probes if name.startswith(person.key)]


def _expected(ruleset: Ruleset, cell: Cell) -> bool:
    person, family, target = cell
    port = target.port or None
    source, by = int(person.address(family)), person.link
    packet = Packet(family, target.transport, source, port, interface=by)
    return decide(ruleset, packet).action is Action.PASS
