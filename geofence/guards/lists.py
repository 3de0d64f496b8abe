"""The guards of new versions of the lists of countries and AS numbers, and of blocklists.

Only public lists are checked: prefixes in the operator's rules, and the addresses of the operator's
host names, are accepted as they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from geofence.geoip.countries import known_size, sizes_are_of
from geofence.geoip.special_prefixes import special_in, special_space
from geofence.guards.blocklists import Blocked, check_blocked
from geofence.guards.limits import (
    ALWAYS_FEW,
    ASN_GAIN,
    ASN_MOST_LOST,
    BLOCKLIST_MOST_LOST,
    BROADEST,
    FEED_BROADEST,
    FEED_GAIN,
    FEED_MOST_LOST,
    MONTHLY,
    MOST_OFF_END,
    MOST_TIMES_KNOWN,
    NEIGHBOURS_JOINED,
    STRETCHES,
    Gain,
    size_class,
)
from geofence.guards.networks import beyond_any_network, beyond_any_provider
from geofence.guards.objection import Guard, Objection, Yields
from geofence.model.changes import SpaceChange, change_between
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.spelling import listed
from geofence.translation import tr
from geofence.wording import address_count, percent

_GAINS = {ListKind.ASN: ASN_GAIN, ListKind.FEED: FEED_GAIN}
_NAMED = 3
"""Special-purpose blocks that a sentence lists."""


def check_list(  # noqa: PLR0913 - each is something that a list is compared with
    wanted: ListId,
    candidate: AddressSpace,
    previous: AddressSpace | None,
    policy: Policy,
    *,
    broadest: Mapping[Family, int] | None = None,
    allowed: Mapping[ListId, AddressSpace] | None = None,
    month_ago: Mapping[Family, int] | None = None,
    spared: AddressSpace | None = None,
    change: SpaceChange | None = None,
) -> tuple[Objection, ...]:
    """Return the objections to accepting a new version of a list.

    Args:
        wanted: which list; names in DNS are not checked.
        candidate: the addresses of the new version.
        previous: those of the last accepted version; None on the first run.
        policy: its ``[guard.shrink]`` overrides the limits that ship.
        broadest: length of the broadest prefix in the list as written, by family; without it, the
            merged addresses count, in which neighbours have become one.
        allowed: the lists that allow, from which a blocklist is subtracted.
        month_ago: numbers of addresses that the list had a month ago, by family; None if they are
            not known.
        spared: addresses that a blocklist does not block: exceptions and local networks.
        change: from the previous version to the new one, if it was found already.
    """
    if wanted.kind.is_from_dns:
        return ()
    if change is None and previous is not None:
        change = change_between(previous, candidate)
    of_families = (
        objection
        for family in Family
        for objection in (
            *_of_family(wanted, candidate[family], previous, policy, broadest or {}, change=change),
            *_monthly(wanted, candidate[family], month_ago or {}),
        )
    )
    blocked = Blocked(wanted, candidate, previous, allowed or {}, spared or AddressSpace())
    return (*of_families, *_special_purpose(wanted, candidate), *check_blocked(blocked))


def _of_family(  # noqa: PLR0913 - as ``check_list``
    wanted: ListId,
    candidate: PrefixSet,
    previous: AddressSpace | None,
    policy: Policy,
    broadest: Mapping[Family, int],
    *,
    change: SpaceChange | None,
) -> Iterator[Objection]:
    family = candidate.family
    if previous is None or change is None:
        yield from _first_run(wanted, candidate)
    else:
        before, limit = previous[family], policy.shrink_limit(wanted)
        yield from _shrink(wanted, before, change.lost[family].size, limit)
        yield from _ends(wanted, candidate, before)
        yield from _growth(wanted, candidate, before, change.gained[family].size)
    yield from _broad(wanted, candidate, broadest.get(family))


def _objection(
    guard: Guard, wanted: ListId, saw: str, allows: str, yields: Yields = Yields.NEVER
) -> Objection:
    return Objection(guard, str(wanted), saw, allows, f"{guard}={wanted.name}", yields=yields)


def _shrink(
    wanted: ListId, previous: PrefixSet, gone: int, configured: float | None
) -> Iterator[Objection]:
    if not previous:
        return
    family, before = previous.family, previous.size
    lost = 100 * gone / before
    limit, why = _shrink_limit(wanted, family, before, configured)
    if lost > limit:
        yield _objection(
            Guard.SHRINK,
            wanted,
            tr(
                "The list {list} lost {share} of its {addresses} at once.",
                list=wanted,
                share=percent(lost),
                addresses=address_count(family, before),
            ),
            tr(
                "It may lose {limit} ({reason}); more most likely means that it was cut short.",
                limit=percent(limit),
                reason=why,
            ),
            Yields.IN_TIME,
        )


def _shrink_limit(
    wanted: ListId, family: Family, before: int, configured: float | None
) -> tuple[float, str]:
    if configured is not None:
        return configured, tr("by [guard.shrink] in the rules")
    if wanted.kind is ListKind.BLOCKLIST:
        return BLOCKLIST_MOST_LOST, tr("the limit for blocklists")
    if wanted.kind is ListKind.ASN:
        return ASN_MOST_LOST, tr("the limit for AS numbers")
    if wanted.kind is ListKind.FEED:
        return FEED_MOST_LOST, tr("the limit for feeds")
    return size_class(family, before).most_lost, tr("the most that real lists of its size lose")


def _ends(wanted: ListId, candidate: PrefixSet, previous: PrefixSet) -> Iterator[Objection]:
    """Object to a list that ends too early or begins too late."""
    if wanted.kind is not ListKind.COUNTRY or len(previous.bounds) < 2 * STRETCHES:
        return
    if not candidate:
        return
    first, past = candidate.bounds[0], candidate.bounds[-1]
    starts, ends = previous.bounds[0::2], previous.bounds[1::2]
    after = len(starts) - bisect_left(starts, past)
    before = bisect_right(ends, first)
    if max(after, before) > MOST_OFF_END:
        yield _objection(
            Guard.ENDS,
            wanted,
            _lost_end(wanted, previous.family, after=after, before=before),
            tr(
                "Real lists lose at most {most} there; more most likely means that it was cut "
                "short.",
                most=MOST_OFF_END,
            ),
            Yields.IN_TIME,
        )


def _lost_end(wanted: ListId, family: Family, *, after: int, before: int) -> str:
    if after >= before:
        return tr(
            "The list {list} lost its last {count} {family} blocks.",
            list=wanted,
            count=after,
            family=family.label,
        )
    return tr(
        "The list {list} lost its first {count} {family} blocks.",
        list=wanted,
        count=before,
        family=family.label,
    )


def _growth(
    wanted: ListId, candidate: PrefixSet, previous: PrefixSet, gained: int
) -> Iterator[Objection]:
    """Object to a list that gained more than usual, or more than the country can have."""
    yield from _beyond(Guard.GROWTH, wanted, candidate)
    if not wanted.kind.admits or not previous:
        return
    usual = _usual(wanted, previous.family, previous.size)
    share = 100 * gained / previous.size
    if share > usual.most_gained and gained >= usual.gain_counts_from:
        yield _objection(
            Guard.GROWTH,
            wanted,
            tr(
                "The list {list} gained {share} on its {addresses} at once.",
                list=wanted,
                share=percent(share),
                addresses=address_count(previous.family, previous.size),
            ),
            tr(
                "Lists of its size usually gain at most {limit}; more may be another country's "
                "addresses, and no second mirror has confirmed it.",
                limit=percent(usual.most_gained),
            ),
            Yields.TO_WITNESS,
        )


def _usual(wanted: ListId, family: Family, addresses: int) -> Gain:
    """Return what a list of some size usually gains."""
    if wanted.kind in _GAINS:
        return _GAINS[wanted.kind][family]
    usual = size_class(family, addresses)
    return Gain(usual.most_gained, usual.gain_counts_from)


def _monthly(
    wanted: ListId, candidate: PrefixSet, month_ago: Mapping[Family, int]
) -> Iterator[Objection]:
    """Object to many small gains that together are a large one."""
    family = candidate.family
    before = month_ago.get(family, 0)
    if not wanted.kind.admits or not before:
        return
    usual = _usual(wanted, family, before)
    gained = candidate.size - before
    share, limit = 100 * gained / before, MONTHLY * usual.most_gained
    if share > limit and gained >= usual.gain_counts_from:
        yield _objection(
            Guard.GROWTH,
            wanted,
            tr(
                "The list {list} gained {share} on the {addresses} that it had a month ago.",
                list=wanted,
                share=percent(share),
                addresses=address_count(family, before),
            ),
            tr(
                "Lists of its size usually gain at most {limit} in a month; more may be another "
                "country's addresses, and no second mirror has confirmed it.",
                limit=percent(limit),
            ),
            Yields.TO_WITNESS,
        )


def _beyond(guard: Guard, wanted: ListId, candidate: PrefixSet) -> Iterator[Objection]:
    """Object to a list that is larger than the country, or any network, can ever be."""
    if wanted.kind is ListKind.ASN:
        yield from beyond_any_network(guard, wanted, candidate)
    if wanted.kind is ListKind.FEED:
        yield from beyond_any_provider(guard, wanted, candidate)
    if wanted.kind is not ListKind.COUNTRY:
        return
    family = candidate.family
    known = known_size(wanted.name, family) or 0
    most = size_class(family, known).most_of_known
    if most is None:
        limit = max(MOST_TIMES_KNOWN * known, ALWAYS_FEW[family])
        allows = tr(
            "It may have at most {times} times as many, at any time.", times=MOST_TIMES_KNOWN
        )
    else:
        limit = int(most * known / 100)
        allows = tr(
            "At most {limit} of that number are accepted, at any time.", limit=percent(most)
        )
    if candidate.size > limit:
        yield _objection(guard, wanted, _against_known(wanted, candidate, known), allows)


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
            _against_known(wanted, candidate, known),
            tr(
                "The first version of a list must have at least {limit} of that.",
                limit=percent(least),
            ),
        )


def _against_known(wanted: ListId, candidate: PrefixSet, known: int) -> str:
    return tr(
        "The list {list} has {found}, but the country has about {known} ({source}).",
        list=wanted,
        found=address_count(candidate.family, candidate.size),
        known=address_count(candidate.family, known),
        source=sizes_are_of(),
    )


def _broad(wanted: ListId, candidate: PrefixSet, written: int | None) -> Iterator[Objection]:
    """Object to a prefix that is too broad, both as written and in the merged addresses.

    Special-purpose addresses do not count: another guard objects to them in a country's list, and
    blocklists of bogons have them on purpose, in prefixes as broad as ``224.0.0.0/3``.
    """
    family = candidate.family
    of_feed = wanted.kind is ListKind.FEED
    usual = FEED_BROADEST[family] if of_feed else BROADEST[family]
    limit = NEIGHBOURS_JOINED.get((wanted.name, family), usual)
    merged = _broadest_merged(candidate, limit)
    length = merged if written is None else max(written, merged)
    if length < limit:
        yield _objection(
            Guard.BROAD,
            wanted,
            tr(
                "The list {list} has an {family} prefix as large as a /{length}.",
                list=wanted,
                family=family.label,
                length=length,
            ),
            tr("No provider of trunks needs more than a /{limit}.", limit=limit)
            if of_feed
            else tr("No registry delegates more than a /{limit} at once.", limit=limit),
        )


def _broadest_merged(candidate: PrefixSet, limit: int) -> int:
    """Return the length of the broadest prefix that is no special-purpose one.

    That of one as long as a limit or longer may be told as longer than it is.
    """
    family = candidate.family
    least = 1 << (family.bits - limit)
    broad = [(first, past) for first, past in candidate.intervals() if past - first > least]
    if not broad:
        return family.bits
    some = PrefixSet.of_ranges(family, [first for first, _ in broad], [past for _, past in broad])
    return min((some - special_space()[family]).split()[1], default=family.bits)


def _special_purpose(wanted: ListId, candidate: AddressSpace) -> Iterator[Objection]:
    """Object to special-purpose addresses in a list that allows; blocklists may have them."""
    found = special_in(candidate) if wanted.kind.admits else ()
    if found:
        yield _objection(
            Guard.SPECIAL_PURPOSE,
            wanted,
            tr(
                "The list {list} has addresses of {blocks}.",
                list=wanted,
                blocks=listed([str(block) for block in found], _NAMED),
            ),
            tr(
                "A feed may not have IANA special-purpose addresses. If they are not meant to be "
                "allowed, write 'paths' that lead to the others."
            )
            if wanted.kind is ListKind.FEED
            else tr(
                "The list of a country or AS number may not have IANA special-purpose addresses; "
                "write your own networks into [local]."
            ),
        )
