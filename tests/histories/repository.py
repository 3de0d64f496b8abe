"""Versions of country lists out of a clone of ipverse's rir-ip (a Git repository; CC0)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from geofence.errors import ListError
from geofence.lists.parsed import FamilyFacts, ParsedList
from geofence.lists.text import parse_text
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, PrefixSet

_FILES = {f"ipv{family.digit}-aggregated.txt": family for family in Family}


@dataclass
class Repository:
    """A clone; blobs are read by one process of Git."""

    path: Path

    def days(self, branch: str) -> Iterator[tuple[datetime, dict[ListId, ParsedList]]]:
        """Each commit's time, UTC, and the lists that it changed."""
        halves: dict[tuple[str, Family], ParsedList] = {}
        with self._reader() as reader:
            for moment, changed in self._commits(branch):
                for (code, family), blob in changed.items():
                    halves[code, family] = _parsed(_read(reader, blob), code, family)
                yield (
                    moment,
                    {
                        ListId(ListKind.COUNTRY, code): _whole(halves, code)
                        for code in sorted({code for code, _ in changed})
                    },
                )

    def _reader(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", "-C", self.path, "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _commits(self, branch: str) -> Iterator[tuple[datetime, dict[tuple[str, Family], str]]]:
        command = (
            *("git", "-C", str(self.path), "log", "--reverse", "--raw", "--no-abbrev"),
            *("--no-renames", "--format=%x00%ct", branch, "--", "country"),
        )
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for commit in told.split("\0")[1:]:
            seconds, _, lines = commit.partition("\n")
            yield datetime.fromtimestamp(int(seconds), UTC), dict(_changed(lines))


def _changed(lines: str) -> Iterator[tuple[tuple[str, Family], str]]:
    for line in lines.splitlines():
        if not line.startswith(":"):
            continue
        facts, path = line.split("\t")
        blob = facts.split()[3]
        code, name = Path(path).parts[1:]
        if name in _FILES and len(code) == 2:
            yield (code.upper(), _FILES[name]), blob


def _read(reader: subprocess.Popen[bytes], blob: str) -> bytes:
    """A blob; empty for one that a commit took away."""
    if not blob.strip("0"):
        return b""
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(blob.encode() + b"\n")
    reader.stdin.flush()
    size = int(reader.stdout.readline().split()[2])
    return reader.stdout.read(size + 1)[:-1]


def _parsed(body: bytes, code: str, family: Family) -> ParsedList:
    """A file's prefixes; none where it is withdrawn, or holds a header alone."""
    try:
        return parse_text(body, family, code)
    except ListError:
        return ParsedList(AddressSpace(), FamilyFacts(), FamilyFacts())


def _whole(halves: dict[tuple[str, Family], ParsedList], code: str) -> ParsedList:
    spaces: dict[Family, PrefixSet] = {}
    facts: dict[Family, FamilyFacts] = {}
    for family in Family:
        half = halves.get((code, family))
        spaces[family] = half.space[family] if half else PrefixSet(family)
        facts[family] = half[family] if half else FamilyFacts()
    space = AddressSpace(spaces[Family.IPV4], spaces[Family.IPV6])
    return ParsedList(space, facts[Family.IPV4], facts[Family.IPV6])
