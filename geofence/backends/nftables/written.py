"""What this run wrote into the table, to know it again when it is read back.

A table that holds just that, byte by byte, is what the ruleset wants: nothing in it has to be
decoded to prove it. Whatever differs is looked into as if nobody knew it (see ``observe``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from geofence.backends.nftables import batches, elements
from geofence.backends.nftables.forms import Content
from geofence.backends.nftables.kernel_sets import FloodKey, Key, PartKey, is_runtime, set_of
from geofence.backends.nftables.objects import (
    BASES,
    KernelObject,
    KernelRule,
    Names,
    counted_service,
)
from geofence.backends.nftables.rules import Compiled
from geofence.backends.nftables.snapshot import Snapshot
from geofence.model.frozen import NamedTuple
from geofence.model.plan import Observed
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Ruleset
from geofence.netlink.columns import same_rows


class Written(NamedTuple):
    """A ruleset as it was committed."""

    ruleset: Ruleset
    names: Names
    sets: Mapping[Key, Content]
    compiled: Compiled

    def is_held(self, held: Snapshot) -> bool:
        """Whether a snapshot with elements has this, and nothing else."""
        chains = batches.wanted_chains(self.ruleset, self.names)
        return (
            held.exists
            and not (held.flags or held.flowtables)
            and {each.name: each for each in chains} == {each.name: each for each in held.chains}
            and _by_chain(held.rules) == _by_chain((*self.compiled.base, *self.compiled.service))
            and {*held.sets} == {set_of(key, name) for key, name in self.names.sets.items()}
            and _kinds(held.objects) == _kinds(batches.wanted_counters(self.ruleset))
            and all(
                _holds(key, self.sets[key], held.elements.get(name, ()))
                for key, name in self.names.sets.items()
            )
        )

    @property
    def fences_all(self) -> bool:
        """Whether its rules see what every hook sees, and drop."""
        seen = {rule.chain for rule in self.compiled.base}
        return bool(self.ruleset.services) and all(base.name in seen for base in BASES)

    def observed(self, held: Snapshot, rules: Sequence[str]) -> Observed:
        """Return what the planner is told of a table that holds this.

        Args:
            held: the table.
            rules: those of the ruleset, as lines.
        """
        counts = {counted_service(each): each.count for each in held.objects}
        return Observed(
            sets=self.ruleset.sets,
            rules=rules,
            dropped={service: count for service, count in counts.items() if service is not None},
            fenced=frozenset(Family),
            guarded=frozenset(Family),
            runtime={key: PrefixSet(key.family) for key in self.ruleset.runtime_keys},
        )


def _holds(key: Key, content: Content, pieces: Sequence[bytes]) -> bool:
    """Whether a set has its content, a runtime set none; what packets put into one is no matter."""
    if isinstance(key, PartKey | FloodKey):
        return True
    if is_runtime(key):
        return not any(pieces)
    if isinstance(content, PrefixSet):
        return elements.decode(key.family, pieces) == content
    keys = elements.packed_keys(key.family, pieces)
    return keys is not None and same_rows(content, keys, key.family.bits // 8)


def _by_chain(rules: Iterable[KernelRule]) -> dict[str, list[KernelRule]]:
    found: dict[str, list[KernelRule]] = {}
    for rule in rules:
        found.setdefault(rule.chain, []).append(rule)
    return found


def _kinds(objects: Iterable[KernelObject]) -> dict[str, int]:
    """Return of which kind each object is, whatever it has counted."""
    return {each.name: each.kind for each in objects}
