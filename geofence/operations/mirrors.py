"""What each mirror of a list gives now, compared: a copy that is old, or another list, shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from geofence.fetch.events import Failed, Renewed
from geofence.fetch.urls import public
from geofence.merge import needed_lists
from geofence.model.lists import ListId
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.operations.lists import Watch, unwatched
from geofence.operations.site import Site
from geofence.operations.witness import from_mirror
from geofence.state.versions import History, fingerprint
from geofence.wording import moment, plural, size


@dataclass(frozen=True, slots=True)
class Copy:
    """A list as one mirror gives it."""

    mirror: str
    """URLs, as they may be shown."""
    space: AddressSpace | None
    """None: it did not give the list."""
    why: str = ""
    """Why it did not."""


def compared(site: Site, watch: Watch = unwatched) -> tuple[str, ...]:
    """Ask every mirror for every list that has several; nothing is stored.

    Args:
        site: the installation, whose histories tell how old a copy is.
        watch: told what goes on.

    Raises:
        RulesError: the rules do not load.

    Returns:
        A sentence for each list of which they differ or one gives none, then one for the rest.
    """
    copies = _fetched(site, site.policy(), watch)
    if not copies:
        return ("No list has several mirrors in the rules, so none can be compared.",)
    different = tuple(
        sentence
        for name, each in copies.items()
        for sentence in differences(name, each, site.versions.load(name))
    )
    alike = [name for name, each in copies.items() if _are_alike(each)]
    agree = f"All mirrors agree on {plural(len(alike), 'list')} of {len(copies):,}."
    return (*different, agree)


def _fetched(site: Site, policy: Policy, watch: Watch) -> dict[ListId, list[Copy]]:
    from geofence.fetch.sources import mirrors

    known = {name: mirrors(name, policy) for name in needed_lists(policy)}
    several = {name: each for name, each in known.items() if len(each) > 1}
    copies: dict[ListId, list[Copy]] = {name: [] for name in several}
    for number in range(max(map(len, several.values()), default=0)):
        wanted = [name for name, each in several.items() if number < len(each)]
        for name, outcome in from_mirror(site, policy, wanted, number, watch).items():
            shown = " and ".join(public(source.url) for source in several[name][number])
            space = outcome.candidate.accepted.space if isinstance(outcome, Renewed) else None
            why = outcome.why if isinstance(outcome, Failed) else ""
            copies[name].append(Copy(shown, space, why))
    return copies


def differences(name: ListId, copies: Iterable[Copy], history: History) -> Iterator[str]:
    """Give a sentence for each mirror that gives no list, and one if the others differ.

    Args:
        name: which list.
        copies: in the order in which the mirrors are tried.
        history: the accepted versions of the list.
    """
    known = tuple(copies)
    yield from (copy.why for copy in known if copy.space is None)
    given = {copy.mirror: copy.space for copy in known if copy.space is not None}
    if len(set(given.values())) > 1:
        yield f"The mirrors of the list {name} differ: {'; '.join(_described(given, history))}."


def _described(given: Mapping[str, AddressSpace], history: History) -> Iterator[str]:
    """Each copy, held against the first."""
    (first, reference), *others = given.items()
    sizes = " and ".join(f"{size(reference[f])} {_spelt(f)}" for f in Family)
    yield f"{first} has {sizes} addresses{_age(reference, history)}"
    for mirror, space in others:
        changes = [
            f"{sign}{size(part[family])} {_spelt(family)}"
            for sign, part in (("+", space - reference), ("-", reference - space))
            for family in Family
            if part[family]
        ]
        yield f"{mirror} {', '.join(changes) or 'the same'}{_age(space, history)}"


def _age(space: AddressSpace, history: History) -> str:
    """When a copy was accepted here, if it was."""
    version = history.find(fingerprint(space))
    if version is None:
        return ""
    if version is history.latest:
        return " (the accepted version)"
    return f" (an older version, first accepted {moment(version.first_accepted_at)})"


def _are_alike(copies: Iterable[Copy]) -> bool:
    spaces = {copy.space for copy in copies}
    return len(spaces) == 1 and None not in spaces


def _spelt(family: Family) -> str:
    return "IPv4" if family is Family.IPV4 else "IPv6"
