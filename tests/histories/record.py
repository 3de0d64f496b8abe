"""``python -m tests.histories.record REPOSITORY CODE:DATE …``: write the sample anew.

Each story is a country's list from the version before that day on, for the days given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from geofence.lists.parsed import ParsedList
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace
from tests.histories.repository import Repository
from tests.histories.sample import SAMPLE, Story, write_sample


def main() -> None:
    """Go through the repository once and keep what the stories need."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories.record", description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("stories", nargs="+", metavar="CODE:DATE")
    parser.add_argument("--days", type=int, default=20)
    options = parser.parse_args()
    begun = [Recording(*told.split(":"), days=options.days) for told in options.stories]
    served: dict[ListId, ParsedList] = {}
    for moment, changed in Repository(options.repository).days("HEAD"):
        before = dict(served)
        served.update(changed)
        for recording in begun:
            recording.day(moment, before, served)
    write_sample(recording.story() for recording in begun)
    sys.stdout.write(f"{len(begun)} stories in {SAMPLE.stat().st_size:,} bytes\n")


class Recording:
    """One story in the making."""

    def __init__(self, code: str, day: str, *, days: int) -> None:
        self._list = ListId(ListKind.COUNTRY, code)
        self._from = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
        self._past = self._from + timedelta(days=days)
        self._versions: list[tuple[datetime, ParsedList]] = []
        self._elsewhere = AddressSpace()

    def day(
        self,
        moment: datetime,
        before: Mapping[ListId, ParsedList],
        served: Mapping[ListId, ParsedList],
    ) -> None:
        """Take down what is served on a day."""
        if not self._from <= moment < self._past or self._list not in before:
            return
        if not self._versions:
            self._versions.append((moment - timedelta(days=1), before[self._list]))
        if served[self._list].space != self._versions[-1][1].space:
            lost = self._versions[0][1].space - served[self._list].space
            self._elsewhere |= lost & self._others(served.items())
            self._versions.append((moment, served[self._list]))

    def story(self) -> Story:
        """What was taken down."""
        return Story(self._list, self._elsewhere, tuple(self._versions))

    def _others(self, served: Iterable[tuple[ListId, ParsedList]]) -> AddressSpace:
        return AddressSpace.union(each.space for name, each in served if name != self._list)


if __name__ == "__main__":
    main()
