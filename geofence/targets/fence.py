"""What a target fences, in no engine's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family, Prefix, PrefixSet
from geofence.model.ruleset import Role, Ruleset, SetKey
from geofence.model.target import Target
from geofence.targets.ports import ports_of, without_ports

_LONGEST_NAME = 30


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """The ports of one service."""

    name: str
    ports: tuple[Ports, ...]
    """Ascending, neither overlapping nor touching; none that a service before it has."""


@dataclass(frozen=True, slots=True)
class FenceGroup:
    """Services of equal policy, which share their sets.

    A new connection from outside passes if its source is excepted; otherwise not if it is banned;
    otherwise if it is allowed. Where the group is only observed, everything passes.
    """

    services: tuple[ServicePorts, ...]
    """In the order of the rules; at least one."""
    excepted: AddressSpace = field(default_factory=AddressSpace)
    """Named exceptions, those for a time, too."""
    banned: AddressSpace = field(default_factory=AddressSpace)
    """Bans and nothing that is excepted."""
    allowed: AddressSpace = field(default_factory=AddressSpace)
    """Countries less blocklists, and nothing that is banned."""
    observe: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its services."""
        return tuple(service.name for service in self.services)

    @property
    def ports(self) -> tuple[Ports, ...]:
        """The ports of all its services: ascending, neither overlapping nor touching."""
        return ports_of(each for service in self.services for each in service.ports)

    @property
    def open(self) -> AddressSpace:
        """Sources of new connections that pass, where it is not only observed."""
        return self.allowed | self.excepted

    @property
    def name(self) -> str:
        """A name of these services, unlike that of any others; for names and values of labels."""
        name = ".".join(self.names)
        return name if len(name) <= _LONGEST_NAME else f"{self.names[0][:20]}-{_digest(name)}"

    @property
    def digest(self) -> str:
        """Eight digits for these services with these ports, for sets that must serve no others.

        Sets change one object at a time. One that old and new rules of other ports share would be
        open by the old rules to what is new in it.
        """
        return _digest(repr([(each.name, *map(str, each.ports)) for each in self.services]))


@dataclass(frozen=True, slots=True)
class ClusterFence:
    """All that a target fences; whatever is for no port of it passes."""

    groups: tuple[FenceGroup, ...] = ()
    """In the order of their first services; their ports are disjoint."""

    def group_for(self, protocol: str, port: int | None) -> FenceGroup | None:
        """Return the group that decides packets to a port; None for a port that is not fenced."""
        if port is None:
            return None
        for group in self.groups:
            if any(each.protocol == protocol and port in each for each in group.ports):
                return group
        return None

    def opens(self, family: Family, protocol: str, source: int, port: int | None) -> bool:
        """Whether a new connection from outside passes."""
        group = self.group_for(protocol, port)
        if group is None or group.observe or source in group.excepted[family]:
            return True
        return source in group.allowed[family] and source not in group.banned[family]


def cluster_fence(ruleset: Ruleset, target: Target) -> ClusterFence:
    """Return what a target fences.

    Args:
        ruleset: of all rules. ``runtime`` has the bans and what is allowed until a time, see
            ``with_runtime``.
        target: which of the services are fenced.
    """
    groups: dict[tuple[AddressSpace, AddressSpace, AddressSpace, bool], FenceGroup] = {}
    taken: tuple[Ports, ...] = ()
    bans = _held(ruleset, Role.BAN, "")
    for service in ruleset.services:
        if not target.fences(service.name):
            continue
        ports = without_ports(ports_of(service.ports), taken)
        if not ports:
            continue
        taken = ports_of((*taken, *ports))
        excepted = _held(ruleset, Role.EXCEPTION, service.name) | _held(
            ruleset, Role.TIMED, service.name
        )
        banned = bans.without(excepted)
        allowed = _held(ruleset, Role.ALLOW, service.allow_group).without(banned)
        key = (excepted, banned, allowed, service.observe)
        known = groups.get(key) or FenceGroup((), *key)
        groups[key] = replace(known, services=(*known.services, ServicePorts(service.name, ports)))
    return ClusterFence(tuple(groups.values()))


def with_runtime(
    ruleset: Ruleset, bans: Iterable[Prefix], timed: Mapping[SetKey, Iterable[Prefix]]
) -> Ruleset:
    """Return a ruleset whose runtime sets hold bans, and what is allowed until a time.

    Args:
        ruleset: of all rules.
        bans: those that last.
        timed: prefixes that are allowed now, by the sets that have them (see ``timed_prefixes``).
    """
    banned = AddressSpace.of(bans)
    runtime = {SetKey(Role.BAN, "", family): banned[family] for family in Family}
    for key, prefixes in timed.items():
        runtime[key] = PrefixSet.of(key.family, prefixes)
    return replace(ruleset, runtime=runtime)


def unfenced_ports(fence: ClusterFence) -> tuple[Ports, ...]:
    """Return the ports of UDP and TCP that everybody may reach: all but those that are fenced."""
    fenced = [each for group in fence.groups if not group.observe for each in group.ports]
    every = (Ports(protocol, 1, 65_535) for protocol in Protocol)
    return without_ports(ports_of(every), fenced)


def _held(ruleset: Ruleset, role: Role, group: str) -> AddressSpace:
    return AddressSpace(*(ruleset.held(SetKey(role, group, family)) for family in Family))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
