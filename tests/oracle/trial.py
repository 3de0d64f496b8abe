"""Ask the oracle, ask the kernel, compare."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from geofence.apply import apply_ruleset
from geofence.backends.interface import Backend
from geofence.lab.network import CONTAINER, Lab
from geofence.lab.probes import Probe, Transport
from geofence.model.elements import TimedPrefix
from geofence.model.prefixes import Family
from geofence.model.ruleset import NOTED_BITS, NOTED_ROLES, Action, Ruleset, SetKey
from geofence.verdict import decide, decide_sent
from tests.oracle.cases import (
    LOCAL,
    ROUTED_HERE,
    TRANSLATED,
    Case,
    Chance,
    Exchange,
    Published,
    question,
    sent_as,
)
from tests.oracle.flooded import NOT_NOTED
from tests.oracle.policies import random_ruleset
from tests.support.probes import forget, send_from_pbx

ROUNDS_PER_LAB = 5
"""Rulesets that follow one another in one kernel: the first onto no fence, the others onto one."""
FLOWS = 30
"""Flows that the PBX begins in each round, and such as it answers."""

GAPS = 0.3
"""Share of the rounds before which somebody takes the fence away for a while."""

PACKETS_PER_ROUND = 500

_RESTORE = {Family.IPV4: "iptables-restore", Family.IPV6: "ip6tables-restore"}


Noted = tuple[SetKey, int]
"""A set of sources that were turned away, and one in it."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A packet of which the oracle was wrong, or a source that was noted or not."""

    asked: Case | Exchange | Noted
    said: Action
    seen: str

    def __str__(self) -> str:
        return f"the oracle said {self.said}, but it {self.seen}: {self.asked}"


