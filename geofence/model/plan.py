"""The observed kernel, and the plan: its difference to the desired ruleset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geofence.model.frozen import NamedTuple, dataclass, field
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Ruleset, SetKey, SetKind


class Count(NamedTuple):
    """What a drop rule has counted."""

    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What the kernel holds of geofence's."""

    sets: Mapping[SetKey, PrefixSet] = field(default_factory=dict)
    """Declared sets."""
    rules: Sequence[str] = ()
    """Every rule that is geofence's, one line each in the backend's own language, in the kernel's
    order, with the changes that other programs made in them."""
    dropped: Mapping[str, Count] = field(default_factory=dict)
    """Per service, packets that the fence dropped since its rules were made, both families."""
    debris: tuple[str, ...] = ()
    """Names of what a killed run left behind; the next commit clears it away."""
    fenced: frozenset[Family] = frozenset()
    """Families whose packets are led to rules that drop, or to none where no service is fenced.
    Rules and sets may be left of a fence that no packet enters any more."""

    guarded: frozenset[Family] = frozenset()
    """Families of which what is delivered, forwarded and sent comes to the fence's rules, too: no
    connection can begin past it."""

    foreign: tuple[str, ...] = ()
    """Names of objects where geofence's belong that it never makes, or of all of them if nothing
    shows that any is geofence's."""

    runtime: Mapping[SetKey, PrefixSet] = field(default_factory=dict)
    """Runtime sets; those that the kernel itself fills are not read, and look empty."""

    @classmethod
    def holding(cls, ruleset: Ruleset) -> Observed:
        """Return a kernel that holds a ruleset's sets, and no rules."""
        runtime = {key: PrefixSet(key.family) for key in ruleset.runtime_keys}
        return cls(sets=ruleset.sets, runtime=runtime)

    @property
    def unfenced(self) -> tuple[Family, ...]:
        """Families of which everybody gets in."""
        return tuple(family for family in Family if family not in self.fenced)


@dataclass(frozen=True, slots=True)
class SetChange:
    """One set that would change."""

    key: SetKey
    before: PrefixSet | None
    """None: the kernel has no such set."""
    after: PrefixSet | None
    """None: the set goes."""

    @property
    def added(self) -> PrefixSet:
        """Addresses that come in."""
        empty = PrefixSet(self.key.family)
        return (self.after or empty) - (self.before or empty)

    @property
    def removed(self) -> PrefixSet:
        """Addresses that go."""
        empty = PrefixSet(self.key.family)
        return (self.before or empty) - (self.after or empty)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do so that the kernel holds what it should."""

    desired: Ruleset
    observed: Observed
    set_changes: tuple[SetChange, ...] = ()
    """In the order of their names."""
    rules_wanted: Sequence[str] = ()
    """The desired rules in the backend's own language."""

    @property
    def content_changes(self) -> tuple[SetChange, ...]:
        """Changes of declared sets; runtime sets come and go with the rules."""
        declared = SetKind.DECLARED
        return tuple(change for change in self.set_changes if change.key.kind is declared)

    @property
    def rules_differ(self) -> bool:
        """Whether rules are to be committed; their order counts."""
        return self.rules_wanted != self.observed.rules

    @property
    def rules_added(self) -> Sequence[str]:
        """Rules that are wanted and not there."""
        if not self.observed.rules:
            return self.rules_wanted
        return tuple(line for line in self.rules_wanted if line not in self.observed.rules)

    @property
    def rules_removed(self) -> tuple[str, ...]:
        """Rules that are there and not wanted."""
        return tuple(line for line in self.observed.rules if line not in self.rules_wanted)

    @property
    def is_empty(self) -> bool:
        """Whether the kernel already holds what it should."""
        return not (self.set_changes or self.rules_differ or self.observed.debris)

    @property
    def only_tidies(self) -> bool:
        """Whether packets meet what they should, and at most something out of use is to go."""
        return not self.rules_differ and all(change.after is None for change in self.set_changes)
