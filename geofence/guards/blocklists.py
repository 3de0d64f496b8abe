"""The guards of what a new version of a blocklist would block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from geofence.geoip.special_prefixes import public_addresses, special_space
from geofence.guards.limits import (
    BLOCKLIST_MOST_GAINED,
    BLOCKLIST_MOST_OF_ALLOWED,
    BLOCKLIST_MOST_OF_COUNTRY,
    MANY_ALLOWED,
)
from geofence.guards.objection import Guard, Objection
from geofence.model.frozen import NamedTuple, dataclass
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.translation import tr, trn
from geofence.wording import address_count, percent


@dataclass(frozen=True, slots=True)
class Blocked:
    """A new version of a blocklist, and what it is compared with."""

    list: ListId
    candidate: AddressSpace
    previous: AddressSpace | None
    """Addresses of the last accepted version; None on the first run."""
    allowed: Mapping[ListId, AddressSpace]
    """The lists of countries and AS numbers that are allowed."""
    spared: AddressSpace
    """Addresses that it does not block: exceptions and local networks."""

    @property
    def guard(self) -> Guard:
        """The guard that objects to what is gained at once."""
        return Guard.FIRST_RUN if self.previous is None else Guard.GROWTH

    def objection(self, saw: str, allows: str) -> Objection:
        """Return an objection to what it blocks."""
        token = f"{self.guard}={self.list.name}"
        return Objection(self.guard, str(self.list), saw, allows, token)


class _Part(NamedTuple):
    """The addresses of one family."""

    family: Family
    before: PrefixSet
    """Those of the last accepted version."""
    public: PrefixSet
    """Public addresses that the new version blocks."""
    gained: PrefixSet
    """Those of them that it newly blocks."""


def check_blocked(blocked: Blocked) -> Iterator[Objection]:
    """Yield the objections to what a blocklist would block; none for other lists."""
    if blocked.list.kind is not ListKind.BLOCKLIST:
        return
    for part in map(partial(_part, blocked), Family):
        yield from _of_everything(blocked, part)
        taken = tuple(_of_a_country(blocked, part))
        yield from taken or _of_all_allowed(blocked, part)
    if not blocked.candidate and blocked.previous is None:
        yield blocked.objection(
            tr("The first list {list} contains no prefix, only comments.", list=blocked.list),
            tr("Such a list blocks nobody. Is its URL correct?"),
        )


def _part(blocked: Blocked, family: Family) -> _Part:
    before = blocked.previous[family] if blocked.previous else PrefixSet(family)
    found = blocked.candidate[family].without(special_space()[family])
    public = found.without(blocked.spared[family])
    return _Part(family, before, public, public.without(before))


def _of_everything(blocked: Blocked, part: _Part) -> Iterator[Objection]:
    """Object to a blocklist that blocks so much more that it may be a country."""
    gained = part.gained.size
    share = 100 * gained / public_addresses(part.family)
    if share > BLOCKLIST_MOST_GAINED:
        yield blocked.objection(
            tr(
                "The list {list} would block {addresses} more, {share} of all public addresses.",
                list=blocked.list,
                addresses=address_count(part.family, gained),
                share=percent(share),
            ),
            tr(
                "It may block {limit} more at once; a larger gain may be whole countries, also "
                "those that you allow.",
                limit=percent(BLOCKLIST_MOST_GAINED),
            ),
        )


def _of_a_country(blocked: Blocked, part: _Part) -> Iterator[Objection]:
    """Object to a blocklist that blocks too much more of an allowed country."""
    family = part.family
    shares = {
        country: 100 * (part.gained & space[family]).size / space[family].size
        for country, space in blocked.allowed.items()
        if country.kind is ListKind.COUNTRY and space[family]
    }
    most = max(shares, key=shares.__getitem__, default=None)
    if most is None or shares[most] <= BLOCKLIST_MOST_OF_COUNTRY:
        return
    more = sum(share > BLOCKLIST_MOST_OF_COUNTRY for share in shares.values()) - 1
    taken = {
        "list": blocked.list,
        "share": percent(shares[most]),
        "addresses": address_count(family, blocked.allowed[most][family].size),
        "country": most,
    }
    yield blocked.objection(
        _taken_from(taken, more),
        tr(
            "It may block {limit} of an allowed country; more is most likely a mistake.",
            limit=percent(BLOCKLIST_MOST_OF_COUNTRY),
        ),
    )


def _of_all_allowed(blocked: Blocked, part: _Part) -> Iterator[Objection]:
    """Object to a blocklist that comes to block too much of all that is allowed.

    What it blocks in all counts, so many small gains do, too. A list that was accepted with more is
    meant to have it.
    """
    family = part.family
    everything = PrefixSet.union(family, (each[family] for each in blocked.allowed.values()))
    allowed = everything.without(special_space()[family])
    if not allowed:
        return
    few = allowed.size < public_addresses(family) // MANY_ALLOWED
    limit = BLOCKLIST_MOST_OF_COUNTRY if few else BLOCKLIST_MOST_OF_ALLOWED
    share = 100 * (part.public & allowed).size / allowed.size
    if share <= limit:
        return
    known = part.before.without(blocked.spared[family]) & allowed
    if 100 * known.size / allowed.size > limit:
        return
    yield blocked.objection(
        tr(
            "The list {list} would block {share} of the {addresses} that you allow.",
            list=blocked.list,
            share=percent(share),
            addresses=address_count(family, allowed.size),
        ),
        tr("It may block {limit} of them; more is most likely a mistake.", limit=percent(limit)),
    )


def _taken_from(taken: Mapping[str, object], more: int) -> str:
    """Return what a blocklist would block of a country, and of how many others too much."""
    if not more:
        return tr(
            "The list {list} would block {share} of the {addresses} of {country} at once.", **taken
        )
    return trn(
        more,
        "The list {list} would block {share} of the {addresses} of {country}, and too much of "
        "{number} other country, at once.",
        "The list {list} would block {share} of the {addresses} of {country}, and too much of "
        "{number} other countries, at once.",
        **taken,
    )
