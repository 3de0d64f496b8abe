"""The programs iptables and ip6tables: read and change the table mangle, and what they refuse."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress

from geofence.backends.ipset.shapes import CHAIN, LEGACY_TABLES
from geofence.backends.ipset.table import PROGRAMS, MangleTable, parse_table
from geofence.backends.ipset.traces import has_table
from geofence.errors import BackendError, BackendUnavailable
from geofence.host.programs import run_program
from geofence.lean import AF_INET, IPPROTO_RAW, SOCK_RAW, Path, socket
from geofence.model.frozen import NamedTuple
from geofence.model.prefixes import Family
from geofence.translation import tr

_MOMENT = 0.3
"""Seconds."""
_TRIES = 5
"""How often a table is read while other runs replace sets."""
_SET_REPLACED = r"Set with index \d+ in kernel doesn't exist"
_NO_NAMES = r"Warning: cannot open .*connlabel\.conf"
"""What iptables says, for each rule with a label, where no file gives names to labels."""
_SEARCH_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_PERMISSION = (
    r"(?i)permission denied|operation not permitted|must be root|can't open socket to ipset"
)
_NO_MATCH = (
    r"(?:Extension|match [^a-z]?)\s?(connlabel|u32|helper|conntrack)\b.*"
    r"(?:not supported|missing|found)"
)
"""What iptables says where the kernel lacks a match, in the words of either flavour."""
_NO_FAMILY = "address family not supported"
"""What the legacy flavour of ip6tables says of EAFNOSUPPORT."""
_BUSY_CHAIN = rf"CHAIN_DEL failed.*\bchain ({CHAIN}\S*)"


def require_raw_socket() -> None:
    """Raise an error if iptables could not open its raw socket, by which it asks ipset's version.

    Raises:
        BackendUnavailable: CAP_NET_RAW is missing.
    """
    try:
        socket(AF_INET, SOCK_RAW, IPPROTO_RAW).close()
    except OSError as error:
        raise BackendUnavailable(_needs_privilege("iptables")) from error


def _needs_privilege(program: str) -> str:
    return tr(
        "'{program}' needs CAP_NET_ADMIN and, for rules with '-m set', CAP_NET_RAW. Run geofence "
        "as root, for example with sudo. Its units have CAP_NET_RAW from "
        "geofence-.service.d/ipset.conf.",
        program=program,
    )


class _SetReplacedError(BackendError):
    """A set of a rule was replaced while rules were being read."""


class Tool(NamedTuple):
    """One family's iptables: that of the host, or one flavour of it."""

    family: Family
    flavour: str = ""
    """Empty for whichever the host's ``iptables`` is; ``-nft`` or ``-legacy``."""

    @property
    def name(self) -> str:
        """``iptables``, ``ip6tables-legacy``."""
        return PROGRAMS[self.family] + self.flavour

    def save(self) -> MangleTable:
        """Read the table.

        The program reads rules first and then the names of their sets, so it fails if another run
        replaces a set in between. Then it is run again.
        """
        command = [_path(f"{self.name}-save"), "-c", "-t", "mangle"]
        for _ in range(_TRIES - 1):
            with suppress(_SetReplacedError):
                return parse_table(_run(command, ""))
        return parse_table(_run(command, ""))

    def read(self) -> MangleTable:
        """Read the table; without its program where the kernel says that there is none."""
        save = _path(f"{self.name}-save")
        if "nft" in os.path.realpath(save).rpartition("/")[2] and not has_table(self.family):
            return parse_table("")
        return self.save()

    def restore(self, commit: str) -> None:
        """Commit the table in one transaction."""
        _run([_path(f"{self.name}-restore"), "--noflush", "--wait", "10"], commit)

    def labelled(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Return rules as a plan shows them, each with its program in front."""
        return tuple(f"{self.name} {line}" for line in lines)


class Tables:
    """Tables that one step has read for the next one, which believes them for a moment."""

    def __init__(self) -> None:
        self._read: dict[Tool, tuple[float, MangleTable]] = {}

    def get(self, tool: Tool) -> MangleTable:
        """Return a table as it is, or was a moment ago."""
        at, table = self._read.get(tool, (0.0, None))
        now = time.monotonic()
        if table is None or now - at > _MOMENT:
            table = tool.read()
            self._read[tool] = (now, table)
        return table


TOOLS = tuple(Tool(family) for family in Family)
"""What holds the fence."""


def other_tools() -> tuple[Tool, ...]:
    """Return the flavour that the host's ``iptables`` is not, where it can hold rules.

    The flavours are different tables in the kernel. A host whose ``iptables`` was switched from one
    to the other still obeys the rules that the first has left. Reading a legacy table would make
    it, so it is only read where the kernel says that it exists.
    """
    return tuple(tool for family in Family if (tool := _other_tool(family)) is not None)


def all_tools() -> tuple[Tool, ...]:
    """Return all that can hold rules here."""
    return (*TOOLS, *other_tools())


def _other_tool(family: Family) -> Tool | None:
    program = os.path.realpath(_path(PROGRAMS[family]))
    nft = "nft" in program.rpartition("/")[2]
    tool = Tool(family, "-legacy" if nft else "-nft")
    if _found(f"{tool.name}-save") is None:
        return None
    return tool if not nft or "mangle" in _legacy_tables(family) else None


def _legacy_tables(family: Family) -> list[str]:
    try:
        return LEGACY_TABLES[family].read_text(encoding="utf-8").split()
    except OSError:  # the kernel has no legacy iptables, or it was never used
        return []


def _found(name: str) -> str | None:
    """Return the path of a program, as ``shutil.which`` does, whose import takes longer."""
    paths = (f"{directory}/{name}" for directory in _SEARCH_PATH.split(":"))
    return next((path for path in paths if _is_program(path)), None)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and os.path.isfile(path)  # noqa: PTH113 - asked at each step


def _path(name: str) -> str:
    """Return the absolute path of a program.

    Raises:
        BackendUnavailable: it is not installed.
    """
    path = _found(name)
    if path is None:
        raise BackendUnavailable(
            tr(
                "The program \"{program}\" is missing. Install it with 'apt install iptables', or "
                'set backend = "nftables" in the rules.',
                program=name,
            )
        )
    return path


def _run(command: list[str], given: str) -> str:
    try:
        done = run_program(command, given, {"PATH": _SEARCH_PATH, "LC_ALL": "C"})
    except OSError as error:
        raise BackendError(
            tr("'{program}' cannot be run: {reason}.", program=command[0], reason=error)
        ) from error
    if done.code:
        lines = (line for line in done.complained.splitlines() if not re.search(_NO_NAMES, line))
        said = " ".join(" ".join(lines).split())
        refusal = _refusal(command[0], said)
        raise _SetReplacedError(str(refusal)) if re.search(_SET_REPLACED, said) else refusal
    return done.said


def lacks(match: str) -> str:
    """Return what to do where the kernel lacks a match."""
    return tr(
        'This kernel lacks the iptables match "{match}" (xt_{match}). Load it with '
        "'modprobe xt_{match}', or set backend = \"nftables\" in the rules.",
        match=match,
    )


def _refusal(name: str, said: str) -> BackendError:
    if re.search(_PERMISSION, said):
        return BackendUnavailable(_needs_privilege(name))
    missing = re.search(_NO_MATCH, said)
    if missing:
        return BackendUnavailable(lacks(missing[1]))
    if _NO_FAMILY in said.lower():
        return BackendUnavailable(
            tr(
                "'{program}' cannot work: the kernel was booted without IPv6 (ipv6.disable=1). Set "
                'backend = "nftables" in the rules, which needs no IPv6.',
                program=name,
            )
        )
    busy = re.search(_BUSY_CHAIN, said)
    if busy:
        return BackendError(
            tr(
                "'{program}' refused: a rule of another program leads to the chain \"{chain}\", "
                "which is to be removed. Find that rule with '{command}', delete it, and try "
                "again.",
                program=name,
                chain=busy[1],
                command=f"{Path(name).name.replace('restore', 'save')} -t mangle",
            )
        )
    if not said:
        return BackendError(tr("'{program}' refused without a reason.", program=name))
    return BackendError(tr("'{program}' refused: {reason}.", program=name, reason=said))
