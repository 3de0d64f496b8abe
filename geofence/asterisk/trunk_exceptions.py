"""Trunks of Asterisk's configuration as exceptions. Pure.

An exception is for signalling and for RTP: a trunk's media mostly comes from its own hosts, and
often before Asterisk has sent a packet to them. Media from other hosts comes in as replies to what
Asterisk sends; prefixes for them are a matter of the catalogue.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from geofence.asterisk.additions import DerivedException, Refused, RefusedItem, Remark
from geofence.asterisk.fenced_ports import Reach
from geofence.asterisk.reading import HostKind, Reading, Trunk, Use
from geofence.geoip.scopes import LOOPBACK, NOT_DISTANT, PRIVATE
from geofence.model.frozen import dataclass, field, replace
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, Family, Prefix
from geofence.policy.addresses import host_name, prefix
from geofence.policy.mistakes import Mistake
from geofence.policy.table_reader import LONGEST_NAME

PREFIX = "asterisk-"
"""Begins the name of every exception that is derived."""
GROUP = "asterisk"
"""The group of all of them."""

BROADEST = {Family.IPV4: 16, Family.IPV6: 32}
"""Lengths of the broadest public prefixes that a trunk may have. Of the providers in the catalogue
the largest publishes a /18; a /32 is what a registry gives a provider."""
BROADEST_PRIVATE = {Family.IPV4: 12, Family.IPV6: 32}
"""The same for private addresses, which no distant host has."""

_LOCALHOST = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})


def trunk_exceptions(
    reading: Reading, policy: Policy, reach: Reach, own: AddressSpace
) -> tuple[tuple[DerivedException, ...], tuple[RefusedItem, ...]]:
    """Return the exceptions, and the hosts that do not become any.

    Args:
        reading: the configuration.
        policy: the rules, whose names are not used again.
        reach: the services that trunks may reach.
        own: addresses of this host.
    """
    never = _never(reading, own)
    parts: list[_Part] = []
    refused: list[RefusedItem] = []
    for trunk in reading.trunks:
        part = _part(trunk, reach, never)
        if isinstance(part, _Part) and {part.host, part.sip} & {*reading.external} - {""}:
            part = Refused.OWN
        if isinstance(part, Refused):
            refused.append(RefusedItem(trunk.host, part, trunk.sources))
        else:
            parts.append(part)
    return _exceptions(parts, policy), tuple(refused)


def _never(reading: Reading, own: AddressSpace) -> dict[Refused, AddressSpace]:
    """Return the addresses that no trunk has, by why."""
    external = []
    for text in reading.external:
        try:
            external.append(prefix(text))
        except Mistake:  # a name
            continue
    return {
        Refused.LOOPBACK: LOOPBACK,
        Refused.OWN: (own | AddressSpace.of(external)) - LOOPBACK,
        Refused.NO_SOURCE: NOT_DISTANT,
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """One host of a trunk, as rules have it."""

    key: tuple[str, bool]
    """The object that names it, and whether it speaks IAX."""
    sources: tuple[str, ...]
    services: tuple[str, ...]
    host: str = ""
    srv: str = ""
    sip: str = ""
    space: AddressSpace = field(default_factory=AddressSpace)
    broad: tuple[Prefix, ...] = ()
    remarks: tuple[Remark, ...] = ()


def _part(trunk: Trunk, reach: Reach, never: Mapping[Refused, AddressSpace]) -> _Part | Refused:
    """Return one trunk as a part of an exception, or why it is none."""
    services = reach.of(trunk.use)
    if not services:
        return Refused.NOT_FENCED
    part = _Part(trunk_key(trunk), trunk.sources, services)
    try:
        if trunk.kind is HostKind.NAME:
            return _named(part, host_name(trunk.host), trunk)
        written = prefix(trunk.host)
        holes = AddressSpace.of(map(prefix, trunk.left_out))
    except Mistake:
        return Refused.MALFORMED
    return _addressed(part, written, holes, never)


def _named(part: _Part, name: str, trunk: Trunk) -> _Part | Refused:
    if name in _LOCALHOST or name.endswith(".localhost"):
        return Refused.LOOPBACK
    if not trunk.srv:
        return replace(part, host=name)
    if trunk.use is Use.IAX:
        return replace(part, host=name, srv=f"_iax._udp.{name}")
    return replace(part, sip=name)


def _addressed(
    part: _Part, written: Prefix, holes: AddressSpace, never: Mapping[Refused, AddressSpace]
) -> _Part | Refused:
    if not written.length:
        return Refused.EVERYBODY
    whole = AddressSpace.of((written,))
    for why, addresses in never.items():
        if not whole - addresses:
            return why
    left = whole - AddressSpace.union(never.values())
    remarks = [Remark.SUBTRACTED] if left != whole else []
    if left.meets(PRIVATE):
        remarks.append(Remark.PRIVATE)
    return replace(part, space=left - holes, broad=_too_broad(written), remarks=tuple(remarks))


def _too_broad(written: Prefix) -> tuple[Prefix, ...]:
    """Return the prefix if it is broader than a trunk's should be."""
    is_public = bool(AddressSpace.of((written,)) - PRIVATE)
    limits = BROADEST if is_public else BROADEST_PRIVATE
    return (written,) if written.length < limits[written.family] else ()


