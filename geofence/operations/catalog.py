"""``catalog``: trunk providers, push services and blocklists that ship, listed and searched."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from geofence.allowed.active_exceptions import active_exceptions
from geofence.allowed.catalog import Carries, carries, command, entries, match, together
from geofence.merge import exception_space
from geofence.model.catalog import Media
from geofence.model.lists import ListId
from geofence.model.policy import Blocklist, NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.operations.site import Site
from geofence.policy.mistakes import Mistake
from geofence.policy.naming import addresses


class Kind(StrEnum):
    """What is listed. The values are stable: scripts read them."""

    TRUNK = "trunk"
    PUSH = "push"
    BLOCKLIST = "blocklist"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One entry."""

    name: str
    kind: Kind
    description: str
    enabled: bool
    active: bool | None = None
    """Whether it is in the applied fence; None for a blocklist."""
    group: str | None = None
    carries: Carries | None = None
    media: Media | None = None
    """Where its media come from; None if that is not known."""
    services: tuple[str, ...] = ()
    """Empty: all."""
    hosts: tuple[str, ...] = ()
    srv: tuple[str, ...] = ()
    sip: tuple[str, ...] = ()
    """SIP domains."""
    trunk_hosts: tuple[str, ...] = ()
    """Further names by which it is recognised."""
    sources: tuple[str, ...] = ()
    """URLs of its feed, or of the blocklist."""
    addresses: AddressSpace = field(default_factory=AddressSpace)
    """Those in the rules, and those that are stored for its names or its feed."""
    published: bool | None = None
    """Whether its owner publishes the addresses; None for a blocklist."""
    read: date | None = None
    page: str = ""
    command: str = ""
    """What allows it; empty for a blocklist, which the rules enable."""
    together: tuple[str, ...] = ()
    """Names of the entries that the command allows."""


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """The result of ``catalog``."""

    entries: tuple[CatalogEntry, ...]
    """Those that were asked for."""
    number: int
    """How many there are in all."""


def catalog(site: Site, words: Sequence[str] = (), kind: Kind | None = None) -> CatalogReport:
    """Return the entries of the catalogue that all words fit, in the order of the rules.

    A word is a part of a name, of a group, of a description or of a host name, or an address or a
    prefix that the entry contains. A whole host name finds its provider.

    Args:
        site: the installation.
        words: what to search for; none: everything.
        kind: only these; None: all.

    Raises:
        RulesError: the rules do not load.
    """
    policy = site.policy()
    everything = (*_exceptions(site, policy), *_blocklists(site, policy))
    providers = {word: {each.name for each in match(word, policy.exceptions)} for word in words}
    chosen = (
        each
        for each in everything
        if kind in (None, each.kind) and all(_fits(each, word, providers[word]) for word in words)
    )
    return CatalogReport(tuple(chosen), len(everything))


def _exceptions(site: Site, policy: Policy) -> tuple[CatalogEntry, ...]:
    known = entries(policy.exceptions)
    found, _ = site.lists.load_all(name for each in known for name in each.lists)
    lists = {name: accepted.space for name, accepted in found.items()}
    newest, _ = site.generations.newest()
    applied = active_exceptions(policy, lists, newest.ruleset.sets if newest else None)
    return tuple(_entry(each, policy, lists, each.name in applied.names) for each in known)


def _entry(
    exception: NamedException,
    policy: Policy,
    lists: Mapping[ListId, AddressSpace],
    active: bool,
) -> CatalogEntry:
    facts = exception.catalog
    return CatalogEntry(
        exception.name,
        Kind(str(facts.kind)),
        exception.description,
        exception.enabled,
        active,
        exception.group,
        carries(exception, policy.exceptions),
        facts.media,
        exception.services,
        exception.hosts,
        exception.srv,
        exception.sip,
        facts.trunk_hosts,
        (exception.feed,) if exception.feed else (),
        exception.written | exception_space(exception, lists),
        facts.published,
        facts.read,
        facts.page,
        command(exception, policy.exceptions),
        tuple(each.name for each in together(exception, policy.exceptions)),
    )


def _blocklists(site: Site, policy: Policy) -> tuple[CatalogEntry, ...]:
    """Return the blocklists that ship; those of the operator are no part of the catalogue."""
    shipped = {each.name for each in site.shipped_policy().blocklists}
    return tuple(_blocklist(each) for each in policy.blocklists if each.name in shipped)


def _blocklist(blocklist: Blocklist) -> CatalogEntry:
    return CatalogEntry(
        blocklist.name,
        Kind.BLOCKLIST,
        blocklist.description,
        blocklist.enabled,
        sources=(*blocklist.urls, *blocklist.parts),
        addresses=blocklist.prefixes,
    )


def _fits(entry: CatalogEntry, word: str, provider: set[str]) -> bool:
    """Whether a word is for an entry; ``provider`` has the entries of the host that it names."""
    try:
        wanted = addresses(word)
    except Mistake:
        pass
    else:
        return not wanted - entry.addresses
    texts = (entry.name, entry.group or "", entry.description, *entry.hosts, *entry.trunk_hosts)
    names = (*texts, *entry.srv, *entry.sip)
    part = _plain(word)
    return entry.name in provider or any(part in _plain(each) for each in names)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
