"""``export``: the objects that would hold the fence in a cluster, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from geofence.errors import GuardRefusal, UsageError
from geofence.guards.objection import remaining
from geofence.guards.own_rules import check_rules
from geofence.model.notes import Note, problem
from geofence.model.policy import Policy
from geofence.model.target import Labels, Target, TargetKind
from geofence.operations.commit import check_overrides
from geofence.operations.lists import spaces, stored
from geofence.operations.site import Site
from geofence.operations.targets.apply import list_notes, nothing_fenced
from geofence.operations.targets.desired import desired
from geofence.operations.targets.site import TargetSite, target_site
from geofence.spelling import quoted
from geofence.state.files import state_error, write_atomically
from geofence.targets import registry
from geofence.targets.files import file_name, file_text, is_of
from geofence.targets.interface import Engine
from geofence.targets.objects import ClusterObject, Release
from geofence.translation import join, tr

_FOR_ALL = 0o644
"""Mode of the files: they hold no secret."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """For which target objects are wanted: one of the rules, or one that options describe."""

    kind: TargetKind | None = None
    """The engine; None: that of the target."""
    name: str | None = None
    """A target of the rules, or the name for one that options describe."""
    namespace: str = ""
    pods: Labels = ()
    nodes: Labels = ()
    services: tuple[str, ...] = ()
    release: Release | None = None
    """Of the engine in the cluster; None: one that takes the newest API versions."""

    @property
    def describes(self) -> bool:
        """Whether options describe the target."""
        return bool(self.namespace or self.pods or self.nodes)


@dataclass(frozen=True, slots=True)
class Export:
    """Objects for one target."""

    target: Target
    engine: Engine
    objects: tuple[ClusterObject, ...]
    notes: tuple[Note, ...] = ()


class FileState(StrEnum):
    """What became of a file. The values are stable: scripts read them."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    """An earlier export had written it, and there is no such object any more."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file."""

    path: Path
    state: FileState
    size: int
    """Bytes; of one that was removed, what it had."""


def export(site: Site, wanted: Wanted, accept: Collection[str] = ()) -> Export:
    """Return the objects by the rules and the stored lists.

    Neither a cluster nor the kernel nor root is needed, if the state can be read.

    Raises:
        UsageError: no target is meant, or an override has an unknown check or list.
        RulesError: the target lacks what its engine needs.
        MissingListError: the list of a country or AS number has not been downloaded yet.
        GuardRefusal: a check refuses the objects.
    """
    place = _place(site, wanted)
    _check_services(place.policy, wanted.services)
    if wanted.release:
        _check_release(place.engine, wanted.release)
    check_overrides(place.policy, accept)
    reports = stored(site, place.policy)
    made = desired(place, spaces(reports))
    limits = place.engine.limits(made.objects)
    left = remaining((*limits, *check_rules(None, made.ruleset)), accept)
    if left:
        raise GuardRefusal(join("\n", map(str, left)))
    notes = (
        *nothing_fenced(place),
        *(problem(each.problem, str(each.id)) for each in reports if each.problem),
        *list_notes(place, reports),
        *place.engine.inexpressible(place.policy, made.fence, place.target),
    )
    objects = _for_release(place.engine, made.objects, wanted.release)
    return Export(place.target, place.engine, objects, notes)


def _place(site: Site, wanted: Wanted) -> TargetSite:
    if wanted.describes:
        return _described(site, wanted)
    name = wanted.name or _only_target(site.policy(), wanted.kind)
    place = target_site(site, name)
    kind = wanted.kind or place.target.kind
    services = wanted.services or place.target.services
    target = replace(place.target, kind=kind, services=services)
    return replace(place, target=target, engine=registry.load(kind))


def _described(site: Site, wanted: Wanted) -> TargetSite:
    """Return a target that the rules do not have.

    Raises:
        UsageError: they have one of its name, or no engine is named.
    """
    policy, name = site.policy(), wanted.name or "pbx"
    if wanted.kind is None:
        raise UsageError(
            tr("Name the engine: {options}.", options=_alternatives("--to", TargetKind))
        )
    if name in [each.name for each in policy.targets]:
        raise UsageError(
            tr(
                "The rules have a target {name}. Leave out --namespace, --pods and --nodes, or "
                "give another name with --target.",
                name=name,
            )
        )
    target = Target(name, wanted.kind, wanted.namespace, wanted.pods, wanted.nodes, wanted.services)
    shared = [each.name for each in policy.targets if each.may_share_pods(target)]
    if shared:
        raise UsageError(
            tr(
                "The rules have the target {name}, which may select the same pods. Policies add "
                "up: each opens all ports that it does not fence. Export {name} instead.",
                name=shared[0],
            )
        )
    return TargetSite(site, policy, target, registry.load(wanted.kind))