def trunk_key(trunk: Trunk) -> tuple[str, bool]:
    """Return what the hosts of one exception have in common: the object, and whether it is IAX."""
    return _object(trunk.sources), trunk.use is Use.IAX


def _object(sources: tuple[str, ...]) -> str:
    """Return the object that names a trunk first: ``north`` of ``identify north match``."""
    words = sources[0].split() if sources else []
    return words[1] if len(words) > 1 else "trunk"


def _exceptions(parts: Iterable[_Part], policy: Policy) -> tuple[DerivedException, ...]:
    """Return the exceptions, one an object; its hosts of IAX apart."""
    groups: dict[tuple[str, bool], list[_Part]] = {}
    for part in parts:
        groups.setdefault(part.key, []).append(part)
    taken = {each.name for each in policy.exceptions} | {
        each.group for each in policy.exceptions if each.group
    }
    names = _names(groups, taken)
    group = None if GROUP in taken else GROUP
    return tuple(_exception(names[key], group, held) for key, held in groups.items())


def _exception(name: str, group: str | None, parts: list[_Part]) -> DerivedException:
    sources = tuple(dict.fromkeys(source for part in parts for source in part.sources))
    exception = NamedException(
        name,
        hosts=tuple(dict.fromkeys(part.host for part in parts if part.host)),
        srv=tuple(dict.fromkeys(part.srv for part in parts if part.srv)),
        sip=tuple(dict.fromkeys(part.sip for part in parts if part.sip)),
        prefixes=AddressSpace.union(part.space for part in parts),
        services=parts[0].services,
        group=group,
        derived_from=sources,
    )
    remarks = dict.fromkeys(remark for part in parts for remark in part.remarks)
    broad = dict.fromkeys(prefix for part in parts for prefix in part.broad)
    return DerivedException(exception, parts[0].key, sources, tuple(broad), tuple(remarks))


def _names(keys: Iterable[tuple[str, bool]], taken: Iterable[str]) -> dict[tuple[str, bool], str]:
    """Return a name for each object: its own, or, where that is not unique, one with a hash."""
    plain = {key: _plain_name(*key) for key in keys}
    held = [*taken, *plain.values()]
    return {
        key: _hashed(name, key) if held.count(name) > 1 or len(name) > LONGEST_NAME else name
        for key, name in plain.items()
    }


def _plain_name(name: str, is_iax: bool) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "trunk"
    return f"{PREFIX}{slug}-iax" if is_iax else f"{PREFIX}{slug}"


_DIGITS = 8


def _hashed(name: str, key: tuple[str, bool]) -> str:
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:_DIGITS]
    return f"{name[: LONGEST_NAME - _DIGITS - 1].rstrip('-')}-{digest}"
