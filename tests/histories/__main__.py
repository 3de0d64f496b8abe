"""``python -m tests.histories REPOSITORY``: what the guards make of years of real lists."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from tests.histories.replay import Replay
from tests.histories.repository import Repository


def main() -> None:
    """Replay every day of the repository and print what was refused, and how that ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("repository", type=Path, help="a clone of github.com/ipverse/rir-ip")
    parser.add_argument("--branch", default="HEAD")
    parser.add_argument("--no-mirror", action="store_true", help="let no second mirror be witness")
    options = parser.parse_args()
    replay = Replay(mirror=not options.no_mirror)
    days, end = 0, datetime.min.replace(tzinfo=UTC)
    for end, changed in Repository(options.repository).days(options.branch):
        replay.day(end, changed)
        days += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{end:%Y-%m-%d}")
    _report(replay, days, end)


def _report(replay: Replay, days: int, end: datetime) -> None:
    every = (*replay.ended, *replay.refused.values())
    for each in sorted(every, key=lambda one: one.since):
        what = ", ".join(f"{one.guard}: {one.saw}" for one in each.why) or "asked a witness"
        how = each.how or "never ended"
        sys.stdout.write(
            f"{each.since:%Y-%m-%d} {each.list.name} {each.days(end):4} d  {how:9}  {what}\n"
        )
    ways = Counter(each.how for each in replay.ended)
    told = ", ".join(f"{number} {how}" for how, number in sorted(ways.items()))
    sys.stdout.write(
        f"{days} days, {replay.judged} changes judged; {told}; never: {len(replay.refused)}\n"
        f"{sum(each.days(end) for each in every)} list-days with a former version in force\n"
    )


if __name__ == "__main__":
    main()
