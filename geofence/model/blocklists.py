"""Blocklists, and where lists of any kind come from."""

from __future__ import annotations

from datetime import timedelta

from geofence.model.frozen import NamedTuple, dataclass, field
from geofence.model.prefixes import AddressSpace

KEEP = timedelta(days=7)


class ListSource(NamedTuple):
    """Where lists come from: ``[source.country]``, ``[source.asn]``, ``[blocklist.NAME]``."""

    urls: tuple[str, ...] = ()
    """Templates of URLs and of absolute paths, in the order they are tried: with ``{cc}`` or
    ``{asn}`` alone for lists of both families, with ``{family}``, too, for a list of each. Without
    ``{cc}``, a database that has all countries."""
    format: str | None = None
    """Name of the format of the lists; None: found out by content."""
    checksum: str | None = None
    """Template of the URL or path of a list's checksum; ``{url}`` stands for that of the list."""
    paths: tuple[str, ...] = ()
    """Where the prefixes of a feed are in its JSON; empty: anywhere."""


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Addresses subtracted from what countries allow: ``[blocklist.NAME]``."""

    name: str
    description: str = ""
    urls: tuple[str, ...] = ()
    """Mirrors of one list, tried in order: URLs, or absolute paths."""
    prefixes: AddressSpace = field(default_factory=AddressSpace)
    enabled: bool = True
    format: str | None = None
    """Name of the format of the list; None: found out by content."""
    checksum: str | None = None
    """Template of the URL or path of its checksum; ``{url}`` stands for that of the list."""
    parts: tuple[str, ...] = ()
    """URLs that make up one list together, in place of ``urls``."""
    refresh: timedelta | None = None
    """How long its source is not asked again after it gave or confirmed the list."""
    key_file: str = ""
    """Path of a file with the key that the source asks for; empty for none."""
    keep: timedelta = KEEP
    """How long an address stays after it was reported, where the source gives only new ones."""

    @property
    def has_source(self) -> bool:
        """Whether it has a list to download."""
        return bool(self.urls or self.parts)
