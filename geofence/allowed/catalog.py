"""The catalogue: shipped exceptions of trunk providers and push services, found by host or address.

Pure. A host is compared label by label, so that ``pstn.twilio.com.example`` and
``evilpstn.twilio.com`` are not taken for names of ``*.pstn.twilio.com``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    Its media are returned with its signalling.

    Args:
        host: the name of a trunk's server, as the PBX's configuration has it.
        exceptions: those of the rules, enabled or not.
    """
    known, name = entries(exceptions), _normal(host)
    found = [each for each in known if name and any(_is(name, own) for own in _names(each))]
    names = {mate.name for each in found for mate in together(each, known)}
    return tuple(each for each in known if each.name in names)


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


def together(
    entry: NamedException, exceptions: Iterable[NamedException]
) -> tuple[NamedException, ...]:
    """Return the entries that are allowed together: signalling and its media, or the entry alone.

    Other members of a group are alternatives, such as the servers of several cities.

    Args:
        entry: one of the catalogue.
        exceptions: those of the rules, enabled or not.
    """
    mates = [each for each in entries(exceptions) if each.group and each.group == entry.group]
    has_media = any(each.catalog.media is Media.LISTED for each in mates)
    return tuple(mates) if has_media else (entry,)


def allowed_by_group(exception: NamedException, exceptions: Iterable[NamedException]) -> str | None:
    """Return the group by which an exception is allowed with what belongs to it; None: alone."""
    if exception.catalog.kind is None or len(together(exception, exceptions)) == 1:
        return None
    return exception.group


def command(entry: NamedException, exceptions: Iterable[NamedException]) -> str:
    """Return the command that allows an entry, with what belongs to it."""
    return f"geofence allow {allowed_by_group(entry, exceptions) or entry.name}"


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
    return Carries.MEDIA if len(together(entry, others)) > 1 else None


def _names(entry: NamedException) -> Iterator[str]:
    """Yield the names and patterns by which a host is recognised as the entry's."""
    yield from (*entry.hosts, *entry.sip)
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
