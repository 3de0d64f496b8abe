"""Is this what the list can really hold? Asked of each list before it takes the old one's place.

Only public lists are asked: a country's or a blocklist. What the operator wrote into the rules, and
what a host name of the operator's stands for, is meant as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from geofence.guards.country_sizes import TABLE_DATE, TABLE_SOURCE, known_size
from geofence.guards.limits import (
    ALWAYS_FEW,
    BLOCKLIST_MOST_GAINED,
    BLOCKLIST_MOST_LOST,
    BLOCKLIST_MOST_OF_COUNTRY,
    BROADEST,
    MONTHLY,
    MOST_OFF_END,
    MOST_TIMES_KNOWN,
    NEIGHBOURS_JOINED,
    STRETCHES,
    size_class,
)
from geofence.guards.objection import Guard, Objection, Yields
from geofence.guards.special_prefixes import public_addresses, special_in, special_space
from geofence.guards.wording import addresses, percent
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet

_NAMED = 3
"""Special-purpose blocks that one sentence names."""


def check_list(  # noqa: PLR0913 - each is something that a list is held against
    wanted: ListId,
    candidate: AddressSpace,
    previous: AddressSpace | None,
    policy: Policy,
    *,
    broadest: Mapping[Family, int] | None = None,
    countries: Mapping[ListId, AddressSpace] | None = None,
    month_ago: Mapping[Family, int] | None = None,
) -> tuple[Objection, ...]:
    """What speaks against taking a list as it came.

    Args:
        wanted: which list; of a host name nothing is asked.
        candidate: the addresses that came.
        previous: those of the last accepted version; None on the first run.
        policy: whose ``[guard.shrink]`` goes before the limits that ship.
        broadest: length of the broadest prefix that the list writes, by family; where it is not
            given, the merged addresses are judged, in which neighbours have become one.
        countries: those that are allowed, which a blocklist takes from.
        month_ago: numbers of addresses that the list had a month before, by family; None where that
            is not known.
    """
    if wanted.kind is ListKind.HOST:
        return ()
    of_families = (
        objection
        for family in Family
        for objection in (
            *_of_family(wanted, candidate[family], previous, policy, broadest or {}),
            *_monthly(wanted, candidate[family], month_ago or {}),
            *_taken(wanted, candidate[family], previous, countries or {}),
        )
    )
    of_whole = (*_special_purpose(wanted, candidate), *_empty(wanted, candidate, previous))
    return (*of_families, *of_whole)


def _of_family(
    wanted: ListId,
    candidate: PrefixSet,
    previous: AddressSpace | None,
    policy: Policy,
    broadest: Mapping[Family, int],
) -> Iterator[Objection]:
    family = candidate.family
    if previous is None:
        yield from _first_run(wanted, candidate)
    else:
        yield from _shrink(wanted, candidate, previous[family], policy.shrink_limit(wanted))
        yield from _ends(wanted, candidate, previous[family])
        yield from _growth(wanted, candidate, previous[family])
    if wanted.kind is ListKind.BLOCKLIST:
        yield from _blocked(wanted, candidate, previous)
    yield from _broad(wanted, candidate, broadest.get(family))


def _objection(
    guard: Guard, wanted: ListId, saw: str, allows: str, yields: Yields = Yields.NEVER
) -> Objection:
    return Objection(guard, str(wanted), saw, allows, f"{guard}={wanted.name}", yields=yields)


def _shrink(
    wanted: ListId, candidate: PrefixSet, previous: PrefixSet, configured: float | None
) -> Iterator[Objection]:
    if not previous:
        return
    family, before = previous.family, previous.size
    gone = (previous - candidate).size
    lost = 100 * gone / before
    limit, why = _shrink_limit(wanted, family, before, configured)
    if lost > limit:
        yield _objection(
            Guard.SHRINK,
            wanted,
            f"The list {wanted} lost {percent(lost)} of its {addresses(family, before)} at once.",
            f"It may lose {percent(limit)} ({why}); more is most likely a list cut short.",
            Yields.IN_TIME,
        )


def _shrink_limit(
    wanted: ListId, family: Family, before: int, configured: float | None
) -> tuple[float, str]:
    if configured is not None:
        return configured, "by [guard.shrink] of the rules"
    if wanted.kind is ListKind.BLOCKLIST:
        return BLOCKLIST_MOST_LOST, "as any blocklist"
    return size_class(family, before).most_lost, "as real lists of its size do"


def _ends(wanted: ListId, candidate: PrefixSet, previous: PrefixSet) -> Iterator[Objection]:
    """Whether the list ends too early or begins too late."""
    if wanted.kind is not ListKind.COUNTRY or len(previous.bounds) < 2 * STRETCHES:
        return
    if not candidate:
        return
    first, past = candidate.bounds[0], candidate.bounds[-1]
    after = sum(start >= past for start in previous.bounds[0::2])
    before = sum(end <= first for end in previous.bounds[1::2])
    if max(after, before) > MOST_OFF_END:
        where = "after the last" if after >= before else "before the first"
        yield _objection(
            Guard.ENDS,
            wanted,
            f"The list {wanted} lost all of its {max(after, before)} {_spelt(previous.family)} "
            f"blocks {where} that is left.",
            f"Real lists lose {MOST_OFF_END} there at most; more is most likely a list cut short.",
            Yields.IN_TIME,
        )


def _growth(wanted: ListId, candidate: PrefixSet, previous: PrefixSet) -> Iterator[Objection]:
    """Whether the list gained more than such lists usually do, or than the country can have."""
    yield from _beyond(Guard.GROWTH, wanted, candidate)
    if wanted.kind is not ListKind.COUNTRY or not previous:
        return
    usual = size_class(previous.family, previous.size)
    gained = (candidate - previous).size
    share = 100 * gained / previous.size
    if share > usual.most_gained and gained >= usual.gain_counts_from:
        yield _objection(
            Guard.GROWTH,
            wanted,
            f"The list {wanted} gained {percent(share)} "
            f"on its {addresses(previous.family, previous.size)} at once.",
            f"Lists of its size usually gain {percent(usual.most_gained)} at most; "
            "more may be another country's space, and no second mirror has confirmed it.",
            Yields.TO_WITNESS,
        )


def _monthly(
    wanted: ListId, candidate: PrefixSet, month_ago: Mapping[Family, int]
) -> Iterator[Objection]:
    """Whether many small gains have made a large one."""
    family = candidate.family
    before = month_ago.get(family, 0)
    if wanted.kind is not ListKind.COUNTRY or not before:
        return
    usual = size_class(family, before)
    gained = candidate.size - before
    share, limit = 100 * gained / before, MONTHLY * usual.most_gained
    if share > limit and gained >= usual.gain_counts_from:
        yield _objection(
            Guard.GROWTH,
            wanted,
            f"The list {wanted} gained {percent(share)} "
            f"on the {addresses(family, before)} that it had a month ago.",
            f"Lists of its size usually gain {percent(limit)} in a month at most; "
            "more may be another country's space, and no second mirror has confirmed it.",
            Yields.TO_WITNESS,
        )


def _beyond(guard: Guard, wanted: ListId, candidate: PrefixSet) -> Iterator[Objection]:
    """Whether a list is larger than the country could ever be."""
    if wanted.kind is not ListKind.COUNTRY:
        return
    family = candidate.family
    known = known_size(wanted.name, family) or 0
    most = size_class(family, known).most_of_known
    if most is None:
        limit, told = max(MOST_TIMES_KNOWN * known, ALWAYS_FEW[family]), f"{MOST_TIMES_KNOWN} times"
    else:
        limit, told = int(most * known / 100), percent(most)
    if candidate.size > limit:
        yield _objection(
            guard,
            wanted,
            _against_known(f"The list {wanted}", candidate, known),
            f"It may have {told} of that at most, on any day.",
        )


def _empty(
    wanted: ListId, candidate: AddressSpace, previous: AddressSpace | None
) -> Iterator[Objection]:
    """Whether a blocklist holds nothing from the first; one that lost all has shrunk."""
    if wanted.kind is ListKind.BLOCKLIST and not candidate and previous is None:
        yield _objection(
            Guard.FIRST_RUN,
            wanted,
            f"The first list {wanted} holds no prefix at all, only comments.",
            "Such a list blocks nobody; is its URL right?",
        )


def _blocked(
    wanted: ListId, candidate: PrefixSet, previous: AddressSpace | None
) -> Iterator[Objection]:
    """Whether a blocklist takes so much more away that it may well be a country.

    Special-purpose space does not count, as no country has any.
    """
    family = candidate.family
    gained = (_gained(candidate, previous) - special_space()[family]).size
    share = 100 * gained / public_addresses(family)
    if share > BLOCKLIST_MOST_GAINED:
        yield _objection(
            Guard.FIRST_RUN if previous is None else Guard.GROWTH,
            wanted,
            f"The list {wanted} takes {addresses(family, gained)} more away from all countries, "
            f"{percent(share)} of all there are.",
            f"It may take {percent(BLOCKLIST_MOST_GAINED)} at once; "
            "more may be whole countries, those that you allow among them.",
        )


def _taken(
    wanted: ListId,
    candidate: PrefixSet,
    previous: AddressSpace | None,
    countries: Mapping[ListId, AddressSpace],
) -> Iterator[Objection]:
    """Whether a blocklist takes so much more of an allowed country that it may be all of it."""
    if wanted.kind is not ListKind.BLOCKLIST:
        return
    family = candidate.family
    gained = _gained(candidate, previous)
    shares = {
        country: 100 * (gained & space[family]).size / space[family].size
        for country, space in countries.items()
        if space[family]
    }
    most = max(shares, key=shares.__getitem__, default=None)
    if most is None or shares[most] <= BLOCKLIST_MOST_OF_COUNTRY:
        return
    more = sum(share > BLOCKLIST_MOST_OF_COUNTRY for share in shares.values()) - 1
    others = f", and too much of {more} more," if more else ""
    yield _objection(
        Guard.FIRST_RUN if previous is None else Guard.GROWTH,
        wanted,
        f"The list {wanted} takes {percent(shares[most])} of the "
        f"{addresses(family, countries[most][family].size)} of {most}{others} away at once.",
        f"It may take {percent(BLOCKLIST_MOST_OF_COUNTRY)} of a country that you allow; "
        "more is most likely not meant.",
    )


def _gained(candidate: PrefixSet, previous: AddressSpace | None) -> PrefixSet:
    return candidate if previous is None else candidate - previous[candidate.family]


def _first_run(wanted: ListId, candidate: PrefixSet) -> Iterator[Objection]:
    family = candidate.family
    yield from _beyond(Guard.FIRST_RUN, wanted, candidate)
    known = known_size(wanted.name, family) if wanted.kind is ListKind.COUNTRY else None
    if not known:
        return
    share = 100 * candidate.size / known
    least = size_class(family, known).least_of_known
    if share < least:
        yield _objection(
            Guard.FIRST_RUN,
            wanted,
            _against_known(f"The first list {wanted}", candidate, known),
            f"A first list must have at least {percent(least)} of that.",
        )


def _against_known(subject: str, candidate: PrefixSet, known: int) -> str:
    has, about = (addresses(candidate.family, size) for size in (candidate.size, known))
    return f"{subject} has {has}, but the country has about {about} ({TABLE_SOURCE}, {TABLE_DATE})."


def _broad(wanted: ListId, candidate: PrefixSet, written: int | None) -> Iterator[Objection]:
    """A prefix is too broad if it is so as written and as it lies in the merged addresses.

    Special-purpose space does not count: another guard speaks of it in a country's list, and
    blocklists of bogons hold it on purpose, in prefixes as broad as ``224.0.0.0/3``.
    """
    family = candidate.family
    lengths = (candidate - special_space()[family]).split()[1]
    merged = min(lengths, default=family.bits)
    length = merged if written is None else max(written, merged)
    limit = NEIGHBOURS_JOINED.get((wanted.name, family), BROADEST[family])
    if length < limit:
        yield _objection(
            Guard.BROAD,
            wanted,
            f"The list {wanted} holds an {_spelt(family)} prefix as broad as a /{length}.",
            f"No registry delegates more than a /{limit} at once.",
        )


def _spelt(family: Family) -> str:
    return "IPv4" if family is Family.IPV4 else "IPv6"


def _special_purpose(wanted: ListId, candidate: AddressSpace) -> Iterator[Objection]:
    """Blocklists may: the operator's own networks are let in before any blocklist is asked."""
    found = special_in(candidate) if wanted.kind is ListKind.COUNTRY else ()
    if found:
        named = ", ".join(str(block) for block in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        yield _objection(
            Guard.SPECIAL_PURPOSE,
            wanted,
            f"The list {wanted} holds addresses of {named}{more}.",
            "A country's list may hold none of IANA's special-purpose addresses; "
            "networks of your own belong into [local].",
        )
