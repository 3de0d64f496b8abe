"""Server-side apply: who owns which field, and what a new configuration makes of an object.

A field is a path: a tuple of keys. A list of type "set" has a path for each member, any other list
is one field. An object's ``labels`` and ``annotations`` have a path each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.clusters.fake.kinds import Kind
from tests.clusters.fake.refusal import Refusal, copied

Path = tuple[str, ...]
Owners = dict[str, frozenset[Path]]
"""The fields of each manager."""
_MEMBER = "v:"
"""Begins the last part of a path to a member of a set."""
_UPDATES = " (update)"
"""Ends the name of a manager that has not applied its fields, but changed them."""
_ATOMIC = frozenset({("spec", "podSelector"), ("spec", "selector")})


def fields_of(kind: Kind, thing: Mapping[str, Any]) -> frozenset[Path]:
    """The fields that a configuration names."""
    found: set[Path] = set()
    for part in ("labels", "annotations"):
        found |= {("metadata", part, key) for key in thing.get("metadata", {}).get(part) or {}}
    for key, value in thing.items():
        if key not in ("apiVersion", "kind", "metadata", "status"):
            found.update(_paths(kind, (key,), value))
    return frozenset(found)


def _paths(kind: Kind, path: Path, value: Any) -> Iterable[Path]:  # noqa: ANN401 - JSON
    if isinstance(value, dict) and value and path not in _ATOMIC:
        for key, inner in value.items():
            yield from _paths(kind, (*path, key), inner)
    elif isinstance(value, list) and len(path) > 1 and path[-1] in kind.sets:
        for member in value:
            yield (*path, _MEMBER + json.dumps(member))
    else:
        yield path


def value_at(thing: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401 - JSON
    """The value of a field; None if it is not there."""
    here: Any = thing
    for key in path:
        here = here.get(key) if isinstance(here, dict) else None
    return here


def _is_member(path: Path) -> bool:
    return path[-1].startswith(_MEMBER)


def _set(thing: dict[str, Any], path: Path, value: Any) -> None:  # noqa: ANN401 - JSON
    here: Any = thing
    *way, last = path
    for key in way:
        if not isinstance(here.get(key), dict):
            here[key] = {}
        here = here[key]
    here[last] = copied(value)


def _drop(thing: dict[str, Any], path: Path) -> None:
    *way, last = path
    here = value_at(thing, tuple(way))
    if isinstance(here, dict):
        here.pop(last, None)


def applied(  # noqa: PLR0913 - what an apply is
    kind: Kind,
    stored: Mapping[str, Any] | None,
    owners: Owners,
    wanted: Mapping[str, Any],
    manager: str,
    *,
    force: bool,
) -> tuple[dict[str, Any], Owners]:
    """The object and its owners after an apply.

    Raises:
        Refusal: 409, another manager owns a field and says something else.
    """
    named = fields_of(kind, wanted)
    before: Mapping[str, Any] = stored or {}
    others = {name: held for name, held in owners.items() if name != manager}
    plain = [path for path in named if not _is_member(path)]
    differing = {path for path in plain if value_at(before, path) != value_at(wanted, path)}
    conflicts = {name: held & differing for name, held in others.items()}
    if not force and any(conflicts.values()):
        raise _conflict(wanted, conflicts)
    made: dict[str, Any] = copied(dict(before))
    kept = frozenset[Path]().union(*others.values())
    gone = owners.get(manager, frozenset()) - named - kept
    for path in sorted(gone):
        if not _is_member(path):
            _drop(made, path)
    for path in sorted(plain):
        _set(made, path, value_at(wanted, path))
    for name in kind.sets:
        _merge_set(made, wanted, ("spec", name), gone)
    left = {name: held - conflicts[name] for name, held in others.items()}
    return made, {name: held for name, held in left.items() if held} | {manager: named}


def _merge_set(
    made: dict[str, Any], wanted: Mapping[str, Any], path: Path, gone: frozenset[Path]
) -> None:
    """Merge a list of type "set": members of the configuration come first, in its order."""
    members, held = value_at(wanted, path) or [], value_at(made, path) or []
    known = set(members)
    left = [
        each
        for each in held
        if each not in known and (*path, _MEMBER + json.dumps(each)) not in gone
    ]
    if members or held:
        _set(made, path, [*members, *left])


def _conflict(wanted: Mapping[str, Any], conflicts: Mapping[str, frozenset[Path]]) -> Refusal:
    said = [
        f'conflicts with "{name}": .{".".join(path)}'
        for name, paths in conflicts.items()
        for path in sorted(paths)
    ]
    number = f"{len(said)} conflict{'s'[: len(said) > 1]}"
    what = f"Apply failed with {number}: {'; '.join(said)}"
    causes = [{"reason": "FieldManagerConflict", "message": each} for each in said]
    name = str(wanted["metadata"]["name"])
    return Refusal(409, "Conflict", what, {"name": name, "causes": causes})


def merged(thing: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON
    """RFC 7386: a value with a merge patch."""
    if not isinstance(patch, dict):
        return copied(patch)
    made = dict(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = merged(made.get(key), value)
    return made


def after_update(
    kind: Kind, owners: Owners, before: Mapping[str, Any], made: Mapping[str, Any], manager: str
) -> Owners:
    """The owners after a change that is no apply: of what it changed, and not of what is gone."""
    old, new = fields_of(kind, before), fields_of(kind, made)
    differs = (
        path
        for path in new & old
        if not _is_member(path) and value_at(before, path) != value_at(made, path)
    )
    changed = (new - old) | frozenset(differs)
    left = {name: held & new - changed for name, held in owners.items()}
    if changed:
        updater = f"{manager}{_UPDATES}"
        left[updater] = left.get(updater, frozenset()) | changed
    return {name: held for name, held in left.items() if held}


def managed_fields(kind: Kind, owners: Owners) -> list[dict[str, Any]]:
    """The managed fields as an object shows them."""
    return [
        {
            "manager": name.removesuffix(_UPDATES),
            "operation": "Update" if name.endswith(_UPDATES) else "Apply",
            "apiVersion": kind.group_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(held),
        }
        for name, held in sorted(owners.items())
    ]


def _tree(held: frozenset[Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in sorted(held):
        here = root
        for key in path:
            here = here.setdefault(key if key.startswith(_MEMBER) else f"f:{key}", {})
    return root
