"""The report's map and chart, as SVG; each shape tells in words what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import log10
from typing import NamedTuple

from geofence.geoip.countries import country_name
from geofence.geoip.world_map import outlines
from geofence.model.counts import Counted, Counts, Period, Resolution
from geofence.operations.snapshot import CountryShare
from geofence.translation import tr, trn

SHADES = 5
"""Steps from few to many, as colours for the eyes of everybody (see ``style.css``)."""


class Shape(NamedTuple):
    """One country on the map."""

    path: str
    """An SVG path; empty where ``dot`` says where it is."""
    dot: tuple[str, str] | None
    css: str
    title: str


class Bar(NamedTuple):
    """One hour or day of the chart."""

    start: datetime
    height: float
    """Share of the highest, 0 to 1."""
    packets: int
    title: str


def world(countries: Iterable[CountryShare], allowed: Iterable[str]) -> list[Shape]:
    """Return each country, shaded by its packets, outlined if it is allowed.

    Shading is by the logarithm: the first often sends a thousand times as much as the tenth.
    """
    shares = {each.code: each for each in countries if each.code}
    most = max((each.packets for each in shares.values()), default=0)
    inside = set(allowed)
    shapes = [
        _shape(code, path, shares.get(code), most, is_allowed=code in inside)
        for code, path in outlines().items()
    ]
    # Dots and outlines last, or their neighbours would be drawn over them.
    return sorted(shapes, key=lambda each: ("allowed" in each.css, each.dot is not None))


def _shape(
    code: str, path: str, share: CountryShare | None, most: int, *, is_allowed: bool
) -> Shape:
    packets = share.packets if share else 0
    css = f"shade{shade(packets, most)}" + (" allowed" if is_allowed else "")
    title = trn(
        packets,
        "{country}: {number} packet blocked",
        "{country}: {number} packets blocked",
        country=country_name(code),
    )
    if is_allowed:
        title = tr("{text}; the country is allowed", text=title)
    if path.endswith("Z"):
        return Shape(path, None, css, title)
    x, y = path.removeprefix("M").split(" ")
    return Shape("", (x, y), css, title)


def shade(packets: int, most: int) -> int:
    """Return a step from 0, for none, to ``SHADES``, for the most."""
    if packets <= 0:
        return 0
    if packets >= most or most <= 1:
        return SHADES
    return 1 + int((SHADES - 1) * log10(packets) / log10(most))


def resolution(counts: Counts, since: datetime) -> Resolution:
    """Return by what the chart of a time counts: hours as long as they are kept."""
    week_ago = (counts.until or since) - Resolution.HOUR.kept
    return Resolution.HOUR if since >= week_ago else Resolution.DAY


def over_time(counts: Counts, since: datetime, now: datetime) -> list[Bar]:
    """Return a bar for each hour or day, of all services together; none before counting began."""
    by = resolution(counts, since)
    found = {
        each.start: _packets(each)
        for each in (counts.hours if by is Resolution.HOUR else counts.days)
    }
    begin = by.start(max(since, counts.since or now))
    most = max(found.values(), default=0)
    return [
        Bar(start, packets / most if most else 0.0, packets, _bar_title(start, packets, by))
        for start in _starts(begin, now, by)
        for packets in (found.get(start, 0),)
    ]


def _packets(period: Period) -> int:
    return sum(
        tally.packets for key, tally in period.tallies.items() if key.counted is Counted.SERVICE
    )


def _starts(begin: datetime, now: datetime, by: Resolution) -> Iterator[datetime]:
    start = begin
    while start <= now:
        yield start
        start += by.length


def _bar_title(start: datetime, packets: int, by: Resolution) -> str:
    when = f"{start:%Y-%m-%d %H:%M} UTC" if by is Resolution.HOUR else f"{start:%Y-%m-%d}"
    return trn(packets, "{when}: {number} packet", "{when}: {number} packets", when=when)
