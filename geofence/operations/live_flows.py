"""What a change of the ruleset means for those who are talking now."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from geofence.errors import BackendError, GuardRefusal
from geofence.flows.connections import unnamed_peers
from geofence.flows.conntrack import cut, forget, mend, read_flows
from geofence.flows.flow import Flow, from_elsewhere, from_sources
from geofence.flows.impact import Impact, begun_from_fenced_ports, impact
from geofence.flows.interfaces import with_interfaces
from geofence.guards.lockout import SshSession, check_lockout, networks
from geofence.guards.objection import Guard, Objection, remaining
from geofence.guards.own_rules import check_rules
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
    """What the kernel holds; None for no fence."""
    after: Ruleset
    recorded: Ruleset | None = None
    """What was applied last."""
    unfenced: tuple[Family, ...] = ()
    """Families of which everybody gets in now."""
    flows: tuple[Flow, ...] = ()
    impact: Impact | None = None
    revoked: AddressSpace | None = None
    """Addresses being revoked; their connections are ended."""
    blocked: AddressSpace | None = None
    """Whom blocklists deny."""
    notes: tuple[str, ...] = ()

    def objections(self, ssh: SshSession | None) -> tuple[Objection, ...]:
        """What the guards of rules and live traffic have against the change.

        Who revokes by name means those who now talk from there: they are no reason to refuse.
        """
        if self.after in (self.before, self.recorded):
            return ()
        others = from_elsewhere(self.flows, self.revoked or AddressSpace())
        lockout = check_lockout(
            self.before, self.after, ssh, others, self.blocked, unfenced=self.unfenced
        )
        return (*check_rules(self.before, self.after), *lockout)

    def refuse(
        self, accept: Collection[str], ssh: SshSession | None, *, unattended: bool = False
    ) -> tuple[Objection, ...]:
        """Stop here if a guard objects.

        Args:
            accept: overrides.
            ssh: the session of the operator.
            unattended: nobody is there to decide, and the fence that is there can be widened (see
                ``widened``): then those who talk are no reason to stop.

        Returns:
            Objections that only widening meets.

        Raises:
            GuardRefusal: a guard objects, and its override is not among ``accept``.
        """
        left = remaining(self.objections(ssh), accept)
        can_wait = unattended and self.before is not None
        if left and not (can_wait and all(one.guard is Guard.LIVE_SOURCES for one in left)):
            raise GuardRefusal("\n".join(map(str, left)))
        return left

    def widened(self) -> Ruleset:
        """The new ruleset with the networks of those who talk now and would be blocked.

        As far as the kernel's allows them, and no blocklist denies them. So whatever nobody objects
        to is applied, and nobody who talks is blocked.
        """
        held = self.before.sets if self.before else {}
        blocked = self.blocked or AddressSpace()
        kept = networks(flow for flow, _ in self.impact.denied_live) if self.impact else blocked
        sets = {
            key: space | ((held[key] & kept[key.family]) - blocked[key.family])
            if key in held
            else space
            for key, space in self.after.sets.items()
        }
        return replace(self.after, sets=sets)

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


def look_at(  # noqa: PLR0913 - what the change is about
    recorded: Ruleset | None,
    observed: Observed,
    after: Ruleset,
    revoked: AddressSpace | None = None,
    *,
    blocked: AddressSpace | None = None,
    cutting: bool = False,
) -> Change:
    """Read the live flows and see what the change means for them.

    Args:
        recorded: the ruleset that was last applied; stands in for a fence that is down.
        observed: what the kernel holds.
        after: the ruleset that is wanted.
        revoked: whose flows are to end, even if the ruleset does not change; None for nobody's.
        blocked: whom blocklists deny.
        cutting: flows are to end, even if the ruleset does not change.
    """
    before = _held(recorded, observed)
    change = Change(before, after, recorded, observed.unfenced, revoked=revoked, blocked=blocked)
    if before == after and revoked is None and not cutting:
        return change
    try:
        flows = with_interfaces(read_flows(), before, after)
    except BackendError as error:
        return replace(change, notes=(f"Live flows were not looked at: {error}",))
    touched = replace(impact(before, after, flows), unnamed=unnamed_peers(after, flows))
    return replace(change, flows=flows, impact=touched)


def _held(recorded: Ruleset | None, observed: Observed) -> Ruleset | None:
    """The ruleset of the kernel, as far as its sets tell what differs from the recorded one."""
    if recorded is None or not observed.fenced or observed.sets.keys() != recorded.sets.keys():
        return recorded
    return replace(recorded, sets=observed.sets)


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
