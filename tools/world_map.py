"""The outlines of countries for the report's map, from the packages that have them.

``python -m tools.world_map ATLAS CODES``: ATLAS is the unpacked npm package world-atlas (Natural
Earth, public domain; package ISC), CODES the ``codes.json`` of the npm package i18n-iso-countries
(MIT), which has the numbers of ISO 3166-1 by alpha-2 code.

Countries that the coarse outlines lack, since they are too small to be drawn, become dots.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Any

from geofence.geoip.world_map import DATA

_Point = tuple[float, float]
_Ring = list[_Point]

WIDTH = 1000
"""Of the map, in its own units; it is half as high."""
_EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
"""Coefficients of the projection, which keeps areas (Šavrič, Patterson and Jenny, 2018,
https://doi.org/10.1080/13658816.2018.1504949)."""
_HALF = 180.0
_LEFT_OUT = {"010"}
"""Antarctica: it has no country's addresses, and takes a tenth of the map."""
_UNNUMBERED = {"Kosovo": "XK", "N. Cyprus": "CY", "Somaliland": "SO"}
"""What has no number of its own, and the code under which lists have it."""


def main(atlas: Path, codes: Path, target: Path = DATA) -> None:
    """Write the data file anew."""
    numbers = {number: code for code, _, number, *_ in json.loads(codes.read_text("utf-8"))}
    coarse, fine = (
        _shapes(atlas / f"countries-{scale}.json", numbers) for scale in ("110m", "50m")
    )
    version = json.loads((atlas / "package.json").read_text("utf-8"))["version"]
    lines = [
        "# Outlines of countries: code (ISO 3166-1 alpha-2), an SVG path in a box of 1000 by 500.",
        "# A path of one point is the place of a country that is too small to be drawn.",
        f"# From Natural Earth (public domain) by world-atlas {version} (ISC), with",
        "# 'python -m tools.world_map'.",
        *(f"{code}\t{_path(rings)}" for code, rings in sorted(coarse.items())),
        *(f"{c}\tM{_text(_middle(r))}" for c, r in sorted(fine.items()) if c not in coarse),
    ]
    target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _shapes(file: Path, numbers: dict[str, str]) -> dict[str, list[_Ring]]:
    topology = json.loads(file.read_text("utf-8"))
    arcs = [_decoded(arc, topology["transform"]) for arc in topology["arcs"]]
    found: dict[str, list[_Ring]] = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        name, number = shape["properties"]["name"], shape.get("id")
        code = _UNNUMBERED.get(name) or numbers.get(number or "")
        if code and number not in _LEFT_OUT:
            found.setdefault(code, []).extend(_rings(shape, arcs))
    return found


def _decoded(arc: Sequence[Sequence[int]], transform: Any) -> _Ring:  # noqa: ANN401 - JSON
    """Return the points of an arc, which are written as differences (TopoJSON, 2.1.3)."""
    (scale_x, scale_y), (left, bottom) = transform["scale"], transform["translate"]
    x = y = 0
    points = []
    for step_x, step_y in arc:
        x, y = x + step_x, y + step_y
        points.append((x * scale_x + left, y * scale_y + bottom))
    return points


def _rings(shape: Any, arcs: Sequence[_Ring]) -> Iterator[_Ring]:  # noqa: ANN401 - JSON
    several = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
    for polygon in several:
        for numbers in polygon:
            points: _Ring = []
            for number in numbers:
                arc = arcs[number] if number >= 0 else arcs[~number][::-1]
                points += arc[1:] if points else arc
            yield from _within_one_world(points)


def _within_one_world(ring: _Ring) -> Iterator[_Ring]:
    """Yield a ring cut at the 180th meridian, so that none runs across the whole map."""
    unwrapped = [ring[0]]
    for x, y in ring[1:]:
        before = unwrapped[-1][0]
        turns = round((before - x) / 360)
        unwrapped.append((x + 360 * turns, y))
    for turn in (-1, 0, 1):
        shifted = [(x + 360 * turn, y) for x, y in unwrapped]
        kept = _clipped(_clipped(shifted, -_HALF, 1), _HALF, -1)
        if len(kept) > 2:  # noqa: PLR2004 - a line encloses nothing
            yield kept


def _clipped(ring: _Ring, limit: float, side: int) -> _Ring:
    """Return what of a ring is on one side of a meridian (Sutherland and Hodgman, 1974)."""
    kept: _Ring = []
    for (x, y), (next_x, next_y) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
        inside, next_inside = side * (x - limit) >= 0, side * (next_x - limit) >= 0
        if inside:
            kept.append((x, y))
        if inside != next_inside:
            kept.append((limit, y + (next_y - y) * (limit - x) / (next_x - x)))
    return kept


def _projected(point: _Point) -> _Point:
    a1, a2, a3, a4 = _EQUAL_EARTH
    angle = asin(sqrt(3) / 2 * sin(radians(point[1])))
    x = (
        2
        * sqrt(3)
        * radians(point[0])
        * cos(angle)
        / (3 * (9 * a4 * angle**8 + 7 * a3 * angle**6 + 3 * a2 * angle**2 + a1))
    )
    y = a4 * angle**9 + a3 * angle**7 + a2 * angle**3 + a1 * angle
    scale = WIDTH / 2 / 2.70663  # half the width of the projected world
    return WIDTH / 2 + scale * x, WIDTH / 4 - scale * y


def _path(rings: Iterable[_Ring]) -> str:
    return "".join(f"M{'L'.join(_texts(map(_projected, ring)))}Z" for ring in rings)


def _texts(points: Iterable[_Point]) -> list[str]:
    """Return points as text, without those that round to the one before."""
    found: list[str] = []
    for point in points:
        text = _text(point)
        if not found or found[-1] != text:
            found.append(text)
    return found


def _text(point: _Point) -> str:
    return " ".join(f"{value:.1f}".removesuffix(".0") for value in point)


def _middle(rings: Sequence[_Ring]) -> _Point:
    """Return the middle of the ring with the most points, projected."""
    longest = max(rings, key=len)
    count = len(longest)
    return _projected((sum(x for x, _ in longest) / count, sum(y for _, y in longest) / count))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
