"""What a snapshot of the table means: the fence that is in force, and what is in its way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import takewhile

from geofence.backends.nftables import elements, expressions, render, timed, uapi
from geofence.backends.nftables.foreign import foreign
from geofence.backends.nftables.forms import Forms
from geofence.backends.nftables.kernel_sets import (
    Key,
    LengthKey,
    by_length,
    is_undivided,
    key_of,
    usual_name,
    whole_keys,
    whole_of,
)
from geofence.backends.nftables.objects import (
    BASE,
    BASES,
    INPUT,
    KernelRule,
    Part,
    chain_name,
    counted_service,
    is_chain_name,
    is_gate,
)
from geofence.backends.nftables.snapshot import Snapshot
from geofence.backends.nftables.uapi import ChainFlag, SetFlag
from geofence.backends.nftables.uapi_names import TableFlag, names_of
from geofence.backends.prefilter_key import PrefilterKey
from geofence.model.frozen import replace
from geofence.model.plan import Observed
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import SetKey, SetKind
from geofence.netlink.columns import same_rows
from geofence.translation import tr


def observed(held: Snapshot, forms: Forms) -> Observed:
    """Return what a snapshot with elements tells the planner.

    Args:
        held: the snapshot.
        forms: know what large sets should look like, which spares decoding them.
    """
    if not held.exists:
        return Observed()
    held = in_force(held)
    chains = chains_in_use(held)
    in_use = sets_in_use(held, chains)
    own = {key: name for key, name in in_use.items() if isinstance(key, SetKey)}
    sets = _declared(held, in_use, forms)
    runtime = {
        key: timed.addresses(key.family, held.elements[name])
        for key, name in own.items()
        if key.kind is SetKind.RUNTIME
    }
    runtime |= {key: PrefixSet(key.family) for key in whole_keys(in_use)}
    return Observed(
        sets=sets,
        runtime=runtime,
        rules=(
            *_table_lines(held),
            *render.lines(held.chains, held.rules, _shown(held, chains, in_use)),
        ),
        dropped={
            service: counter.count
            for counter in held.objects
            if (service := counted_service(counter)) is not None
        },
        debris=(*_debris(held, chains, in_use), *_outdated(held, chains, in_use, sets, forms)),
        # One table is for both families.
        fenced=frozenset(Family) if _packets_enter(held, sets) else frozenset(),
        guarded=frozenset(Family) if _every_way_watched(held) else frozenset(),
        foreign=tuple(
            tr("{object} in the table inet geofence", object=each) for each in foreign(held)
        ),
    )


def _declared(held: Snapshot, in_use: Mapping[Key, str], forms: Forms) -> dict[SetKey, PrefixSet]:
    """Return what the sets hold that geofence fills itself."""
    wholes = {key: whole for key in in_use if (whole := whole_of(key)) is not None}
    declared = dict.fromkeys(each for each in wholes.values() if each.kind is SetKind.DECLARED)
    return {whole: _content(whole, held, in_use, forms) for whole in declared}


def _content(whole: SetKey, held: Snapshot, in_use: Mapping[Key, str], forms: Forms) -> PrefixSet:
    family = whole.family
    found: dict[LengthKey, bytes] = {}
    for part in by_length(whole, in_use):
        keys = elements.packed_keys(family, held.elements[in_use[part]])
        if keys is None:
            return PrefixSet(family).complement()
        found[part] = keys
    if whole not in in_use:
        return forms.whole(whole, found)
    intervals = elements.decode(family, held.elements[in_use[whole]])
    # Where rules look into both, another program has added some.
    return intervals | forms.whole(whole, found) if found else intervals


def does_without_labels(held: Snapshot) -> bool:
    """Whether the table has a fence none of whose rules asks for a label or sets one."""
    fenced = any(expressions.drops(rule) for rule in held.rules)
    return fenced and not any(expressions.labels(rule) for rule in held.rules)


def in_force(held: Snapshot) -> Snapshot:
    """Return the snapshot without rules that a killed run left out of use, which are debris."""
    return replace(held, rules=tuple(_without_unused(held)))


def _without_unused(held: Snapshot) -> Iterator[KernelRule]:
    entered = {each.name: _of(held, each.name) for each in BASES}
    in_force = {name: _behind_gate(rules, held) for name, rules in entered.items()}
    gated = any(in_force[name] is not rules for name, rules in entered.items())
    met = [rule for rules in in_force.values() for rule in rules]
    # Without an open gate, what no rule goes to is in use all the same: it lacks that rule.
    in_use = _followed(held, met) if gated else chains_in_use(held).values()
    own = (each for each in held.chains if is_chain_name(each.name) and each.hook is None)
    unused = {each.name for each in own} - set(in_use)
    yield from met
    yield from (rule for rule in held.rules if rule.chain not in {*entered, *unused})


def _of(held: Snapshot, chain: str) -> list[KernelRule]:
    return [rule for rule in held.rules if rule.chain == chain]


def _followed(held: Snapshot, rules: Iterable[KernelRule]) -> list[str]:
    """Return the chains that rules send packets to, and on by the rules of those chains."""
    by_chain: dict[str, list[KernelRule]] = {}
    for rule in held.rules:
        by_chain.setdefault(rule.chain, []).append(rule)
    found: dict[str, None] = {}
    waiting = list(expressions.chains_gone_to(rules))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += expressions.chains_gone_to(by_chain.get(name, ()))
    return list(found)


def _behind_gate(rules: list[KernelRule], held: Snapshot) -> list[KernelRule]:
    """Return the rules of a base chain that are behind an open gate; all, if there is none.

    A gate that is closed, or that not all rules at the front are behind, stays visible.
    """
    for gate in filter(is_gate, held.sets):
        if elements.hold_every_family(held.elements[gate.name]):
            behind = list(takewhile(bool, (expressions.behind(gate.name, rule) for rule in rules)))
            *wanted, last = behind or [None]
            if last is not None and expressions.is_return(last):
                return list(filter(None, wanted))
    return rules


def _packets_enter(held: Snapshot, sets: Collection[SetKey]) -> bool:
    """Whether packets come to rules that drop, or would if there were a service to fence."""
    if held.flags & TableFlag.DORMANT:
        return False
    ways = [base.name for base in BASES if base in held.chains and base.name in (BASE, INPUT)]
    if not ways:
        return False
    # Without sets there is no service, and so nothing to drop.
    return not sets or any(map(expressions.drops, _gone_through(held, ways)))


def _gone_through(held: Snapshot, ways: Iterable[str]) -> Iterator[KernelRule]:
    """Yield the rules that packets come to from some chains on."""
    waiting = list(ways)
    entered: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in entered:
            entered.add(name)
            rules = list(_reached(held, name))
            yield from rules
            waiting += expressions.chains_gone_to(rules)


def _every_way_watched(held: Snapshot) -> bool:
    """Whether all that is delivered, forwarded and sent comes to rules, too."""
    if not all(base in held.chains for base in BASES) or held.flags & TableFlag.DORMANT:
        return False
    reached = [any(True for _ in _reached(held, base.name)) for base in BASES]
    return all(reached) or not any(_of(held, base.name) for base in BASES)


def _reached(held: Snapshot, name: str) -> Iterator[KernelRule]:
    """Yield the rules of a chain that packets come to: none behind a closed gate."""
    gates = [each.name for each in held.sets if is_gate(each)]
    shut = [name for name in gates if not elements.hold_every_family(held.elements[name])]
    rules = (rule for rule in held.rules if rule.chain == name)
    met = (rule for rule in rules if not any(expressions.behind(gate, rule) for gate in shut))
    return takewhile(lambda rule: not expressions.lets_all_pass(rule), met)


def chains_in_use(held: Snapshot) -> dict[str, str]:
    """Return the chain that is in use under each usual name, by its name in the kernel.

    Of several it is the one to which packets are sent first: behind an open gate, the new one.
    """
    entered = [rule for base in BASES for rule in _of(held, base.name)]
    gone_to = _followed(held, entered)
    present = (chain.name for chain in held.chains)
    names: dict[str, str] = {}
    for name in (*gone_to, *sorted(present)):
        if is_chain_name(name):
            names.setdefault(usual_name(name), name)
    return names


def sets_in_use(held: Snapshot, chains: Mapping[str, str] | None = None) -> dict[Key, str]:
    """Return the set that is in use for each key, by its name in the kernel.

    Of several it is the one that rules look into: others are what a killed run was filling. The
    same holds of the forms that a set can have, intervals or prefixes by length.

    Args:
        held: the snapshot.
        chains: those in use, if they are known.
    """
    met = frozenset((chains_in_use(held) if chains is None else chains).values())
    in_use = (rule for rule in held.rules if rule.chain in met)
    looked_into = frozenset(expressions.sets_looked_into(in_use))
    names: dict[Key, str] = {}
    for candidate in sorted(held.sets, key=lambda each: (each.name not in looked_into, each.name)):
        key = key_of(candidate)
        if key is not None and not is_undivided(key):
            names.setdefault(key, candidate.name)
    asked = {whole_of(key) for key, name in names.items() if name in looked_into}
    return {
        key: name
        for key, name in names.items()
        if name in looked_into or not _has_another_form(key, names, asked)
    }


def _has_another_form(key: Key, names: Collection[Key], asked: Collection[SetKey | None]) -> bool:
    """Whether a set that no rule looks into is of a form that its whole is not in."""
    whole = whole_of(key)
    if whole is None or whole.kind is not SetKind.DECLARED:
        return False
    return whole in asked or (isinstance(key, LengthKey) and whole in names)


def _outdated(
    held: Snapshot,
    chains: Mapping[str, str],
    in_use: Mapping[Key, str],
    sets: Mapping[SetKey, PrefixSet],
    forms: Forms,
) -> Iterator[str]:
    """Yield prefilters that do not enclose the sets that the same chain looks into."""
    keys = {name: key for key, name in in_use.items()}
    for key, name in in_use.items():
        if isinstance(key, PrefilterKey):
            chain = chains.get(chain_name(Part.FENCE, key.service))
            rules = [rule for rule in held.rules if rule.chain == chain]
            beside = {whole_of(keys.get(each)) for each in expressions.sets_looked_into(rules)}
            parts = [sets[each] for each in sets if each in beside and _is_enclosed(each, key)]
            parts += [PrefixSet.of(key.family, expressions.sources_looked_for(rules, key.family))]
            wanted = forms.packed(forms.enclosing(key.family, parts))
            networks = elements.packed_keys(key.family, held.elements[name])
            width = key.family.bits // 8
            if networks is None or not same_rows(wanted, networks, width):
                yield tr("set {name} (does not enclose the other sets)", name=name)


def _is_enclosed(key: SetKey, prefilter_key: PrefilterKey) -> bool:
    return key.family is prefilter_key.family and key.kind is SetKind.DECLARED


def _table_lines(held: Snapshot) -> tuple[str, ...]:
    """Return a line if a program put the table to sleep or made it its own."""
    if not held.flags:
        return ()
    known = names_of(TableFlag).items()
    names = [name for flag, name in known if held.flags & flag] or [f"{held.flags:#x}"]
    return (f"table: flags {','.join(names)}",)


def _shown(held: Snapshot, chains: Mapping[str, str], in_use: Mapping[Key, str]) -> render.Shown:
    """Return names to show: what is in use by its usual name, and nothing else by the same."""
    sets = {name: key.name for key, name in in_use.items()}
    other_sets = (each.name for each in held.sets if each.name not in sets and not is_gate(each))
    of_services = {name: usual for usual, name in chains.items()}
    other_chains = (
        each.name
        for each in held.chains
        if is_chain_name(each.name) and each.name not in of_services
    )
    return render.Shown(_not_in_use(other_sets) | sets, _not_in_use(other_chains) | of_services)


def _not_in_use(names: Iterable[str]) -> dict[str, str]:
    return {name: f"{name} (not the one in use)" for name in names}


def _debris(held: Snapshot, chains: Mapping[str, str], in_use: Mapping[Key, str]) -> Iterator[str]:
    """Yield what geofence does not make, or no longer refers to.

    Anonymous sets and chains go with their rule.
    """
    for each in held.sets:
        if each.name not in in_use.values() and not each.flags & SetFlag.ANONYMOUS:
            yield f"set {each.name}"
    with_rules = {rule.chain for rule in held.rules}
    for chain in held.chains:
        base = any(chain.name == each.name for each in BASES)
        own = base or chain.name in with_rules & set(chains.values())
        if not own and not chain.flags & ChainFlag.BINDING:
            yield f"chain {chain.name}"
    counted_on = set(expressions.counters_counted_on(held.rules))
    for held_object in held.objects:
        if counted_service(held_object) is None or held_object.name not in counted_on:
            kind = "counter" if held_object.kind == uapi.COUNTER else "object"
            yield f"{kind} {held_object.name}"
    yield from (f"flowtable {name}" for name in held.flowtables)
