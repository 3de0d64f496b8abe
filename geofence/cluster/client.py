"""Reading, applying and deleting a cluster's objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from geofence.cluster.connection import Call, Connection
from geofence.cluster.refusals import GONE, NOT_FOUND
from geofence.errors import ClusterError
from geofence.model.target import FIELD_MANAGER, Target
from geofence.targets.objects import ClusterObject, Json, ObjectKey, Resource

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_PAGE = 50
"""Objects of a page: one may have a megabyte."""
Thing = Mapping[str, Any]


class Version(NamedTuple):
    """A server's release: ``1.36``."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class Cluster:
    """One cluster's API server, as geofence uses it."""

    def __init__(self, target: Target, patience: float) -> None:
        """Connect lazily.

        Raises:
            ClusterError: there is no client, or there are no usable credentials.
        """
        self._connection = Connection(target, patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def version(self) -> Version:
        """Return the server's release.

        Raises:
            ClusterError: it does not say.
        """
        found = self._connection.json(Call("GET", "/version", {}, "tell its version"))
        numbers = (_digits(str(found.get(key, ""))) for key in ("major", "minor"))
        return Version(*numbers)

    def serves(self, resource: Resource) -> bool:
        """Whether the server serves a kind in its version.

        Raises:
            ClusterError: it does not say.
        """
        what = f"tell what it serves of {resource.api_version}"
        try:
            found = self._connection.json(Call("GET", _group(resource.api_version), {}, what))
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return any(each.get("name") == resource.plural for each in _items(found, "resources"))

    def get(self, resource: Resource, namespace: str, name: str) -> Thing | None:
        """Return one object; None if it is not there.

        Raises:
            ClusterError: the server refused, or does not serve the kind.
        """
        what = f"read {ObjectKey(resource.kind, namespace, name)}"
        try:
            return self._connection.json(Call("GET", _path(resource, namespace, name), {}, what))
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def list(
        self, resource: Resource, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> tuple[Thing, ...]:
        """Return the objects with some labels; none of a kind that is not served.

        Args:
            resource: their kind.
            namespace: where; empty for all.
            labels: those that they have.

        Raises:
            ClusterError: the server refused.
        """
        selector = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
        try:
            return tuple(self._pages(resource, namespace, selector))
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return ()
            if error.status != GONE:
                raise
            return tuple(self._pages(resource, namespace, selector))  # it changed between pages

    def apply(self, thing: ClusterObject, resource: Resource, *, only_try: bool = False) -> Thing:
        """Apply an object by force, and return what is stored, or would be.

        Force: what geofence says of its own objects counts, whoever has changed them.

        Raises:
            ClusterError: the server refused; the object is as before.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        if only_try:
            query["dryRun"] = "All"
        path = _path(resource, thing.namespace, thing.name)
        what = f"apply {thing.key}"
        return self._connection.json(Call("PATCH", path, query, what, thing.content, _APPLY))

    def merge_spec(
        self, thing: ClusterObject, resource: Resource, spec: Mapping[str, Json], stored: Thing
    ) -> Thing:
        """Replace fields of a spec, null for none, and return what is stored.

        Args:
            thing: the object.
            resource: its kind.
            spec: the fields.
            stored: as it is; if it has changed meanwhile, the server refuses.

        Raises:
            ClusterError: the server refused; the object is as before.
        """
        version = (stored.get("metadata") or {}).get("resourceVersion")
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        path, query = _path(resource, thing.namespace, thing.name), {"fieldManager": FIELD_MANAGER}
        return self._connection.json(
            Call("PATCH", path, query, f"repair {thing.key}", body, _MERGE)
        )

    def delete(self, thing: ClusterObject, resource: Resource, uid: str) -> None:
        """Delete an object; one that is not there any more is no error.

        Args:
            thing: what to delete.
            resource: its kind.
            uid: of the object that is meant, not of another that got its name since.

        Raises:
            ClusterError: the server refused; the object is as before.
        """
        body = {"preconditions": {"uid": uid}} if uid else {}
        path = _path(resource, thing.namespace, thing.name)
        try:
            self._connection.json(Call("DELETE", path, {}, f"delete {thing.key}", body))
        except ClusterError as error:
            if error.status != NOT_FOUND:
                raise

    def _pages(self, resource: Resource, namespace: str, selector: str) -> Iterator[Thing]:
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            call = Call("GET", _path(resource, namespace, ""), query, f"list {resource.plural}")
            found = self._connection.json(call)
            for each in _items(found, "items"):
                yield {"apiVersion": resource.api_version, "kind": resource.kind, **each}
            more = (found.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = str(more)


def _digits(text: str) -> int:
    """Return the number that a text begins with: some servers call their minor version 36+."""
    number = ""
    for each in text:
        if each not in "0123456789":
            break
        number += each
    return int(number or 0)


def _items(found: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = found.get(key)
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _group(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _path(resource: Resource, namespace: str, name: str) -> str:
    inside = f"/namespaces/{namespace}" if resource.namespaced and namespace else ""
    end = f"/{name}" if name else ""
    return f"{_group(resource.api_version)}{inside}/{resource.plural}{end}"
