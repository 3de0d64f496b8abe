"""What a change of the ruleset means for those who are talking now."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from geofence.errors import BackendError, GuardRefusal
from geofence.flows.conntrack import cut, mend, read_flows
from geofence.flows.flow import Flow, from_sources
from geofence.flows.impact import Impact, impact
from geofence.guards.lockout import SshSession, check_lockout
from geofence.guards.objection import Objection, accepted
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class Change:
    """From the ruleset that was last applied to the one that is wanted, among live flows.

    A ruleset that was applied before is not judged again: bringing it back, after somebody flushed
    it, must not be refused because attackers came in meanwhile.
    """

    before: Ruleset | None
    after: Ruleset
    flows: tuple[Flow, ...] = ()
    impact: Impact | None = None
    notes: tuple[str, ...] = ()

    def objections(self, ssh: SshSession | None) -> tuple[Objection, ...]:
        """What the guards of live traffic have against the change."""
        if self.after == self.before:
            return ()
        return check_lockout(self.before, self.after, ssh, self.flows)

    def refuse(self, accept: Collection[str], ssh: SshSession | None) -> None:
        """Stop here if a guard objects.

        Raises:
            GuardRefusal: one does, and its override is not among ``accept``.
        """
        left = accepted(self.objections(ssh), accept)
        if left:
            raise GuardRefusal("\n".join(map(str, left)))

    def cut(self, revoked: AddressSpace | None = None) -> tuple[str, ...]:
        """End flows that the new ruleset would not let begin; a sentence on what was done.

        Args:
            revoked: cut what comes from there, also if the former ruleset would not have let it
                begin either (as after a revoke that was killed); None: cut what the change denies.
        """
        found = self.impact
        if revoked is not None:
            found = impact(None, self.after, from_sources(self.flows, revoked))
        denied = [touched.flow for touched in found.denied] if found else []
        return _attempted("cut", lambda: cut(denied)) if denied else ()


def look_at(before: Ruleset | None, after: Ruleset, *, always: bool = False) -> Change:
    """Read the live flows and see what the change means for them.

    Args:
        before: the ruleset that was last applied.
        after: the one that is wanted.
        always: read the flows even if nothing changes.
    """
    if before == after and not always:
        return Change(before, after)
    try:
        flows = read_flows()
    except BackendError as error:
        return Change(before, after, notes=(f"Live flows were not looked at: {error}",))
    return Change(before, after, flows, impact(before, after, flows))


def let_in_again(ruleset: Ruleset | None) -> tuple[str, ...]:
    """After a commit: flows that were cut may begin again where they are admitted now."""
    return _attempted("let in again", lambda: mend(ruleset))


def _attempted(what: str, act: Callable[[], int]) -> tuple[str, ...]:
    try:
        number = act()
    except BackendError as error:
        return (f"Live flows were not {what}: {error}",)
    return (f"Live flows {what}: {number}.",) if number else ()
