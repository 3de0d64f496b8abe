"""Prefixes, host names and interfaces as rules write them.

A prefix that is right is read without netaddr, which takes longer to import than all rules to read;
netaddr finds out what was meant by one that is wrong.
"""

from __future__ import annotations

import os
import re
import socket

from geofence.model.prefixes import Family, Prefix
from geofence.model.ruleset import LocalNetwork
from geofence.policy.mistakes import Mistake, plain, quoted

LONGEST_INTERFACE = 15
"""Characters in a name: ``IFNAMSIZ - 1`` of linux/if.h."""

_EXPECTED_PREFIX = "a prefix such as 192.0.2.0/24 or 2001:db8::/32, or one address"
_EXPECTED_NETWORK = (
    'a network such as "192.168.0.0/16", or one with its interface such as "192.168.5.0/24@eth1"'
)
_EXPECTED_HOST = "a host name such as push.example.com"
_EXPECTED_INTERFACE = (
    f'the name of an interface, at most {LONGEST_INTERFACE} characters, such as "wg0", or with '
    'any rest, such as "tun*"'
)
_MAPPED = 0xFFFF << 32
"""``::ffff:0:0``, RFC 4291 section 2.5.5.2: IPv4 addresses, which no IPv6 packet has."""


def prefix(text: str) -> Prefix:
    """A prefix in CIDR notation, or a single address.

    Raises:
        Mistake: it is neither, or has bits set that are not the network's.
    """
    address, slash, length = text.partition("/")
    known = _address(address)
    bits = _length(length, known[0]) if known and slash else known and known[0].bits
    if known is None or bits is None:
        raise Mistake(f"{quoted(text)} is no prefix", _EXPECTED_PREFIX, *_meant_prefixes(text))
    family, number = known
    if number & ((1 << (family.bits - bits)) - 1):
        raise _host_bits(text, Prefix(family, number, bits))
    if family is Family.IPV6 and bits >= 96 and number >> 32 << 32 == _MAPPED:  # noqa: PLR2004 - RFC
        inner = Prefix(Family.IPV4, number - _MAPPED, bits - 96)
        raise Mistake(f"{quoted(text)} is IPv4 written as IPv6", _EXPECTED_PREFIX, str(inner))
    return Prefix(family, number, bits)


def local_network(text: str) -> Prefix | LocalNetwork:
    """A local network: a prefix, or one with the interface on which it is trusted after an ``@``.

    Raises:
        Mistake: the prefix is none, or the interface is none.
    """
    network, at, name = text.partition("@")
    try:
        known = prefix(network)
        return LocalNetwork(interface(name), known) if at else known
    except Mistake as mistake:
        meant = _meant_network(text)
        if not meant:
            raise
        raise Mistake(f"{quoted(text)} is no local network", _EXPECTED_NETWORK, meant) from mistake


def _meant_network(text: str) -> str:
    """The network and the interface that are put together otherwise; empty for neither."""
    words = [word for word in re.split(r"[\s%@,]+|\bon\b", text) if word]
    if len(words) != 2:  # noqa: PLR2004 - a network and an interface
        return ""
    for network, name in (words, words[::-1]):
        try:
            return quoted(str(LocalNetwork(interface(name), prefix(network))))
        except Mistake:
            continue
    return ""


def _address(text: str) -> tuple[Family, int] | None:
    """The family and number of an address, full and strict (RFC 4291 section 2.2 for IPv6)."""
    for family in Family:
        try:
            return family, int.from_bytes(socket.inet_pton(family.socket_family, text), "big")
        except (OSError, ValueError):  # ValueError: it has a NUL or is not ASCII
            continue
    return None


def _length(text: str, family: Family) -> int | None:
    """A prefix length, without sign or leading zero."""
    plain = re.fullmatch(r"0|[1-9][0-9]{0,2}", text)
    return int(text) if plain and int(text) <= family.bits else None


def _host_bits(text: str, wrong: Prefix) -> Mistake:
    from netaddr import IPNetwork

    network = IPNetwork(text)
    return Mistake(
        f"{quoted(text)} has host bits",
        _EXPECTED_PREFIX,
        str(network.cidr),
        f"{network.ip}/{wrong.family.bits}",
    )


