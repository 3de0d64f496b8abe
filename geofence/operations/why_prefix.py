"""``why`` for a prefix: the verdicts in it, part by part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from geofence.allowed.prefix_parts import Part, cut
from geofence.explain import (
    Answer,
    Explanation,
    Known,
    asns_of,
    countries_of,
    explain,
    explain_now,
    parts,
)
from geofence.merge import blocklist_space, exception_space
from geofence.model.address import Address
from geofence.model.bans import Ban
from geofence.model.notes import Note
from geofence.model.policy import Ports
from geofence.model.prefixes import Prefix, PrefixSet
from geofence.model.ruleset import Ruleset
from geofence.operations.lists import Watch, unwatched
from geofence.operations.site import Site
from geofence.operations.verdict_grounds import Grounds, gather_grounds

_FEW_BANS = 20
"""Up to so many bans in a prefix are told one by one."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of an address in a prefix."""

    countries: tuple[str, ...]
    """Codes of the countries whose lists have it."""
    asns: tuple[int, ...]
    """AS numbers whose lists have it."""
    explanations: tuple[Explanation, ...]
    """Verdicts of the rules and lists on disk: those after the next run."""
    now: tuple[Answer, ...] | None
    """Verdicts of the kernel for the same ports; None if it could not be read."""


@dataclass(frozen=True, slots=True)
class PrefixPart:
    """Addresses of a prefix of which the same is told."""

    part: Part
    told: Told


@dataclass(frozen=True, slots=True)
class PrefixReport:
    """The result of ``why`` for a prefix."""

    prefix: Prefix
    parts: tuple[PrefixPart, ...]
    """The largest first."""
    next_run: str
    """The verb that applies the rules and lists on disk."""
    notes: tuple[Note, ...] = ()


def why_prefix(
    site: Site, prefix: Prefix, ports: tuple[Ports, ...], watch: Watch = unwatched
) -> PrefixReport:
    """Return the verdicts on the addresses of a prefix, now and after the next apply.

    Args:
        site: the installation.
        prefix: the prefix.
        ports: destination ports to ask for; none means every range of every service.
        watch: called with each event of fetching.
    """
    ground = gather_grounds(site, watch)
    within = [ban for ban in ground.bans if _overlap(ban.prefix, prefix)]
    bans = tuple(within) if len(within) <= _FEW_BANS else ()
    services = ground.services
    everything = (each for service in services for each in service.ports)
    asked = parts(ports or dict.fromkeys(everything), services)
    known: dict[str, Told] = {}

    def tell(number: int) -> str:
        told = _told(ground, Address(prefix.family, number), asked, bans)
        text = repr(told)
        known.setdefault(text, told)
        return text

    found = cut(prefix, _sets(ground, prefix, bans), tell)
    return PrefixReport(
        prefix,
        tuple(PrefixPart(part, known[text]) for text, part in found),
        ground.next_run,
        (*ground.notes, *ground.kernel_notes()),
    )


def _told(ground: Grounds, source: Address, asked: Iterable[Ports], bans: tuple[Ban, ...]) -> Told:
    """Return what is told of an address, without what names it or goes into detail."""
    lists, kernel = ground.lists, ground.kernel
    known = Known(tuple(ban for ban in bans if _holds(ban.prefix, source)))
    then = tuple(
        explain(ground.policy, lists, ground.desired, source, each, known=known) for each in asked
    )
    now = tuple(explain_now(kernel.fences, source, each.ports, each) for each in then)
    return Told(
        countries_of(lists, source),
        asns_of(lists, source),
        tuple(replace(each, hints=(), steps=()) for each in then),
        None if kernel.unread else tuple(replace(each, steps=()) for each in now),
    )


def _sets(ground: Grounds, prefix: Prefix, bans: Iterable[Ban]) -> Iterator[PrefixSet]:
    """Yield all sets that a verdict, or what is told of it, depends on."""
    family = prefix.family
    for ruleset in (ground.desired, *(fence.ruleset for fence in ground.kernel.fences)):
        yield from _of_ruleset(ruleset, prefix)
    yield from (space[family] for space in ground.lists.values())
    policy, lists = ground.policy, ground.lists
    yield from (exception_space(each, lists)[family] for each in policy.exceptions)
    yield from (blocklist_space(each, lists)[family] for each in policy.blocklists)
    yield policy.local[family]
    yield from (PrefixSet.of(family, [ban.prefix]) for ban in bans)


def _of_ruleset(ruleset: Ruleset, prefix: Prefix) -> Iterator[PrefixSet]:
    family = prefix.family
    for key, content in (*ruleset.sets.items(), *ruleset.runtime.items()):
        if key.family is family:
            yield content
    networks = (*(each.prefix for each in ruleset.local), *ruleset.local_guards())
    yield from (PrefixSet.of(family, [each]) for each in networks if each.family is family)


def _overlap(one: Prefix, other: Prefix) -> bool:
    return one.family is other.family and one.network < other.past and other.network < one.past


def _holds(prefix: Prefix, source: Address) -> bool:
    return prefix.network <= source.number < prefix.past
