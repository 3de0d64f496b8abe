"""Countries whose phones probably call, by what this host says of itself."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from geofence.geoip.countries import countries
from geofence.model.evidence import Evidence
from geofence.setup.machine import LikelyCountry

_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")
_ZONES = Path("/usr/share/zoneinfo")
_LOCALE = Path("/etc/default/locale")
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_DEFAULT_LOCALE = "en_US"
"""So many hosts have it that it says nothing."""


def likely_countries(evidence: Mapping[Evidence, Iterable[str]]) -> tuple[LikelyCountry, ...]:
    """Return the countries, the likeliest first: by the strongest evidence, then by how much.

    Args:
        evidence: codes by what they follow from.
    """
    found: dict[str, list[Evidence]] = {}
    for kind in Evidence:
        for code in dict.fromkeys(evidence.get(kind, ())):
            if code in countries():
                found.setdefault(code, []).append(kind)
    rank = list(Evidence).index
    ordered = sorted(found.items(), key=lambda item: (rank(item[1][0]), -len(item[1])))
    return tuple(LikelyCountry(code, tuple(kinds)) for code, kinds in ordered)


def most_common(codes: Iterable[str]) -> tuple[str, ...]:
    """Return codes, the most common first."""
    return tuple(code for code, _ in Counter(filter(None, codes)).most_common())


def zone_country() -> tuple[str, ...]:
    """Return the country of the time zone; nothing where it is none's, or unknown."""
    zone = _zone()
    with suppress(OSError):
        for line in (_ZONES / "zone.tab").read_text("utf-8", "replace").splitlines():
            fields = line.split("\t")
            if not line.startswith("#") and fields[2:3] == [zone]:
                return (fields[0],)
    return ()


def _zone() -> str:
    with suppress(OSError):
        target = os.path.realpath(_LOCALTIME)
        if target.startswith(f"{_ZONES}/"):
            return target.removeprefix(f"{_ZONES}/")
    with suppress(OSError):
        return _TIMEZONE.read_text("utf-8", "replace").strip()
    return ""


def locale_country(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the country of the locale of this user, or of the system's."""
    values = [environment.get(name, "") for name in _VARIABLES]
    with suppress(OSError):
        values += re.findall(
            r'^LANG="?([^"\n]+)', _LOCALE.read_text("utf-8", "replace"), re.MULTILINE
        )
    for value in values:
        match = re.match(r"[a-z]{2,3}_([A-Z]{2})\b", value.partition(".")[0])
        if match and not value.startswith(_DEFAULT_LOCALE):
            return (match[1],)
    return ()