def _only_target(policy: Policy, kind: TargetKind | None) -> str:
    """Return the name of the one target that can be meant.

    Raises:
        UsageError: there is none, or there are several.
    """
    names = [each.name for each in policy.targets if kind in (None, each.kind)]
    if len(names) == 1:
        return names[0]
    if names:
        raise UsageError(
            tr("Name the target: {options}.", options=_alternatives("--target", names))
        )
    raise UsageError(
        tr(
            "The rules have no such target. Write one as [target.NAME], or describe it: --to "
            "networkpolicy --namespace pbx --pods app=asterisk."
        )
    )


def _alternatives(option: str, values: Iterable[str]) -> str:
    return " | ".join(f"{option} {value}" for value in values)


def _check_services(policy: Policy, names: Collection[str]) -> None:
    """Refuse services that are not fenced here either: nothing would be fenced.

    Raises:
        UsageError: there is one.
    """
    known = [each.name for each in policy.services]
    for name in names:
        if name not in known:
            raise UsageError(
                tr(
                    "--service: unknown service {name}; valid: {services}.",
                    name=quoted(name),
                    services=", ".join(known) or tr("none"),
                )
            )


def _check_release(engine: Engine, release: Release) -> None:
    """Refuse a release to which the objects do not apply.

    Raises:
        UsageError: it is too old, or the engine's objects are the same for all releases.
    """
    if engine.oldest is None:
        raise UsageError(
            tr("--cilium: the objects are those of {kind}. Leave the option out.", kind=engine.kind)
        )
    if release < engine.oldest:
        raise UsageError(
            tr(
                "--cilium: version {version} cannot hold the fence. Upgrade Cilium to {oldest} or "
                "later.",
                version=release,
                oldest=engine.oldest,
            )
        )


def _for_release(
    engine: Engine, objects: tuple[ClusterObject, ...], release: Release | None
) -> tuple[ClusterObject, ...]:
    """Return objects in the API versions that a release of the engine has."""
    if release is None:
        return objects
    kinds = {each.kind: each.for_release(release) for each in engine.resources}
    return tuple(each.in_version(kinds[each.kind].api_version) for each in objects)


def write_files(found: Export, directory: Path) -> tuple[ExportedFile, ...]:
    """Write a file for each object, then remove the files of objects that are no more.

    A file that stayed would open again, once it is applied, what the fence no longer allows.

    Raises:
        UsageError: the directory cannot be used.
        StateError: a file could not be written or removed; those before it are.
    """
    _make_directory(directory)
    resources = found.engine.resources
    texts = {file_name(each, resources): file_text(each.content) for each in found.objects}
    written = [_write(directory / name, text.encode()) for name, text in texts.items()]
    stale = [each for each in _earlier(found, directory) if each.name not in texts]
    return (*written, *map(_remove, stale))


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            tr(
                "--output: {path} cannot be made a directory: {why}.",
                path=directory,
                why=error.strerror,
            )
        ) from error


def _write(path: Path, data: bytes) -> ExportedFile:
    try:
        before = path.read_bytes()
    except OSError:
        before = None
    if before == data:
        return ExportedFile(path, FileState.UNCHANGED, len(data))
    write_atomically(path, data, _FOR_ALL)
    return ExportedFile(path, FileState.NEW if before is None else FileState.CHANGED, len(data))


def _earlier(found: Export, directory: Path) -> Iterator[Path]:
    """Yield the files that exports for the target have written."""
    names: Sequence[str] = [each.kind.lower() for each in found.engine.resources]
    for path in sorted(directory.glob("[0-9]-*.json")):
        if path.name[2:].partition("-")[0] in names and not path.is_symlink():
            with suppress(OSError, ValueError):
                if is_of(json.loads(path.read_bytes()), found.target, found.engine.resources):
                    yield path


def _remove(path: Path) -> ExportedFile:
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError as error:
        raise state_error("removed", path, error) from error
    return ExportedFile(path, FileState.REMOVED, size)
