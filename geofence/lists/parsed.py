"""Parsed lists: their addresses, and what the guards need to know of how they are written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from geofence.model.frozen import NamedTuple, dataclass, field, replace
from geofence.model.lists import AcceptedList
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.translation import tr


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """How the addresses of one family are written in a list."""

    entries: int = 0
    """Number of prefixes, single addresses and ranges, as written."""
    broadest: int | None = None
    """Length of the shortest prefix written (a range counts as the broadest prefix that would fit
    into it); None without entries."""
    addresses: int = 0
    """How many addresses the entries contain, each counted as often as it is written."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """An invalid line of a blocklist, which was skipped."""

    number: int
    """Counted from 1."""
    problem: str
    """What is wrong with it: ``"192.0.2.300" is not an IPv4 address``."""

    @property
    def sentence(self) -> str:
        """The line's number and problem as a sentence."""
        return tr("Line {number}: {problem}.", number=self.number, problem=self.problem)

    def __str__(self) -> str:
        return tr("line {number}: {problem}", number=self.number, problem=self.problem)


class Publication(NamedTuple):
    """What a publisher says of a list, and asks to keep with it."""

    at: datetime | None = None
    """When it was published, UTC; None if the list does not tell."""
    copyright: str = ""
    """One line."""


@dataclass(frozen=True, slots=True)
class ParsedList:
    """A parsed body, or several that make up one list."""

    space: AddressSpace
    ipv4: FamilyFacts
    ipv6: FamilyFacts
    skipped: tuple[BadLine, ...] = ()
    """Invalid lines, of a blocklist only."""
    publication: Publication = field(default_factory=Publication)
    carried: bytes = b""
    """What the next version is made from, of a format whose source gives only what is new."""

    def __getitem__(self, family: Family) -> FamilyFacts:
        return self.ipv4 if family is Family.IPV4 else self.ipv6

    def repeated(self, family: Family) -> int:
        """Return by how many addresses the entries together exceed their union.

        0 means that no entry duplicates or overlaps another.
        """
        return self[family].addresses - self.space[family].size

    def published_as(self, publication: Publication) -> ParsedList:
        """Return the list with what its publisher says of it."""
        return replace(self, publication=publication)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Half-open ranges of one family in the order in which they are written."""

    family: Family
    firsts: list[int] = field(default_factory=list)
    pasts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    """Number of addresses of each range."""

    def append(self, first: int, past: int) -> None:
        """Add one range."""
        self.firsts.append(first)
        self.pasts.append(past)
        self.sizes.append(past - first)

    def moved(self, first: int, past: int) -> list[tuple[int, int]]:
        """Remove and return the ranges that lie within a part of the number line."""
        if not self.firsts or min(self.firsts) >= past:
            return []  # nearly always: the addresses of lists are far above
        kept: list[tuple[int, int]] = []
        found: list[tuple[int, int]] = []
        for each in zip(self.firsts, self.pasts, strict=True):
            (found if first <= each[0] and each[1] <= past else kept).append(each)
        self.firsts[:] = [each[0] for each in kept]
        self.pasts[:] = [each[1] for each in kept]
        self.sizes[:] = [each[1] - each[0] for each in kept]
        return found

    def united(self) -> tuple[PrefixSet, FamilyFacts]:
        """Return their union and the facts about them; consumes the ranges."""
        if not self.sizes:
            return PrefixSet(self.family), FamilyFacts()
        union = PrefixSet.of_ranges(self.family, self.firsts, self.pasts)
        broadest = self.family.bits + 1 - max(self.sizes).bit_length()
        return union, FamilyFacts(len(self.sizes), broadest, sum(self.sizes))


def parsed_list(ipv4: Ranges, ipv6: Ranges, skipped: Iterable[BadLine] = ()) -> ParsedList:
    """Return the list of these ranges; consumes them."""
    space4, facts4 = ipv4.united()
    space6, facts6 = ipv6.united()
    return ParsedList(AddressSpace(space4, space6), facts4, facts6, tuple(skipped))


def joined(parts: Iterable[ParsedList]) -> ParsedList:
    """Return one list from its parts, such as a text list for each family."""
    known = tuple(parts)
    if len(known) == 1:
        return known[0]
    space = AddressSpace.union(part.space for part in known)
    ipv4, ipv6 = (_joined_facts(part[family] for part in known) for family in Family)
    skipped = tuple(line for part in known for line in part.skipped)
    return ParsedList(space, ipv4, ipv6, skipped)


def _joined_facts(parts: Iterable[FamilyFacts]) -> FamilyFacts:
    facts = tuple(parts)
    return FamilyFacts(
        sum(fact.entries for fact in facts),
        min((fact.broadest for fact in facts if fact.broadest is not None), default=None),
        sum(fact.addresses for fact in facts),
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new version of a list, which is accepted unless a guard refuses it."""

    accepted: AcceptedList
    bodies: tuple[bytes, ...]
    """As received, one for each entry of ``accepted.provenance``."""
    parsed: ParsedList
    """The bodies parsed; ``parsed.space`` is ``accepted.space``."""
    expired: AddressSpace = field(default_factory=AddressSpace)
    """Addresses that left the list because their time was over, which is no loss."""
    fingerprint: str = ""
    """Hash of its addresses, once it was found."""
