"""The interface that a module for one format of lists implements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geofence.lists.parsed import ParsedList
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import Family


@dataclass(frozen=True, slots=True)
class Format:
    """How lists of one format are recognised and parsed."""

    name: str
    """The value of the ``format`` key in rules; stored with the list's provenance."""
    kinds: frozenset[ListKind]
    """The kinds of lists that can have this format."""
    by_family: bool
    """Whether a body may be for one family only, so that URLs may have ``{family}``."""
    recognise: Callable[[bytes], bool]
    """Whether a body looks like this format; its first bytes decide."""
    parse: Callable[[ListId, Family | None, bytes], ParsedList]
    """Parse one body of a list; the family is that of the URL, None for both.

    Raises a ListError for what is not such a list, or says that it is another.
    """
