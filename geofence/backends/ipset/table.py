"""The table mangle of one family, as far as it is geofence's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

from geofence.backends.ipset import foreign
from geofence.backends.ipset.rule import IptablesRule
from geofence.backends.ipset.rules import HOOKS, JUMPS, OBSERVED, Chains
from geofence.backends.ipset.shapes import CHAIN
from geofence.errors import BackendError
from geofence.model.frozen import NamedTuple
from geofence.model.plan import Count
from geofence.model.prefixes import Family
from geofence.translation import tr

PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_DROPPING_CHAIN = re.compile(rf"{CHAIN}(?:-|\.(?:local|ban|drop)-)(\S+)")
"""The chains where what comes to a service is dropped; those of before 0.2 have it in fewer."""
_COUNTED_RULE = re.compile(r"\[(\d+):(\d+)\] (-A .*)")


class _Counted(NamedTuple):
    counted: Count
    line: str
    """As the kernel's program printed it."""
    rule: IptablesRule


class MisplacedJump(NamedTuple):
    """A jump to a chain of ours that is not the first rule of its chain, or not the only one."""

    line: str
    """As the kernel's program printed it."""
    position: int
    """Among the rules of its chain, from 1."""
    hook: str

    def __str__(self) -> str:
        """Return the rule with its place, as a plan shows it."""
        return f"{self.line}  (rule {self.position} of {self.hook})"


class MangleTable(NamedTuple):
    """What ``iptables-save`` says of one family's table mangle, as far as it is geofence's."""

    chains: tuple[str, ...]
    lines: tuple[str, ...]
    """Chains, then rules without counters; a jump counts as ours while it is the first rule."""
    rules: tuple[IptablesRule, ...]
    """The rules of these chains."""
    settled_jumps: tuple[IptablesRule, ...]
    """Jumps to our chains that are the first rule."""
    misplaced_jumps: tuple[MisplacedJump, ...]
    """Jumps to our chains that other rules stand in front of, or that are there twice."""
    counts: Mapping[str, Count]
    """Per service, what its drop rules have counted."""
    hooked: bool
    """Whether packets get to our chain when they arrive or when they are delivered."""
    drops: bool
    """Whether they come from there to a rule that drops."""
    complete: bool
    """Whether packets get to our chains on every way, those that are sent too."""
    of_others: frozenset[str]
    """Chains named like ours that another program made; they are none of the above."""


def parse_table(saved: str) -> MangleTable:
    """Find geofence's rules in the output of ``iptables-save -c -t mangle``."""
    named = re.findall(rf"^:({CHAIN}(?:[-.]\S+)?) ", saved, re.MULTILINE)
    found = [
        _Counted(Count(int(packets), int(size)), line, IptablesRule.parse(line))
        for packets, size, line in _COUNTED_RULE.findall(saved)
    ]
    theirs_alone = foreign.of_others(named, HOOKS.values(), _by_chain(found))
    chains = tuple(sorted({*named} - theirs_alone))
    theirs = {hook: [each for each in found if each.rule.chain == hook] for hook in HOOKS}
    first = [rules[0] for hook, rules in theirs.items() if _begins_with_jump(hook, rules)]
    own = [each for each in found if each.rule.chain in chains]
    own.sort(key=lambda each: each.rule.chain)  # versions list chains in varying order
    hooked = {
        hook
        for hook, rules in theirs.items()
        if JUMPS[hook] in _reached(each.rule for each in rules)
    }
    ways = hooked & {"PREROUTING", "INPUT"}
    return MangleTable(
        chains,
        (*(f"-N {chain}" for chain in chains), *(each.line for each in (*first, *own))),
        tuple(each.rule for each in own),
        tuple(each.rule for each in first),
        tuple(jump for hook, rules in theirs.items() for jump in _misplaced(hook, rules)),
        _dropped(own),
        bool(ways),
        _come_to_drop(ways, own),
        hooked == set(HOOKS),
        theirs_alone,
    )


def _by_chain(found: Iterable[_Counted]) -> dict[str, list[IptablesRule]]:
    rules: dict[str, list[IptablesRule]] = {}
    for each in found:
        rules.setdefault(each.rule.chain, []).append(each.rule)
    return rules


def _begins_with_jump(hook: str, rules: list[_Counted]) -> bool:
    return bool(rules) and rules[0].rule == JUMPS[hook]


