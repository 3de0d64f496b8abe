"""What a change of the ruleset means for those who are talking now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from geofence.errors import BackendError, GuardRefusal
from geofence.flows.conntrack import cut, read_flows
from geofence.flows.flow import Flow
from geofence.flows.impact import Impact, impact
from geofence.guards.lockout import SshSession, check_lockout
from geofence.guards.objection import Objection, accepted
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

    def cut(self) -> tuple[str, ...]:
        """End the flows that the change denies; a sentence on what was done."""
        denied = self.impact.denied if self.impact else ()
        if not denied:
            return ()
        try:
            return (f"{cut(touched.flow for touched in denied)} live flows were cut.",)
        except BackendError as error:
            return (f"Live flows were not cut: {error}",)


def look_at(before: Ruleset | None, after: Ruleset) -> Change:
    """Read the live flows and see what the change means for them."""
    if before == after:
        return Change(before, after)
    try:
        flows = read_flows()
    except BackendError as error:
        return Change(before, after, notes=(f"Live flows were not looked at: {error}",))
    return Change(before, after, flows, impact(before, after, flows))
