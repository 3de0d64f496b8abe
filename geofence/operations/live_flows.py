"""Live connections and a change of the ruleset: which it touches, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from geofence.errors import BackendError, GuardRefusal
from geofence.flows.connections import unnamed_peers
from geofence.flows.conntrack import cut, forget, mend, read_flows
from geofence.flows.flow import Flow, from_elsewhere, from_sources
from geofence.flows.impact import Impact, begun_from_fenced_ports, impact
from geofence.flows.interfaces import with_interfaces
from geofence.guards.lockout import SshSession, check_lockout, networks
from geofence.guards.objection import Guard, Objection, remaining
from geofence.guards.own_rules import check_rules
from geofence.model.frozen import dataclass, replace
from geofence.model.notes import Note, NoteKind
from geofence.model.plan import Observed
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Ruleset
from geofence.translation import join


@dataclass(frozen=True, slots=True)
class Change:
    """A change from the ruleset that was applied last to the desired one, with the live flows.

    A ruleset that was applied before is not checked again. Bringing it back after somebody flushed
    it must not be refused because attackers connected meanwhile.
    """

    before: Ruleset | None
    """The ruleset in the kernel; None for no fence."""
    after: Ruleset
    recorded: Ruleset | None = None
    """The ruleset that was applied last."""
    unfenced: tuple[Family, ...] = ()
    """Families without a fence now."""
    flows: tuple[Flow, ...] = ()
    impact: Impact | None = None
    revoked: AddressSpace | None = None
    """Addresses being revoked; their connections are dropped."""
    blocked: AddressSpace | None = None
    """Addresses that blocklists block."""
    notes: tuple[Note, ...] = ()

    def objections(self, ssh: SshSession | None) -> tuple[Objection, ...]:
        """Return what the checks of rules and live traffic object to.

        Revoked addresses are meant to be blocked, so their connections are no reason to refuse.
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
        """Raise an error if a guard objects.

        Args:
            accept: overrides.
            ssh: the session of the operator.
            unattended: nobody is there to decide. Then live peers do not stop the run, since it
                can keep them allowed (see ``widened``).

        Returns:
            Objections that ``widened`` meets.

        Raises:
            GuardRefusal: a guard objects, and its override is not among ``accept``.
        """
        left = remaining(self.objections(ssh), accept)
        can_wait = unattended and self.before is not None
        if left and not (can_wait and all(one.guard is Guard.LIVE_SOURCES for one in left)):
            raise GuardRefusal(join("\n", map(str, left)))
        return left

    def widened(self) -> Ruleset:
        """Return the new ruleset, with the networks of live peers that it would block.

        Only as far as the kernel's ruleset allows them and no blocklist blocks them. So everything
        without an objection is applied, and no live peer is blocked.
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

    def cut(self) -> tuple[Note, ...]:
        """Drop connections that could not begin under the new ruleset; call it after the commit.

        They are read again, since some may have begun until then. Those that this host began from
        fenced ports are among them, since replies come in by them.

        If something is revoked, only connections from there. Whether the previous ruleset allowed
        them does not matter: a run that was killed may have left them.
        """

        def act() -> int:
            flows = with_interfaces(read_flows(), self.after)
            meant = flows if self.revoked is None else from_sources(flows, self.revoked)
            denied = [touched.flow for touched in impact(None, self.after, meant).denied]
            denied += begun_from_fenced_ports(self.after, meant)
            return cut(denied) if denied else 0

        return _attempted((NoteKind.CONNECTIONS_DROPPED, NoteKind.CONNECTIONS_NOT_DROPPED), act)


def look_at(  # noqa: PLR0913 - what the change is about
    recorded: Ruleset | None,
    observed: Observed,
    after: Ruleset,
    revoked: AddressSpace | None = None,
    *,
    blocked: AddressSpace | None = None,
    cutting: bool = False,
) -> Change:
    """Read the live flows and return what the change means for them.

    Args:
        recorded: the ruleset that was last applied; stands in for a fence that is down.
        observed: what the kernel holds.
        after: the ruleset that is wanted.
        revoked: addresses whose flows are cut even if the ruleset does not change.
        blocked: addresses that blocklists block.
        cutting: whether flows are cut even if the ruleset does not change.
    """
    before = _held(recorded, observed)
    change = Change(before, after, recorded, observed.unfenced, revoked=revoked, blocked=blocked)
    if before == after and revoked is None and not cutting:
        return change
    try:
        flows = with_interfaces(read_flows(), before, after)
    except BackendError as error:
        unread = Note(NoteKind.CONNECTIONS_UNREAD, "", {"message": str(error)})
        return replace(change, notes=(unread,))
    touched = replace(impact(before, after, flows), unnamed=unnamed_peers(after, flows))
    return replace(change, flows=flows, impact=touched)


def _held(recorded: Ruleset | None, observed: Observed) -> Ruleset | None:
    """Return the recorded ruleset with the sets that the kernel holds."""
    if recorded is None or not observed.fenced or observed.sets.keys() != recorded.sets.keys():
        return recorded
    return replace(recorded, sets=observed.sets, runtime=observed.runtime)


def unblock(ruleset: Ruleset | None) -> tuple[Note, ...]:
    """Unblock connections that were dropped and that a ruleset now allows.

    Call it after a commit.
    """
    kinds = (NoteKind.CONNECTIONS_UNBLOCKED, NoteKind.CONNECTIONS_NOT_UNBLOCKED)
    return _attempted(kinds, lambda: mend(ruleset))


def forget_unwatched(ruleset: Ruleset, before: Observed) -> tuple[Note, ...]:
    """Forget connections that this host began while no rule saw what it sent.

    Call it after a commit. They carry no mark, so no reply comes in by them. The next packet of
    this host begins such a connection anew, if that packet can begin one.

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

    return _attempted((NoteKind.CONNECTIONS_FORGOTTEN, NoteKind.CONNECTIONS_NOT_FORGOTTEN), act)


def _attempted(kinds: tuple[NoteKind, NoteKind], act: Callable[[], int]) -> tuple[Note, ...]:
    """Act on connections; return a note of the first kind with their number, or of the second."""
    done, failed = kinds
    try:
        number = act()
    except BackendError as error:
        return (Note(failed, "", {"message": str(error)}),)
    return (Note(done, "", {"number": number}),) if number else ()