_MOST_GUESSES = 3
_LONGEST_PREFIX = 80
"""Characters of a range of two IPv6 addresses."""


def _meant_prefixes(text: str) -> tuple[str, ...]:
    """What was meant by a range, a net mask, an abbreviated network or one with blanks."""
    word = re.sub(r"\s+", "", text)
    first, dash, last = word.partition("-")
    if len(word) > _LONGEST_PREFIX or not re.search(r"[./:]", word):
        return ()
    found = _range(first, last) if dash else _network(word)
    return found if len(found) <= _MOST_GUESSES else ()


def _range(first: str, last: str) -> tuple[str, ...]:
    """The prefixes that make up a range of addresses."""
    from netaddr import INET_PTON, AddrFormatError, IPAddress, iprange_to_cidrs

    try:
        start, end = (IPAddress(address, flags=INET_PTON) for address in (first, last))
        if start.version != end.version:
            return ()
        return tuple(map(str, iprange_to_cidrs(start, end)))
    except (AddrFormatError, ValueError):
        return ()


def _network(word: str) -> tuple[str, ...]:
    """The prefix meant by ``10.0/16``, ``10.0.`` or ``10.0.0.0/255.255.0.0``."""
    from netaddr import AddrFormatError, IPNetwork, cidr_abbrev_to_verbose

    octets = re.fullmatch(r"([0-9]+(?:\.[0-9]+){0,2})\.?", word)
    if octets:
        word = f"{octets[1]}/{8 * (octets[1].count('.') + 1)}"
    try:
        return (str(IPNetwork(cidr_abbrev_to_verbose(word)).cidr),)
    except (AddrFormatError, ValueError, IndexError):  # the last for a first octet such as 300
        return ()


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
"""RFC 1123 section 2.1, and ``_``, which the DNS allows (RFC 2181 section 11)."""

_LONGEST_HOST = 253


def host_name(text: str) -> str:
    """A host name in lower case, without a dot at its end.

    Raises:
        Mistake: it is none.
    """
    name = text.lower().removesuffix(".")
    if _address(name.partition("/")[0]):
        raise Mistake(f"{quoted(text)} is an address", f"{_EXPECTED_HOST}; addresses are prefixes")
    if not _is_host(name):
        raise Mistake(f"{quoted(text)} is no host name", _EXPECTED_HOST, *_meant_host(text))
    return name


def _is_host(name: str) -> bool:
    labels = name.split(".")
    fits = len(name) <= _LONGEST_HOST and not labels[-1].isdigit()
    return fits and all(_LABEL.fullmatch(label) for label in labels)


def _meant_host(text: str) -> tuple[str, ...]:
    """The host name within a URL or SIP URI, or the ASCII form of an international one."""
    name = text.strip().lower()[:_LONGEST_HOST]
    for around in (r"^[a-z]+:(//)?", r"^.*@", r"[/:;?#].*$"):
        name = re.sub(around, "", name)
    try:
        name = name.encode("idna").decode()
    except UnicodeError:
        return ()
    return (quoted(name),) if _is_host(name) and "." in name else ()


_INTERFACE = re.compile(r"(?!-)(?:[^\W]|[.@#()!=,~^{}\[\]$&;|<>-])+\*?")
"""The kernel takes anything but blanks, slashes and colons (``dev_valid_name``). Left out is what
means something to iptables: quotes, backslashes, and ``+`` at the end."""


def interface(text: str) -> str:
    """An interface's name, or the beginning of some with ``*`` after it.

    Raises:
        Mistake: no interface of the kernel can be called so, or it stands for all of them.
    """
    if text == "*":
        raise Mistake('"*" would leave no interface fenced', _EXPECTED_INTERFACE)
    fits = len(os.fsencode(text)) <= LONGEST_INTERFACE
    if not fits or plain(text) != text or _INTERFACE.fullmatch(text) is None:
        meant = re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,13})[+%?]", text.strip())
        guesses = (f'"{meant[1]}*"',) if meant else ()
        raise Mistake(f"{quoted(text)} is no interface", _EXPECTED_INTERFACE, *guesses)
    return text
