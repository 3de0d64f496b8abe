"""Stored objects held against those that were sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from geofence.targets.objects import (
    INSTALLATION_ANNOTATION,
    MANAGED_BY,
    ClusterObject,
    Json,
    as_mapping,
)

_OURS = "geofence.io/"
"""Begins the labels and annotations that only geofence writes."""


def normalized(stored: ClusterObject, like: ClusterObject | None) -> ClusterObject:
    """Return a stored object less what others may add to it.

    Labels and annotations of others are no business of geofence's. A list of plain values that are
    the same in another order has the order of ``like``.

    Args:
        stored: as the server has it.
        like: what is wanted of it; None if nothing is.
    """
    metadata = dict(as_mapping(stored.content.get("metadata")))
    for name in ("labels", "annotations"):
        wanted = as_mapping(as_mapping(like.content.get("metadata")).get(name)) if like else {}
        kept = {
            key: value
            for key, value in as_mapping(metadata.pop(name, None)).items()
            if key in wanted or key == MANAGED_BY or _is_of_fence(key)
        }
        if kept:
            metadata[name] = kept
    content = {**stored.content, "metadata": metadata}
    if like is not None:
        content["spec"] = _aligned(content.get("spec"), like.content.get("spec"))
    return replace(stored, content=content)


def _is_of_fence(key: str) -> bool:
    return key.startswith(_OURS) and key != INSTALLATION_ANNOTATION


def _aligned(stored: Json, wanted: Json) -> Json:
    if isinstance(stored, Mapping) and isinstance(wanted, Mapping):
        return {key: _aligned(value, wanted.get(key)) for key, value in stored.items()}
    if not isinstance(stored, list) or not isinstance(wanted, list) or stored == wanted:
        return stored
    if _are_plain(stored) and _are_plain(wanted):
        return wanted if sorted(map(str, stored)) == sorted(map(str, wanted)) else stored
    if len(stored) == len(wanted):
        return [_aligned(*pair) for pair in zip(stored, wanted, strict=True)]
    return stored


def _are_plain(values: list[Json]) -> bool:
    return all(isinstance(each, str) for each in values)


def differing(sent: Json, stored: Json, path: str = "") -> Iterator[str]:
    """Yield the paths at which a stored value is not what was sent."""
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        for key in dict.fromkeys((*sent, *stored)):
            yield from differing(sent.get(key), stored.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for at, pair in enumerate(zip(sent, stored, strict=True)):
            yield from differing(*pair, f"{path}[{at}]")
    elif sent != stored:
        yield path


def lost(sent: Json, stored: Json, path: str = "") -> Iterator[str]:
    """Yield the paths at which something that was sent is not stored, whatever is stored beside."""
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        for key in sent:
            yield from lost(sent[key], stored.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(sent, list) and isinstance(stored, list):
        if _are_plain(sent) and _are_plain(stored):
            if not set(map(str, sent)) <= set(map(str, stored)):
                yield path
        else:
            yield from differing(sent, stored, path)
    elif sent != stored:
        yield path


def removal(sent: ClusterObject, stored: ClusterObject) -> dict[str, Json]:
    """Return what is to be merged into a stored spec so that it has nothing but what was sent.

    Server-side apply leaves fields, and members of sets, that another program owns.
    """
    wanted, held = sent.spec, stored.spec
    return {key: wanted.get(key) for key in held if held[key] != wanted.get(key)}
