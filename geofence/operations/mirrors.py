"""The mirrors of lists compared, so that an old copy or another list shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from geofence.fetch.events import Failed, Renewed
from geofence.fetch.urls import public
from geofence.merge import needed_lists
from geofence.model.frozen import dataclass
from geofence.model.lists import ListId
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Family
from geofence.operations.lists import Watch, unwatched
from geofence.operations.site import Site
from geofence.operations.witness import from_mirror
from geofence.state.versions import History, fingerprint
from geofence.translation import join, tr
from geofence.wording import address_count, moment, size


@dataclass(frozen=True, slots=True)
class Copy:
    """A list as one mirror gives it."""

    mirror: str
    """URLs, as they may be shown."""
    space: AddressSpace | None
    """None: it did not give the list."""
    why: str = ""
    """Why it did not."""


def compared(site: Site, watch: Watch = unwatched) -> tuple[Note, ...]:
    """Fetch every list that has several mirrors from each of them, and store nothing.

    Args:
        site: the installation, whose histories tell how old a copy is.
        watch: called with each event.

    Raises:
        RulesError: the rules do not load.

    Returns:
        A note for each list whose mirrors differ or fail, and one on the rest.
    """
    copies = _fetched(site, site.policy(), watch)
    if not copies:
        return (Note(NoteKind.MIRRORS_NOT_COMPARED),)
    different = tuple(
        note
        for name, each in copies.items()
        for note in differences(name, each, site.versions.load(name))
    )
    alike = [name for name, each in copies.items() if _are_alike(each)]
    facts = {"agreeing": len(alike), "compared": len(copies)}
    return (*different, Note(NoteKind.MIRRORS_AGREE, "", facts))


def _fetched(site: Site, policy: Policy, watch: Watch) -> dict[ListId, list[Copy]]:
    from geofence.fetch.places import all_mirrors

    known = {name: all_mirrors(name, policy) for name in needed_lists(policy)}
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


def differences(name: ListId, copies: Iterable[Copy], history: History) -> Iterator[Note]:
    """Yield a note for each mirror that gives no list, and one if the others differ.

    Args:
        name: which list.
        copies: in the order in which the mirrors are tried.
        history: the accepted versions of the list.
    """
    known = tuple(copies)
    yield from (problem(copy.why, str(name)) for copy in known if copy.space is None)
    given = {copy.mirror: copy.space for copy in known if copy.space is not None}
    if len(set(given.values())) > 1:
        facts = {"message": join("; ", _described(given, history)), "mirrors": list(given)}
        yield Note(NoteKind.MIRRORS_DIFFER, str(name), facts)


def _described(given: Mapping[str, AddressSpace], history: History) -> Iterator[str]:
    """Describe each copy, by its difference from the first."""
    (first, reference), *others = given.items()
    sizes = join(", ", (address_count(f, reference[f].size) for f in Family))
    has = tr("{mirror} has {sizes}", mirror=first, sizes=sizes)
    yield join("", (has, _age(reference, history)))
    for mirror, space in others:
        changes = [
            f"{sign}{size(part[family])} {family.label}"
            for sign, part in (("+", space - reference), ("-", reference - space))
            for family in Family
            if part[family]
        ]
        change = ", ".join(changes) or tr("the same")
        yield join("", (f"{mirror} ", change, _age(space, history)))


def _age(space: AddressSpace, history: History) -> str:
    """Return when a copy was accepted on this host, if it was."""
    version = history.find(fingerprint(space))
    if version is None:
        return ""
    if version is history.latest:
        return tr(" (the stored version)")
    first = moment(version.first_accepted_at)
    return tr(" (an older version, first accepted {time})", time=first)


def _are_alike(copies: Iterable[Copy]) -> bool:
    spaces = {copy.space for copy in copies}
    return len(spaces) == 1 and None not in spaces
