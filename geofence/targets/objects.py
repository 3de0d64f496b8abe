"""Objects of a cluster's API, and requests that change them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from geofence.errors import TargetError
from geofence.model.target import FIELD_MANAGER, Target
from geofence.translation import tr

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""A JSON value that nobody changes: made of dicts and lists, so that it equals what was parsed."""

MANAGED_BY = "app.kubernetes.io/managed-by"
"""Label of every object, with the value ``geofence``."""
TARGET_LABEL = "geofence.io/target"
"""Label of every object: the name of its target. By it the objects of a target are listed."""
ROLE_LABEL = "geofence.io/role"
"""Label of an object that other objects select or that differs from its like: what it is for."""
FENCE_ANNOTATION = "geofence.io/fence"
"""Annotation of objects: facts about the fence that the API's fields have no room for."""
INSTALLATION_ANNOTATION = "geofence.io/installation"
"""Annotation of objects in a cluster: who keeps them. It is no part of the fence."""


class Release(NamedTuple):
    """A release of an engine: ``1.17``."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Resource(NamedTuple):
    """A kind of object that an engine uses, as an API server has it."""

    api_version: str
    """``networking.k8s.io/v1``: the version in which geofence thinks of the kind."""
    kind: str
    """``NetworkPolicy``."""
    plural: str
    """``networkpolicies``."""
    namespaced: bool = True
    older: tuple[OlderVersion, ...] = ()
    """Versions with the same fields, for servers that do not serve ``api_version``; newest first.
    """

    @property
    def versions(self) -> tuple[str, ...]:
        """API versions in which a server may have the kind, the best first."""
        return (self.api_version, *(each.api_version for each in self.older))

    def for_release(self, release: Release) -> Resource:
        """Return the kind as a release of the engine has it."""
        fitting = [each.api_version for each in self.older if release <= each.last]
        return self.in_version(fitting[-1]) if fitting else self

    def in_version(self, api_version: str) -> Resource:
        """Return the kind in one version only."""
        return self._replace(api_version=api_version, older=())


class OlderVersion(NamedTuple):
    """An API version that older releases of an engine have instead of a newer one."""

    api_version: str
    last: Release
    """The last release that has nothing newer."""


class ObjectKey(NamedTuple):
    """What tells an object from all others of a cluster."""

    kind: str
    namespace: str
    """Empty for one of the whole cluster."""
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class ClusterObject:
    """One object: what geofence says of it, and nothing of what a server adds."""

    api_version: str
    kind: str
    namespace: str
    """Empty for one of the whole cluster."""
    name: str
    content: Mapping[str, Json]
    """The whole manifest."""

    @property
    def key(self) -> ObjectKey:
        """The key that no other object of the cluster has."""
        return ObjectKey(self.kind, self.namespace, self.name)

    @property
    def text(self) -> str:
        """The canonical JSON of the manifest: equal objects have equal texts."""
        return json.dumps(self.content, sort_keys=True, separators=(",", ":"))

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels; those that are no text are left out."""
        return _texts(self.content, "labels")

    @property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations; those that are no text are left out."""
        return _texts(self.content, "annotations")

    @property
    def spec(self) -> Mapping[str, Json]:
        """Its ``spec``; empty if it has none."""
        return as_mapping(self.content.get("spec"))

    def in_version(self, api_version: str) -> ClusterObject:
        """Return it as an object of another version with the same fields."""
        if api_version == self.api_version:
            return self
        content = {**self.content, "apiVersion": api_version}
        return replace(self, api_version=api_version, content=content)

    def annotated(self, name: str, value: str) -> ClusterObject:
        """Return it with one more annotation."""
        metadata = as_mapping(self.content.get("metadata"))
        annotations = {**as_mapping(metadata.get("annotations")), name: value}
        content = {**self.content, "metadata": {**metadata, "annotations": annotations}}
        return replace(self, content=content)

    @classmethod
    def of(cls, manifest: Mapping[str, Json]) -> ClusterObject:
        """Return the object of a manifest, as a server or a file has it, less what servers add.

        Raises:
            TargetError: it has no kind or name.
        """
        metadata = as_mapping(manifest.get("metadata"))
        kept = {key: metadata[key] for key in _METADATA if metadata.get(key)}
        api_version, kind, name = manifest.get("apiVersion"), manifest.get("kind"), kept.get("name")
        if not (isinstance(api_version, str) and isinstance(kind, str) and isinstance(name, str)):
            raise TargetError(
                tr("An object of the cluster has no apiVersion, kind or name; it cannot be read.")
            )
        content = {key: value for key, value in manifest.items() if key != "status"}
        return cls(
            api_version,
            kind,
            str(kept.get("namespace", "")),
            name,
            {**content, "metadata": kept},
        )


class Verb(StrEnum):
    """What a request does."""

    APPLY = "apply"
    """Server-side apply, by force, under geofence's own field manager."""
    DELETE = "delete"


class Request(NamedTuple):
    """One request to an API server; each takes effect whole or not at all."""

    verb: Verb
    object: ClusterObject
    """What is to be; of one that is deleted, its last known state."""


class Marks(NamedTuple):
    """What an object's metadata says beside its name and its target."""

    role: str = ""
    """Value of ``ROLE_LABEL``; empty: no such label."""
    labels: Mapping[str, str] = MappingProxyType({})
    """More labels."""
    annotations: Mapping[str, str] = MappingProxyType({})


def new_object(
    resource: Resource,
    target: Target,
    name: str,
    spec: Mapping[str, Json],
    marks: Marks = Marks(),  # noqa: B008 - it never changes
) -> ClusterObject:
    """Return an object of a target; one that has a namespace is in the target's."""
    namespace = target.namespace if resource.namespaced else ""
    metadata: dict[str, Json] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    role = {ROLE_LABEL: marks.role} if marks.role else {}
    metadata["labels"] = {
        MANAGED_BY: FIELD_MANAGER,
        TARGET_LABEL: target.name,
        **role,
        **marks.labels,
    }
    if marks.annotations:
        metadata["annotations"] = dict(marks.annotations)
    content: dict[str, Json] = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": spec,
    }
    return ClusterObject(resource.api_version, resource.kind, namespace, name, content)


def as_mapping(value: Json) -> Mapping[str, Json]:
    """Return a value that should be a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def as_sequence(value: Json) -> Sequence[Json]:
    """Return a value that should be a list; an empty one for anything else."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


_METADATA = ("name", "namespace", "labels", "annotations")
"""What geofence says in ``metadata``."""


def _texts(content: Mapping[str, Json], field: str) -> Mapping[str, str]:
    found = as_mapping(as_mapping(content.get("metadata")).get(field))
    return {key: value for key, value in found.items() if isinstance(value, str)}
