"""Real changes of lists, refused, settled, undone; all years: ``python -m tests.histories``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from geofence.model.lists import ListId, ListKind
from tests.histories.replay import DAY, Refused, Replay
from tests.histories.sample import Story, read_sample

STORIES = read_sample()
ELSEWHERE = ListId(ListKind.COUNTRY, "XX")
BIG = ("JP", "US", "DE", "GB", "FR")
LONGEST = timedelta(days=22)


def name(story: Story) -> str:
    return f"{story.list.name} {story.versions[0][0]:%Y-%m-%d}"


def replayed(story: Story, *, mirror: bool = True) -> Replay:
    """Every day of the story, the first of which is before the change."""
    replay = Replay(mirror=mirror, accepted={ELSEWHERE: story.elsewhere})
    versions = list(story.versions)
    now = versions[0][0]
    end = now + LONGEST
    while now < end:
        due = [parsed for moment, parsed in versions if moment <= now]
        versions = versions[len(due) :]
        replay.day(now, {story.list: due[-1]} if due else {})
        now += DAY
    return replay


def outcome(story: Story, *, mirror: bool = True) -> tuple[str, int]:
    """How the first refusal ended, and after how many days."""
    replay = replayed(story, mirror=mirror)
    told: list[Refused] = [*replay.ended, *replay.refused.values()]
    return (told[0].how, told[0].days(told[0].since)) if told else ("never refused", 0)


@pytest.mark.parametrize("story", STORIES, ids=name)
def test_nothing_stays_refused(story: Story) -> None:
    replay = replayed(story)
    assert not replay.refused
    assert all(each.days(each.since) <= 14 for each in replay.ended)


def test_how_each_ended() -> None:
    ended = {name(story): outcome(story) for story in STORIES if story.list.name not in BIG}
    assert ended == {
        "BE 2021-12-22": ("mirror", 12),  # it changed again before it had settled
        "BE 2022-02-16": ("mirror", 7),
        "GG 2022-03-30": ("moved", 7),
        "IL 2022-06-07": ("moved", 7),
        "YT 2022-09-08": ("mirror", 7),
        "PR 2023-02-01": ("moved", 7),
        "MD 2023-03-15": ("moved", 7),
        "GW 2023-04-05": ("undone", 7),
        "IQ 2023-06-12": ("moved", 7),
        "SG 2024-11-08": ("mirror", 0),  # its IPv6 grew twenty times over, and was really that
        "MF 2024-11-21": ("moved", 7),
        "EU 2025-05-13": ("mirror", 7),  # withdrawn
    }


def test_a_transfer_to_another_country_settles_without_a_second_mirror() -> None:
    alone = {name(story): outcome(story, mirror=False)[0] for story in STORIES}
    assert {each.split()[0] for each, how in alone.items() if how == "moved"} == {
        *("GG", "IL", "PR", "MD", "IQ", "MF")
    }
    assert {each.split()[0] for each, how in alone.items() if not how} == {"BE", "YT", "SG", "EU"}


def test_the_big_five_are_taken_as_they_come() -> None:
    ordinary = [story for story in STORIES if story.list.name in BIG]
    assert {story.list.name for story in ordinary} == set(BIG)
    for story in ordinary:
        assert len(story.versions) > 2
        assert replayed(story, mirror=False).accepted[story.list] == story.versions[-1][1].space
