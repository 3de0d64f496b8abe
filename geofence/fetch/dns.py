"""Host names to addresses, by the resolver that all programs of this host use."""

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
from geofence.model.prefixes import Family

Lookup = Callable[[str, int], list[tuple[Any, ...]]]
"""What ``getaddrinfo`` gives for a host and an address family."""

_NO_ADDRESS = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})

_UNSPECIFIED = netaddr.IPNetwork("0.0.0.0/8")
_RESERVED = netaddr.IPNetwork("240.0.0.0/4")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a host name stands for now; None for a family of which DNS could not tell."""

    ipv4: tuple[str, ...] | None
    ipv6: tuple[str, ...] | None


def system_lookup(host: str, family: int) -> list[tuple[Any, ...]]:
    """Ask the C library, which reads ``/etc/hosts`` and asks DNS as this host is told to.

    Raises:
        OSError: it has no answer (``socket.gaierror``).
        UnicodeError: the name cannot be a host's.
    """
    return list(socket.getaddrinfo(host, None, family, socket.SOCK_STREAM))


def resolve(host: str, seconds: float, lookup: Lookup = system_lookup) -> Resolution:
    """The addresses of a host.

    The C library cannot be interrupted, and may wait long for a dead name server; so it is asked
    in a thread of its own, which is left behind if it does not answer in time.

    Args:
        host: the name.
        seconds: how long to wait.
        lookup: whom to ask.

    Raises:
        ListError: there is no answer, no address, or one that no distant host can have (loopback,
            unspecified, multicast, link-local or reserved: what name servers that block names
            answer, and what must not become an exception). Private addresses are taken: an
            exception may well be a host of the operator's own network.
    """
    answers: SimpleQueue[Resolution | ListError] = SimpleQueue()

    def ask() -> None:
        answers.put(_asked(host, lookup))

    start(threading.Thread(target=ask, name=f"dns {host}", daemon=True))
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise ListError(f"DNS gave no answer for {host} within {seconds:g} seconds.") from None
    if isinstance(answer, ListError):
        raise answer
    for address in (*(answer.ipv4 or ()), *(answer.ipv6 or ())):
        _require_distant(host, address)
    return answer


def _asked(host: str, lookup: Lookup) -> Resolution | ListError:
    """Both families; one that cannot be told now does not hide the other."""
    found: dict[Family, tuple[str, ...] | None] = {}
    why = ""
    for family in Family:
        try:
            rows = lookup(host, family.socket_family)
        except socket.gaierror as error:
            none_there = error.errno in _NO_ADDRESS
            found[family] = () if none_there else None
            why = why if none_there else f" ({error.strerror})"
        except (OSError, UnicodeError):
            return ListError(f"{host} cannot be looked up in DNS; is the name right?")
        else:
            found[family] = tuple(sorted({str(row[4][0]) for row in rows}))
    if not any(found.values()):
        return ListError(_no_address(host, why))
    return Resolution(found[Family.IPV4], found[Family.IPV6])


def _no_address(host: str, why: str) -> str:
    if why:
        return f"DNS could not tell the addresses of {host}{why}."
    return f"DNS knows no address of {host}; is the name right?"


def _require_distant(host: str, text: str) -> None:
    address = netaddr.IPAddress(text.partition("%")[0])
    for kind, is_it in (
        ("an unspecified", address in _UNSPECIFIED or address.value == 0),
        ("a loopback", address.is_loopback()),
        ("a multicast", address.is_multicast()),
        ("a link-local", address.is_link_local()),
        ("a reserved", address in _RESERVED or address.is_ipv4_mapped()),
    ):
        if is_it:
            raise ListError(f"DNS says that {host} is {text}, {kind} address; it is not used.")
