"""The codecs that endpoints may use, by their options ``allow`` and ``disallow``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from geofence.asterisk.configuration import Configuration
from geofence.asterisk.directory import Directory
from geofence.asterisk.findings import Findings
from geofence.asterisk.sections import Key, printable
from geofence.asterisk.wizard import wizard_objects

_OTHER_MEDIA = frozenset(
    (
        *("h261", "h263", "h263p", "h264", "h265", "vp8", "vp9", "mpeg4", "av1"),
        *("jpeg", "png", "t38", "t140", "t140red", "red"),
    )
)
"""Codecs of video and text, which nothing translates."""


def read_codecs(directory: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the audio codecs of each endpoint; without endpoints that allow any or none.

    Raises:
        AsteriskError: there is no configuration, or the directory cannot be read.
    """
    configuration = Configuration(Directory(directory), Findings())
    made = (each for kind, each in wizard_objects(configuration) if kind == "endpoint")
    endpoints = (*configuration.objects("endpoint").loaded, *made)
    found = {printable(each.section.name): _allowed(each.section.keys) for each in endpoints}
    return {name: codecs for name, codecs in found.items() if codecs}


def _allowed(keys: list[Key]) -> tuple[str, ...]:
    codecs: dict[str, None] = {}
    for key in keys:
        option = key.name.lower()
        if option not in {"allow", "disallow"}:
            continue
        for word in key.value.lower().split(","):
            name, removes = word.strip(), option == "disallow"
            if name.startswith("!"):
                name, removes = name[1:], not removes
            name = name.split(":", 1)[0].split("@", 1)[0]
            if name == "all" and not removes:
                return ()
            if name == "all":
                codecs.clear()
            elif removes:
                codecs.pop(name, None)
            elif name and name not in _OTHER_MEDIA:
                codecs[printable(name)] = None
    return tuple(codecs)