@dataclass(frozen=True, slots=True)
class Call:
    """A flow that goes on from round to round."""

    case: Case
    before_the_fence: bool = False
    """It began while there was no fence, so that the kernel may keep no labels for it."""

    def after(self, ruleset: Ruleset) -> Call | None:
        """The call as it is once the ruleset has decided a packet of it; None if that is open."""
        marked = decide(ruleset, self.case.packet).admits
        if marked and self.before_the_fence:
            return None
        before = self.case.packet
        packet = replace(before, admitted=before.admitted or marked, known=True)
        return replace(self, case=replace(self.case, packet=packet))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round found."""

    packets: int
    passed: int
    disagreements: tuple[Disagreement, ...]


def trial(backend: Backend, seed: int, packets: int, *, labels: bool = True) -> Iterator[Outcome]:
    """Rounds of a random ruleset and random packets, until so many packets were sent.

    Args:
        backend: holds the fence.
        seed: of everything that is random; the same seed sends the same packets.
        packets: in all.
        labels: whether the kernel can label connections.
    """
    dice = Random(seed)  # noqa: S311 - reproducible, not secret
    left = packets
    while left > 0:
        with Lab() as lab:
            rounds = Rounds(lab, backend, dice, labels=labels)
            for _ in range(ROUNDS_PER_LAB):
                outcome = rounds.another(min(PACKETS_PER_ROUND, left))
                left -= outcome.packets
                yield outcome


class Rounds:
    """Rulesets that follow one another in one kernel, and packets under each."""

    def __init__(self, lab: Lab, backend: Backend, dice: Random, *, labels: bool) -> None:
        self._labels = labels
        self._lab, self._backend, self._dice = lab, backend, dice
        self._chance = Chance(dice)
        self._calls: list[Call] = []
        for family in Family:
            _route_here(lab, family)

    def another(self, count: int) -> Outcome:
        """Change the fence; send new packets, answers, and more of what was let in before."""
        ruleset = replace(random_ruleset(self._dice), labels=self._labels)
        if self._dice.random() < GAPS:
            self._calls += self._begun_in_a_gap(ruleset)
        with self._lab.pbx.entered():
            apply_ruleset(self._backend, ruleset)
            self._fill(ruleset)
            noted = self._noted(ruleset)
        published = self._publish(ruleset)
        wrong, answers = self._exchange(ruleset, min(FLOWS, count // 4))
        calls = [*map(Call, answers), *self._calls][: count // 2]
        new = self._chance.cases(ruleset, count - len(calls), published)
        going = [*calls, *map(Call, new)]
        self._dice.shuffle(going)
        landed = self._lab.fire(call.case.probe for call in going)
        self._go_on(ruleset, going, landed)
        forget(self._lab)
        cases = [call.case for call in going]
        found = _compare(ruleset, cases, landed)
        with self._lab.pbx.entered():
            now = self._noted(ruleset)
        wrong += _compare_noted(ruleset, cases, noted, now)
        return replace(found, disagreements=(*wrong, *found.disagreements))

    def _fill(self, ruleset: Ruleset) -> None:
        """Put into runtime sets what people and programs would, some of it without an end."""
        now = time.time()
        ends = (None, now + 3_600, now + 7_200)
        for key, content in ruleset.runtime.items():
            wanted = [TimedPrefix(each, self._dice.choice(ends)) for each in content.prefixes()]
            self._backend.hold(key, wanted, now)

    def _noted(self, ruleset: Ruleset) -> frozenset[Noted]:
        """The sources that the kernel has noted as turned away."""
        keys = [key for key in ruleset.runtime_keys if key.role in NOTED_ROLES]
        return frozenset((k, each.first) for k in keys for each in self._backend.elements(k))

    def _exchange(self, ruleset: Ruleset, count: int) -> tuple[list[Disagreement], list[Case]]:
        """Let the PBX send to others; what comes back is to be sent then."""
        wrong: list[Disagreement] = []
        answers: list[Case] = []
        for exchange in self._chance.exchanges(ruleset, count):
            left = send_from_pbx(self._lab, exchange.question)
            said = decide_sent(ruleset, exchange.sent)
            if left is not (said.action is Action.PASS):
                seen = "was sent" if left else "was not sent"
                wrong.append(Disagreement(exchange, said.action, seen))
            answers.append(exchange.case(left=left, begun=said.begins))
        return wrong, answers

    def _begun_in_a_gap(self, ruleset: Ruleset) -> list[Call]:
        """Take the fence away; strangers come in meanwhile and are answered."""
        with self._lab.pbx.entered():
            self._backend.remove()
        cases = [case for case in self._chance.cases(ruleset, FLOWS) if _is_call(case.probe)]
        landed = self._lab.fire(case.probe for case in cases)
        begun = [
            Call(case, before_the_fence=True)
            for case, where in zip(cases, landed, strict=True)
            if where == "pbx"
        ]
        for call in begun:
            send_from_pbx(self._lab, question(call.case.probe))
        return begun

    def _go_on(self, ruleset: Ruleset, going: list[Call], landed: list[str | None]) -> None:
        """Let some of what got in become calls in progress, which no change of lists may cut."""
        calls = (
            call.after(ruleset)
            for call, where in zip(going, landed, strict=True)
            if where == "pbx" and _is_call(call.case.probe)
        )
        self._calls = [
            self._talk_back(ruleset, call) for call in list(filter(None, calls))[: 2 * FLOWS]
        ]

    def _talk_back(self, ruleset: Ruleset, call: Call) -> Call:
        """Let the PBX say more; a flow of its own may begin by that (see ``Beginning``)."""
        packet = call.case.packet
        asked = question(call.case.probe)
        send_from_pbx(self._lab, asked)
        if not packet.answers:
            return call
        sent = replace(sent_as(asked, packet.family), begun=packet.reply, known=True)
        reply = packet.reply or decide_sent(ruleset, sent).begins
        return replace(call, case=replace(call.case, packet=replace(packet, reply=reply)))

    def _publish(self, ruleset: Ruleset) -> list[Published]:
        """Lead a few ports elsewhere, as Docker, failover addresses and REDIRECT do."""
        dice = self._dice
        fenced = [ports for service in ruleset.services for ports in service.ports]
        some = dice.sample(fenced, min(2, len(fenced)))
        ends = [*((str(ports.protocol), ports.last) for ports in some), ("tcp", 443), ("udp", 443)]
        rules = [
            Published(protocol, port, dice.random() < 0.5, dice.choice((5060, other)), here)
            for protocol, port in ends
            for _, other in [dice.choice(ends)]
            for here in [dice.random() < 0.5]
        ]
        for family, program in _RESTORE.items():
            lines = [_redirection(family, rule) for rule in rules]
            self._lab.pbx.run(program, stdin="\n".join(("*nat", *lines, "COMMIT", "")))
        return rules


def _compare_noted(
    ruleset: Ruleset, cases: list[Case], before: frozenset[Noted], now: frozenset[Noted]
) -> list[Disagreement]:
    expected = set()
    for case in cases:
        decision = decide(ruleset, case.packet)
        for service in decision.noted_by:
            family = case.packet.family
            rest = family.bits - NOTED_BITS[family]
            source = case.packet.source >> rest << rest
            expected |= {(SetKey(role, service, family), source) for role in NOTED_ROLES}
    return [
        *(Disagreement(each, Action.TURN_AWAY, NOT_NOTED) for each in expected - now),
        *(Disagreement(each, Action.PASS, "was noted") for each in now - before - expected),
    ]


def _route_here(lab: Lab, family: Family) -> None:
    ip, address = ("ip", f"-{family.digit}"), str(ROUTED_HERE[family])
    lab.pbx.run(*ip, "route", "add", "local", address, "dev", "lo", "table", "77")
    lab.pbx.run(*ip, "rule", "add", "to", address, "lookup", "77")


def _is_call(probe: Probe) -> bool:
    """Whether the PBX could answer it from where it was sent to, and conntrack know it."""
    own = any(probe.destination in own for own in LOCAL.values())
    return own and probe.transport is Transport.UDP


def _redirection(family: Family, rule: Published) -> str:
    inside = f"[{CONTAINER[family]}]" if family is Family.IPV6 else str(CONTAINER[family])
    to = f"-d {TRANSLATED[family]}" if rule.foreign else "-m addrtype --dst-type LOCAL"
    there = f"DNAT --to-destination {inside}:{rule.target}"
    target = f"REDIRECT --to-ports {rule.target}" if rule.here else there
    return f"-A PREROUTING {to} -p {rule.protocol} --dport {rule.port} -j {target}"


def _compare(ruleset: Ruleset, cases: list[Case], landed: list[str | None]) -> Outcome:
    found = []
    for case, where in zip(cases, landed, strict=True):
        said = decide(ruleset, case.packet).action
        if (said is Action.PASS) != (where is not None):
            seen = f"got in on {where}" if where else "was dropped"
            found.append(Disagreement(case, said, seen))
    passed = sum(where is not None for where in landed)
    return Outcome(len(cases), passed, tuple(found))
