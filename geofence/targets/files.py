"""Objects as files: JSON, which kubectl and all readers of YAML take, with a line a prefix.

JSON needs no library, has no text that a reader of YAML takes for a number, and is written in a
twentieth of the time. A line a prefix keeps differences small in git.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from geofence.model.target import FIELD_MANAGER, Target
from geofence.targets.objects import (
    MANAGED_BY,
    TARGET_LABEL,
    ClusterObject,
    Json,
    Resource,
    as_mapping,
)

_WIDTH = 100
"""Characters that a value in one line has at most."""


def file_name(found: ClusterObject, resources: Sequence[Resource]) -> str:
    """Return the name of an object's file: the same at each export.

    Names sort as objects are to be made, since one needs those before it.

    Args:
        found: the object.
        resources: those of its engine, in that order.
    """
    kinds = [each.kind for each in resources]
    return f"{kinds.index(found.kind) + 1}-{found.kind.lower()}-{found.name}.json"


def file_text(content: Json) -> str:
    """Return a JSON value as text for people, too."""
    return "".join((*_lines(content, "", ""), "\n"))


def is_of(content: Json, target: Target, resources: Sequence[Resource]) -> bool:
    """Whether a manifest is one that an export for the target has written."""
    manifest = as_mapping(content)
    labels = as_mapping(as_mapping(manifest.get("metadata")).get("labels"))
    return (
        manifest.get("kind") in [each.kind for each in resources]
        and labels.get(MANAGED_BY) == FIELD_MANAGER
        and labels.get(TARGET_LABEL) == target.name
    )


def listed(objects: Sequence[ClusterObject]) -> dict[str, Json]:
    """Return objects as the one that kubectl reads from its standard input."""
    return {"apiVersion": "v1", "kind": "List", "items": [each.content for each in objects]}


def _lines(value: Json, before: str, indent: str) -> Iterator[str]:
    """Yield a value in pieces: in one line, if it fits, or an item a line."""
    items = _items(value)
    short = _short(value, items)
    if short is not None:
        yield before + short
        return
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    inner = indent + "  "
    yield f"{before}{opening}\n{inner}"
    if _all_plain(value):
        yield json.dumps(value, separators=(f",\n{inner}", ": "))[1:-1]
    else:
        for at, (key, item) in enumerate(items):
            yield f",\n{inner}" if at else ""
            yield from _lines(item, key, inner)
    yield f"\n{indent}{closing}"


def _all_plain(value: Json) -> bool:
    """Whether commas are only between the items of a value, which is much faster to write."""
    return isinstance(value, Sequence) and all(map(_is_plain, value))


def _is_plain(item: Json) -> bool:
    while isinstance(item, dict) and len(item) == 1:
        (item,) = item.values()
    return isinstance(item, str)


def _items(value: Json) -> list[tuple[str, Json]]:
    """Return what a value consists of, with what is written before each."""
    if isinstance(value, Mapping):
        return [(f"{json.dumps(key)}: ", item) for key, item in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [("", item) for item in value]
    return []


def _short(value: Json, items: Sequence[tuple[str, Json]]) -> str | None:
    """Return a value in one line; None if that is too long."""
    if len(items) * len('"",') > _WIDTH:
        return None
    text = json.dumps(value)
    return text if len(text) <= _WIDTH or not items else None
