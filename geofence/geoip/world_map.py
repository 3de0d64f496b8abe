"""The outlines of countries, for the report's map."""

from __future__ import annotations

from functools import cache
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "world-map.tsv"
SIZE = (1000, 440)
"""Width and height of the part of their box in which there are countries."""


@cache
def outlines() -> dict[str, str]:
    """Return an SVG path for each country, by code; one that is a single point is too small."""
    lines = DATA.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))
