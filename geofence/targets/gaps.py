"""What the rules ask of an engine that it cannot do, as notes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Policy, RepliesFrom, Service, besides_loopback
from geofence.model.target import Gap, Target


def gap_notes(policy: Policy, target: Target, gaps: Iterable[Gap]) -> tuple[Note, ...]:
    """Return a note for each of an engine's gaps that matters under the rules.

    Some always matter; others only if a rule asks for what the engine cannot.

    Args:
        policy: the rules.
        target: its engine has the gaps.
        gaps: what the engine cannot.
    """
    services = [each for each in policy.services if target.fences(each.name)]
    return tuple(
        Note(NoteKind.TARGET_CANNOT, target.name, {"what": gap.value, "names": list(names)})
        for gap in gaps
        if (names := _ASKED[gap](policy, services) if gap in _ASKED else ()) or gap not in _ASKED
    )


def _observed(_: Policy, services: Iterable[Service]) -> Iterable[str]:
    return [each.name for each in services if each.observe]


def _with_helpers(_: Policy, services: Iterable[Service]) -> Iterable[str]:
    return [each.name for each in services if each.helpers]


def _with_few_repliers(_: Policy, services: Iterable[Service]) -> Iterable[str]:
    return [each.name for each in services if each.replies_from is RepliesFrom.EXCEPTIONS]


def _local(policy: Policy, _: Iterable[Service]) -> Iterable[str]:
    space = policy.local_space
    written = (*space.ipv4.prefixes(), *space.ipv6.prefixes())
    return [*map(str, written), *policy.link_local]


def _trusted(policy: Policy, _: Iterable[Service]) -> Iterable[str]:
    return besides_loopback(policy.interfaces)


_ASKED: Mapping[Gap, Callable[[Policy, Iterable[Service]], Iterable[str]]] = {
    Gap.OBSERVE: _observed,
    Gap.HELPERS: _with_helpers,
    Gap.REPLIES_FROM: _with_few_repliers,
    Gap.LOCAL_NETWORKS: _local,
    Gap.TRUSTED_INTERFACES: _trusted,
}
"""Names of what asks for it; for other gaps, every fence does."""
