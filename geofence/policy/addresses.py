"""Prefixes, host names and interfaces as rules write them.

A valid prefix is read without netaddr, which takes longer to import than all rules take to read.
Only the guess at what a wrong prefix was meant to be needs netaddr.
"""

from __future__ import annotations

import os
import re

from geofence.model.address import Address
from geofence.model.prefixes import Family, Prefix
from geofence.model.ruleset import LocalNetwork
from geofence.policy.mistakes import Mistake
from geofence.spelling import plain, quoted
from geofence.translation import tr

LONGEST_INTERFACE = 15
"""Characters in a name: ``IFNAMSIZ - 1`` of linux/if.h."""

SIP_SERVICES = ("_sip._udp", "_sip._tcp", "_sips._tcp")
"""Beginnings of the names of SRV records for SIP (RFC 3263)."""

_MAPPED = 0xFFFF << 32
"""``::ffff:0:0``, RFC 4291 section 2.5.5.2: IPv4 addresses, which no IPv6 packet has."""


def _expected_prefix() -> str:
    return tr("a prefix such as 192.0.2.0/24 or 2001:db8::/32, or a single address")


def _expected_network() -> str:
    return tr(
        'a network such as "192.168.0.0/16", '
        'or one with its interface such as "192.168.5.0/24@eth1"'
    )


def _expected_host() -> str:
    return tr("a host name such as push.example.com")


def _expected_srv() -> str:
    return tr(
        "a service, a protocol and a domain such as _sips._tcp.provider.example or "
        "_sip._udp.provider.example"
    )


def _expected_interface() -> str:
    return tr(
        'an interface name of at most {longest} characters such as "wg0", '
        'or the beginning of several with "*" such as "tun*"',
        longest=LONGEST_INTERFACE,
    )


def prefix(text: str) -> Prefix:
    """Read a prefix in CIDR notation, or a single address.

    Raises:
        Mistake: it is neither, or has bits set beyond its length.
    """
    address, slash, length = text.partition("/")
    known = _address(address)
    family = known.family if known else Family.IPV4
    bits = _length(length, family) if slash else family.bits
    if known is None or bits is None:
        wrong = tr("{value} is not a prefix", value=quoted(text))
        raise Mistake(wrong, _expected_prefix(), *_meant_prefixes(text))
    found = Prefix(family, known.number, bits)
    if known.number & ((1 << (family.bits - bits)) - 1):
        raise _host_bits(text, found)
    _refuse_mapped(text, found)
    return found


def _refuse_mapped(text: str, found: Prefix) -> None:
    """Raise a Mistake about IPv4 addresses that are written as IPv6."""
    length = found.length - 96
    if found.family is Family.IPV6 and length >= 0 and found.network >> 32 << 32 == _MAPPED:
        inner = Prefix(Family.IPV4, found.network - _MAPPED, length)
        wrong = tr("{value} is IPv4 written as IPv6", value=quoted(text))
        raise Mistake(wrong, _expected_prefix(), str(inner))


def local_network(text: str) -> Prefix | LocalNetwork:
    """Read a local network: a prefix, perhaps with ``@`` and the interface on which it is trusted.

    Raises:
        Mistake: the prefix or the interface is not valid.
    """
    network, at, name = text.partition("@")
    try:
        known = prefix(network)
        return LocalNetwork(interface(name), known) if at else known
    except Mistake as mistake:
        meant = _meant_network(text)
        if not meant:
            raise
        wrong = tr("{value} is not a local network", value=quoted(text))
        raise Mistake(wrong, _expected_network(), meant) from mistake


def _meant_network(text: str) -> str:
    """Return a network and an interface that are joined in another way, as they should be."""
    words = [word for word in re.split(r"[\s%@,]+|\bon\b", text) if word]
    if len(words) != 2:  # noqa: PLR2004 - a network and an interface
        return ""
    for network, name in (words, words[::-1]):
        try:
            return quoted(str(LocalNetwork(interface(name), prefix(network))))
        except Mistake:
            continue
    return ""


def _address(text: str) -> Address | None:
    try:
        return Address.parse(text)
    except ValueError:
        return None


def _length(text: str, family: Family) -> int | None:
    """Read a prefix length, without sign or leading zero."""
    digits = re.fullmatch(r"0|[1-9][0-9]{0,2}", text)
    return int(text) if digits and int(text) <= family.bits else None


def _host_bits(text: str, wrong: Prefix) -> Mistake:
    from netaddr import IPNetwork

    network = IPNetwork(text)
    return Mistake(
        tr("{value} has host bits set", value=quoted(text)),
        _expected_prefix(),
        str(network.cidr),
        f"{network.ip}/{wrong.family.bits}",
    )


_MOST_GUESSES = 3
_LONGEST_PREFIX = 80
"""Characters of a range of two IPv6 addresses."""


