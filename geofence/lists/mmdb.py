"""The format ``mmdb``: a database of all countries in MaxMind's format, such as GeoLite2-Country.

The format is described at https://maxmind.github.io/MaxMind-DB/. Data records are read by the
library maxminddb, each only once. The search tree is walked here: the library would decode a record
for each of a million networks, and a damaged tree could keep it busy for ever.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING

from geofence.errors import ListError
from geofence.lists.extract import Cuttings, parse_extract
from geofence.lists.format import Format
from geofence.model.frozen import NamedTuple
from geofence.model.lists import ListKind
from geofence.model.prefixes import Family, address_text
from geofence.translation import tr

if TYPE_CHECKING:
    from maxminddb.reader import Reader

_MARK = b"\xab\xcd\xefMaxMind.com"
_MARK_WITHIN = 128 << 10
"""Bytes at the end within which the mark of the metadata is."""
_LARGEST_NODES = 1 << 24
"""The largest known tree, of cities, has four million nodes."""
_MOST_RECORDS = 1_000_000
"""Different records that are decoded, for seconds; a database of countries has some hundreds."""
_MOST_STEPS = 4
"""Times the number of nodes that a walk may take: aliases of IPv4 are walked once, so that an
undamaged tree needs one step a node."""

_TEREDO, _SIX_TO_FOUR = 0x2001_0000 << 96, 0x2002 << 112
_COPIES = ((_TEREDO, _TEREDO + (1 << 96)), (_SIX_TO_FOUR, _SIX_TO_FOUR + (1 << 112)))
"""Where databases repeat IPv4 in IPv6: Teredo (RFC 4380) and 6to4 (RFC 3056)."""


class _InMemory(BytesIO):
    """A database in memory; maxminddb before 2.6 wants the name of what it reads."""

    name = "database"


class _Tree(NamedTuple):
    """The search tree: two records a node, each the number of a node or a pointer to data."""

    records: array[int]
    nodes: int
    bits: int
    """Levels: 32 or 128."""


class _Leaf(NamedTuple):
    first: int
    size: int
    pointer: int


def cut(body: bytes, family: Family | None, codes: Collection[str]) -> Mapping[str, bytes]:
    """Cut the lists of some countries out of the database; see ``Format.cut``."""
    wanted = frozenset(codes)
    found = Cuttings(wanted)
    by_pointer: dict[int, str] = {}
    with _opened(body) as reader:
        tree = _tree(body, reader)
        for leaf in _leaves(tree):
            code = by_pointer.get(leaf.pointer)
            if code is None:
                _refuse_many(len(by_pointer))
                code = by_pointer[leaf.pointer] = _country(reader, tree, leaf)
            if code in wanted:
                _add(found, code, tree, leaf)
    return found.bodies(family)


def _refuse_many(records: int) -> None:
    if records >= _MOST_RECORDS:
        raise ListError(
            tr(
                "The database has more than {most} different records. Use one of countries.",
                most=f"{_MOST_RECORDS:,}",
            )
        )


def _add(found: Cuttings, code: str, tree: _Tree, leaf: _Leaf) -> None:
    first, past = leaf.first, leaf.first + leaf.size
    if tree.bits == Family.IPV4.bits or past <= 1 << Family.IPV4.bits:
        found.add(code, Family.IPV4, first, past)
    elif not any(low <= first and past <= high for low, high in _COPIES):
        found.add(code, Family.IPV6, first, past)


def _opened(body: bytes) -> Reader:
    """Open the database in memory.

    Raises:
        ListError: it is not one.
    """
    from maxminddb import MODE_FD, InvalidDatabaseError, open_database

    if not recognise(body):
        raise ListError(tr("The source sent no database in MaxMind's format, or a part of one."))
    try:
        return open_database(_InMemory(body), MODE_FD)
    except (InvalidDatabaseError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise _damaged() from error


def _damaged() -> ListError:
    return ListError(tr("The database is damaged."))


def _tree(body: bytes, reader: Reader) -> _Tree:
    """Return the search tree.

    Raises:
        ListError: it is not where the metadata says, or too large.
    """
    facts = reader.metadata()
    nodes, size, version = facts.node_count, facts.record_size, facts.ip_version
    bits = {4: Family.IPV4.bits, 6: Family.IPV6.bits}.get(version)
    if bits is None or type(nodes) is not int or not 0 < nodes <= _LARGEST_NODES:
        raise _damaged()
    octets = body[: nodes * size // 4]
    if len(octets) != nodes * size // 4:
        raise _damaged()
    return _Tree(_records(octets, size, nodes), nodes, bits)


def _records(octets: bytes, size: int, nodes: int) -> array[int]:
    """Return all records of a tree: 24, 28 or 32 bits each, big-endian."""
    wide = bytearray(8 * nodes)
    step = size // 4
    if size == 28:  # noqa: PLR2004 - the byte in the middle has four bits of either record
        middle = octets[3::step]
        wide[0::8] = middle.translate(bytes(byte >> 4 for byte in range(256)))
        wide[4::8] = middle.translate(bytes(byte & 15 for byte in range(256)))
        places = [(1, 0), (2, 1), (3, 2), (5, 4), (6, 5), (7, 6)]
    elif size == 24:  # noqa: PLR2004
        places = [(1, 0), (2, 1), (3, 2), (5, 3), (6, 4), (7, 5)]
    else:
        places = [(place, place) for place in range(8)]
    for to, at in places:
        wide[to::8] = octets[at::step]
    records = array("I", bytes(wide))
    if sys.byteorder == "little":
        records.byteswap()
    return records


def _leaves(tree: _Tree) -> Iterator[_Leaf]:
    """Yield the networks that have data, in ascending order.

    Networks in IPv6 under which databases repeat all of IPv4 are left out.

    Raises:
        ListError: the tree is damaged.
    """
    records, nodes, bits = tree.records, tree.nodes, tree.bits
    ipv4 = _ipv4_start(tree)
    steps = 0
    pending = [(0, 0, bits)]
    while pending:
        node, first, left = pending.pop()
        if node > nodes:
            yield _Leaf(first, 1 << left, node)
            continue
        if node == nodes or (node == ipv4 and first):
            continue
        steps += 1
        if not left or steps > _MOST_STEPS * nodes:
            raise _damaged()
        left -= 1
        pending.append((records[2 * node + 1], first + (1 << left), left))
        pending.append((records[2 * node], first, left))


def _ipv4_start(tree: _Tree) -> int:
    """Return the node of ``::/96``, which databases also use as that of ``::ffff:0:0/96``, …."""
    if tree.bits == Family.IPV4.bits:
        return -1
    node = 0
    for _ in range(Family.IPV6.bits - Family.IPV4.bits):
        if node >= tree.nodes:
            return -1
        node = tree.records[2 * node]
    return node if node < tree.nodes else -1


def _country(reader: Reader, tree: _Tree, leaf: _Leaf) -> str:
    """Return the upper-case code in a leaf's data; empty if it has none.

    Raises:
        ListError: the data is damaged.
    """
    from maxminddb import InvalidDatabaseError

    family = Family.IPV4 if tree.bits == Family.IPV4.bits else Family.IPV6
    try:
        record = reader.get(address_text(family, leaf.first))
    except (InvalidDatabaseError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise _damaged() from error
    return country_of(record)


def country_of(record: object) -> str:
    """Return the upper-case code of the country in a record; empty for none.

    Where a network is used (``country``) counts. Where it is registered (``registered_country``)
    counts only if a record has no ``country``, as anycast networks have none. IPinfo's databases
    have ``country_code``.
    """
    if not isinstance(record, dict):
        return ""
    places = (record.get("country"), record.get("registered_country"))
    used, registered = (each.get("iso_code") if isinstance(each, dict) else "" for each in places)
    code = used or record.get("country_code") or registered
    return code.upper() if isinstance(code, str) else ""


def recognise(body: bytes) -> bool:
    """Whether a body has the mark of the format near its end."""
    return _MARK in body[-_MARK_WITHIN:]


FORMAT = Format("mmdb", frozenset({ListKind.COUNTRY}), False, recognise, parse_extract, cut)
