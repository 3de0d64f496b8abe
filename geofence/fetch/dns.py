"""The addresses of host names and of SRV records, and which answers are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from socket import inet_ntop, inet_pton
from time import monotonic

import netaddr

from geofence.errors import ListError
from geofence.fetch.questions import ask_system
from geofence.fetch.records import ADDRESS_TYPES, Ask, Records, RecordType
from geofence.geoip.scopes import PRIVATE_NETWORKS
from geofence.model.frozen import dataclass, replace
from geofence.model.lists import MOST_ADDRESSES, ListKind
from geofence.model.prefixes import AddressSpace, Family
from geofence.policy.addresses import SIP_SERVICES, host_name
from geofence.policy.mistakes import Mistake
from geofence.spelling import quoted
from geofence.translation import tr

MOST_SERVERS = 16
"""Servers that the SRV records of one name may name; providers have a handful."""

_LOCAL_NAMES = frozenset(
    (
        *("corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private"),
        *("arpa", "example", "invalid", "localhost", "test"),
    )
)
"""Last labels of names that are not in the public DNS (RFC 6761, RFC 6762, ICANN's ``internal``,
and those of home routers); neither is a name without a dot."""
_PRIVATE = tuple(netaddr.IPNetwork(str(each)) for each in PRIVATE_NETWORKS)

_UNSPECIFIED = netaddr.IPNetwork("0.0.0.0/8")
_RESERVED = netaddr.IPNetwork("240.0.0.0/4")


_Answer = tuple[Family, Records]
"""The addresses of one family that one host has."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The addresses of a name, each family sorted."""

    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    unknown: frozenset[Family] = frozenset()
    """Families of which DNS could not tell all addresses."""
    ttl: int | None = None
    """Seconds for which the whole answer holds; None if it is not from DNS."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, IPv4 first."""
        return (*self.ipv4, *self.ipv6)


def resolve(
    host: str, seconds: float, ask: Ask = ask_system, within: AddressSpace | None = None
) -> Resolution:
    """Return the addresses of a host.

    Args:
        host: the name.
        seconds: how long all questions may take together.
        ask: asks one question.
        within: all addresses that the name may have; None for any public address, and for a local
            name any private one.

    Raises:
        ListError: there is no answer, no address, too many, or one that must not become an
            exception: one that no distant host can have (loopback, unspecified, multicast,
            link-local or reserved: what name servers that block names answer), one outside
            ``within``, or, without that, a private one of a public name (DNS rebinding).
    """
    deadline = monotonic() + seconds
    answers = _of_host(host, deadline, ask)
    _check(host, answers, within)
    found = _resolution(answers.values(), answers.items())
    if not found.addresses:
        raise ListError(_no_address(host, answers.values(), _services(host, deadline, ask)))
    return found


def resolve_srv(
    name: str, seconds: float, ask: Ask = ask_system, within: AddressSpace | None = None
) -> Resolution:
    """Return the addresses of all servers that the SRV records of a name give.

    Args:
        name: such as ``_sips._tcp.provider.example``.
        seconds: how long all questions may take together.
        ask: asks one question.
        within: as for ``resolve``.

    Raises:
        ListError: there is no answer, no server, too many, or one that no public name may give;
            or no address, too many, or one that must not become an exception (see ``resolve``).
    """
    deadline = monotonic() + seconds
    records = ask(name, RecordType.SRV, seconds)
    answers: list[_Answer] = []
    for server in _servers(name, records):
        answered = _of_host(server, deadline, ask)
        _check(server, answered, within)
        answers += answered.items()
    found = _resolution([records, *(each for _, each in answers)], answers)
    _require_few(name, found.addresses)
    if not found.addresses:
        raise ListError(_no_address(name, (each for _, each in answers)))
    return found


