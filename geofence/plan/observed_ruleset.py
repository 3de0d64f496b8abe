"""The ruleset that the kernel holds now, found from what was read of it. Pure.

A backend reads sets and rules, the latter in its own language. Which ruleset they make is told by
comparison with rulesets that are known: recorded ones, and that of the rules on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from geofence.model.frozen import dataclass, replace
from geofence.model.plan import Observed
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Action, Ruleset
from geofence.verdict import Decision, Packet, decide


@dataclass(frozen=True, slots=True)
class Held:
    """The fence that one backend holds in the kernel."""

    ruleset: Ruleset
    """The sets as they are in the kernel, and the rules as far as they are known."""
    fenced: frozenset[Family]
    """Families whose packets come to these rules."""
    exact: bool
    """Whether the rules are those of the ruleset; if not, other programs have changed them."""


def held(
    observed: Observed,
    known: Iterable[Ruleset],
    render: Callable[[Ruleset], Sequence[str]],
) -> Held | None:
    """Return what a backend holds; None if it holds no fence that a packet enters.

    Args:
        observed: what the backend read.
        known: rulesets that it may be, the likeliest first.
        render: gives a ruleset's rules as the backend reads them.
    """
    if not observed.fenced:
        return None
    candidates = tuple(known)
    for candidate in candidates:
        if render(candidate) == observed.rules:
            return Held(_with_sets(candidate, observed), observed.fenced, exact=True)
    likeliest = candidates[0] if candidates else Ruleset()
    return Held(_with_sets(likeliest, observed), observed.fenced, exact=False)


def decide_now(fences: Iterable[Held], packet: Packet) -> tuple[Decision, Held | None]:
    """Return what the kernel does with a packet, and the fence that decides it.

    Every fence must pass it. None decides where no fence is up for the packet's family.
    """
    decided: tuple[Decision, Held | None] = (Decision(Action.PASS), None)
    for fence in fences:
        if packet.family not in fence.fenced:
            continue
        decision = decide(fence.ruleset, packet)
        if decision.action is Action.DROP:
            return decision, fence
        if decided[1] is None or decided[0].service is None:
            decided = decision, fence
    return decided


def _with_sets(ruleset: Ruleset, observed: Observed) -> Ruleset:
    """Return the ruleset with the kernel's sets; one that the kernel lacks holds nothing."""
    missing = {key: PrefixSet(key.family) for key in ruleset.sets if key not in observed.sets}
    return replace(ruleset, sets={**observed.sets, **missing}, runtime=observed.runtime)
