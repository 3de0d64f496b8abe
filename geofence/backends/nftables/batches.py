"""Batches: the transactions that bring the table from a snapshot to what a ruleset wants.

A changed set is not edited: a new one comes beside it. With the new sets come new chains, whose
rules look into them, and rules that send packets there, all in one transaction, which the kernel
carries out whole or not at all. A second one removes the previous rules, and a third the sets that
they looked into. A packet meets the old fence or the new one. Counters have names of their own and
outlive the rules that count on them.

Linux lets new rules work before it has made the array in which the addresses of a new set of the
same transaction are searched (``nf_tables_commit`` bumps ``gencursor`` first, and calls each set's
``commit`` last); for as long as that takes, nothing would be found there. So the new rules are
behind a gate: a set that holds every packet's family. Arrays are made in the order in which a
transaction first adds to their sets, and the gate's comes last. While it is closed, packets go on
to the previous rules, or pass where there were none.

Kernels without such arrays open the gate together with everything else. They are why a changed set
is not edited: elements taken out and put in by one transaction are for some time in the same tree,
and a look-up may miss addresses that are in both.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from geofence.backends.nftables import messages, rules
from geofence.backends.nftables.connection import BatchMessage
from geofence.backends.nftables.kernel_sets import Key, flood_keys, key_of, names_for
from geofence.backends.nftables.messages import SetContent
from geofence.backends.nftables.objects import (
    BASES,
    GATE,
    MARKING,
    TRANSLATED,
    KernelChain,
    KernelObject,
    KernelRule,
    Names,
    Part,
    chain_name,
    counter_of,
    is_gate,
)
from geofence.backends.nftables.rules import Compiled
from geofence.backends.nftables.snapshot import Snapshot
from geofence.backends.nftables.uapi import ChainFlag, SetFlag
from geofence.model.ruleset import Ruleset


def wanted_chains(ruleset: Ruleset, names: Names) -> tuple[KernelChain, ...]:
    """Return the chains of a ruleset."""
    usual_names = _usual_chains(ruleset, names.sets)
    return (*BASES, *(KernelChain(names.chains[usual]) for usual in usual_names))


def _usual_chains(ruleset: Ruleset, sets: Container[Key]) -> Iterator[str]:
    if ruleset.services:
        yield TRANSLATED
    if ruleset.services and ruleset.labels:
        yield MARKING
    for service in ruleset.services:
        unused = set() if ruleset.local else {Part.LOCAL}
        if not flood_keys(service.name, sets):
            unused |= {Part.ARRIVED, Part.KNOWN, Part.FLOOD}
        yield from (chain_name(part, service.name) for part in Part if part not in unused)


def wanted_counters(ruleset: Ruleset) -> tuple[KernelObject, ...]:
    """Return the counters of a ruleset."""
    return tuple(counter_of(service.name) for service in ruleset.services)


def free_names(
    ruleset: Ruleset, held: Snapshot, standing: Mapping[Key, str], missing: Iterable[Key]
) -> Names:
    """Return names for what is made beside what is there.

    Args:
        ruleset: what the kernel should hold.
        held: what it holds.
        standing: the sets that are right as they are.
        missing: those to be made.
    """
    taken = {each.name for each in held.sets}
    chains = {each.name for each in held.chains}
    sets = {**standing, **{key: _free(key.name, taken) for key in missing}}
    return Names(sets, {usual: _free(usual, chains) for usual in _usual_chains(ruleset, sets)})


def can_stay(held: Snapshot) -> bool:
    """Whether rules in front of those that are there would decide.

    Not where a chain that packets come in by is bound elsewhere, or is no such chain.
    """
    bases = {each.name: each for each in BASES}
    return all(bases.get(chain.name, chain) == chain for chain in held.chains)


def filled_sets(names: Names, contents: Iterable[SetContent]) -> list[BatchMessage]:
    """Return messages that make sets that no rule looks into yet."""
    made = (part for content in contents for part in _new_set(content, names))
    return [messages.new_table(), *made]


def addition(
    ruleset: Ruleset,
    held: Snapshot,
    names: Names,
    missing: Iterable[SetContent],
    compiled: Compiled,
) -> list[BatchMessage]:
    """Return messages that make the ruleset's fence and leave the previous one out of use.

    Args:
        ruleset: what the kernel should hold.
        held: what it holds, of which the rules can stay.
        names: free ones but for the sets that are right as they are.
        missing: the sets to be made.
        compiled: the ruleset's rules, by these names.
    """
    gate = _free(GATE, {each.name for each in held.sets})
    return [
        messages.new_table(),
        *(part for content in missing for part in _new_set(content, names)),
        messages.new_gate(gate),
        *_chains_and_counters(ruleset, held, names),
        *map(messages.new_rule, compiled.service),
        *_in_front(rules.gated(compiled.base, gate)),
        messages.open_gate(gate),
    ]


def anew(
    ruleset: Ruleset,
    held: Snapshot,
    names: Names,
    contents: Iterable[SetContent],
    compiled: Compiled,
) -> list[BatchMessage]:
    """Return messages that replace a table whose flags are wrong and cannot be changed.

    Until the new sets can be searched, nobody is allowed. Counters keep their counts.

    Args:
        ruleset: what the kernel should hold.
        held: what it holds.
        names: any.
        contents: those of all sets.
        compiled: the ruleset's rules, by these names.
    """
    counters = {each.name: each for each in held.objects if _is_wanted(each, ruleset)}
    return [
        messages.delete_table(),
        messages.new_table(),
        *(part for content in contents for part in _new_set(content, names)),
        *map(messages.new_chain, wanted_chains(ruleset, names)),
        *(messages.new_counter(counters.get(each.name, each)) for each in wanted_counters(ruleset)),
        *map(messages.new_rule, (*compiled.base, *compiled.service)),
    ]


def replacement(
    ruleset: Ruleset, held: Snapshot, names: Names, compiled: Compiled
) -> list[BatchMessage]:
    """Return messages that remove the previous rules and chains, and make all rules anew.

    Args:
        ruleset: what the kernel should hold.
        held: what it holds.
        names: all sets, which are filled, and all chains.
        compiled: the ruleset's rules, by these names.
    """
    return [
        messages.new_table(),
        *(_clearing(ruleset, held, names) if held.exists else ()),
        *_chains_and_counters(ruleset, held, names),
        *map(messages.new_rule, (*compiled.base, *compiled.service)),
    ]


def unused_sets(held: Snapshot, names: Names) -> list[BatchMessage]:
    """Return messages that remove the sets which no rule looks into any more.

    Not together with those rules: a packet that is on its way through them would find the sets
    empty.
    """
    return [
        messages.delete_set(gone.name)
        for gone in held.sets
        if gone.name not in names.sets.values() and not gone.flags & SetFlag.ANONYMOUS
    ]


def _free(usual: str, taken: set[str]) -> str:
    return next(name for name in names_for(usual) if name not in taken)


def _new_set(content: SetContent, names: Names) -> list[BatchMessage]:
    return messages.new_set(names.sets[content.key], content)


def _in_front(new: list[KernelRule]) -> Iterator[BatchMessage]:
    """Yield messages that put rules in front of all that are there, in their order."""
    for rule in reversed(new):
        yield messages.new_rule(rule, in_front=True)


def _clearing(ruleset: Ruleset, held: Snapshot, names: Names) -> Iterator[BatchMessage]:
    """Remove all rules, then whatever is not to stay, users before what they use."""
    yield messages.delete_rules()
    for foreign in held.sets:
        own = key_of(foreign) is not None or is_gate(foreign)
        if not own and not foreign.flags & SetFlag.ANONYMOUS:
            yield messages.delete_set(foreign.name)
    for chain in held.chains:
        if chain not in wanted_chains(ruleset, names) and not chain.flags & ChainFlag.BINDING:
            yield messages.delete_chain(chain.name)
    for each in held.objects:
        if not _is_wanted(each, ruleset):
            yield messages.delete_object(each)
    yield from map(messages.delete_flowtable, held.flowtables)


def _chains_and_counters(ruleset: Ruleset, held: Snapshot, names: Names) -> Iterator[BatchMessage]:
    for chain in wanted_chains(ruleset, names):
        if chain not in held.chains:
            yield messages.new_chain(chain)
    present = {counter.name for counter in held.objects if _is_wanted(counter, ruleset)}
    for counter in wanted_counters(ruleset):
        if counter.name not in present:
            yield messages.new_counter(counter)


def _is_wanted(held: KernelObject, ruleset: Ruleset) -> bool:
    """Whether it is one of the ruleset's counters, whatever it has counted."""
    return KernelObject(held.name, held.kind) in wanted_counters(ruleset)