def resolve_sip(
    domain: str, seconds: float, ask: Ask = ask_system, within: AddressSpace | None = None
) -> Resolution:
    """Return the addresses of all hosts that SIP software may find for a domain (RFC 3263).

    These are the servers of its SRV records, of which it may have some, all or none, and the host
    of that name.

    Args:
        domain: such as ``provider.example``.
        seconds: how long all questions may take together.
        ask: asks one question.
        within: as for ``resolve``.

    Raises:
        ListError: as for ``resolve_srv``, but only if all of these have no address.
    """
    deadline = monotonic() + seconds
    names = [f"{service}.{domain}" for service in SIP_SERVICES]
    records = [_asked_in_time(name, deadline, ask) for name in names]
    servers = [
        server
        for name, each in zip(names, records, strict=True)
        for server in _listed_servers(name, each)
    ]
    answers: list[_Answer] = []
    for host in dict.fromkeys((domain, *servers)):
        answered = _of_host(host, deadline, ask)
        _check(host, answered, within)
        answers += answered.items()
    found = _resolution([*records, *(each for _, each in answers)], answers)
    _require_few(domain, found.addresses)
    if not found.addresses:
        raise ListError(_no_address(domain, (*records, *(each for _, each in answers))))
    if any(each.failure for each in records):
        return replace(found, unknown=frozenset(Family))
    return found


def resolver(kind: ListKind) -> Callable[..., Resolution]:
    """Return the function that resolves names of a kind."""
    return {ListKind.SRV: resolve_srv, ListKind.SIP: resolve_sip}.get(kind, resolve)


def _asked_in_time(name: str, deadline: float, ask: Ask) -> Records:
    return ask(name, RecordType.SRV, max(0.0, deadline - monotonic()) / 2)


def _of_host(host: str, deadline: float, ask: Ask) -> dict[Family, Records]:
    """Ask for both families; the failure of one does not hide the other."""
    found: dict[Family, Records] = {}
    for left, (family, wanted) in zip((2, 1), ADDRESS_TYPES.items(), strict=True):
        found[family] = ask(host, wanted, max(0.0, deadline - monotonic()) / left)
    return found


def _check(host: str, answers: dict[Family, Records], within: AddressSpace | None) -> None:
    """Check the addresses of one host.

    Raises:
        ListError: one must not become an exception, or they are too many.
    """
    addresses = [text for records in answers.values() for text in records.texts]
    _require_few(host, addresses)
    for address in addresses:
        _require_distant(host, address)
        _require_expected(host, address, within)


def _require_few(name: str, addresses: Iterable[str]) -> None:
    number = len(set(addresses))
    if number > MOST_ADDRESSES:
        raise ListError(
            tr(
                "DNS gives {count} addresses for {host}, but one name may add at most {most} to an "
                "exception; none of them is used.",
                count=f"{number:,}",
                host=name,
                most=MOST_ADDRESSES,
            )
        )


def _resolution(everything: Iterable[Records], answers: Iterable[_Answer]) -> Resolution:
    """Return what answers say together.

    Args:
        everything: all records on the way, whose times to live count.
        answers: records of addresses.
    """
    pairs = tuple(answers)
    ttls = [records.ttl for records in everything if records.ttl is not None]
    return Resolution(
        _sorted(Family.IPV4, pairs),
        _sorted(Family.IPV6, pairs),
        frozenset(family for family, records in pairs if records.failure),
        min(ttls, default=None),
    )


def _sorted(family: Family, answers: Iterable[_Answer]) -> tuple[str, ...]:
    """Return the addresses of one family in their usual form, each once."""
    form = family.socket_family
    found = (text for each, records in answers if each is family for text in records.texts)
    return tuple(sorted({inet_ntop(form, inet_pton(form, text)) for text in found}))


def _servers(name: str, records: Records) -> tuple[str, ...]:
    """Return the servers that SRV records give.

    Raises:
        ListError: there is none, they are too many, or one is not valid.
    """
    if records.failure:
        raise ListError(_failed(name, records.failure))
    if not records.texts:
        raise ListError(tr("DNS has no SRV record for {name}. Is the name correct?", name=name))
    servers = _listed_servers(name, records)
    if not servers:
        raise ListError(
            tr("The SRV record of {name} says that there is no such service.", name=name)
        )
    return servers


