"""``why``: the verdict on an address, now and after the next apply, and all that bears on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from geofence.errors import BackendError, ListError, StateError
from geofence.explain import (
    Answer,
    Explanation,
    Known,
    asns_of,
    countries_of,
    explain,
    explain_now,
    parts,
)
from geofence.fetch.dns import resolver
from geofence.flows.connections import Connections, connections
from geofence.flows.conntrack import read_flows
from geofence.flows.interfaces import with_interfaces
from geofence.merge import exception_space
from geofence.model.address import Address
from geofence.model.bans import Ban
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.policy import Policy, Ports, besides_loopback
from geofence.model.prefixes import AddressSpace, Family
from geofence.model.ruleset import Action
from geofence.operations.containing_lists import ContainingList, containing_lists
from geofence.operations.kernel_knowledge import (
    Membership,
    TurnedAway,
    element_of,
    memberships,
    turned_away,
)
from geofence.operations.lists import Watch, unwatched
from geofence.operations.runtime import BAN_KEYS
from geofence.operations.shield_status import shield_notes
from geofence.operations.site import Site
from geofence.operations.verdict_grounds import LIMITS, Grounds, gather_grounds
from geofence.policy.addresses import is_srv_name


class DropKind(StrEnum):
    """A way to drop the connections of an address."""

    REVOKE = "revoke"
    """'geofence revoke ``subject``'."""
    CUT = "cut"
    """'geofence ``subject`` --cut'."""
    BLOCKLIST = "blocklist"
    """A blocklist with the prefix ``subject``, then 'geofence apply --cut'."""


@dataclass(frozen=True, slots=True)
class DropMethod:
    """How to drop the connections of an address."""

    kind: DropKind
    subject: str


@dataclass(frozen=True, slots=True)
class BanOn:
    """A ban that an address is in."""

    ban: Ban
    packets: int | None = None
    """Packets that the kernel has dropped for it; None if it is not there, or cannot be read."""
    octets: int = 0


@dataclass(frozen=True, slots=True)
class WhyReport:
    """The result of ``why`` for one address."""

    countries: tuple[str, ...]
    """Codes of the countries whose lists have the address."""
    countries_at_hand: tuple[str, ...]
    """Codes of all countries with a list."""
    explanations: tuple[Explanation, ...]
    """Verdicts of the rules and lists on disk: those after the next run."""
    now: tuple[Answer, ...] | None = None
    """Verdicts of the kernel for the same ports; None if it could not be read."""
    next_run: str = "apply"
    """The verb that applies the rules and lists on disk."""
    connections: tuple[Connections, ...] = ()
    """Current ones from the address to fenced services."""
    ending: DropMethod | None = None
    """How to drop them; None where there are none."""
    notes: tuple[Note, ...] = ()
    asns: tuple[int, ...] = ()
    """AS numbers whose lists have the address."""
    atlas_country: str | None = None
    """Code of the country by the world index; None if it was not asked, or does not know."""
    lists: tuple[ContainingList, ...] = ()
    """Lists that contain the address."""
    bans: tuple[BanOn, ...] = ()
    """Bans that it is in, the one that ends last at the front."""
    turned_away: tuple[TurnedAway, ...] = ()
    """What the kernel has noted of it."""
    kernel: tuple[Membership, ...] = ()
    """Whether the kernel itself finds it in the sets that the verdicts ask."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """The result of ``why`` for a host name."""

    host: str
    exceptions: tuple[tuple[str, bool], ...]
    """Names of the exceptions that have this host name, and whether each is enabled."""
    answers: tuple[tuple[Address, WhyReport], ...]
    """For each of its addresses."""
    notes: tuple[Note, ...] = ()


def why(
    site: Site,
    source: Address,
    ports: tuple[Ports, ...],
    watch: Watch = unwatched,
) -> WhyReport:
    """Return the verdict on a new packet from an address now and after the next apply, and why.

    The kernel's own sets and rules tell what is so now (see ``gather_grounds`` for lists).

    Args:
        site: the installation.
        source: the address.
        ports: destination ports to ask for; none means every range of every service.
        watch: called with each event of fetching.
    """
    return answer(gather_grounds(site, watch), source, ports)


def _name_of(host: str, policy: Policy) -> ListId:
    """Return the list of a name; that of a SIP domain if exceptions have it only as such."""
    if is_srv_name(host):
        return ListId(ListKind.SRV, host)
    alone, domain = ListId(ListKind.HOST, host), ListId(ListKind.SIP, host)
    named = {name for each in policy.exceptions for name in each.names}
    return domain if domain in named and alone not in named else alone


def why_host(
    site: Site, host: str, ports: tuple[Ports, ...], watch: Watch = unwatched
) -> HostReport:
    """Return the verdicts on all addresses of a host name, or of the servers in SRV records.

    It is resolved as those of exceptions are; if DNS fails, its stored addresses count.

    Raises:
        ListError: there is no answer, or one that no exception may have, and none is stored.
    """
    ground = gather_grounds(site, watch)
    name = _name_of(host, ground.policy)
    notes: tuple[Note, ...] = ()
    try:
        found = resolver(name.kind)(host, LIMITS.resolve, within=ground.policy.within(name))
        addresses = [Address.parse(text) for text in found.addresses]
    except ListError as error:
        stored = ground.lists.get(name, AddressSpace())
        addresses = list(_addresses(stored))
        if not addresses:
            raise
        notes = (problem(error),)
    named = [(e.name, e.enabled) for e in ground.policy.exceptions if name in e.names]
    answers = tuple((address, answer(ground, address, ports)) for address in addresses)
    return HostReport(host, tuple(named), answers, notes)


def _addresses(space: AddressSpace) -> Iterator[Address]:
    """Yield the addresses of a host name, which has a few."""
    for family in Family:
        for first, past in space[family].intervals():
            yield from (Address(family, number) for number in range(first, past))


def answer(ground: Grounds, source: Address, ports: tuple[Ports, ...]) -> WhyReport:
    """Return the verdicts on an address; where the kernel contradicts itself, read it again."""
    report = _report(ground, source, ports)
    if all(each.tested is each.listed for each in report.kernel):
        return report
    return _report(ground.read_again(), source, ports)  # a set may just have changed


def _report(ground: Grounds, source: Address, ports: tuple[Ports, ...]) -> WhyReport:
    policy, lists, kernel = ground.policy, ground.lists, ground.kernel
    services = ground.services
    countries = countries_of(lists, source)
    atlas_country, atlas_notes = (None, ()) if countries else _by_atlas(ground.site, source)
    bans = _bans(ground, source)
    known = Known(bans, atlas_country)
    everything = (each for service in services for each in service.ports)
    asked = parts(ports or dict.fromkeys(everything), services)
    then = tuple(
        explain(policy, lists, ground.desired, source, each, known=known) for each in asked
    )
    now = tuple(explain_now(kernel.fences, source, each.ports, each) for each in then)
    live, unseen = _connections(ground, source)
    seen, unread = _in_kernel(ground, source, (*then, *now), bans)
    return WhyReport(
        countries=countries,
        countries_at_hand=tuple(i.name for i in lists if i.kind is ListKind.COUNTRY),
        asns=asns_of(lists, source),
        explanations=then,
        now=None if kernel.unread else now,
        next_run=ground.next_run,
        connections=live,
        ending=_ending(policy, lists, source, then, ground.next_run) if live else None,
        atlas_country=atlas_country,
        lists=containing_lists(policy, lists, ground.ages, source),
        bans=seen.bans,
        turned_away=seen.turned_away,
        kernel=seen.memberships,
        notes=(
            *ground.notes,
            *_by_interface(policy, then),
            *ground.kernel_notes(),
            *atlas_notes,
            *unseen,
            *unread,
            *(_drift(each, source) for each in seen.memberships if not each.agrees),
            *_shield(ground, source),
        ),
    )


def _shield(ground: Grounds, source: Address) -> tuple[Note, ...]:
    """Return a note if the shield drops packets of the address before the fence sees them."""
    try:
        return shield_notes(ground.site, ground.policy, source)
    except (BackendError, StateError) as error:
        return (problem(error),)


def _bans(ground: Grounds, source: Address) -> tuple[Ban, ...]:
    """Return the bans that an address is in, the one that ends last at the front."""
    found = (
        ban
        for ban in ground.bans
        if ban.prefix.family is source.family
        and ban.prefix.network <= source.number < ban.prefix.past
    )
    ordered = sorted(found, key=lambda ban: (ban.until is None, ban.until, ban.prefix))
    return tuple(reversed(ordered))


def _by_atlas(site: Site, source: Address) -> tuple[str | None, tuple[Note, ...]]:
    """Return the country of an address by the world index, if there is one."""
    from geofence.state.atlas import open_atlas

    try:
        atlas = open_atlas(site.state_directory)
        return (atlas.country(source.family, source.number) if atlas else None), ()
    except StateError as error:
        return None, (problem(error),)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the kernel itself knows."""

    memberships: tuple[Membership, ...] = ()
    bans: tuple[BanOn, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()


def _in_kernel(
    ground: Grounds,
    source: Address,
    verdicts: Iterable[Explanation | Answer],
    bans: tuple[Ban, ...],
) -> tuple[_Seen, tuple[Note, ...]]:
    """Return what the kernel itself knows of an address; a note if it does not tell."""
    held = ground.kernel.held
    steps = [step for verdict in verdicts for step in verdict.steps]
    try:
        found = memberships(held, steps, source, ground.expected)
        key = next(key for key in BAN_KEYS if key.family is source.family)
        counted = [element_of(backend, key, source) for backend, _ in held] if bans else []
        element = next(filter(None, counted), None)
        packets, octets = (element.packets, element.octets) if element else (None, 0)
        banned = tuple(BanOn(ban, packets, octets) for ban in bans)
        return _Seen(found, banned, turned_away(held, source)), ()
    except BackendError as error:
        return _Seen(bans=tuple(map(BanOn, bans))), (problem(error),)


def _drift(found: Membership, source: Address) -> Note:
    """Return a note on a set that does not hold what it should, or that the kernel lists wrong."""
    differs = found.expected is not None and found.expected is not found.tested
    return Note(
        NoteKind.MEMBERSHIP_DRIFT if differs else NoteKind.MEMBERSHIP_UNCLEAR,
        found.key.name,
        {"address": str(source), "backend": found.backend, "in_kernel": found.tested},
    )


def _connections(
    ground: Grounds, source: Address
) -> tuple[tuple[Connections, ...], tuple[Note, ...]]:
    """Return the current connections of the address; a note if they could not be read."""
    kernel = ground.kernel
    if kernel.unread:
        return (), ()
    try:
        flows = [flow for flow in read_flows() if Address(flow.family, flow.source) == source]
        if not flows:
            return (), ()
        rulesets = (*(fence.ruleset for fence in kernel.fences), ground.desired)
        found = with_interfaces(flows, *rulesets)
        return connections(found, ground.services, kernel.fences), ()
    except BackendError as error:
        return (), (Note(NoteKind.CONNECTIONS_UNREAD, "", {"message": str(error)}),)


def _ending(
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    source: Address,
    then: Iterable[Explanation],
    changing: str,
) -> DropMethod:
    """Return how to drop the address's connections."""
    for exception in policy.enabled_exceptions():
        if source.is_in(exception_space(exception, lists)):
            return DropMethod(DropKind.REVOKE, exception.name)
    if not any(each.service and each.action is Action.PASS for each in then):
        return DropMethod(DropKind.CUT, changing)
    return DropMethod(DropKind.BLOCKLIST, f"{source}/{source.family.bits}")


def _by_interface(policy: Policy, found: Iterable[Explanation]) -> tuple[Note, ...]:
    """Return a note that a blocked address is allowed from trusted interfaces."""
    trusted = list(besides_loopback(policy.interfaces))
    if not trusted or all(each.action is Action.PASS for each in found):
        return ()
    return (Note(NoteKind.ALLOWED_BY_INTERFACE, "", {"interfaces": trusted}),)