def _meant_prefixes(text: str) -> tuple[str, ...]:
    """Guess at a range, a net mask, an abbreviated network or one with blanks."""
    word = re.sub(r"\s+", "", text)
    first, dash, last = word.partition("-")
    if len(word) > _LONGEST_PREFIX or not re.search(r"[./:]", word):
        return ()
    found = _range(first, last) if dash else _network(word)
    return found if len(found) <= _MOST_GUESSES else ()


def _range(first: str, last: str) -> tuple[str, ...]:
    """Return the prefixes that make up a range of addresses."""
    from netaddr import INET_PTON, AddrFormatError, IPAddress, iprange_to_cidrs

    try:
        start, end = (IPAddress(address, flags=INET_PTON) for address in (first, last))
        if start.version != end.version:
            return ()
        return tuple(map(str, iprange_to_cidrs(start, end)))
    except (AddrFormatError, ValueError):
        return ()


def _network(word: str) -> tuple[str, ...]:
    """Return the prefix meant by ``10.0/16``, ``10.0.`` or ``10.0.0.0/255.255.0.0``."""
    from netaddr import AddrFormatError, IPNetwork, cidr_abbrev_to_verbose

    parts = re.fullmatch(r"([0-9]+(?:\.[0-9]+){0,2})\.?", word)
    if parts:
        word = f"{parts[1]}/{8 * (parts[1].count('.') + 1)}"
    try:
        return (str(IPNetwork(cidr_abbrev_to_verbose(word)).cidr),)
    except (AddrFormatError, ValueError, IndexError):  # the last for a first number such as 300
        return ()


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
"""RFC 1123 section 2.1, and ``_``, which the DNS allows (RFC 2181 section 11)."""

_LONGEST_HOST = 253


def host_name(text: str) -> str:
    """Read a host name; return it in lower case, without a dot at its end.

    Raises:
        Mistake: it is not one.
    """
    name = text.lower().removesuffix(".")
    if _address(name.partition("/")[0]):
        expected = tr("a host name such as push.example.com; write addresses under prefixes")
        raise Mistake(tr("{value} is an address", value=quoted(text)), expected)
    if not _is_host(name):
        wrong = tr("{value} is not a host name", value=quoted(text))
        raise Mistake(wrong, _expected_host(), *_meant_host(text))
    return name


_SRV = re.compile(r"_[a-z0-9-]{1,62}\._(tcp|udp|tls|sctp|dccp|ws|wss)\.(?P<domain>.+)")
"""RFC 2782: service, protocol and domain."""


def srv_name(text: str) -> str:
    """Read the name of SRV records; return it in lower case, without a dot at its end.

    Raises:
        Mistake: it is not one.
    """
    name = text.lower().removesuffix(".")
    if not is_srv_name(name):
        wrong = tr("{value} is not the name of SRV records", value=quoted(text))
        raise Mistake(wrong, _expected_srv(), *_meant_srv(name))
    return name


def is_srv_name(name: str) -> bool:
    """Whether a name has a service, a protocol and a domain."""
    parts = _SRV.fullmatch(name)
    return parts is not None and _is_host(name) and _address(parts["domain"]) is None


def _meant_srv(name: str) -> tuple[str, ...]:
    """Guess at the records for SIP of a domain."""
    if name.startswith("_") or _address(name) or not _is_host(name) or "." not in name:
        return ()
    return tuple(quoted(f"{service}.{name}") for service in SIP_SERVICES)


def _is_host(name: str) -> bool:
    labels = name.split(".")
    fits = len(name) <= _LONGEST_HOST and not labels[-1].isdigit()
    return fits and all(_LABEL.fullmatch(label) for label in labels)


def _meant_host(text: str) -> tuple[str, ...]:
    """Return the host name in a URL or SIP URI, or the ASCII form of an international one."""
    name = text.strip().lower()[:_LONGEST_HOST]
    for around in (r"^[a-z]+:(//)?", r"^.*@", r"[/:;?#].*$"):
        name = re.sub(around, "", name)
    try:
        name = name.encode("idna").decode()
    except UnicodeError:
        return ()
    return (quoted(name),) if _is_host(name) and "." in name else ()


_INTERFACE = re.compile(r"(?!-)(?:[^\W]|[.@#()!=,~^{}\[\]$&;|<>-])+\*?")
"""The kernel takes anything but blanks, slashes and colons (``dev_valid_name``). Not allowed here
is what has a meaning to iptables: quotes, backslashes, and ``+`` at the end."""


def interface(text: str) -> str:
    """Read an interface's name, or the beginning of several with ``*`` after it.

    Raises:
        Mistake: the kernel allows no such name, or it stands for all interfaces.
    """
    if text == "*":
        raise Mistake(tr('"*" would leave no interface fenced'), _expected_interface())
    fits = len(os.fsencode(text)) <= LONGEST_INTERFACE
    if not fits or plain(text) != text or _INTERFACE.fullmatch(text) is None:
        meant = re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,13})[+%?]", text.strip())
        guesses = (f'"{meant[1]}*"',) if meant else ()
        wrong = tr("{value} is not an interface name", value=quoted(text))
        raise Mistake(wrong, _expected_interface(), *guesses)
    return text
