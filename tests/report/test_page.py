"""The report as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from geofence.denied.sources import DeniedSource
from geofence.model.counts import Counted, CountKey, Counts, Period, Resolution, Tally
from geofence.model.prefixes import Family
from geofence.operations.denied import DeniedReport
from geofence.operations.snapshot import MOST_SOURCES, CountryShare, Health, Snapshot
from geofence.report.charts import SHADES, over_time, resolution, shade, world
from geofence.report.page import page
from geofence.report.text import text
from geofence.translation import speak
from tests.report.conftest import HOSTILE

NOW = datetime(2026, 11, 26, 12, 34, tzinfo=UTC)
VOID = {"meta", "link", "br"}


class Elements(HTMLParser):
    """What a page consists of; every element has to be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture
def japanese() -> Iterator[None]:
    """Reports are Japanese for the length of a test."""
    speak("ja")
    yield
    speak("en")


def test_it_is_whole_and_asks_for_nothing(seen: Snapshot) -> None:
    html = page(seen)
    elements = Elements(html)
    assert not elements.tags("script")
    assert not elements.tags("link")
    assert not elements.tags("img")
    used = [value or "" for _, attributes in elements.found for value in attributes.values()]
    assert not [each for each in used if re.match(r"https?:|//|data:|javascript:", each)]
    assert "url(" not in html
    assert "@import" not in html
    policies = [each for each in elements.tags("meta") if each.get("http-equiv")]
    assert policies[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_what_strangers_wrote_is_shown_and_does_nothing(seen: Snapshot) -> None:
    elements = Elements(page(seen))
    assert HOSTILE in elements.words
    assert not elements.tags("script")


def test_each_part_is_there_with_its_table(seen: Snapshot) -> None:
    elements = Elements(page(seen))
    words = " ".join(elements.words)
    anchors = [each["id"] for each in elements.tags("h2")]
    assert anchors == [
        *("services", "countries", "time", "sources"),
        *("exceptions", "bans", "lists", "history"),
    ]
    for told in (
        "all is well",
        "45.9.1.1",
        "Germany (DE)",
        "geofence allow 45.9.1.1 --service sip --for 8h",
        "geofence ban 45.9.1.1 --for 7d",
        "office",
        "20.1.2.3",
        "country JP",
        "allow office",
    ):
        assert told in words


def test_the_map_shades_who_was_turned_away_and_outlines_who_is_allowed(seen: Snapshot) -> None:
    shapes = {each.title.split(":")[0]: each for each in world(seen.countries, {"JP"})}
    assert shapes["Germany"].css == f"shade{SHADES}"
    assert shapes["Germany"].title == "Germany: 700 packets blocked"
    assert shapes["Singapore"].dot is not None
    assert shapes["Singapore"].css in {"shade1", "shade2"}
    assert shapes["Japan"].css == "shade0 allowed"
    assert shapes["France"].css == "shade0"
    assert len(shapes) > 230


def test_the_map_does_not_smear_across_the_180th_meridian() -> None:
    for shape in world((), ()):
        for ring in shape.path.split("M")[1:]:
            points = [tuple(map(float, each.split())) for each in ring.rstrip("Z").split("L")]
            assert all(abs(after[0] - before[0]) < 250 for before, after in pairwise(points))


@pytest.mark.parametrize(
    ("packets", "most", "step"),
    [(0, 100, 0), (1, 1, SHADES), (1, 10_000, 1), (10_000, 10_000, SHADES), (100, 10_000, 3)],
)
def test_shades_go_by_the_logarithm(packets: int, most: int, step: int) -> None:
    assert shade(packets, most) == step


def counted(hours: int) -> Counts:
    key = CountKey(Counted.SERVICE, "sip")
    starts = [Resolution.HOUR.start(NOW - timedelta(hours=at)) for at in range(hours)]
    periods = tuple(Period(start, {key: Tally(at + 1)}) for at, start in enumerate(starts))
    return Counts(starts[-1], NOW, periods[::-1], ())


def test_the_chart_has_a_bar_for_each_hour_since_counting_began() -> None:
    bars = over_time(counted(10), NOW - timedelta(days=7), NOW)
    assert len(bars) == 10
    assert (bars[0].height, bars[0].packets, bars[-1].packets) == (1.0, 10, 1)
    assert bars[-1].title == "2026-11-26 12:00 UTC: 1 packet"


def test_more_than_a_week_is_shown_by_the_day() -> None:
    assert resolution(counted(3), NOW - timedelta(days=7)) is Resolution.HOUR
    assert resolution(counted(3), NOW - timedelta(days=8)) is Resolution.DAY


def test_nothing_to_show_is_said(seen: Snapshot) -> None:
    empty = replace(seen, denied=DeniedReport(), bans=(), countries=(), counts=Counts())
    words = " ".join(Elements(page(empty)).words)
    for told in ("No source was noted.", "Nothing is banned.", "counting begins with the next"):
        assert told in words


@pytest.mark.parametrize("health", Health)
def test_the_colour_of_the_top_tells_how_the_fence_is(seen: Snapshot, health: Health) -> None:
    elements = Elements(page(replace(seen, health=health)))
    assert elements.tags("header")[0]["class"] == health.value


def test_with_ten_thousand_sources_and_all_countries_it_is_below_a_megabyte(seen: Snapshot) -> None:
    row = DeniedSource(Family.IPV6, 0x2A00 << 112, "sip", 1, 2, NOW, NOW, "DE", "n" * 60, None)
    shares = tuple(CountryShare(code, 9, 9, allowed=False) for code in ("DE", "FR", "US")) * 80
    many = replace(seen, denied=seen.denied._replace(rows=(row,) * MOST_SOURCES), countries=shares)
    assert len(page(many).encode()) < 1_000_000


@pytest.mark.usefixtures("japanese")
def test_it_speaks_japanese(seen: Snapshot) -> None:
    elements = Elements(page(seen))
    assert elements.tags("html")[0]["lang"] == "ja"
    assert "送信元" in elements.words


def test_the_same_as_text(seen: Snapshot) -> None:
    lines = text(seen).splitlines()
    assert lines[0].endswith(": all is well")
    assert any(re.match(r"45\.9\.1\.1 +Germany \(DE\)", line) for line in lines)
    assert not any("geofence ban" in line for line in lines)
