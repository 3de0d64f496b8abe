"""The programs that tell what rules others have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from geofence.errors import BackendError
from geofence.model.policy import Ports
from geofence.model.prefixes import Family
from geofence.other_rules import iptables, nft
from geofence.other_rules.facts import OtherRules, OthersTable
from geofence.other_rules.traversal import find

_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_SECONDS = 10
_TABLES = ("raw", "nat")
_PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_LEGACY = {
    Family.IPV4: Path("/proc/thread-self/net/ip_tables_names"),
    Family.IPV6: Path("/proc/thread-self/net/ip6_tables_names"),
}


def read_other_rules(services: Mapping[str, tuple[Ports, ...]]) -> OtherRules:
    """Return what rules of other programs do to services, given the ports of each.

    Never fails: a program that is missing has made no rules, and one that fails is named in
    ``unread``. Changes nothing in the kernel, a table that a look would make included.
    """
    tables: list[OthersTable] = []
    unread: list[str] = []
    listed = _printed("nft", ("-j", "-t", "list", "ruleset"), unread)
    if listed is not None:
        try:
            tables.extend(nft.parse(listed))
        except BackendError:
            unread.append("nft")
    for family in Family:
        tables.extend(_of_iptables(family, listed, unread))
    return replace(find(tables, services), unread=tuple(dict.fromkeys(unread)))


def _of_iptables(family: Family, listed: str | None, unread: list[str]) -> Iterable[OthersTable]:
    """Yield tables of both flavours, where the kernel says that they exist or nothing tells."""
    made = {table for at, table in nft.iptables_tables(listed or "") if at is family}
    for table in _TABLES:
        if listed is None or table in made:
            yield from _saved(family, "-nft", table, unread)
    for table in sorted(set(_legacy(family)) & set(_TABLES)):
        yield from _saved(family, "-legacy", table, unread)


def _saved(family: Family, flavour: str, table: str, unread: list[str]) -> Iterable[OthersTable]:
    printed = _printed(f"{_PROGRAMS[family]}{flavour}-save", ("-t", table), unread)
    if printed is not None:
        yield iptables.parse(printed, table, family)


def _legacy(family: Family) -> list[str]:
    try:
        return _LEGACY[family].read_text(encoding="ascii").split()
    except OSError:  # the kernel has no legacy iptables, or it was never used
        return []


def _printed(program: str, arguments: tuple[str, ...], unread: list[str]) -> str | None:
    """Return what a program prints; None if it is missing or fails, which is noted."""
    path = shutil.which(program, path=_PATH)
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs and arguments, no shell
            [path, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        unread.append(program)
        return None
    return done.stdout
