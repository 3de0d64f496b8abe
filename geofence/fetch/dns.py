"""DNS lookups with the resolver that all programs on this host use."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import netaddr

from geofence.errors import ListError
from geofence.fetch.threads import start
from geofence.model.prefixes import AddressSpace, Family
from geofence.translation import tr

Lookup = Callable[[str, int], list[tuple[Any, ...]]]
"""Returns what ``getaddrinfo`` does for a host and an address family."""

_NO_ADDRESS = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})

MOST_ADDRESSES = 64
"""Of one host name in both families together; pools of real providers have a few dozen at most."""

_LOCAL_NAMES = frozenset(
    (
        *("corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private"),
        *("arpa", "example", "invalid", "localhost", "test"),
    )
)
"""Last labels of names that are not in the public DNS (RFC 6761, RFC 6762, ICANN's ``internal``,
and those of home routers); neither is a name without a dot."""
_PRIVATE = tuple(
    map(
        netaddr.IPNetwork,
        ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    )
)

_UNSPECIFIED = netaddr.IPNetwork("0.0.0.0/8")
_RESERVED = netaddr.IPNetwork("240.0.0.0/4")


@dataclass(frozen=True, slots=True)
class Resolution:
    """The addresses of a host name; None for a family that DNS could not tell."""

    ipv4: tuple[str, ...] | None
    ipv6: tuple[str, ...] | None


def system_lookup(host: str, family: int) -> list[tuple[Any, ...]]:
    """Ask the C library, which reads ``/etc/hosts`` and asks DNS as this host is told to.

    Raises:
        OSError: it has no answer (``socket.gaierror``).
        UnicodeError: the name is not valid for a host.
    """
    return list(socket.getaddrinfo(host, None, family, socket.SOCK_STREAM))


def resolve(
    host: str,
    seconds: float,
    lookup: Lookup = system_lookup,
    within: AddressSpace | None = None,
) -> Resolution:
    """Return the addresses of a host.

    The C library cannot be interrupted, and may wait long for a dead name server; so it is called
    in a thread of its own, which is abandoned if it does not answer in time.

    Args:
        host: the name.
        seconds: how long to wait.
        lookup: does the lookup.
        within: all addresses that the name may have; None for any public address, and for a local
            name any private one.

    Raises:
        ListError: there is no answer, no address, too many, or one that must not become an
            exception: one that no distant host can have (loopback, unspecified, multicast,
            link-local or reserved: what name servers that block names answer), one outside
            ``within``, or, without that, a private one of a public name (DNS rebinding).
    """
    answer = _in_time(host, seconds, lookup)
    addresses = (*(answer.ipv4 or ()), *(answer.ipv6 or ()))
    if len(addresses) > MOST_ADDRESSES:
        raise ListError(
            tr(
                "DNS gives {count} addresses for {host}, but one name may add at most {most} to an "
                "exception; none of them is used.",
                count=f"{len(addresses):,}",
                host=host,
                most=MOST_ADDRESSES,
            )
        )
    for address in addresses:
        _require_distant(host, address)
        _require_expected(host, address, within)
    return answer


def _in_time(host: str, seconds: float, lookup: Lookup) -> Resolution:
    """Look a host up in a thread of its own.

    Raises:
        ListError: there is no answer within the seconds, or no address.
    """
    answers: SimpleQueue[Resolution | ListError] = SimpleQueue()

    def ask() -> None:
        answers.put(_asked(host, lookup))

    start(threading.Thread(target=ask, name=f"dns {host}", daemon=True))
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise ListError(
            tr(
                "DNS gave no answer for {host} within {seconds} seconds.",
                host=host,
                seconds=f"{seconds:g}",
            )
        ) from None
    if isinstance(answer, ListError):
        raise answer
    return answer


def _asked(host: str, lookup: Lookup) -> Resolution | ListError:
    """Look up both families; the failure of one does not hide the other."""
    found: dict[Family, tuple[str, ...] | None] = {}
    why = ""
    for family in Family:
        try:
            rows = lookup(host, family.socket_family)
        except socket.gaierror as error:
            none_there = error.errno in _NO_ADDRESS
            found[family] = () if none_there else None
            why = why if none_there else error.strerror or str(error.errno)
        except (OSError, UnicodeError):
            return ListError(
                tr("{host} cannot be looked up in DNS. Is the name correct?", host=host)
            )
        else:
            found[family] = tuple(sorted({str(row[4][0]) for row in rows}))
    if not any(found.values()):
        return ListError(_no_address(host, why))
    return Resolution(found[Family.IPV4], found[Family.IPV6])


def _no_address(host: str, why: str) -> str:
    if why:
        return tr("The DNS lookup of {host} failed ({reason}).", host=host, reason=why)
    return tr("DNS has no address for {host}. Is the name correct?", host=host)


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
