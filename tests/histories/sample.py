"""A sample of real changes of lists, as small as it goes: read and written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from geofence.lists.parsed import FamilyFacts, ParsedList
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, PrefixSet

SAMPLE = Path(__file__).parent / "sample.json.gz"
"""From ipverse's rir-ip (CC0)."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a source served of one list for some weeks."""

    list: ListId
    elsewhere: AddressSpace
    """What other countries' lists held then of what this one lost."""
    versions: tuple[tuple[datetime, ParsedList], ...]
    """When each was published first, UTC."""


def read_sample() -> tuple[Story, ...]:
    """The sample that is kept beside the tests."""
    return tuple(map(_story, json.loads(gzip.decompress(SAMPLE.read_bytes()))))


def write_sample(stories: Iterable[Story]) -> None:
    """Keep other stories; the same ones give the same file."""
    told = json.dumps([_told(story) for story in stories], separators=(",", ":"))
    SAMPLE.write_bytes(gzip.compress(told.encode(), mtime=0))


def _told(story: Story) -> dict[str, Any]:
    former = AddressSpace()
    versions = []
    for moment, parsed in story.versions:
        gained, lost = parsed.space - former, former - parsed.space
        broadest = [parsed[family].broadest for family in Family]
        versions.append([moment.isoformat(), broadest, _steps(gained), _steps(lost)])
        former = parsed.space
    return {
        "code": story.list.name,
        "elsewhere": _steps(story.elsewhere),
        "versions": versions,
    }


def _story(told: dict[str, Any]) -> Story:
    return Story(
        ListId(ListKind.COUNTRY, told["code"]),
        _space(told["elsewhere"]),
        tuple(_versions(told["versions"])),
    )


def _versions(told: Iterable[Any]) -> Iterator[tuple[datetime, ParsedList]]:
    space = AddressSpace()
    for moment, broadest, gained, lost in told:
        space = (space | _space(gained)) - _space(lost)
        ipv4, ipv6 = (FamilyFacts(broadest=length) for length in broadest)
        yield datetime.fromisoformat(moment), ParsedList(space, ipv4, ipv6)


def _steps(space: AddressSpace) -> list[list[int]]:
    """Where intervals begin and end, each as its distance from the one before: that packs well."""
    return [[past - first for first, past in pairwise((0, *space[f].bounds))] for f in Family]


def _space(steps: list[list[int]]) -> AddressSpace:
    ipv4, ipv6 = (
        PrefixSet(family, tuple(accumulate(of_family)))
        for family, of_family in zip(Family, steps, strict=True)
    )
    return AddressSpace(ipv4, ipv6)
