"""Applying a ruleset: commit, verify, clear the other backends."""

from __future__ import annotations

from collections.abc import Callable

from geofence.backends import registry
from geofence.backends.registry import others
from geofence.errors import BackendError, BackendUnavailable, UntidyError, VerificationError
from geofence.model.frozen import dataclass, replace
from geofence.model.plan import Observed, Plan
from geofence.model.ruleset import Ruleset
from geofence.plan import make_plan
from geofence.translation import tr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from geofence.backends.interface import Backend


@dataclass(frozen=True, slots=True)
class Applied:
    """A ruleset that the kernel, read back, was found to hold."""

    plan: Plan
    """What was done; empty if the kernel held it already."""
    replaced: tuple[str, ...] = ()
    """Other backends whose fence was taken away once this one stood."""
    untidy: str = ""
    """Why parts of the previous fence are still there; empty if none are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the kernel held when it was read."""

    fingerprint: str
    """Taken before it was read."""
    observed: Observed


def read_kernel(backend: Backend) -> Seen:
    """Read what the kernel holds, so that it need not be read again while it stays the same.

    Raises:
        BackendError: the kernel cannot be read.
    """
    return Seen(backend.fingerprint(), backend.observe())


def plan_for(backend: Backend, desired: Ruleset, seen: Seen | None = None) -> Plan:
    """Return what the backend would do now to hold the ruleset.

    Args:
        backend: holds the fence.
        desired: the ruleset.
        seen: what the kernel held a moment ago; it is read again if that has changed.
    """
    if seen is not None and seen.fingerprint == backend.fingerprint():
        observed = seen.observed
    else:
        observed = backend.observe()
    return make_plan(desired, observed, backend.rules(desired))


def survey(backend: Backend, known: Observed | None = None) -> Observed:
    """Return what the kernel holds of geofence's, whichever backend put it there.

    There should be one fence: what the others hold was left behind when a run was killed, and is
    removed by the next one.

    Args:
        backend: that which should hold the fence.
        known: what it holds, as far as it is known already.

    Raises:
        BackendError: the kernel cannot be read, or what another backend holds in it.
    """
    own = backend.observe() if known is None else known
    beside = {other.name: seen for other in others(backend) if (seen := _seen(other)) != Observed()}
    return replace(
        own,
        fenced=own.fenced.union(*(seen.fenced for seen in beside.values())),
        debris=(
            *own.debris,
            *(tr("the fence of the backend {backend}", backend=name) for name in beside),
        ),
    )


def _nothing_before() -> None:
    """Do nothing before the kernel is changed."""


def apply_ruleset(
    backend: Backend,
    desired: Ruleset,
    before_change: Callable[[], None] = _nothing_before,
    seen: Seen | None = None,
) -> Applied:
    """Make the kernel hold the ruleset, and prove that it does.

    Args:
        backend: holds the fence.
        desired: the ruleset.
        before_change: called before the kernel is changed, if it has to be.
        seen: what the kernel held a moment ago, if it was read.

    Raises:
        BackendError: the kernel refused.
        VerificationError: the kernel took it and then did not hold it.
    """
    plan = plan_for(backend, desired, seen)
    if not plan.is_empty:
        before_change()
    untidy = "" if plan.is_empty else _commit(backend, plan)
    replaced: list[str] = []
    left = [untidy] if untidy else []
    for other in others(backend):
        try:
            if _cleared(other):
                replaced.append(other.name)
        except BackendError as error:  # as where the units may do less than who put it there
            left.append(
                tr(
                    "The fence of the backend {backend} cannot be removed, and still blocks what "
                    "it did: {reason} Run 'sudo geofence apply' in a shell.",
                    backend=other.name,
                    reason=error,
                )
            )
    return Applied(plan, tuple(replaced), " ".join(left))


def _commit(backend: Backend, plan: Plan) -> str:
    """Commit and verify; return why parts of the previous fence are left, if they are."""
    untidy = ""
    try:
        backend.commit(plan)
    except UntidyError as error:
        untidy = tr(
            "The fence is as it should be, but parts of the previous one could not be removed: "
            "{reason} The next run removes them.",
            reason=error,
        )
    try:
        left = plan_for(backend, plan.desired)
    except BackendError as error:
        raise VerificationError(
            tr(
                "What was applied cannot be read back, and was not recorded: {reason} "
                "'geofence status' shows the fence.",
                reason=error,
            )
        ) from error
    if not (left.only_tidies if untidy else left.is_empty):
        from geofence.plan.drift import differences
        from geofence.sentences.drift import drift_summary

        raise VerificationError(
            tr(
                "The kernel does not hold what was committed: {differences}. Another program may "
                "have changed it meanwhile. Run 'geofence apply' again.",
                differences="; ".join(drift_summary(differences(left))),
            )
        )
    return untidy


def remove_all() -> tuple[str, ...]:
    """Remove the fence from the kernel and return the names of the backends that held it.

    Raises:
        BackendUnavailable: no backend could look into the kernel.
        BackendError: the kernel refused.
    """
    found: list[str] = []
    missing: list[BackendUnavailable] = []
    refused: list[BackendError] = []
    for name in registry.MODULES:
        try:
            if registry.load(name).remove():
                found.append(name)
        except BackendUnavailable as error:
            missing.append(error)
        except BackendError as error:  # the others' fences are to go all the same
            refused.append(error)
    if refused:
        raise refused[0]
    if len(missing) == len(registry.MODULES):
        raise missing[0]
    return tuple(found)


def fence_is_up() -> bool:
    """Whether packets of either family enter a fence, whichever backend put it there.

    Raises:
        BackendError: they may enter one that cannot be read.
    """
    return any(_seen(registry.load(name)).fenced for name in registry.MODULES)


def foreign_objects() -> tuple[str, ...]:
    """Return objects under geofence's names that another program must have made.

    Raises:
        BackendError: there may be some that cannot be read.
    """
    return tuple(name for each in registry.MODULES for name in _seen(registry.load(each)).foreign)


def _seen(backend: Backend) -> Observed:
    try:
        return backend.observe()
    except BackendUnavailable:  # what cannot work here holds nothing here
        return Observed()


def _cleared(backend: Backend) -> bool:
    try:
        return backend.remove()
    except BackendUnavailable:  # what cannot work here holds nothing here
        return False
