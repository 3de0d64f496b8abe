"""The objects of a cluster, and what its API server refuses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.clusters.fake import checks
from tests.clusters.fake.apply import Owners, after_update, applied, managed_fields, merged
from tests.clusters.fake.kinds import BUILT_IN, CALICO, NETWORK_POLICY, Kind, cilium, unknown_fields
from tests.clusters.fake.refusal import Refusal, copied, invalid, no_such_path, not_found

LARGEST_REQUEST = 3 << 20
"""Bytes that the API server takes."""
LARGEST_STORED = 3 << 19
"""Bytes that etcd takes in one request."""
USER = "system:serviceaccount:geofence:geofence"
Thing = dict[str, Any]


@dataclass(frozen=True)
class Quota:
    """At most so many objects of a kind in a namespace."""

    plural: str
    hard: int


@dataclass(frozen=True)
class Webhook:
    """A webhook that refuses some objects."""

    name: str
    says: str
    plurals: Collection[str] = ()
    """Empty: all."""


@dataclass
class _Stored:
    thing: Thing
    owners: Owners


@dataclass(frozen=True)
class Grant:
    """A rule of a role."""

    verbs: Collection[str]
    plurals: Collection[str] = ("*",)
    names: Collection[str] = ()
    """Empty: all."""

    def allows(self, verb: str, plural: str, name: str) -> bool:
        """Whether it allows a request."""
        return (
            verb in self.verbs
            and bool({"*", plural} & set(self.plurals))
            and (not self.names or name in self.names)
        )


@dataclass
class Cluster:
    """What a cluster holds; one at a time may use it."""

    version: tuple[int, int] = (1, 36)
    kinds: tuple[Kind, ...] = (*BUILT_IN, *CALICO, *cilium())
    grants: list[Grant] | None = None
    """What the client may do; None: everything."""
    quotas: list[Quota] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    objects: dict[tuple[str, str, str], _Stored] = field(default_factory=dict)
    """By plural, namespace and name."""
    revision: int = 1000
    writes: int = 0
    """How often an object was changed."""
    largest_stored: int = LARGEST_STORED
    largest_request: int = LARGEST_REQUEST

    def kind(self, group: str, version: str, plural: str) -> Kind:
        """The kind of a path.

        Raises:
            Refusal: 404, it is not served.
        """
        for each in self.kinds:
            if (each.group, each.version, each.plural) == (group, version, plural):
                return each
        raise no_such_path()

    def allow(self, verb: str, kind: Kind, namespace: str, name: str) -> None:
        """Check the role of the client.

        Raises:
            Refusal: 403, the role has no such verb.
        """
        if self.grants is None or any(g.allows(verb, kind.plural, name) for g in self.grants):
            return
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        what = f'cannot {verb} resource "{kind.plural}" in API group "{kind.group}"{where}'
        named = f' "{name}"' if name else ""
        raise Refusal(
            403, "Forbidden", f'{kind.resource}{named} is forbidden: User "{USER}" {what}'
        )

    def get(self, kind: Kind, namespace: str, name: str) -> Thing:
        """One object.

        Raises:
            Refusal: 404.
        """
        found = self.objects.get((kind.plural, namespace, name))
        if found is None:
            raise not_found(kind.resource, name)
        return self._shown(kind, found)

    def listed(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Thing]:
        """The objects with some labels, in a namespace or, with none, in all."""
        return [
            self._shown(kind, each)
            for (plural, inside, _), each in sorted(self.objects.items())
            if plural == kind.plural
            and namespace in ("", inside)
            and labels.items() <= (each.thing["metadata"].get("labels") or {}).items()
        ]

    def apply(  # noqa: PLR0913 - what an apply is
        self,
        kind: Kind,
        namespace: str,
        name: str,
        wanted: Thing,
        manager: str,
        *,
        force: bool,
        dry_run: bool = False,
    ) -> tuple[Thing, bool]:
        """Server-side apply: the object, and whether it is new.

        Raises:
            Refusal: the server, a webhook, a quota or another manager objects.
        """
        self._check_patch(kind, namespace, name, wanted)
        key = (kind.plural, namespace, name)
        before = self.objects.get(key)
        if before is None:
            self.allow("create", kind, namespace, name)
        owners = before.owners if before else {}
        stored = _content(before.thing) if before else None
        made, new_owners = applied(kind, stored, owners, wanted, manager, force=force)
        self._complete(kind, namespace, name, made)
        self._admit(kind, namespace, new=before is None)
        if before and _content(before.thing) == made and owners == new_owners:
            return self._shown(kind, before), False
        if dry_run:
            return self._shown(kind, _Stored(made, new_owners)), before is None
        self._store(kind, key, _Stored(made, new_owners))
        return self._shown(kind, self.objects[key]), before is None

    def _complete(self, kind: Kind, namespace: str, name: str, made: Thing) -> None:
        """Fill in what the path says and what a server adds, and check the whole."""
        made |= {"apiVersion": self._stored_in(kind), "kind": kind.name}
        made.setdefault("metadata", {}).update({"name": name})
        if kind.namespaced:
            made["metadata"]["namespace"] = namespace
        if kind == NETWORK_POLICY:
            made["spec"] = checks.with_defaults(made.get("spec") or {}, self.version)
            if mistakes := checks.mistakes(made["spec"]):
                raise invalid(kind.resource, name, mistakes)

    def merge(self, kind: Kind, namespace: str, name: str, patch: Thing, manager: str) -> Thing:
        """A JSON merge patch; who sends it owns what it changes or adds.

        Raises:
            Refusal: the object is not there, is newer than it says, or is refused.
        """
        before = self.get(kind, namespace, name)
        stored = self.objects[kind.plural, namespace, name]
        wanted = (patch.get("metadata") or {}).get("resourceVersion")
        if wanted not in (None, before["metadata"]["resourceVersion"]):
            raise Refusal(409, "Conflict", "the object has been modified")
        made = merged(_content(stored.thing), {**patch, "metadata": {}})
        self._complete(kind, namespace, name, made)
        self._admit(kind, namespace, new=False)
        owners = after_update(kind, stored.owners, _content(stored.thing), made, manager)
        self._store(kind, (kind.plural, namespace, name), _Stored(made, owners))
        return self._shown(kind, self.objects[kind.plural, namespace, name])

    def delete(self, kind: Kind, namespace: str, name: str, preconditions: Thing) -> Thing:
        """Delete an object.

        Raises:
            Refusal: 404, or 409 if it is not the object that was meant.
        """
        found = self.get(kind, namespace, name)["metadata"]
        for key in ("uid", "resourceVersion"):
            if preconditions.get(key, found[key]) != found[key]:
                what = f"the {key} in the precondition ({preconditions[key]}) does not match"
                raise Refusal(409, "Conflict", f"Precondition failed: {what}")
        thing = self.objects.pop((kind.plural, namespace, name)).thing
        self.writes += 1
        return thing

    def put(self, thing: Thing, manager: str = "somebody") -> None:
        """Put an object there, as another program does; nothing is checked."""
        kind = next(each for each in self.kinds if each.name == thing["kind"])
        inside = thing["metadata"].get("namespace", "") if kind.namespaced else ""
        key = (kind.plural, inside, thing["metadata"]["name"])
        _, owners = applied(kind, None, {}, thing, manager, force=True)
        self._store(kind, key, _Stored(copied(thing), owners))

    def _check_patch(self, kind: Kind, namespace: str, name: str, wanted: Thing) -> None:
        told = wanted.get("metadata") or {}
        if (wanted.get("apiVersion"), wanted.get("kind")) != (kind.group_version, kind.name):
            raise Refusal(400, "BadRequest", "the object is of another kind than its path")
        if told.get("name") != name or told.get("namespace", namespace) != namespace:
            raise Refusal(400, "BadRequest", "the name of the object does not match its path")
        unknown = unknown_fields(wanted.get("spec"), kind.spec, ".spec")
        if unknown:
            what = f"({namespace}/{name}; {kind.group_version}, Kind={kind.name})"
            said = f"failed to create typed patch object {what}: {unknown[0]}"
            raise Refusal(500, "InternalError", f"{said}: field not declared in schema")
        for each in kind.sets:
            members = (wanted.get("spec") or {}).get(each) or []
            twice = [member for member, times in Counter(members).items() if times > 1]
            if twice:
                said = f'.spec.{each}: duplicate entries for key ["{twice[0]}"]'
                refused = f"failed to create typed patch object: {said}"
                raise Refusal(500, "InternalError", refused)

    def _admit(self, kind: Kind, namespace: str, *, new: bool) -> None:
        for hook in self.webhooks:
            if not hook.plurals or kind.plural in hook.plurals:
                said = f'admission webhook "{hook.name}" denied the request: {hook.says}'
                raise Refusal(403, "Forbidden", said)
        if kind.namespaced and ("namespaces", "", namespace) not in self.objects:
            raise not_found("namespaces", namespace)
        for quota in self.quotas if new else ():
            used = sum(key[:2] == (kind.plural, namespace) for key in self.objects)
            if quota.plural == kind.plural and used >= quota.hard:
                counted = f"count/{kind.resource}"
                numbers = f"requested: {counted}=1, used: {counted}={used}, limited: "
                said = f"exceeded quota: fence, {numbers}{counted}={quota.hard}"
                raise Refusal(403, "Forbidden", f"{kind.resource} is forbidden: {said}")

    def _store(self, kind: Kind, key: tuple[str, str, str], made: _Stored) -> None:
        size = stored_size(kind, made)
        if size > self.largest_stored:
            raise Refusal(500, "InternalError", "etcdserver: request is too large")
        before = self.objects.get(key)
        self.revision += 1
        self.writes += 1
        old = before.thing["metadata"] if before else {}
        spec_same = before is not None and before.thing.get("spec") == made.thing.get("spec")
        made.thing["metadata"] |= {
            "uid": old.get("uid") or f"00000000-0000-4000-8000-{self.revision:012d}",
            "resourceVersion": str(self.revision),
            "generation": old.get("generation", 0) + (0 if spec_same else 1),
            "creationTimestamp": old.get("creationTimestamp")
            or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        self.objects[key] = made

    def _stored_in(self, kind: Kind) -> str:
        """The version in which objects of a kind are stored, whatever version a path has."""
        return next(each for each in self.kinds if each.plural == kind.plural).group_version

    def _shown(self, kind: Kind, stored: _Stored) -> Thing:
        thing = {**copied(stored.thing), "apiVersion": kind.group_version}
        thing["metadata"]["managedFields"] = managed_fields(kind, stored.owners)
        return thing


_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp")


def _content(thing: Thing) -> Thing:
    """An object without what the server itself writes."""
    made = copied(thing)
    for key in _SERVERS:
        made["metadata"].pop(key, None)
    return made


def stored_size(kind: Kind, stored: _Stored) -> int:
    """The bytes of an object in etcd: protobuf for built-in kinds, JSON for others."""
    fields = json.dumps(managed_fields(kind, stored.owners), separators=(",", ":"))
    if kind.built_in:
        return _protobuf(stored.thing) + len(fields)
    return len(json.dumps(stored.thing, separators=(",", ":"))) + len(fields)


def _protobuf(value: Any) -> int:  # noqa: ANN401 - JSON
    """About the bytes of a value in protobuf: names of fields take one, lengths one or two."""
    if isinstance(value, dict):
        return 2 + sum(_protobuf(each) for each in value.values())
    if isinstance(value, list):
        return sum(_protobuf(each) for each in value)
    return len(str(value)) + 2
