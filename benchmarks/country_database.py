"""Writes a country database in MaxMind's format, for its own reader to be timed with.

The format is that of https://maxmind.github.io/MaxMind-DB/: a binary tree of 24-bit records, the
data that its leaves point to, and metadata. maxminddb reads it and has no writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from geofence.model.prefixes import AddressSpace, Family, Prefix

_MARK = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = bytes(16)
_MAP, _TEXT, _SHORT, _WORD = 7, 2, 5, 6
_LONG, _ARRAY = 2, 4
"""Types whose number follows in a byte of its own."""
_EMPTY = -1
"""A record that leads nowhere; others below 0 lead to data, from 0 on to a node."""

_Node = list[int]


def write_database(path: Path, spaces: Mapping[str, AddressSpace]) -> Path:
    """A database of both families; IPv4 lies at ::/96, as in those that are published."""
    data = b""
    offsets: dict[str, int] = {}
    for code in spaces:
        offsets[code] = len(data)
        data += _map({"country": _map({"iso_code": _text(code)})})
    nodes: list[_Node] = [[_EMPTY, _EMPTY]]
    for code, space in spaces.items():
        for family in Family:
            _add(nodes, space[family].prefixes(), -2 - offsets[code])
    tree = b"".join(_record(each, len(nodes)) for node in nodes for each in node)
    path.write_bytes(tree + _SEPARATOR + data + _MARK + _metadata(len(nodes)))
    return path


def _add(nodes: list[_Node], prefixes: Iterable[Prefix], leaf: int) -> None:
    for family, network, length in prefixes:
        depth = length + 96 if family is Family.IPV4 else length
        at = 0
        for level in range(depth - 1):
            bit = network >> (127 - level) & 1
            if nodes[at][bit] < 0:
                nodes.append([nodes[at][bit], nodes[at][bit]])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][network >> (128 - depth) & 1] = leaf


def _record(value: int, nodes: int) -> bytes:
    if value == _EMPTY:
        return nodes.to_bytes(3)
    return (value if value >= 0 else nodes + len(_SEPARATOR) - 2 - value).to_bytes(3)


def _metadata(nodes: int) -> bytes:
    return _map(
        {
            "binary_format_major_version": _number(_SHORT, 2),
            "binary_format_minor_version": _number(_SHORT, 0),
            "build_epoch": bytes([1, _LONG, 1]),
            "database_type": _text("Country"),
            "description": _map({"en": _text("Countries")}),
            "ip_version": _number(_SHORT, 6),
            "languages": bytes([1, _ARRAY]) + _text("en"),
            "node_count": _number(_WORD, nodes),
            "record_size": _number(_SHORT, 24),
        }
    )


def _map(entries: Mapping[str, bytes]) -> bytes:
    pairs = b"".join(_text(key) + value for key, value in entries.items())
    return bytes([_MAP << 5 | len(entries)]) + pairs


def _text(value: str) -> bytes:
    return bytes([_TEXT << 5 | len(value)]) + value.encode()


def _number(kind: int, value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([kind << 5 | size]) + value.to_bytes(size)
