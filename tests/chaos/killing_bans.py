"""Kills what changes bans, and refreshes beside bans and an exception for a time.

None may ever be lost: at each moment of each kill the kernel blocks who is banned and allows whom
the exception allows; afterwards the record and the kernel are brought together by whatever runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from geofence.lab.network import PBX
from geofence.lab.probes import Probe, Transport
from geofence.model.prefixes import Family, Prefix, PrefixSet
from geofence.model.ruleset import Role, SetKey
from geofence.operations.runtime import BAN_KEYS
from tests.chaos.aims import Aim, Blow, Extent, choose, measure, strike
from tests.chaos.ground import Ground, callers, leaked, lost, medium_list
from tests.support.probes import forget
from tests.support.values import prefix

VERBS = ("ban", "unban", "refresh")
HEALERS = ("refresh", "apply", "restore", "repair")
KEPT = ("133.9.0.1", "2400:4000:9::1")
"""Banned at the beginning; no command ever unbans them."""
GUESTS = ("45.99.0.7", "2a00:99::7")
"""Allowed for hours at the beginning."""
_POOL = (*(f"133.9.1.{last}" for last in range(1, 7)), "2400:4000:9::77", "133.9.2.0/24")


@dataclass(frozen=True, slots=True)
class BanAttempt:
    """One killed run."""

    command: tuple[str, ...]
    blow: Blow
    healer: str
    alive: bool
    new: bool
    """Whether the record has what the command was to do."""
    problems: tuple[str, ...]

    def __str__(self) -> str:
        what, problems = " ".join(self.command), "; ".join(self.problems)
        return f"{what} ({self.blow}; then {self.healer}): {problems}"


@dataclass
class BanKiller:
    """A series of kills on one ground; the same seed makes the same choices."""

    ground: Ground
    seed: int
    aims: tuple[Aim, ...] = (Aim.START, Aim.LOCK)
    dice: random.Random = field(init=False)
    extents: dict[tuple[str, Aim], Extent] = field(default_factory=dict)
    hole: int = 7

    def __post_init__(self) -> None:
        """Apply a fence with bans and guests, and measure each verb."""
        self.dice = random.Random(self.seed)  # noqa: S311 - a fixed sequence, no secret
        machine = self.ground.machine
        machine.ok("refresh")
        machine.ok("ban", KEPT[0], "--reason", "kept")
        machine.ok("ban", KEPT[1], "--for", "5h", "--reason", "kept")
        machine.ok("allow", *GUESTS, "--name", "guest", "--for", "8h")
        for verb in VERBS:
            for aim in self.aims:
                self.extents[verb, aim] = measure(machine, self._prepare(verb), aim)

    def kills(self, count: int) -> Iterator[BanAttempt]:
        """Kill that many runs."""
        for _ in range(count):
            yield self._kill(self.dice.choice(VERBS))

    def traffic(
        self, attempts: Callable[[], list[BanAttempt]]
    ) -> tuple[list[BanAttempt], int, int, int]:
        """Make attempts under traffic; then packets sent, allowed ones lost, banned ones let in."""
        with self.ground.lab.stream({**callers(), **_flows()}) as stream:
            made = attempts()
            reports = stream.finish()
        forget(self.ground.lab)
        return made, sum(r.sent for r in reports.values()), lost(reports), leaked(reports)

    def _prepare(self, verb: str) -> tuple[str, ...]:
        if verb == "refresh":
            self.hole = (self.hole + 1) % 256
            self.ground.machine.serve("JP", medium_list(self.hole))
            return (verb,)
        banned = {str(each) for each in self._recorded()}
        known = [each for each in _POOL if str(ip_network(each)) in banned]
        if verb == "ban":
            span = self.dice.choice((("--for", "2h"), ("--for", "4h"), ()))
            return (verb, *self.dice.sample(_POOL, 3), *span)
        if not known:
            known = self.dice.sample(_POOL, 2)
            self.ground.machine.ok("ban", *known)
        return (verb, *self.dice.sample(known, min(2, len(known))))

    def _kill(self, verb: str) -> BanAttempt:
        command = self._prepare(verb)
        before = self._recorded()
        aim = self.dice.choice(self.aims)
        blow = choose(self.dice, aim, self.extents[verb, aim])
        alive = strike(self.ground.machine, command, blow)
        record, held = self._recorded(), self._held()
        named = {prefix(str(ip_network(each))) for each in command[1:] if each in _POOL}
        problems = [*self._judge(before, record, named, verb), *self._judge_kernel(record, held)]
        healer = self.dice.choice(HEALERS)
        problems += self._heal(healer, record)
        new = verb != "refresh" and all((each in record) == (verb == "ban") for each in named)
        return BanAttempt(command, blow, healer, alive, new, tuple(problems))

    def _judge(
        self,
        before: Mapping[Prefix, object],
        record: Mapping[Prefix, object],
        named: set[Prefix],
        verb: str,
    ) -> Iterator[str]:
        """The record has all that it had, but for what the command names; all of that or none."""
        others = {each for each in {*before, *record} if before.get(each) != record.get(each)}
        if others - named:
            yield f"the record changed for {others - named}"
        after = {each: each in record for each in named}
        was = {each: each in before for each in named}
        if verb != "refresh" and after not in (was, dict.fromkeys(named, verb == "ban")):
            yield f"the record has a part of what was to be done: {after}"
        if self.ground.site.bans.load().damaged:
            yield "a line of the record is damaged"

    def _judge_kernel(
        self, record: Mapping[Prefix, object], held: Mapping[Family, PrefixSet]
    ) -> Iterator[str]:
        """Who was banned before and after is; guests are allowed."""
        for address in KEPT:
            if prefix(str(ip_network(address))) not in record:
                yield f"{address} is no longer in the record"
            if int(ip_address(address)) not in held[_family(address)]:
                yield f"{address} is no longer in the kernel"
        for address in GUESTS:
            if not self._allows(address):
                yield f"{address} is no longer allowed by the kernel"

    def _heal(self, healer: str, record: Mapping[Prefix, object]) -> Iterator[str]:
        """Run something unharmed; then kernel and record say the same, and nothing lies about."""
        done = self.ground.machine.run(healer)
        if done.code != 0:
            yield f"{healer} ended with {done.code}: {done.err}"
        if self._recorded() != record:
            yield f"{healer} changed the record"
        for family, held in self._held().items():
            wanted = PrefixSet.of(family, [each for each in record if each.family is family])
            if held != wanted:
                yield f"after {healer} the kernel holds {held}, recorded is {wanted}"
        if not all(map(self._allows, GUESTS)):
            yield f"after {healer} a guest is no longer allowed"
        if self.ground.debris():
            yield f"{healer} left {self.ground.debris()}"

    def _recorded(self) -> dict[Prefix, object]:
        return dict(self.ground.site.bans.load().lasting(datetime.now(UTC)))

    def _held(self) -> dict[Family, PrefixSet]:
        runtime = self.ground.observe().runtime
        return {key.family: runtime.get(key, PrefixSet(key.family)) for key in BAN_KEYS}

    def _allows(self, address: str) -> bool:
        key = SetKey(Role.TIMED, "sip", _family(address))
        return int(ip_address(address)) in self.ground.observe().runtime.get(key, ())


def _family(address: str) -> Family:
    return Family.IPV6 if ":" in address else Family.IPV4


def _flows() -> Mapping[str, Probe]:
    people = {"foreign, banned": KEPT, "allowed for a time": GUESTS}
    return {
        f"{who} {_family(address)}": Probe(
            ip_address(address), PBX[_family(address)], Transport.UDP, 5060
        )
        for who, addresses in people.items()
        for address in addresses
    }
