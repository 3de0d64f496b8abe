"""Reading, applying and deleting a cluster's objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from geofence.cluster.connection import Call, Connection
from geofence.cluster.refusals import FORBIDDEN, GONE, NOT_FOUND
from geofence.errors import ClusterError
from geofence.model.target import FIELD_MANAGER, Target
from geofence.targets.objects import ClusterObject, Json, ObjectKey, Resource, as_mapping

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_PAGE = 50
"""Objects of a page: one may have a megabyte."""
_MOST_PAGES = 2_000
"""Of one list; an API server has an end of each."""
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
        self._served: dict[Resource, Resource] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._connection.server

    def version(self) -> Version:
        """Return the server's release.

        Raises:
            ClusterError: it does not say.
        """
        found = self._connection.json(Call("GET", "/version", {}, "tell its version"))
        numbers = (_digits(str(found.get(key, ""))) for key in ("major", "minor"))
        return Version(*numbers)

    def serves(self, resource: Resource) -> bool:
        """Whether the server serves a kind in any of its versions.

        Raises:
            ClusterError: it does not say.
        """
        return any(self._serves(resource.plural, version) for version in resource.versions)

    def _serves(self, plural: str, api_version: str) -> bool:
        what = f"tell what it serves of {api_version}"
        try:
            found = self._connection.json(Call("GET", _group(api_version), {}, what))
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return any(each.get("name") == plural for each in _items(found, "resources"))

    def _as_served(self, resource: Resource) -> Resource:
        """Return a kind in the best version that the server serves; the newest, if it has none.

        A server answers with the same objects in each version that it serves.

        Raises:
            ClusterError: it does not say.
        """
        if not resource.older:
            return resource
        if resource not in self._served:
            self._served[resource] = resource.in_version(self._version(resource))
        return self._served[resource]

    def _version(self, resource: Resource) -> str:
        try:
            served = (each for each in resource.versions if self._serves(resource.plural, each))
            return next(served, resource.api_version)
        except ClusterError as error:
            if error.status == FORBIDDEN:  # roles may lack system:discovery
                return resource.api_version
            raise

    def get(self, resource: Resource, namespace: str, name: str) -> Thing | None:
        """Return one object; None if it is not there.

        Raises:
            ClusterError: the server refused, or does not serve the kind.
        """
        what = f"read {ObjectKey(resource.kind, namespace, name)}"
        try:
            return self._object(resource, (namespace, name), Call("GET", "", {}, what))
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def _object(self, resource: Resource, at: tuple[str, str], call: Call) -> Thing:
        """Send a request about one object, and return the object of the answer.

        Outside, it has the version of ``resource``, whatever version the server serves.

        Args:
            resource: its kind.
            at: its namespace and name.
            call: the request; its path follows from both.
        """
        served, body = self._as_served(resource), call.body
        if body and "apiVersion" in body:
            body = {**body, "apiVersion": served.api_version}
        answer = self._connection.json(call._replace(path=_path(served, *at), body=body))
        return {**answer, "apiVersion": resource.api_version}

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
        call = Call("PATCH", "", query, f"apply {thing.key}", thing.content, _APPLY)
        return self._object(resource, (thing.namespace, thing.name), call)

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
        query = {"fieldManager": FIELD_MANAGER}
        call = Call("PATCH", "", query, f"repair {thing.key}", body, _MERGE)
        return self._object(resource, (thing.namespace, thing.name), call)

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
        path = _path(self._as_served(resource), thing.namespace, thing.name)
        try:
            self._connection.json(Call("DELETE", path, {}, f"delete {thing.key}", body))
        except ClusterError as error:
            if error.status != NOT_FOUND:
                raise

    def _pages(self, resource: Resource, namespace: str, selector: str) -> Iterator[Thing]:
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        path = _path(self._as_served(resource), namespace, "")
        for _ in range(_MOST_PAGES):
            call = Call("GET", path, query, f"list {resource.plural}")
            found = self._connection.json(call)
            for each in _items(found, "items"):
                yield {**each, "apiVersion": resource.api_version, "kind": resource.kind}
            more = as_mapping(found.get("metadata")).get("continue")
            if not more:
                return
            query["continue"] = str(more)
        raise self._connection.implausible()


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
