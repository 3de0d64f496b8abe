"""Would the plan shut out whoever applies it, or those who are talking now?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address

from geofence.flows.flow import Flow
from geofence.flows.impact import by_source, impact
from geofence.guards.objection import Guard, Objection
from geofence.model.prefixes import AddressSpace, Family, Prefix, address_text
from geofence.model.ruleset import Action, Ruleset
from geofence.verdict import Packet, decide

FEWEST_DENIED = 3
"""Networks below which "most of them" says little."""
MOST_DENIED = 50.0
"""Percent of the networks with live sources that a plan may deny."""
_NETWORK = {Family.IPV4: 24, Family.IPV6: 48}
"""Length of the prefix that one party has; so whoever has many addresses has one vote."""
_NAMED = 5
"""Sources that one sentence names."""


@dataclass(frozen=True, slots=True)
class SshSession:
    """The SSH session that geofence was started from."""

    family: Family
    source: int
    """The client's address."""
    port: int
    """The server's port."""
    interface: str = ""
    """By which the client is reached; empty where that is not known."""

    @classmethod
    def parse(cls, connection: str) -> SshSession | None:
        """From ``SSH_CONNECTION``, "client port server port" (sshd's manual page, ssh(1)).

        None for what names no addresses: sshd writes ``UNKNOWN`` where it has no peer.
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
        """The packet that would open the session anew."""
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
    """What speaks against a plan for the sake of those whom it would deny.

    Who could not get in before is no reason to object: the plan does not change it.

    Args:
        before: what the kernel holds now; None for no fence.
        after: what it would hold.
        ssh: the session that geofence was started from, if any.
        flows: as the kernel knows them.
        blocked: whom blocklists deny.
        unfenced: families of which everybody gets in now, whatever ``before`` says: it may be the
            ruleset of a fence that is down.
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
        f"The plan would deny {ssh}, from where this SSH session comes, on port {ssh.port}/tcp"
        f"{f' (service {service.name})' if service else ''}.",
        "Nothing may be applied that shuts out whoever applies it.",
        str(Guard.SSH),
        f"Let {ssh} in by an exception or [local], or leave port {ssh.port}/tcp unfenced",
    )


def _placed(ssh: SshSession | None, flows: Sequence[Flow]) -> SshSession | None:
    """The session with its interface, as its flow tells it."""
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
    """Whom a blocklist holds is denied on purpose, and has no vote."""
    voting = [flow for flow in flows if flow.source not in blocked[flow.family]]
    found = impact(before, after, voting)
    denied = by_source(found.denied_live)
    parties = {_network(source.family, source.address) for source in denied}
    talking = {_network(*source) for source in found.sources}
    if len(parties) < FEWEST_DENIED or 100 * len(parties) <= MOST_DENIED * len(talking):
        return
    named = ", ".join(str(source) for source in denied[:_NAMED])
    more = f" and {len(denied) - _NAMED} more" if len(denied) > _NAMED else ""
    yield Objection(
        Guard.LIVE_SOURCES,
        "live flows",
        f"The plan would deny {len(denied)} of the {found.talking} sources that now talk to the "
        f"fenced ports ({len(parties)} of {len(talking)} networks): {named}{more}.",
        f"It may deny {MOST_DENIED:.0f} % of the networks; more is most likely a country or an "
        "exception that is missing, unless they are attackers.",
        str(Guard.LIVE_SOURCES),
        "Ask 'geofence why ADDRESS' and add what is missing",
    )


def networks(flows: Iterable[Flow]) -> AddressSpace:
    """The networks of the sources of flows, each of one party."""
    found = {_network(flow.family, flow.source) for flow in flows}
    return AddressSpace.of(
        Prefix(family, number << (family.bits - _NETWORK[family]), _NETWORK[family])
        for family, number in found
    )


def _network(family: Family, address: int) -> tuple[Family, int]:
    return family, address >> (family.bits - _NETWORK[family])
