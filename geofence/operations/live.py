"""What a change of the ruleset means for those who are talking now."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from geofence.connections import unnamed_peers
from geofence.errors import BackendError, GuardRefusal
from geofence.flows.conntrack import cut, forget, mend, read_flows, with_interfaces
from geofence.flows.flow import Flow, from_elsewhere, from_sources
from geofence.flows.impact import Impact, begun_from_fenced_ports, impact
from geofence.guards.lockout import SshSession, check_lockout
from geofence.guards.objection import Objection, accepted
from geofence.model.plan import Observed
from geofence.model.prefixes import AddressSpace, Family
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
    revoked: AddressSpace | None = None
    """Whoever is there is meant to be shut out."""
    notes: tuple[str, ...] = ()

    def objections(self, ssh: SshSession | None) -> tuple[Objection, ...]:
        """What the guards of live traffic have against the change.

        Who revokes by name means those who now talk from there: they are no reason to refuse.
        """
        if self.after == self.before:
            return ()
        others = from_elsewhere(self.flows, self.revoked or AddressSpace())
        return check_lockout(self.before, self.after, ssh, others)

    def refuse(self, accept: Collection[str], ssh: SshSession | None) -> None:
        """Stop here if a guard objects.

        Raises:
            GuardRefusal: one does, and its override is not among ``accept``.
        """
        left = accepted(self.objections(ssh), accept)
        if left:
            raise GuardRefusal("\n".join(map(str, left)))

    def cut(self) -> tuple[str, ...]:
        """End flows that the new ruleset would not let begin; a sentence on what was done.

        Those that this host began from fenced ports are among them: answers come in by them.

        With something revoked, only those from there. Whether the former ruleset would have let
        them begin does not matter: they may be left of a run that was killed or did not cut.
        """
        meant = self.flows if self.revoked is None else from_sources(self.flows, self.revoked)
        denied = [touched.flow for touched in impact(None, self.after, meant).denied]
        denied += begun_from_fenced_ports(self.after, meant)
        return _attempted("cut", lambda: cut(denied)) if denied else ()


def look_at(
    before: Ruleset | None,
    after: Ruleset,
    revoked: AddressSpace | None = None,
    *,
    cutting: bool = False,
) -> Change:
    """Read the live flows and see what the change means for them.

    Args:
        before: the ruleset that was last applied.
        after: the one that is wanted.
        revoked: whose flows are to end, even if the ruleset does not change; None for nobody's.
        cutting: flows are to end, even if the ruleset does not change.
    """
    if before == after and revoked is None and not cutting:
        return Change(before, after)
    try:
        flows = with_interfaces(read_flows(), before, after)
    except BackendError as error:
        unseen = f"Live flows were not looked at: {error}"
        return Change(before, after, revoked=revoked, notes=(unseen,))
    touched = replace(impact(before, after, flows), unnamed=unnamed_peers(after, flows))
    return Change(before, after, flows, touched, revoked)


def let_in_again(ruleset: Ruleset | None) -> tuple[str, ...]:
    """After a commit: flows that were cut may begin again where they are admitted now."""
    return _attempted("let in again", lambda: mend(ruleset))


def forget_unwatched(ruleset: Ruleset, before: Observed) -> tuple[str, ...]:
    """After a commit: forget what this host began while nobody watched what it sent.

    No answer to it comes in, as it carries no mark, and the kernel may keep none for it. The next
    packet of this host's begins such a connection anew, if it is a beginning.

    Args:
        ruleset: what the kernel holds now.
        before: what it held.
    """
    if before.guarded == frozenset(Family):
        return ()

    def act() -> int:
        flows = with_interfaces(read_flows(), ruleset)
        begun = begun_from_fenced_ports(ruleset, flows)
        return forget(flow for flow in begun if not flow.marked)

    try:
        number = act()
    except BackendError as error:
        return (f"Connections that this host may have been made to begin were not ended: {error}",)
    return (f"{number} connections are begun anew.",) if number else ()


def _attempted(what: str, act: Callable[[], int]) -> tuple[str, ...]:
    try:
        number = act()
    except BackendError as error:
        return (f"Live flows were not {what}: {error}",)
    return (f"Live flows {what}: {number}.",) if number else ()
