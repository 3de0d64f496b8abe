"""Strict schemas of custom resources: an unknown field is refused, as under server-side apply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_interface

from jsonschema import Draft202012Validator, FormatChecker

from geofence.targets.objects import ClusterObject, Json, as_mapping, as_sequence

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


_FORMATS = FormatChecker(())


@_FORMATS.checks("cidr", ValueError)
def _is_cidr(value: object) -> bool:
    return not isinstance(value, str) or ("/" in value and bool(ip_interface(value)))


@_FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(1 << 31) <= value < 1 << 31


def refusals(one: ClusterObject, schema: Json) -> list[str]:
    """What an API server with this schema would say against an object."""
    return [*complaints(one.content, strict(schema)), *_of_metadata(one)]


def complaints(content: Mapping[str, Json], schema: Json) -> list[str]:
    """What a schema says against a value."""
    found = Draft202012Validator(as_mapping(schema), format_checker=_FORMATS).iter_errors(content)
    return [f"{error.json_path}: {error.message}" for error in found]


def strict(schema: Json) -> Json:
    """The schema, with no other fields than those that it names."""
    if isinstance(schema, Mapping):
        known = {key: strict(value) for key, value in schema.items()}
        if "properties" in known and schema.get("type") == "object":
            known.setdefault("additionalProperties", False)
        return known
    return list(map(strict, as_sequence(schema))) if isinstance(schema, list) else schema


def _of_metadata(one: ClusterObject) -> Iterator[str]:
    """Yield what is wrong with the name and the labels, by Kubernetes' own rules."""
    if len(one.name) > 253 or not _NAME.fullmatch(one.name):
        yield f"name {one.name}"
    for key, value in as_mapping(as_mapping(one.content["metadata"])["labels"]).items():
        prefix, _, name = key.rpartition("/")
        if not (_NAME.fullmatch(prefix) and _LABEL_NAME.fullmatch(name)):
            yield f"label {key}"
        if value and not _LABEL_NAME.fullmatch(str(value)):
            yield f"value {value}"
