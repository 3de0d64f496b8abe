"""The catalogue: shipped exceptions of trunk providers and push services, found by host or address.

Pure. A host is compared label by label, so that ``pstn.twilio.com.example`` and
``evilpstn.twilio.com`` are not taken for names of ``*.pstn.twilio.com``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from geofence.model.catalog import Media
from geofence.model.policy import NamedException
from geofence.model.prefixes import AddressSpace
from geofence.policy.addresses import host_name
from geofence.policy.mistakes import Mistake

ANY_BELOW = "*."
"""Begins a pattern that stands for all names below the rest."""
_SRV_LABELS = 2
"""Labels before the domain in the name of an SRV record: service and protocol."""


class Carries(StrEnum):
    """What the addresses of an entry send."""

    SIGNALLING = "signalling"
    MEDIA = "media"
    BOTH = "both"


def entries(exceptions: Iterable[NamedException]) -> tuple[NamedException, ...]:
    """Return the exceptions that are part of the catalogue."""
    return tuple(each for each in exceptions if each.catalog.kind is not None)


def match(host: str, exceptions: Iterable[NamedException]) -> tuple[NamedException, ...]:
    """Return the entries of the provider that has a host; none for an unknown or invalid host.

    All entries of its group are returned, so that its media is proposed with its signalling. One
    of another group, or without a group, is returned only if it has the host itself.

    Args:
        host: the name of a trunk's server, as the PBX's configuration has it.
        exceptions: those of the rules, enabled or not.
    """
    known = _normal(host)
    if not known:
        return ()
    return _with_groups(exceptions, lambda each: any(_is(known, name) for name in _names(each)))


def holding(
    space: AddressSpace, exceptions: Iterable[NamedException]
) -> tuple[NamedException, ...]:
    """Return the entries whose addresses, as shipped, contain all of some addresses.

    Args:
        space: an address or a prefix; nothing is found for no address at all.
        exceptions: those of the rules, enabled or not.
    """
    known = entries(exceptions) if space else ()
    return tuple(each for each in known if not space - each.written)


def command(entry: NamedException) -> str:
    """Return the command that allows an entry, with the others of its group."""
    return f"geofence allow {entry.group or entry.name}"


def carries(entry: NamedException, others: Iterable[NamedException]) -> Carries | None:
    """Return what an entry's addresses send; None if that is not known.

    Args:
        entry: one of the catalogue.
        others: the exceptions of the rules. One of its group that lists its media elsewhere makes
            an entry that says nothing of media the one with the media.
    """
    media = entry.catalog.media
    if media is not None:
        return Carries.BOTH if media is Media.SAME else Carries.SIGNALLING
    mates = [each for each in others if each.group and each.group == entry.group]
    has_media = any(each.catalog.media is Media.LISTED for each in mates)
    return Carries.MEDIA if has_media else None


def _with_groups(
    exceptions: Iterable[NamedException], has: Callable[[NamedException], bool]
) -> tuple[NamedException, ...]:
    known = entries(exceptions)
    found = {each.name for each in known if has(each)}
    groups = {each.group for each in known if each.name in found and each.group}
    return tuple(each for each in known if each.name in found or each.group in groups)


def _names(entry: NamedException) -> Iterator[str]:
    """Yield the names and patterns by which a host is recognised as the entry's."""
    yield from entry.hosts
    for name in entry.srv:
        yield ".".join(name.split(".")[_SRV_LABELS:])
    yield from entry.catalog.trunk_hosts


def _is(host: str, name: str) -> bool:
    """Whether a host has a name, or is below that of a pattern."""
    if not name.startswith(ANY_BELOW):
        return host == name
    return host.endswith(name.removeprefix("*"))


def _normal(host: str) -> str:
    """Return a host name as rules have it; empty for what is not one."""
    try:
        return host_name(host) if host.isascii() else ""
    except Mistake:
        return ""
