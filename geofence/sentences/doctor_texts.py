"""What a finding of ``doctor`` tells people, and helpers to write it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from geofence.doctor.findings import Finding
from geofence.model.prefixes import Family


class FindingTexts(NamedTuple):
    """A finding for people."""

    finding: str
    """What is wrong, and what it means."""
    evidence: str
    """What shows it."""
    remedy: str
    """What to do."""


def words(found: Finding, name: str) -> list[str]:
    """Return a list of texts of a finding's data; empty if it has none of that name."""
    held = found.data.get(name)
    return [str(each) for each in held] if isinstance(held, list) else []


def labels(families: Iterable[str]) -> str:
    """Return families as people write them: ``IPv4, IPv6``."""
    return ", ".join(Family(each).label for each in families)
