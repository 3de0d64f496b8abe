"""The programs that tell what rules others have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from geofence.errors import BackendError
from geofence.model.frozen import dataclass, replace
from geofence.model.policy import Ports
from geofence.model.prefixes import Family
from geofence.other_rules import iptables, nft
from geofence.other_rules.facts import OtherRules, OthersTable
from geofence.other_rules.traversal import find

_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_SECONDS = 10
_TABLES = ("raw", "nat")
ALL_TABLES = ("raw", "mangle", "nat", "filter")
_PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_LEGACY = {
    Family.IPV4: Path("/proc/thread-self/net/ip_tables_names"),
    Family.IPV6: Path("/proc/thread-self/net/ip6_tables_names"),
}


@dataclass(frozen=True, slots=True)
class AllTables:
    """Tables of other programs, by what made them."""

    nft: tuple[OthersTable, ...] = ()
    """As nft lists them; those of iptables-nft are among them, less well understood."""
    by_nft_flavour: tuple[OthersTable, ...] = ()
    """Of iptables-nft."""
    legacy: tuple[OthersTable, ...] = ()
    """Of iptables-legacy."""
    unread: tuple[str, ...] = ()
    """Programs that could not tell: they failed, or gave what is not understood."""

    @property
    def every(self) -> tuple[OthersTable, ...]:
        """All of them."""
        return (*self.nft, *self.by_nft_flavour, *self.legacy)

    @property
    def distinct(self) -> tuple[OthersTable, ...]:
        """Each table once: those of iptables-nft as iptables tells them."""
        told = {_as_nft(each) for each in self.by_nft_flavour}
        native = tuple(each for each in self.nft if each.place not in told)
        return (*native, *self.by_nft_flavour, *self.legacy)


def _as_nft(table: OthersTable) -> str:
    program, name = table.place.split(" ", 1)
    return f"nft {'ip6' if program.startswith('ip6') else 'ip'} {name}"


def read_other_rules(services: Mapping[str, tuple[Ports, ...]]) -> OtherRules:
    """Return what rules of other programs do to services, given the ports of each.

    Never fails: a program that is missing has made no rules, and one that fails is named in
    ``unread``. Changes nothing in the kernel, a table that a look would make included.
    """
    tables = read_tables(_TABLES)
    return replace(find(tables.every, services), unread=tables.unread)


def read_tables(names: Collection[str] = ALL_TABLES) -> AllTables:
    """Return the tables of other programs; never fails, as ``read_other_rules``.

    Args:
        names: the tables of iptables that are asked for.
    """
    unread: list[str] = []
    nftables: tuple[OthersTable, ...] = ()
    listed = _printed("nft", ("-j", "-t", "list", "ruleset"), unread)
    if listed is not None:
        try:
            nftables = nft.parse(listed)
        except BackendError:
            unread.append("nft")
    by_nft = [table for each in Family for table in _nft_flavour(each, listed, names, unread)]
    legacy = [
        table
        for family in Family
        for name in sorted(set(_legacy(family)) & set(names))
        for table in _saved(family, "-legacy", name, unread)
    ]
    return AllTables(nftables, tuple(by_nft), tuple(legacy), tuple(dict.fromkeys(unread)))


def read_texts() -> tuple[str, tuple[str, ...]]:
    """Return what nft prints of all tables as JSON, and what iptables prints of raw and mangle.

    Never fails: a program that is missing has made no rules. Makes no table in the kernel.
    """
    unread: list[str] = []
    listed = _printed("nft", ("-j", "-t", "list", "ruleset"), unread)
    names = ("raw", "mangle")
    asked = [
        (f"{_PROGRAMS[family]}{flavour}-save", table)
        for family in Family
        for flavour, tables in (
            (
                "-nft",
                {table for at, table in nft.iptables_tables(listed or "", names) if at is family},
            ),
            ("-legacy", set(_legacy(family)) & set(names)),
        )
        for table in sorted(tables)
    ]
    texts = (_printed(program, ("-t", table), unread) for program, table in asked)
    return listed or "", tuple(text for text in texts if text)


def _nft_flavour(
    family: Family, listed: str | None, names: Collection[str], unread: list[str]
) -> Iterable[OthersTable]:
    """Yield tables that the kernel says exist, or that nothing tells of."""
    made = {table for at, table in nft.iptables_tables(listed or "", names) if at is family}
    for table in names:
        if listed is None or table in made:
            yield from _saved(family, "-nft", table, unread)


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
