"""Kills geofence at random moments, and looks at what that did to kernel, state and traffic."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from geofence.apply import apply_ruleset, remove_all
from geofence.lists.country_json import parse_country_json
from geofence.merge import merge
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.model.plan import Observed
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset, SetKey
from geofence.operations.local_networks import current
from geofence.policy.owned import OWNED_FILE, read_owned
from tests.chaos.aims import Aim, Blow, Extent, choose, measure, strike
from tests.chaos.ground import Ground, callers, leaked, lost, medium_list
from tests.support.probes import forget

JAPAN = ListId(ListKind.COUNTRY, "JP")
VERBS = ("refresh", "apply", "allow", "restore", "rollback")
HEALERS = ("refresh", "apply", "restore", "allow", "rollback")
"""What a run is followed by: any of them has to heal."""

_EXTRA = "60-chaos.toml"
_EXTRA_RULES = """\
[service.extra]
ports = ["6000-6010/udp"]

[exception.chaos]
prefixes = ["45.99.0.0/24", "2a00:99::/32"]
services = ["sip"]
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One killed run."""

    number: int
    command: tuple[str, ...]
    blow: Blow
    boot: bool
    """Whether there was no fence before."""
    alive: bool
    """Whether it was still running."""
    kernel: str
    """What was found there: ``old``, ``new`` or ``between``, each family being either."""
    record: str
    """What the newest generation says: ``old`` or ``new``."""
    debris: tuple[str, ...]
    """What lay about until the next run."""
    healer: str
    problems: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """What was killed, with where it began."""
        return f"{self.command[0]} (no fence before)" if self.boot else self.command[0]

    def __str__(self) -> str:
        what = " ".join(self.command)
        problems = "; ".join(self.problems)
        return f"#{self.number} {what} ({self.blow}; then {self.healer}): {problems}"


@dataclass(frozen=True, slots=True)
class Transition:
    """What a command leads from and to."""

    command: tuple[str, ...]
    old: Ruleset | None
    """None: no fence."""
    new: Ruleset
    recorded: Ruleset | None
    """What the newest generation says before."""


@dataclass
class Killer:
    """A series of kills on one ground; the same seed makes the same choices."""

    ground: Ground
    seed: int
    dice: random.Random = field(init=False)
    aims: tuple[Aim, ...] = (Aim.START, Aim.LOCK)
    extents: dict[tuple[str, Aim], Extent] = field(default_factory=dict)
    """How long each verb takes, unharmed, on this machine and under this load."""
    hole: int = 7
    """Which version of the list the server has."""
    listing: Callable[[int], bytes] = medium_list
    """Returns that version."""
    extra: bool = False
    """Whether the rules have the piece that ``apply`` is to bring in or take out."""

    def __post_init__(self) -> None:
        """Apply a first fence and measure each verb."""
        self.dice = random.Random(self.seed)  # noqa: S311 - a fixed sequence, no secret
        self.ground.machine.ok("refresh")
        for verb in VERBS:
            for aim in self.aims:
                command = self._prepare(verb).command
                self.extents[verb, aim] = measure(self.ground.machine, command, aim)

    def kills(self, count: int, *, boot: bool = False) -> Iterator[Attempt]:
        """Kill that many runs under traffic.

        Args:
            count: how many.
            boot: let each of them begin on a host without a fence, as after a boot.
        """
        for number in range(count):
            verb = self.dice.choice(("restore", "refresh") if boot else VERBS)
            yield self._kill(number, verb, boot=boot)

    def traffic(self, attempts: Callable[[], list[Attempt]]) -> tuple[list[Attempt], int, int, int]:
        """Make attempts under traffic; then packets sent, allowed ones lost, others let in."""
        with self.ground.lab.stream(callers()) as stream:
            made = attempts()
            reports = stream.finish()
        forget(self.ground.lab)
        return made, sum(r.sent for r in reports.values()), lost(reports), leaked(reports)

    def _kill(self, number: int, verb: str, *, boot: bool) -> Attempt:
        wanted = self._prepare(verb)
        if boot:
            with self.ground.lab.pbx.entered():
                remove_all()
            wanted = Transition(wanted.command, None, wanted.new, wanted.recorded)
        aim = self.dice.choice(self.aims)
        blow = choose(self.dice, aim, self.extents[verb, aim])
        alive = strike(self.ground.machine, wanted.command, blow)
        observed = self.ground.observe()
        record = self._recorded()
        problems = [*self._judge_kernel(wanted, observed), *self._judge_record(wanted, record)]
        debris = (*observed.debris, *self.ground.debris())
        healer = self.dice.choice(HEALERS)
        problems += self._heal(healer)
        return Attempt(
            number,
            wanted.command,
            blow,
            boot=boot,
            alive=alive,
            kernel=self._which(wanted, observed),
            record="new" if record and record.ruleset == wanted.new else "old",
            debris=debris,
            healer=healer,
            problems=tuple(problems),
        )

    def _prepare(self, verb: str) -> Transition:
        """See that the command has something to do, and know what."""
        newest = self.ground.site.generations.newest()[0]
        recorded = old = newest.ruleset if newest else None
        command: tuple[str, ...] = (verb,)
        if verb == "refresh":
            self.hole = (self.hole + 1) % 256
            self.ground.machine.serve("JP", self.listing(self.hole))
        elif verb == "apply":
            self._toggle_extra()
        elif verb == "allow":
            command = (self._allow_or_revoke(), "lab")
        if verb == "restore":
            new, old = self._set_back(newest)
        elif verb == "rollback":
            new = self._earlier().ruleset
        else:
            new = self._desired(command)
        return Transition(command, old, new, recorded)

    def _toggle_extra(self) -> None:
        self.extra = not self.extra
        path = self.ground.machine.rules / _EXTRA
        if self.extra:
            self.ground.machine.rule(_EXTRA, _EXTRA_RULES)
        else:
            path.unlink()

    def _allow_or_revoke(self) -> str:
        policy = self.ground.site.policy()
        enabled = {exception.name for exception in policy.enabled_exceptions()}
        return "revoke" if "lab" in enabled else "allow"

    def _set_back(self, newest: Generation | None) -> tuple[Ruleset, Ruleset]:
        """Let the kernel hold an earlier generation, so that restore has something to restore."""
        assert newest is not None
        earlier = self._earlier()
        with self.ground.lab.pbx.entered():
            apply_ruleset(self.ground.backend, earlier.ruleset)
        return newest.ruleset, earlier.ruleset

    def _earlier(self) -> Generation:
        store = self.ground.site.generations
        found = store.read(store.numbers()[1])
        assert isinstance(found, Generation)
        return found

    def _desired(self, command: tuple[str, ...]) -> Ruleset:
        """What the rules and the lists say once the command has done its part."""
        owned = self.ground.machine.owned
        before = owned.read_text(encoding="utf-8") if owned.exists() else None
        if command[0] in ("allow", "revoke"):
            known = [each.name for each in self.ground.site.policy().exceptions]
            switches = read_owned(before or "").keeping(known)
            text = switches.switched(command[1:], command[0] == "allow").text()
            self.ground.machine.rule(OWNED_FILE, text)
        policy = self.ground.site.policy()
        if before is None:
            owned.unlink(missing_ok=True)
        else:
            self.ground.machine.rule(OWNED_FILE, before)
        with self.ground.lab.pbx.entered():
            local = current(self.ground.site)
        return replace(merge(policy, self._lists(command[0])), local=local)

    def _lists(self, verb: str) -> Mapping[ListId, AddressSpace]:
        if verb == "refresh":
            return {JAPAN: parse_country_json(self.listing(self.hole), "JP").space}
        loaded = self.ground.site.lists.load(JAPAN)
        assert loaded.warnings == ()
        assert loaded.accepted is not None
        return {JAPAN: loaded.accepted.space}

    def _judge_kernel(self, wanted: Transition, observed: Observed) -> Iterator[str]:
        """Every family has all of the old rules or all of the new, and what they look into."""
        for group in self._groups():
            lines = tuple(line for line in observed.rules if line.startswith(group))
            in_force = [
                ruleset
                for ruleset in (wanted.old, wanted.new)
                if lines == self._lines(ruleset, group)
            ]
            if not in_force:
                yield f"rules are neither old nor new: {lines}"
            for ruleset in in_force[:1]:
                needed = ruleset.sets if ruleset else ()
                yield from _judge_sets(wanted, needed, observed, _families(group))

    def _groups(self) -> tuple[str, ...]:
        """How rules begin that are committed together."""
        return ("iptables ", "ip6tables ") if self.ground.machine.backend == "ipset" else ("",)

    def _lines(self, ruleset: Ruleset | None, group: str) -> tuple[str, ...]:
        lines = () if ruleset is None else self.ground.backend.rules(ruleset)
        return tuple(line for line in lines if line.startswith(group))

    def _which(self, wanted: Transition, observed: Observed) -> str:
        for name, ruleset in (("new", wanted.new), ("old", wanted.old)):
            if observed.rules == self._lines(ruleset, "") and (
                ruleset is None or observed.sets == ruleset.sets
            ):
                return name
        return "between"

    def _recorded(self) -> Generation | None:
        """The newest generation; one that cannot be read is a problem, never passed over."""
        newest, damaged = self.ground.site.generations.newest()
        return None if damaged else newest

    def _judge_record(self, wanted: Transition, record: Generation | None) -> Iterator[str]:
        if record is None or record.ruleset not in (wanted.recorded, wanted.new):
            yield "the newest generation is damaged, or neither old nor new"
        elif record.ruleset != wanted.recorded and not _same(self.ground, record.ruleset):
            yield "what is recorded is not what the kernel holds"
        _, warnings = self.ground.site.lists.load_all([JAPAN])
        yield from warnings
        if self.ground.site.journal.probation() is not None:
            yield "a probation was begun that nobody asked for"
        self.ground.site.policy()

    def _heal(self, healer: str) -> Iterator[str]:
        """Run something unharmed; then all must be whole and tidy."""
        command = (healer, "lab") if healer == "allow" else (healer,)
        done = self.ground.machine.run(*command)
        if done.code != 0:
            yield f"{healer} ended with {done.code}: {done.err}"
        newest = self.ground.newest()
        if not self.ground.holds(newest.ruleset):
            yield f"{healer} did not heal the kernel"
        if healer in ("refresh", "apply", "allow") and newest.ruleset != self._desired((healer,)):
            yield f"{healer} did not bring in what rules and lists say"
        if self.ground.debris():
            yield f"{healer} left {self.ground.debris()}"


def _same(ground: Ground, ruleset: Ruleset) -> bool:
    """Whether the kernel holds a ruleset; a former set that is still about does no harm."""
    observed = ground.observe()
    held = {key: observed.sets.get(key) for key in ruleset.sets}
    return held == dict(ruleset.sets) and observed.rules == ground.backend.rules(ruleset)


def _families(group: str) -> tuple[Family, ...]:
    return {"iptables ": (Family.IPV4,), "ip6tables ": (Family.IPV6,)}.get(group, tuple(Family))


def _judge_sets(
    wanted: Transition, needed: Iterable[SetKey], observed: Observed, families: tuple[Family, ...]
) -> Iterator[str]:
    """Each set that the rules look into is that of the old ruleset or of the new."""
    for key in needed:
        if key.family not in families:
            continue
        rulesets = (wanted.old, wanted.new)
        allowed = [ruleset.sets.get(key) for ruleset in rulesets if ruleset is not None]
        held = observed.sets.get(key)
        if held is None or held not in allowed:
            found = "missing" if held is None else f"of {held.size} addresses"
            yield f"the set {key.name} is {found}, neither old nor new"