def _misplaced(hook: str, rules: list[_Counted]) -> Iterator[MisplacedJump]:
    """Yield jumps to our chain from one of the kernel's that are not its first rule alone."""
    right = _begins_with_jump(hook, rules)
    for at, each in enumerate(rules):
        if each.rule.target == HOOKS[hook] and (at or not right):
            yield MisplacedJump(each.line, at + 1, hook)


def _come_to_drop(ways: Iterable[str], own: Iterable[_Counted]) -> bool:
    """Whether packets that come in by chains of the kernel's come to a rule that drops."""
    rules = _by_chain(own)
    waiting = [HOOKS[way] for way in ways]
    gone_to: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in gone_to:
            gone_to.add(name)
            waiting += (rule.target for rule in _reached(rules.get(name, ())))
    return any(_decides(rule) for name in gone_to for rule in _reached(rules.get(name, ())))


def _decides(rule: IptablesRule) -> bool:
    """Whether it drops what it matches, or says that it would."""
    return rule.drops or rule.target == OBSERVED


def _dropped(own: Iterable[_Counted]) -> dict[str, Count]:
    """Return, by service, what the rules counted that drop what comes in."""
    dropped: dict[str, Count] = {}
    for counted, _, rule in own:
        name = _DROPPING_CHAIN.fullmatch(rule.chain)
        if name and _decides(rule):
            before = dropped.get(name[1], Count(0, 0))
            dropped[name[1]] = Count(
                before.packets + counted.packets, before.octets + counted.octets
            )
    return dropped


def total(tables: Iterable[MangleTable]) -> dict[str, Count]:
    """Return, by service, what the rules of all tables have counted."""
    packets: Counter[str] = Counter()
    octets: Counter[str] = Counter()
    for table in tables:
        for service, count in table.counts.items():
            packets[service] += count.packets
            octets[service] += count.octets
    return {service: Count(packets[service], octets[service]) for service in packets}


def _reached(rules: Iterable[IptablesRule]) -> list[IptablesRule]:
    """Return the rules of a chain that packets come to: those before one that ends it for all."""
    return list(takewhile(lambda rule: not rule.ends_chain, rules))


def replacement(chains: Chains, family: Family, table: MangleTable) -> str:
    """Return input for ``iptables-restore --noflush`` that puts chains in place of the table's.

    Declared chains are emptied and filled in the same commit; each jump goes to the top of its
    chain of the kernel's unless it is there and alone.
    """
    _require_free(chains, table, family)
    stale = [chain for chain in table.chains if chain not in chains]
    settled = not table.misplaced_jumps and len(table.settled_jumps) == len(JUMPS)
    hooking = [_with_command("-I", str(jump)) for jump in JUMPS.values()]
    return _commit(
        *(f":{chain} - [0:0]" for chain in (*sorted(chains), *stale)),
        *([] if settled else [*_unhook(table), *hooking]),
        *(str(rule) for rules in chains.values() for rule in rules),
        *(f"-X {chain}" for chain in stale),
    )


def sets_left(chains: Chains, table: MangleTable) -> frozenset[str]:
    """Return the sets that rules of the table look into which are in none of the chains."""
    wanted = {rule for rules in chains.values() for rule in rules}
    return frozenset(name for rule in table.rules if rule not in wanted for name in rule.sets)


def _require_free(wanted: Iterable[str], table: MangleTable, family: Family) -> None:
    program = PROGRAMS[family]
    for name in wanted:
        if name in table.of_others:
            raise BackendError(
                tr(
                    'Another program made the chain "{chain}" in the table mangle of {program}, '
                    "and geofence needs this name. Give the service another name in the rules, or "
                    "rename the chain with '{command}'.",
                    chain=name,
                    program=program,
                    command=f"{program} -t mangle -E {name} NEW-NAME",
                )
            )


def removal(table: MangleTable) -> str:
    """Return input for ``iptables-restore --noflush`` that takes all of geofence's rules away."""
    return _commit(
        *_unhook(table),
        *(f"-F {chain}" for chain in table.chains),
        *(f"-X {chain}" for chain in reversed(table.chains)),
    )


def _unhook(table: MangleTable) -> list[str]:
    misplaced = (jump.line for jump in table.misplaced_jumps)
    return [_with_command("-D", line) for line in (*map(str, table.settled_jumps), *misplaced)]


def _with_command(command: str, line: str) -> str:
    return line.replace("-A ", f"{command} ", 1)


def _commit(*lines: str) -> str:
    return "\n".join(("*mangle", *lines, "COMMIT", ""))
