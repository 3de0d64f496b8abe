"""The commit of one fence to a cluster: check, try, send in order, verify, record, log.

Each request takes effect whole, and their order is the engine's: whoever is cut off between two of
them leaves nothing open that neither the previous fence nor the new one opens. The next run reads
what is there and sends the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from geofence.cluster.client import Cluster
from geofence.errors import (
    ClusterError,
    GuardRefusal,
    StateError,
    TargetError,
    VerificationError,
)
from geofence.guards.objection import Guard, Objection, remaining
from geofence.guards.own_rules import check_rules
from geofence.model.generation import Generation, ListNote
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.plan import Plan
from geofence.operations.commit import Wish
from geofence.operations.report import RunReport
from geofence.operations.targets.desired import Desired
from geofence.operations.targets.observe import InCluster, observe, observe_for
from geofence.operations.targets.shown import shown_plan
from geofence.operations.targets.site import TargetSite
from geofence.spelling import printable
from geofence.state.applied_to import read_applied_to, write_applied_to
from geofence.targets.objects import INSTALLATION_ANNOTATION, ClusterObject, Request, Verb
from geofence.targets.stored import differing, lost, normalized, removal
from geofence.translation import join, tr

_BAD_REQUEST = 400
_MOST_PATHS = 3
"""Differences of an object that a message names."""


def commit_to_cluster(
    place: TargetSite,
    wish: Wish,
    wanted: Desired,
    lists: tuple[ListNote, ...],
) -> RunReport:
    """Check, apply, verify and record one fence; the caller holds the target's lock.

    Raises:
        GuardRefusal: a check objects, and its override is not among ``wish.accept``.
        ClusterError: the cluster refused, or cannot be reached.
        VerificationError: the cluster does not hold what it took.
    """
    own = place.own
    newest, _ = own.generations.newest()
    with place.connected() as cluster:
        found = observe_for(place, cluster, wanted, newest)
        objections = check(place, found, wanted, newest, restores=wish.reason == "restore")
        left = remaining(objections, wish.accept)
        if left:
            raise GuardRefusal(join("\n", map(str, left)))
        made = shown_plan(found, wanted.fence, wanted.objects, wanted.ruleset)
        requests = place.engine.order(found.objects, wanted.objects)
        _try(place, cluster, requests)
        _send(place, cluster, requests, found)
        _claim(place, cluster, wanted, found)
        if requests:
            _verify(place, cluster, wanted)
    number, notes = _record(place, wish, wanted, lists, newest)
    _note_where(place, found)
    _log(place, wish, made, (newest.number if newest else None, number))
    return RunReport(
        made,
        place.chosen,
        number,
        notes=(*notes, *unlisted_notes(place, found)),
        degraded=number is None,
    )


def check(
    place: TargetSite,
    found: InCluster,
    wanted: Desired,
    newest: Generation | None,
    *,
    restores: bool = False,
) -> tuple[Objection, ...]:
    """Return what checks object to.

    Args:
        place: the target.
        found: what the cluster holds.
        wanted: what it should hold.
        newest: the generation that was applied last; what it allows is intended.
        restores: whether it is that generation which comes back.
    """
    before = newest.ruleset if newest and not found.is_empty else None
    known = newest is not None and newest.ruleset == wanted.recorded
    rules = () if restores or known else check_rules(before, wanted.ruleset)
    return (
        *_moved(place, found),
        *_taken(place, found),
        *_foreign(found),
        *place.engine.limits(wanted.objects),
        *_nothing_fenced(place, found, wanted),
        *rules,
    )


def _nothing_fenced(place: TargetSite, found: InCluster, wanted: Desired) -> tuple[Objection, ...]:
    if wanted.objects or found.is_empty:
        return ()
    return (
        Objection(
            Guard.OPEN,
            f"target {place.target.name}",
            tr("The rules fence no service by the target {target}.", target=place.target.name),
            tr("Its fence would be removed, and everybody could reach the pods."),
            str(Guard.OPEN),
            tr(
                "Enable a service, or run 'geofence remove --target {target}'.",
                target=place.target.name,
            ),
        ),
    )


def _moved(place: TargetSite, found: InCluster) -> tuple[Objection, ...]:
    before, now = read_applied_to(place.own.state_directory), place.applied_to(found.server)
    if not found.server or before in (None, now):
        return ()
    return (
        Objection(
            Guard.MOVED,
            f"target {place.target.name}",
            tr(
                "The fence of {target} was applied to {before}, and would now be applied to {now}.",
                target=place.target.name,
                before=before,
                now=now,
            ),
            tr("The previous one would stay there, and no run would keep it up to date."),
            str(Guard.MOVED),
            tr(
                "Run 'geofence remove --target {target}' with the previous rules and kubeconfig.",
                target=place.target.name,
            ),
        ),
    )


def _taken(place: TargetSite, found: InCluster) -> tuple[Objection, ...]:
    other = found.kept_by_another(place.keeper)
    if other is None:
        return ()
    return (
        Objection(
            Guard.TAKEN,
            f"target {place.target.name}",
            tr(
                "The fence of {target} in the cluster is kept by the geofence installation on "
                "{host}.",
                target=place.target.name,
                host=printable(other.host),
            ),
            tr("Each would undo what the other has applied, at every run."),
            str(Guard.TAKEN),
            tr("Give the target another name here, or remove it from the rules there."),
        ),
    )


def _foreign(found: InCluster) -> tuple[Objection, ...]:
    if not found.foreign:
        return ()
    return (
        Objection(
            Guard.FOREIGN,
            "the cluster",
            tr(
                "The cluster has {objects}, which geofence has not applied.",
                objects=", ".join(map(str, found.foreign)),
            ),
            tr("Another program must have made this, and applying would replace it."),
            str(Guard.FOREIGN),
            tr("Delete it, or give the target another name."),
        ),
    )


def _try(place: TargetSite, cluster: Cluster, requests: Sequence[Request]) -> None:
    """Ask the server what it would store, so that a refusal finds nothing half done.

    Raises:
        ClusterError: the server would refuse.
        VerificationError: it would store something else than was sent.
    """
    for request in requests:
        if request.verb is not Verb.APPLY:
            continue
        thing, resource = request.object, place.resource(request.object.kind)
        try:
            stored = cluster.apply(_ours(place, thing), resource, only_try=True)
        except ClusterError as error:
            if error.status == _BAD_REQUEST:  # as where a webhook cannot be tried
                continue
            raise _with_consequence(place, error, 0, len(requests)) from error
        paths = list(lost(thing.content, normalized(ClusterObject.of(stored), thing).content))
        if paths:
            raise VerificationError(
                tr(
                    "The cluster would not store {object} as it was sent: {paths} would differ. "
                    "Nothing was changed. 'geofence doctor --target {target}' tells why.",
                    object=thing.key,
                    paths=_listed(paths),
                    target=place.target.name,
                )
            )


def _send(
    place: TargetSite, cluster: Cluster, requests: Sequence[Request], found: InCluster
) -> None:
    """Send requests in their order, and compare what is stored after each.

    Raises:
        ClusterError: the server refused one; those before it are done.
        VerificationError: it stored something else than was sent.
    """
    for number, request in enumerate(requests):
        thing, resource = request.object, place.resource(request.object.kind)
        try:
            if request.verb is Verb.DELETE:
                cluster.delete(thing, resource, found.uids.get(thing.key, ""))
                continue
            stored = _applied(place, cluster, thing)
        except ClusterError as error:
            raise _with_consequence(place, error, number, len(requests)) from error
        paths = _differing(thing, stored)
        if paths:
            raise _not_held(place, [f"{thing.key}: {_listed(paths)}"])


def _ours(place: TargetSite, thing: ClusterObject) -> ClusterObject:
    """Return an object as this installation keeps it."""
    return thing.annotated(INSTALLATION_ANNOTATION, str(place.keeper))


def _claim(place: TargetSite, cluster: Cluster, wanted: Desired, found: InCluster) -> None:
    """Write into objects that stay as they are that this installation keeps them.

    Raises:
        ClusterError: the server refused.
    """
    same = {each.key: each.text for each in found.objects}
    for thing in wanted.objects:
        keeper = found.keepers.get(thing.key)
        mine = keeper is None or keeper.number == place.keeper.number
        if not mine and same.get(thing.key) == thing.text:
            _applied(place, cluster, thing)


def _applied(place: TargetSite, cluster: Cluster, thing: ClusterObject) -> ClusterObject:
    """Apply an object, and take away what other programs have put into it; return what is stored.

    Raises:
        ClusterError: the server refused.
    """
    resource = place.resource(thing.kind)
    answer = cluster.apply(_ours(place, thing), resource)
    extra = removal(thing, normalized(ClusterObject.of(answer), thing))
    if extra:
        answer = cluster.merge_spec(thing, resource, extra, answer)
    return ClusterObject.of(answer)


def _verify(place: TargetSite, cluster: Cluster, wanted: Desired) -> None:
    """Read everything back.

    Raises:
        VerificationError: the cluster does not hold what was sent, or could not be read.
    """
    try:
        found = observe(place, cluster, wanted.objects)
    except TargetError as error:
        raise VerificationError(
            tr(
                "What was applied cannot be read back, and was not recorded: {reason} "
                "'geofence status --target {target}' shows the fence.",
                reason=error,
                target=place.target.name,
            )
        ) from error
    held = {each.key: each for each in found.objects}
    sent = {each.key: each for each in wanted.objects}
    wrong = [
        f"{key}: {_listed(_differing(sent[key], held[key]))}" if key in held else str(key)
        for key in sent
        if key not in held or held[key].text != sent[key].text
    ]
    wrong += [str(key) for key in held if key not in sent]
    if wrong:
        raise _not_held(place, wrong)


def _differing(sent: ClusterObject, stored: ClusterObject) -> list[str]:
    same = normalized(stored, sent)
    return [] if same.text == sent.text else list(differing(sent.content, same.content))


def _listed(paths: Sequence[str]) -> str:
    more = f" (+{len(paths) - _MOST_PATHS})" if len(paths) > _MOST_PATHS else ""
    return ", ".join(paths[:_MOST_PATHS]) + more


def _not_held(place: TargetSite, wrong: Iterable[str]) -> VerificationError:
    return VerificationError(
        tr(
            "The cluster does not hold what was applied: {differences}. Another program may have "
            "changed it meanwhile. Run 'geofence apply --target {target}' again.",
            differences="; ".join(wrong),
            target=place.target.name,
        )
    )


def _with_consequence(
    place: TargetSite, error: ClusterError, done: int, requests: int
) -> ClusterError:
    """Return an error with what it means for the fence."""
    if not done and error.status:
        meaning = tr("The fence in the cluster is unchanged.")
    elif requests == 1:
        meaning = tr("The cluster holds the previous fence or the new one.")
    else:
        meaning = tr(
            "{done} of {requests} requests were done. Nothing is open that neither the previous "
            "fence nor the new one opens. 'geofence apply --target {target}' does the rest.",
            done=done,
            requests=requests,
            target=place.target.name,
        )
    return ClusterError(join(" ", (str(error), meaning)), error.status)


def unlisted_notes(place: TargetSite, found: InCluster) -> tuple[Note, ...]:
    """Return a note if the role may not list objects, so that unknown ones stay unseen."""
    if not found.unlisted:
        return ()
    return (Note(NoteKind.TARGET_UNLISTED, place.target.name, {"kinds": list(found.unlisted)}),)


def _record(
    place: TargetSite,
    wish: Wish,
    wanted: Desired,
    lists: tuple[ListNote, ...],
    newest: Generation | None,
) -> tuple[int | None, tuple[Note, ...]]:
    """Record what the cluster was found to hold, unless the newest generation says the same."""
    store = place.own.generations
    try:
        place.own.timed.record(wanted.timed)
        same = newest is not None and newest.ruleset == wanted.recorded
        if newest is not None and same and newest.backend == place.target.kind:
            if {each.name for each in newest.lists} != {each.name for each in lists}:
                store.record(replace(newest, lists=lists))
            return newest.number, ()
        made = Generation(
            store.next_number(),
            datetime.now(UTC),
            wish.reason,
            str(place.target.kind),
            wanted.recorded,
            lists,
            wish.restores,
        )
        store.record(made)
    except StateError as error:
        return None, (Note(NoteKind.NOT_RECORDED, "", {"message": str(error)}),)
    return made.number, ()


def _note_where(place: TargetSite, found: InCluster) -> None:
    """Record where the fence is; without that, a move of it is not noticed."""
    with suppress(StateError):
        write_applied_to(place.own.state_directory, place.applied_to(found.server))


def _log(place: TargetSite, wish: Wish, made: Plan, numbers: tuple[int | None, int | None]) -> None:
    """Log the change, if there was one; ``numbers`` are the generations before and now."""
    previous, number = numbers
    if made.is_empty and number == previous:
        return
    now = f"generation {number}" if number is not None else "a fence that could not be recorded"
    place.own.log_change(
        command_of(place, wish.reason, wish.accept), f"{now} is in force in the cluster", number
    )


def command_of(place: TargetSite, verb: str, accept: Collection[str] = ()) -> str:
    """Return the command as a person would type it."""
    options = [f"--accept {each}" for each in accept]
    return " ".join((verb, f"--target {place.target.name}", *options))


def damaged_notes(place: TargetSite) -> tuple[Note, ...]:
    """Return a note for each generation that cannot be used."""
    _, damaged = place.own.generations.newest()
    return tuple(problem(str(each)) for each in damaged)