def _listed_servers(name: str, records: Records) -> tuple[str, ...]:
    """Return the servers that SRV records give; none for none.

    Raises:
        ListError: they are too many, or one is not valid.
    """
    servers = tuple(dict.fromkeys(each for each in records.texts if each))
    if len(servers) > MOST_SERVERS:
        raise ListError(
            tr(
                "The SRV records of {name} give {count} servers, but at most {most} are allowed; "
                "none of them is used.",
                name=name,
                count=f"{len(servers):,}",
                most=MOST_SERVERS,
            )
        )
    for server in servers:
        _require_server(name, server)
    return servers


def _require_server(name: str, server: str) -> None:
    try:
        valid = host_name(server) == server
    except Mistake:
        valid = False
    if not valid:
        raise ListError(
            tr(
                "The SRV records of {name} give the server {server}, which is not a valid host "
                "name; they are not used.",
                name=name,
                server=quoted(server),
            )
        )
    if _is_public(name) and not _is_public(server):
        raise ListError(
            tr(
                "The SRV records of {name} give the server {server}, which is a local name "
                "although the first is public; they are not used.",
                name=name,
                server=quoted(server),
            )
        )


def _failed(name: str, reason: str) -> str:
    return tr("The DNS lookup of {host} failed ({reason}).", host=name, reason=reason)


def _no_address(name: str, answers: Iterable[Records], services: tuple[str, ...] = ()) -> str:
    reason = next((each.failure for each in answers if each.failure), "")
    if reason:
        return _failed(name, reason)
    if services:
        return tr(
            "DNS has no address for {host}, but SRV records. Write {rule} instead of the host "
            "name.",
            host=name,
            rule=f"srv = [{', '.join(map(quoted, services))}]",
        )
    return tr("DNS has no address for {host}. Is the name correct?", host=name)


def _services(host: str, deadline: float, ask: Ask) -> tuple[str, ...]:
    """Return the names with SRV records for SIP that were perhaps meant by a host name."""
    below = (f"{service}.{host}" for service in SIP_SERVICES)
    names = (host,) if host.startswith("_") else below
    return tuple(
        name
        for name in names
        if any(ask(name, RecordType.SRV, max(0.0, deadline - monotonic())).texts)
    )


def _require_distant(host: str, text: str) -> None:
    address = netaddr.IPAddress(text.partition("%")[0])
    for kind, is_it in (
        (tr("an unspecified address"), address in _UNSPECIFIED or address.value == 0),
        (tr("a loopback address"), address.is_loopback()),
        (tr("a multicast address"), address.is_multicast()),
        (tr("a link-local address"), address.is_link_local()),
        (tr("a reserved address"), address in _RESERVED or address.is_ipv4_mapped()),
    ):
        if is_it:
            raise ListError(
                tr(
                    "DNS gives {address} for {host}, which is {kind}; it is not used.",
                    address=text,
                    host=host,
                    kind=kind,
                )
            )


def _require_expected(host: str, text: str, within: AddressSpace | None) -> None:
    address = netaddr.IPAddress(text.partition("%")[0])
    family = Family.IPV4 if address.version == 4 else Family.IPV6  # noqa: PLR2004 - IPv4
    if within is not None:
        if address.value not in within[family]:
            raise ListError(
                tr(
                    'DNS gives {address} for {host}, which is outside "within" of its exception; '
                    "it is not used. If the host has moved permanently, add its network there.",
                    address=text,
                    host=host,
                )
            )
        return
    if _is_public(host) and any(address in network for network in _PRIVATE):
        raise ListError(
            tr(
                "DNS gives {address} for {host}, which is a private address although the name is "
                "public; it is not used. If that is correct, add {rule} to its exception.",
                address=text,
                host=host,
                rule=f'within = ["{text}"]',
            )
        )


def _is_public(host: str) -> bool:
    """Whether a name is in the public DNS, which must not lead into a local network."""
    _, dot, last = host.rpartition(".")
    return bool(dot) and last not in _LOCAL_NAMES
