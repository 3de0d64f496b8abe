"""What a verdict is based on: rules, lists, bans and the kernel, read once for many addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from geofence.allowed.timed import timed_prefixes
from geofence.errors import StateError
from geofence.fetch.limits import Limits
from geofence.flows.connections import Fenced
from geofence.merge import merge
from geofence.model.bans import Ban
from geofence.model.elements import TimedPrefix
from geofence.model.lists import ListId
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, PrefixSet
from geofence.model.ruleset import Ruleset, SetKey
from geofence.operations.gathered import Gathered
from geofence.operations.kernel_fences import KernelFences, read_fences
from geofence.operations.kernel_knowledge import Expected
from geofence.operations.lists import Watch, fetched, stored
from geofence.operations.report import ListOutcome
from geofence.operations.runtime import BAN_KEYS, as_timed
from geofence.operations.site import Site
from geofence.routing.routes import read_places

LIMITS = Limits(connect=3.0, read=4.0, body=5.0, retries=0, resolve=3.0, run=6.0)
"""Short, since an operator waits for the answer, and the kernel gives most of it."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What verdicts are based on."""

    site: Site
    policy: Policy
    lists: Mapping[ListId, AddressSpace]
    """Every list at hand."""
    ages: Mapping[ListId, datetime]
    """When the source of each last confirmed it, UTC."""
    desired: Ruleset
    """What the kernel holds after the next run, with its runtime sets."""
    kernel: KernelFences
    """What it holds now."""
    expected: Expected
    """What the kernel's sets should hold now."""
    bans: tuple[Ban, ...] = ()
    """Those that last."""
    next_run: str = "apply"
    """The verb that applies the rules and lists on disk."""
    notes: tuple[Note, ...] = ()
    """On lists, and on records that cannot be read."""
    offline: bool = True
    """Whether no list had to be fetched."""

    @property
    def services(self) -> tuple[Fenced, ...]:
        """Services of the rules, and those that the kernel fences otherwise."""
        ruled = [Fenced(each.name, each.ports) for each in self.policy.services]
        fences = self.kernel.fences
        standing = [Fenced(s.name, s.ports) for fence in fences for s in fence.ruleset.services]
        return tuple(dict.fromkeys((*ruled, *standing)))

    def kernel_notes(self) -> Iterator[Note]:
        """Yield notes on the kernel and the rules on disk."""
        if self.kernel.unread:
            yield Note(NoteKind.KERNEL_UNREAD, "", {"message": self.kernel.unread})
            return
        if not all(fence.exact for fence in self.kernel.fences):
            yield Note(NoteKind.RULES_CHANGED_BY_OTHERS)
        if not self.kernel.as_ruled:
            command = "geofence plan --offline" if self.offline else "geofence plan"
            yield Note(NoteKind.NOT_APPLIED_YET, "", {"command": command})

    def read_again(self) -> Grounds:
        """Return the same with the kernel as it is now."""
        return replace(self, kernel=read_fences(self.site, self.desired))


def gather_grounds(site: Site, watch: Watch) -> Grounds:
    """Return what verdicts are based on.

    Where the list of a country or AS number has not been downloaded yet, the rules give no answer.
    Then all missing lists are fetched, for seconds, and not stored. One that cannot be fetched
    counts as empty, as in the fence without it.

    Args:
        site: the installation.
        watch: called with each event of fetching.

    Raises:
        RulesError: the rules do not load.
    """
    policy = site.policy()
    gathered = _answering(site, policy, watch)
    accepted, _ = site.lists.load_all(site.lists.ids())
    lists = {name: each.space for name, each in accepted.items()}
    ages = {name: each.checked_at for name, each in accepted.items()}
    missing: dict[ListId, AddressSpace] = {}
    for report in gathered.reports:
        if not report.is_absent:
            lists[report.id] = report.space
            ages |= {report.id: report.checked_at} if report.checked_at else {}
        elif report.id.kind.allows:
            missing[report.id] = report.space
    now = datetime.now(UTC)
    bans, recorded, problems = _records(site, now)
    banned: _Timed = {key: [as_timed(ban) for ban in bans] for key in BAN_KEYS}
    known = lists | missing
    desired = _desired(policy, known, {**banned, **timed_prefixes(policy, known, now)})
    kernel = read_fences(site, desired)
    declared = kernel.recorded.sets if kernel.recorded else {}
    return Grounds(
        site,
        policy,
        lists,
        ages,
        desired,
        kernel,
        Expected(declared, None if problems else {**recorded, **banned}),
        bans,
        "refresh" if missing or gathered.renewed else "apply",
        (
            *gathered.notes,
            *problems,
            *(Note(NoteKind.LIST_MISSING, str(name)) for name in missing),
        ),
        offline=not gathered.renewed,
    )


_Timed = Mapping[SetKey, Sequence[TimedPrefix]]


def _records(site: Site, now: datetime) -> tuple[tuple[Ban, ...], _Timed, tuple[Note, ...]]:
    """Return the bans that last, what is recorded of exceptions for a time, and what is wrong."""
    try:
        bans = tuple(site.bans.load().lasting(now).values())
        recorded = site.timed.load()
    except StateError as error:
        return (), {}, (problem(error),)
    return bans, recorded, ()


def _desired(policy: Policy, lists: Mapping[ListId, AddressSpace], runtime: _Timed) -> Ruleset:
    """Return the desired ruleset with what its runtime sets hold."""
    held = {key: _space(key, elements) for key, elements in runtime.items()}
    return replace(merge(policy, lists, read_places()), runtime=held)


def _space(key: SetKey, held: Iterable[TimedPrefix]) -> PrefixSet:
    own = (each.prefix for each in held if each.prefix.family is key.family)
    return PrefixSet.of(key.family, own)


def _answering(site: Site, policy: Policy, watch: Watch) -> Gathered:
    """Return the stored lists; where they give no answer, missing ones are fetched."""
    reports = stored(site, policy)
    absent = [report.id for report in reports if report.outcome is ListOutcome.MISSING]
    if not any(name.kind.allows for name in absent):
        return Gathered(reports)
    gathered = fetched(site, policy, absent, watch=watch, limits=LIMITS)
    had = [str(candidate.accepted.id) for candidate in gathered.renewed]
    problems = (problem(each.problem, str(each.id)) for each in gathered.reports if each.problem)
    fetched_now = (Note(NoteKind.LISTS_FETCHED_FOR_ANSWER, "", {"lists": had}),) if had else ()
    return replace(gathered, notes=(*gathered.notes, *problems, *fetched_now))
