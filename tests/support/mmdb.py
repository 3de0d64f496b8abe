"""A writer of databases in MaxMind's format, https://maxmind.github.io/MaxMind-DB/ version 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Self

Network = IPv4Network | IPv6Network
_EMPTY = -1
_MARK = b"\xab\xcd\xefMaxMind.com"
_ALIASES = ("::ffff:0:0/96", "2002::/16", "2001::/32")
"""Where GeoLite2 repeats IPv4."""


def mmdb(
    networks: Mapping[str, object],
    *,
    size: int = 24,
    version: int = 6,
    aliases: bool = True,
    padding: int = 0,
) -> bytes:
    """A database; networks within others come after them.

    Args:
        networks: the record of each network: dictionaries, lists, strings, numbers and booleans.
        size: bits of a record of the search tree: 24, 28 or 32.
        version: 6 for both families, 4 for IPv4 alone.
        aliases: whether IPv4 is repeated in IPv6, as publishers do.
        padding: bytes before the first record of the data.
    """
    tree = _Tree(version)
    data = bytearray(padding)
    places: dict[str, int] = {}
    for text, record in networks.items():
        place = places.setdefault(repr(record), len(data))
        if place == len(data):
            data += encoded(record)
        tree.add(ip_network(text), place)
    if version == 6 and aliases:
        tree.alias()
    metadata = {
        "binary_format_major_version": Number(5, 2),
        "binary_format_minor_version": Number(5, 0),
        "build_epoch": Number(9, 1_769_904_000),
        "database_type": "Test-Country",
        "description": {"en": "Made by a test"},
        "ip_version": Number(5, version),
        "languages": ["en"],
        "node_count": Number(6, len(tree.nodes)),
        "record_size": Number(5, size),
    }
    return tree.encoded(size) + bytes(16) + bytes(data) + _MARK + encoded(metadata)


class _Tree:
    """A search tree. A record is ``_EMPTY``, a node's number, or ~place of data."""

    def __init__(self, version: int) -> None:
        self.bits = 128 if version == 6 else 32
        self.nodes: list[list[int | tuple[int]]] = [[_EMPTY, _EMPTY]]

    def add(self, network: Network, place: int) -> None:
        """Give a network its data."""
        length = network.prefixlen + (self.bits - network.max_prefixlen)
        number = int(network.network_address)
        self._put(number, length, (place,))

    def alias(self) -> None:
        """Repeat IPv4 in IPv6."""
        start: int | tuple[int] = 0
        for _ in range(96):
            if isinstance(start, tuple) or start == _EMPTY:
                return
            start = self.nodes[start][0]
        for text in _ALIASES:
            network = IPv6Network(text)
            self._put(int(network.network_address), network.prefixlen, start)

    def _put(self, number: int, length: int, record: int | tuple[int]) -> None:
        node = 0
        for level in range(length - 1):
            side = number >> (self.bits - 1 - level) & 1
            found = self.nodes[node][side]
            if isinstance(found, tuple) or found == _EMPTY:
                self.nodes.append([found, found])
                found = self.nodes[node][side] = len(self.nodes) - 1
            node = found
        self.nodes[node][number >> (self.bits - length) & 1] = record

    def encoded(self, size: int) -> bytes:
        """The search tree as it is written."""
        return b"".join(
            _node(self._record(left), self._record(right), size) for left, right in self.nodes
        )

    def _record(self, record: int | tuple[int]) -> int:
        count = len(self.nodes)
        if isinstance(record, tuple):
            return count + 16 + record[0]
        return count if record == _EMPTY else record


def _node(left: int, right: int, size: int) -> bytes:
    if size == 28:
        middle = (left >> 24) << 4 | right >> 24
        low = (1 << 24) - 1
        return (left & low).to_bytes(3) + bytes([middle]) + (right & low).to_bytes(3)
    return left.to_bytes(size // 8) + right.to_bytes(size // 8)


class Number(int):
    """A whole number of one of the format's types."""

    type: int

    def __new__(cls, type_: int, value: int) -> Self:
        made = super().__new__(cls, value)
        made.type = type_
        return made


def encoded(value: object) -> bytes:
    """A value of the data section."""
    if isinstance(value, bool):
        return _head(14, int(value))
    if isinstance(value, int):
        content = value.to_bytes((value.bit_length() + 7) // 8)
        return _head(value.type if isinstance(value, Number) else 6, len(content)) + content
    if isinstance(value, str):
        content = value.encode()
        return _head(2, len(content)) + content
    if isinstance(value, dict):
        parts = (encoded(key) + encoded(each) for key, each in value.items())
        return _head(7, len(value)) + b"".join(parts)
    assert isinstance(value, list)
    return _head(11, len(value)) + b"".join(map(encoded, value))


def _head(type_: int, size: int) -> bytes:
    more = b""
    if size >= 29:
        assert size < 285
        size, more = 29, bytes([size - 29])
    if type_ < 8:
        return bytes([type_ << 5 | size]) + more
    return bytes([size, type_ - 7]) + more


def country(code: str) -> dict[str, object]:
    """A record as GeoLite2-Country has them."""
    return {
        "continent": {"code": "EU", "geoname_id": 6255148},
        "country": {"iso_code": code, "geoname_id": 1, "names": {"en": f"Land of {code}"}},
        "registered_country": {"iso_code": "US", "geoname_id": 6252001},
    }
