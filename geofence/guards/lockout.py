"""The guards of plans that would block the operator's SSH session or most current peers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import IPv6Address, ip_address

from geofence.flows.flow import Flow
from geofence.flows.impact import by_source, impact
from geofence.guards.objection import Guard, Objection
from geofence.model.frozen import dataclass, replace
from geofence.model.prefixes import AddressSpace, Family, Prefix, address_text
from geofence.model.ruleset import Action, Ruleset
from geofence.spelling import listed
from geofence.translation import tr
from geofence.verdict import Packet, decide

FEWEST_DENIED = 3
"""Fewer blocked networks than these are no objection: of so few, a share says little."""
MOST_DENIED = 50.0
"""Percent of the networks with current peers that a plan may block."""
_NETWORK = {Family.IPV4: 24, Family.IPV6: 48}
"""Length of the prefix that one party has, so that one with many addresses counts once."""
_NAMED = 5
"""Sources that a sentence lists."""


@dataclass(frozen=True, slots=True)
class SshSession:
    """The SSH session from which geofence was started."""

    family: Family
    source: int
    """The client's address."""
    port: int
    """The server's port."""
    interface: str = ""
    """The interface through which the client is reached; empty if it is not known."""

    @classmethod
    def parse(cls, connection: str) -> SshSession | None:
        """Read ``SSH_CONNECTION``, "client port server port" (sshd's manual page, ssh(1)).

        None without addresses: sshd writes ``UNKNOWN`` if it has no peer.
        """
        words = connection.split()
        try:
            client, _, _, port = words
            address = ip_address(client.partition("%")[0])
            number = int(port)
        except ValueError:
            return None
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        family = Family.IPV6 if isinstance(address, IPv6Address) else Family.IPV4
        return cls(family, int(address), number)

    def __str__(self) -> str:
        return address_text(self.family, self.source)

    @property
    def opening(self) -> Packet:
        """The packet that would open the session again."""
        return Packet(self.family, "tcp", self.source, self.port, interface=self.interface)


def check_lockout(  # noqa: PLR0913 - what a plan is held against
    before: Ruleset | None,
    after: Ruleset,
    ssh: SshSession | None,
    flows: Sequence[Flow],
    blocked: AddressSpace | None = None,
    *,
    unfenced: Collection[Family] = (),
) -> tuple[Objection, ...]:
    """Return the objections to a plan because of the peers that it would block.

    Peers that are blocked already are no reason to object: the plan does not change that.

    Args:
        before: the ruleset in the kernel; None for no fence.
        after: the planned one.
        ssh: the session from which geofence was started, if any.
        flows: as the kernel knows them.
        blocked: addresses in blocklists.
        unfenced: families of which all addresses are allowed now, whatever ``before`` says: it may
            be the ruleset of a fence that is down.
    """
    open_now = ssh is not None and ssh.family in unfenced
    return (
        *_ssh(None if open_now else before, after, _placed(ssh, flows)),
        *_live_sources(before, after, flows, blocked or AddressSpace()),
    )


def _ssh(before: Ruleset | None, after: Ruleset, ssh: SshSession | None) -> Iterator[Objection]:
    if ssh is None or not _admits(before, ssh) or _admits(after, ssh):
        return
    service = decide(after, ssh.opening).service
    yield Objection(
        Guard.SSH,
        f"SSH from {ssh}",
        _blocked_session(ssh, service.name if service else ""),
        tr("A plan may not block the operator who applies it."),
        str(Guard.SSH),
        tr(
            "Allow {address} with an exception or [local], or remove port {port}/tcp from the "
            "services.",
            address=ssh,
            port=ssh.port,
        ),
    )


def _blocked_session(ssh: SshSession, service: str) -> str:
    if not service:
        return tr(
            "The plan would block your SSH session from {address} on port {port}/tcp.",
            address=ssh,
            port=ssh.port,
        )
    return tr(
        "The plan would block your SSH session from {address} on port {port}/tcp (service "
        "{service}).",
        address=ssh,
        port=ssh.port,
        service=service,
    )


def _placed(ssh: SshSession | None, flows: Sequence[Flow]) -> SshSession | None:
    """Return the session with its interface, if its flow is known."""
    if ssh is None:
        return None
    ends = (ssh.family, "tcp", ssh.source, ssh.port)
    mine = (flow for flow in flows if (flow.family, flow.protocol, flow.source, flow.port) == ends)
    return next((replace(ssh, interface=flow.interface) for flow in mine), ssh)


def _admits(ruleset: Ruleset | None, ssh: SshSession) -> bool:
    return ruleset is None or decide(ruleset, ssh.opening).action is Action.PASS


def _live_sources(
    before: Ruleset | None, after: Ruleset, flows: Sequence[Flow], blocked: AddressSpace
) -> Iterator[Objection]:
    """Object if most peers would be blocked; those in blocklists are blocked on purpose."""
    voting = [flow for flow in flows if flow.source not in blocked[flow.family]]
    found = impact(before, after, voting)
    denied = by_source(found.denied_live)
    parties = {_network(source.family, source.address) for source in denied}
    talking = {_network(*source) for source in found.sources}
    if len(parties) < FEWEST_DENIED or 100 * len(parties) <= MOST_DENIED * len(talking):
        return
    yield Objection(
        Guard.LIVE_SOURCES,
        "live flows",
        tr(
            "The plan would block {blocked} of the {peers} addresses that now have connections to "
            "the fenced ports ({networks} of {all_networks} networks): {addresses}.",
            blocked=len(denied),
            peers=found.talking,
            networks=len(parties),
            all_networks=len(talking),
            addresses=listed([str(source) for source in denied], _NAMED),
        ),
        tr(
            "It may block {most} of the networks; unless they are attackers, a country or an "
            "exception is most likely missing.",
            most=f"{MOST_DENIED:.0f} %",
        ),
        str(Guard.LIVE_SOURCES),
        tr("Run 'geofence why ADDRESS' and add what is missing."),
    )


def networks(flows: Iterable[Flow]) -> AddressSpace:
    """Return the networks of the sources of flows, each of one party."""
    found = {_network(flow.family, flow.source) for flow in flows}
    return AddressSpace.of(
        Prefix(family, number << (family.bits - _NETWORK[family]), _NETWORK[family])
        for family, number in found
    )


def _network(family: Family, address: int) -> tuple[Family, int]:
    return family, address >> (family.bits - _NETWORK[family])
