"""Sentences on what is odd in new versions of lists, and in lists that no longer change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from geofence.countries import known_size
from geofence.guards.special_prefixes import special_in
from geofence.lists.parsed import Candidate
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family
from geofence.state.versions import History, fingerprint
from geofence.wording import moment

_NAMED = 5
"""Bad lines, special-purpose blocks or addresses that one sentence names."""
_FROZEN = ((1 << 24, timedelta(days=30)), (1 << 20, timedelta(days=120)))
"""From this many IPv4 addresses on, a country's list hardly ever stays the same for so long."""


def remarks(candidate: Candidate, former: AddressSpace | None, history: History) -> Iterator[str]:
    """Give a sentence for each thing that is odd in a new version that is accepted.

    Args:
        candidate: the new version.
        former: the addresses of the version before it; None for the first.
        history: the accepted versions so far.
    """
    name, space = candidate.accepted.id, candidate.accepted.space
    if any(candidate.parsed.repeated(family) for family in Family):
        yield f"The list {name} lists some addresses more than once, which is harmless."
    if candidate.parsed.skipped:
        yield _skipped(candidate)
    if name.kind is ListKind.BLOCKLIST:
        yield from _without_effect(name, space, former)
    if name.kind is ListKind.HOST and former is not None:
        yield _moved(name, space, former)
    else:
        yield from _returned(name, space, history)


def _skipped(candidate: Candidate) -> str:
    skipped = candidate.parsed.skipped
    first, *others = map(str, skipped[:_NAMED])
    listed = "; ".join((first, *others))
    more = f"; and {len(skipped) - _NAMED:,} more" if len(skipped) > _NAMED else ""
    subject = "1 line" if len(skipped) == 1 else f"{len(skipped):,} lines"
    name = candidate.accepted.id
    return f"The list {name} has {subject} without a valid entry, skipped: {listed}{more}."


def _without_effect(
    name: ListId, space: AddressSpace, former: AddressSpace | None
) -> Iterator[str]:
    """Tell once of addresses that no country has, so that nothing is blocked by listing them."""
    known = special_in(former) if former else ()
    found = [block for block in special_in(space) if block not in known]
    if not found:
        return
    named = ", ".join(map(str, found[:_NAMED]))
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    yield (
        f"The list {name} holds addresses of {named}{more}, which no country has. They block "
        "nobody: a blocklist is subtracted from countries, and [local] is allowed before it."
    )


def _moved(name: ListId, space: AddressSpace, former: AddressSpace) -> str:
    """What a host name no longer stands for, and what it stands for now."""
    changes = (("now also", space - former), ("no longer", former - space))
    parts = [f"{word} {_addresses(changed)}" for word, changed in changes if changed]
    return f"The addresses of {name.name} changed: {'; '.join(parts)}."


def _addresses(space: AddressSpace) -> str:
    texts = [str(prefix) for family in Family for prefix in space[family].prefixes()]
    texts = [text.removesuffix("/32").removesuffix("/128") for text in texts]
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more


def _returned(name: ListId, space: AddressSpace, history: History) -> Iterator[str]:
    """Tell of a version that was replaced before: a mirror that is behind, or a replay."""
    known = history.find(fingerprint(space))
    if known is None or known is history.latest:
        return
    yield (
        f"The list {name} went back to an earlier version: the one first accepted "
        f"{moment(known.first_accepted_at)}. Its source may serve an old copy; "
        "'geofence refresh --compare-mirrors' compares all of them."
    )


def frozen(histories: Mapping[ListId, History]) -> tuple[str, ...]:
    """Give a sentence for each country's list that has not changed for longer than such lists do.

    Its source may confirm it daily: a publisher that has stopped does so, too.

    Args:
        histories: of the lists that are in force.
    """
    return tuple(
        f"The list {name} has not changed since {moment(history.latest.accepted_at)}, although "
        "its source was asked since; lists of its size hardly ever stay the same for "
        f"{limit.days} days. Its publisher may have stopped: look at [source.country] urls."
        for name, history in histories.items()
        for limit in _limits(name)
        if history.latest and history.latest.confirmed_at - history.latest.accepted_at > limit
    )


def _limits(name: ListId) -> Iterable[timedelta]:
    """How long a list stays the same at most; nothing for what may stay as it is."""
    if name.kind is not ListKind.COUNTRY:
        return ()
    known = known_size(name.name, Family.IPV4) or 0
    return tuple(limit for least, limit in _FROZEN if known >= least)[:1]
