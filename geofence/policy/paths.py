"""Paths in rules."""

from __future__ import annotations

from pathlib import Path

from geofence.policy.mistakes import Mistake
from geofence.spelling import quoted
from geofence.translation import tr

TEXTFILE_END = ".prom"
"""The textfile collector of node_exporter reads no others."""


def textfile(text: str) -> Path:
    """Read the path of a file for the textfile collector.

    Raises:
        Mistake: it is not absolute, or has another ending than the collector reads.
    """
    path = Path(text)
    if not path.is_absolute() or path.suffix != TEXTFILE_END or "\0" in text:
        raise Mistake(
            tr("{value} is not the path of a text file", value=quoted(text)),
            tr('an absolute path that ends in .prom, such as "{example}"', example=EXAMPLE),
        )
    return path


EXAMPLE = "/var/lib/prometheus/node-exporter/geofence.prom"
"""Where Debian's node_exporter looks."""
