"""The interface that a module for one format of lists implements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from geofence.lists.parsed import ParsedList
from geofence.model.frozen import dataclass
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

    Raises a ListError for what is not such a list, or says that it is another. Of a database of
    many countries, this parses the list of one that ``cut`` returned.
    """
    cut: Callable[[bytes, Family | None, Collection[str]], Mapping[str, bytes]] | None = None
    """Cut the lists of some countries, by upper-case code, out of a database of all countries; None
    for a format of single lists. A country that the database does not have is left out.

    Raises a ListError for what is not such a database. The family is that of the URL.
    """
