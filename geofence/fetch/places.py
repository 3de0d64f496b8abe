"""Where lists are: the mirrors of each, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Collection

from geofence.fetch.files import is_local
from geofence.lists import apiban
from geofence.lists.formats import is_database
from geofence.model.frozen import NamedTuple
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import ListSource, Policy
from geofence.model.prefixes import Family


class Source(NamedTuple):
    """Where one body of a list is."""

    url: str
    family: Family | None
    """The family that the body is for; None for a body with both."""
    format: str | None = None
    """Name of the body's format; None to find it out."""
    checksum: str | None = None
    """Where its checksum is; None for none."""
    database: bool = False
    """Whether the body is a database of all countries."""
    paths: tuple[str, ...] = ()
    """Where the prefixes of a feed are in its JSON."""
    signed: bool = False
    """Whether the URL is that of a signed mirror, which has many lists."""


Mirror = tuple[Source, ...]
"""The sources that make up a list together."""


def mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    """Return the mirrors of a list, in the order to try; a host name has none."""
    signed, others = signed_mirrors(wanted, policy), _unsigned_mirrors(wanted, policy)
    return (*signed, *others) if policy.mirror_source.fallback or not signed else signed


def all_mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    """Return all that the rules name, also those that may only confirm what another one gave."""
    return (*signed_mirrors(wanted, policy), *_unsigned_mirrors(wanted, policy))


def signed_mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    """Return the signed mirrors of a list.

    They do not have files of this host, or what a source gives to one key only.
    """
    blocklist = policy.blocklist(wanted)
    others = _unsigned_mirrors(wanted, policy)
    apart = blocklist is not None and blocklist.format == apiban.NAME
    local = bool(others) and all(is_local(mirror[0].url) for mirror in others)
    if wanted.kind.is_from_dns or apart or local:
        return ()
    paths = policy.source(wanted).paths
    return tuple(
        (Source(url, None, paths=paths, signed=True),) for url in policy.mirror_source.urls
    )


def _unsigned_mirrors(wanted: ListId, policy: Policy) -> tuple[Mirror, ...]:
    source, blocklist = policy.source(wanted), policy.blocklist(wanted)
    if blocklist is not None and blocklist.parts:
        return (tuple(_source(url, None, source) for url in blocklist.parts),)
    return tuple(_mirror(wanted, template, source) for template in source.urls)


_NAME_IN_URL = {ListKind.COUNTRY: "{cc}", ListKind.ASN: "{asn}"}


def _mirror(wanted: ListId, template: str, source: ListSource) -> Mirror:
    placeholder = _NAME_IN_URL.get(wanted.kind)
    if placeholder is None:
        return (_source(template, None, source),)

    def filled(text: str) -> str:
        return text.replace(placeholder, wanted.name.lower())

    named = source._replace(checksum=filled(source.checksum) if source.checksum else None)
    database = wanted.kind is ListKind.COUNTRY and (
        placeholder not in template or is_database(source.format)
    )
    families = tuple(Family) if "{family}" in template else (None,)
    return tuple(_source(filled(template), each, named, database=database) for each in families)


def _source(
    template: str, family: Family | None, source: ListSource, *, database: bool = False
) -> Source:
    def filled(text: str) -> str:
        return text if family is None else text.replace("{family}", family)

    url = filled(template)
    checksum = filled(source.checksum).replace("{url}", url) if source.checksum else None
    return Source(url, family, source.format, checksum, database, source.paths)


def gave(mirror: Mirror, urls: Collection[str]) -> bool:
    """Whether a mirror gave a list.

    Args:
        mirror: which one.
        urls: that the list came from.
    """
    if mirror[0].signed:
        return any(url.startswith(mirror[0].url) for url in urls)
    return not set(urls).isdisjoint(source.url for source in mirror)
