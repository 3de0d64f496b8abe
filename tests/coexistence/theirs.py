"""What the kernel holds that is not geofence's, to the byte."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.behaviour.fence import Fence

_NOISE = re.compile(r"\[\d+:\d+\]|^#.*\n", re.MULTILINE)
"""Counters and comments with the time."""
_OURS = re.compile(
    r"^(:|-A |create |add )geofence.*\n|^.* -j GEOFENCE(\.\w+)?\n", re.IGNORECASE | re.MULTILINE
)
_EMPTY_TABLE = re.compile(r"^\*\w+\n(:[A-Z]+ ACCEPT \n)*COMMIT\n", re.MULTILINE)
"""A table of iptables that decides nothing: there once somebody has looked at it."""
_OF_IPTABLES = re.compile(r"table ip6? (filter|mangle|nat|raw|security)$")
"""Tables of nftables that iptables made, and prints better."""


def theirs(fence: Fence) -> dict[str, str]:
    """All rules and sets that are not geofence's; tables of nftables with handles.

    A rule that somebody takes away and puts back as it was has another handle.
    """
    saved = {
        program: _without_ours(fence.run(program))
        for program in ("iptables-save", "ip6tables-save")
    }
    sets = {"ipset save": _OURS.sub("", fence.run("ipset save"))}
    tables = {
        table: fence.run(f"nft --stateless --handle list {table}") for table in _tables(fence)
    }
    return saved | sets | tables


def _without_ours(saved: str) -> str:
    return _EMPTY_TABLE.sub("", _OURS.sub("", _NOISE.sub("", saved)))


def _tables(fence: Fence) -> Iterator[str]:
    for table in fence.run("nft list tables").splitlines():
        if table != "table inet geofence" and not _OF_IPTABLES.match(table):
            yield table
