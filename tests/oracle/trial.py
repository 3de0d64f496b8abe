"""Ask the oracle, ask the kernel, compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from geofence.apply import apply_ruleset
from geofence.backends.interface import Backend
from geofence.lab.network import CONTAINER, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family
from geofence.model.ruleset import Action, Ruleset
from geofence.verdict import decide
from tests.oracle.cases import LOCAL, Case, Chance, continued, question
from tests.oracle.policies import random_ruleset

ROUNDS_PER_LAB = 5
"""Rulesets that follow one another in one kernel: the first onto no fence, the others onto one."""
FLOWS = 30
"""Flows that the PBX begins in each round, and such as it answers."""

PACKETS_PER_ROUND = 500

_RESTORE = {Family.IPV4: "iptables-restore", Family.IPV6: "ip6tables-restore"}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A packet of which the oracle was wrong."""

    case: Case
    said: Action
    landed: str | None
    """The host on which it got in, or None."""

    def __str__(self) -> str:
        seen = f"got in on {self.landed}" if self.landed else "was dropped"
        return f"the oracle said {self.said}, but it {seen}: {self.case}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round found."""

    packets: int
    passed: int
    disagreements: tuple[Disagreement, ...]


def trial(backend: Backend, seed: int, packets: int) -> Iterator[Outcome]:
    """Rounds of a random ruleset and random packets, until so many packets were sent.

    Args:
        backend: holds the fence.
        seed: of everything that is random; the same seed sends the same packets.
        packets: in all.
    """
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    left = packets
    while left > 0:
        with Lab() as lab:
            rounds = Rounds(lab, backend, dice)
            for _ in range(ROUNDS_PER_LAB):
                outcome = rounds.another(min(PACKETS_PER_ROUND, left))
                left -= outcome.packets
                yield outcome


class Rounds:
    """Rulesets that follow one another in one kernel, and packets under each."""

    def __init__(self, lab: Lab, backend: Backend, dice: Random) -> None:
        self._lab, self._backend, self._dice = lab, backend, dice
        self._chance = Chance(dice)
        self._going_on: list[Case] = []

    def another(self, count: int) -> Outcome:
        """Change the fence; send new packets, answers, and more of what was let in before."""
        ruleset = random_ruleset(self._dice)
        with self._lab.pbx.entered():
            apply_ruleset(self._backend, ruleset)
        self._publish(ruleset)
        cases = self._cases(ruleset, count)
        self._dice.shuffle(cases)
        landed = self._lab.fire(case.probe for case in cases)
        self._go_on(cases, landed)
        self._lab.forget()
        return _compare(ruleset, cases, landed)

    def _cases(self, ruleset: Ruleset, count: int) -> list[Case]:
        answers = list(self._chance.flows(ruleset, min(FLOWS, count // 4)))
        for answer in answers:
            self._lab.send_from_pbx(question(answer.probe))
        known = [*answers, *self._going_on][:count]
        return [*self._chance.cases(ruleset, count - len(known)), *known]

    def _go_on(self, cases: list[Case], landed: list[str | None]) -> None:
        """Let some of what got in become calls in progress, which no change of lists may cut."""
        calls = [
            case
            for case, where in zip(cases, landed, strict=True)
            if where == "pbx" and case.probe.transport is Transport.UDP and _is_own(case.probe)
        ]
        for case in calls[:FLOWS]:
            self._lab.send_from_pbx(question(case.probe))
        self._going_on = [continued(case) for case in calls[:FLOWS]]

    def _publish(self, ruleset: Ruleset) -> None:
        """Redirect a few ports to the container, fenced ones and others, as Docker does."""
        fenced = [ports for service in ruleset.services for ports in service.ports]
        some = self._dice.sample(fenced, min(2, len(fenced)))
        targets = [*((str(ports.protocol), ports.last) for ports in some), ("tcp", 443)]
        for family, program in _RESTORE.items():
            rules = [_redirection(family, *target) for target in targets]
            self._lab.pbx.run(program, stdin="\n".join(("*nat", *rules, "COMMIT", "")))


def _is_own(probe: Probe) -> bool:
    """Whether the PBX could answer it from where it was sent to."""
    return any(probe.destination in own for own in LOCAL.values())


def _redirection(family: Family, protocol: str, port: int) -> str:
    inside = f"[{CONTAINER[family]}]" if family is Family.IPV6 else str(CONTAINER[family])
    return (
        f"-A PREROUTING -m addrtype --dst-type LOCAL -p {protocol} --dport {port} "
        f"-j DNAT --to-destination {inside}:5060"
    )


def _compare(ruleset: Ruleset, cases: list[Case], landed: list[str | None]) -> Outcome:
    found = []
    for case, where in zip(cases, landed, strict=True):
        said = decide(ruleset, case.packet).action
        if (said is Action.PASS) != (where is not None):
            found.append(Disagreement(case, said, where))
    passed = sum(where is not None for where in landed)
    return Outcome(len(cases), passed, tuple(found))
