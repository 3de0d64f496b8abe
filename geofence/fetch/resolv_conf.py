"""The files by which this host resolves names: ``/etc/hosts`` and ``/etc/resolv.conf``. Pure."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from geofence.model.frozen import dataclass
from geofence.model.prefixes import Family

_LOCAL_SERVER = "127.0.0.1"
"""Asked where no name server is configured, as the C library does (resolv.conf(5))."""
_MOST_SERVERS = 3
"""The C library reads no more (``MAXNS``)."""
_MOST_DOTS = 15
_SECONDS = 3.0
_MOST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ResolverConfig:
    """What ``/etc/resolv.conf`` says."""

    servers: tuple[str, ...] = (_LOCAL_SERVER,)
    """Addresses of name servers."""
    search: tuple[str, ...] = ()
    """Domains to search, without a dot at their end."""
    dots: int = 1
    """A name with fewer dots is searched for in these domains."""
    seconds: float = _SECONDS
    """How long to wait for one server before the next is asked."""
    rotate: bool = False
    """Whether servers take turns."""


def read_config(text: str) -> ResolverConfig:
    """Return what the text of ``/etc/resolv.conf`` says; lines that are not valid are ignored."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for word, *rest in _words(text, "#;"):
        if word == "nameserver" and rest and _is_address(rest[0]):
            servers.append(rest[0])
        elif word in ("search", "domain"):
            search = tuple(each.strip(".").lower() for each in rest if each.strip("."))
        elif word == "options":
            options += rest
    return ResolverConfig(
        tuple(servers[:_MOST_SERVERS]) or (_LOCAL_SERVER,),
        search,
        min(int(_option(options, "ndots", 1)), _MOST_DOTS),
        min(max(1.0, _option(options, "timeout", _SECONDS)), _MOST_SECONDS),
        "rotate" in options,
    )


def names_to_ask(name: str, config: ResolverConfig) -> tuple[str, ...]:
    """Return the full names to ask DNS for, in order.

    A name with a dot is asked for as it is written. Only if that name does not exist, and the
    configuration demands more dots, are the search domains tried. So no search domain can take the
    place of a public name.
    """
    dots = name.count(".")
    searched = tuple(f"{name}.{domain}" for domain in config.search)
    if dots >= config.dots:
        return (name,)
    return (name, *searched) if dots else (*searched, name)


def hosts_addresses(text: str, name: str) -> dict[Family, tuple[str, ...]]:
    """Return the addresses of a name in the text of ``/etc/hosts``."""
    found: dict[Family, list[str]] = {family: [] for family in Family}
    # Lists of advertisers, which some hosts have there, are long.
    lines = (line for line in text.lower().splitlines() if name in line)
    for address, *names in _words("\n".join(lines), "#"):
        family = next((each for each in Family if _packed(each, address)), None)
        if family and name in (each.removesuffix(".") for each in names):
            found[family].append(address)
    return {family: tuple(addresses) for family, addresses in found.items()}


def _words(text: str, comments: str) -> Iterator[list[str]]:
    """Yield the words of each line that has some, without comments."""
    for line in text.splitlines():
        for mark in comments:
            line = line.partition(mark)[0]  # noqa: PLW2901 - what is left of it
        words = line.split()
        if words:
            yield words


def _option(options: list[str], key: str, default: float) -> float:
    """Return the number of an option such as ``ndots:2``; the last one counts."""
    for option in reversed(options):
        name, _, number = option.partition(":")
        if name == key and number.isascii() and number.isdigit():
            return float(number)
    return default


def _is_address(text: str) -> bool:
    """Whether a text is the address of a server, perhaps with the interface of a link-local one."""
    return any(_packed(family, text.partition("%")[0]) for family in Family)


def _packed(family: Family, text: str) -> bytes | None:
    try:
        return socket.inet_pton(family.socket_family, text)
    except (OSError, ValueError):
        return None
