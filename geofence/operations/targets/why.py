"""``why --target``: the verdict on an address in a cluster, now and after the next run.

Now: the stored objects decide, as the API's documentation says they do. The generation that was
applied is asked by geofence's own verdict, too; where the two disagree, that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from geofence.errors import TargetError
from geofence.explain import Explanation, Known, asns_of, countries_of, explain, parts
from geofence.flows.connections import Fenced
from geofence.model.address import Address
from geofence.model.bans import Ban
from geofence.model.chosen import ChosenBackend
from geofence.model.generation import Generation
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import Ports
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Action, Ruleset
from geofence.operations.lists import spaces, stored
from geofence.operations.targets.desired import Desired, as_recorded, desired
from geofence.operations.targets.observe import InCluster, observe
from geofence.operations.targets.plan import unreadable_notes
from geofence.operations.targets.site import TargetSite
from geofence.targets.interface import Judge
from geofence.translation import tr
from geofence.verdict import Packet, decide


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """The verdict of a cluster, now, on a new packet from an address to some ports."""

    passes: bool
    """By the stored objects."""
    applied: bool | None
    """By the generation that was applied; None without one."""


@dataclass(frozen=True, slots=True)
class TargetWhyReport:
    """The result of ``why --target``."""

    target: str
    backend: ChosenBackend
    countries: tuple[str, ...]
    countries_at_hand: tuple[str, ...]
    asns: tuple[int, ...]
    explanations: tuple[Explanation, ...]
    """Verdicts of the rules and lists on disk: those after the next run."""
    now: tuple[TargetAnswer, ...]
    """Verdicts of the cluster for the same ports."""
    bans: tuple[Ban, ...]
    """Bans that the address is in."""
    notes: tuple[Note, ...]

    @property
    def next_run(self) -> str:
        """The command that applies the rules and lists on disk."""
        return f"apply --target {self.target}"


def why_in_cluster(place: TargetSite, source: Address, ports: tuple[Ports, ...]) -> TargetWhyReport:
    """Return the verdicts on an address.

    Args:
        place: the target.
        source: the address.
        ports: destination ports to ask for; none means every range of every service.

    Raises:
        ClusterError: the cluster cannot be read.
        MissingListError: a list has not been downloaded yet.
    """
    then = desired(place, spaces(stored(place.main, place.policy)))
    generation, _ = place.own.generations.newest()
    applied = as_recorded(place, generation) if generation else None
    with place.connected() as cluster:
        found = observe(place, cluster, (applied or then).objects)
    lists = _at_hand(place)
    bans = _bans(place, source)
    explanations = tuple(
        explain(place.policy, lists, then.ruleset, source, each, known=Known(bans))
        for each in _asked(ports, then, applied)
    )
    now = _answers(place, found, applied, source, explanations)
    return TargetWhyReport(
        place.target.name,
        place.chosen,
        countries_of(lists, source),
        tuple(each.name for each in lists if each.kind is ListKind.COUNTRY),
        asns_of(lists, source),
        explanations,
        now,
        bans,
        (*unreadable_notes(place, found), *_disagreements(place, generation, explanations, now)),
    )


def _at_hand(place: TargetSite) -> Mapping[ListId, AddressSpace]:
    accepted, _ = place.main.lists.load_all(place.main.lists.ids())
    return {name: each.space for name, each in accepted.items()}


def _asked(ports: tuple[Ports, ...], then: Desired, applied: Desired | None) -> tuple[Ports, ...]:
    """Return the ports to ask for, cut where services of the rules or in force begin and end."""
    rulesets = [then.ruleset, *([applied.ruleset] if applied else [])]
    services = [Fenced(each.name, each.ports) for ruleset in rulesets for each in ruleset.services]
    every = (each for service in services for each in service.ports)
    return parts(ports or dict.fromkeys(every), services)


def _answers(
    place: TargetSite,
    found: InCluster,
    applied: Desired | None,
    source: Address,
    explanations: Iterable[Explanation],
) -> tuple[TargetAnswer, ...]:
    judge = judge_of(place, found)
    return tuple(
        TargetAnswer(judge(packet), None if applied is None else _passes(applied.ruleset, packet))
        for each in explanations
        for packet in (Packet(source.family, each.ports.protocol, source.number, each.ports.first),)
    )


def judge_of(place: TargetSite, found: InCluster) -> Judge:
    """Return what decides packets by the objects in the cluster.

    Raises:
        TargetError: another program has put something into them that geofence does not know.
    """
    try:
        return place.engine.judge(found.objects, place.target)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise TargetError(
            tr(
                "Another program changed the objects of {target} so that geofence cannot tell what "
                "they do. Run 'geofence apply --target {target}' to repair them.",
                target=place.target.name,
            )
        ) from error


def _passes(ruleset: Ruleset, packet: Packet) -> bool:
    return decide(ruleset, packet).action is Action.PASS


def _disagreements(
    place: TargetSite,
    generation: Generation | None,
    explanations: Iterable[Explanation],
    now: Iterable[TargetAnswer],
) -> tuple[Note, ...]:
    """Return a note if the cluster does not do what was applied."""
    ports = [
        str(each.ports)
        for each, answer in zip(explanations, now, strict=True)
        if answer.applied is not None and answer.applied is not answer.passes
    ]
    if generation is None:
        return (Note(NoteKind.TARGET_NEVER_APPLIED, place.target.name),)
    if not ports:
        return ()
    facts = {"generation": generation.number, "ports": ports}
    return (Note(NoteKind.TARGET_VERDICTS_DIFFER, place.target.name, facts),)


def _bans(place: TargetSite, source: Address) -> tuple[Ban, ...]:
    """Return the bans that an address is in."""
    lasting = place.main.bans.load().lasting(datetime.now(UTC))
    return tuple(
        ban
        for prefix, ban in lasting.items()
        if prefix.family is source.family and prefix.network <= source.number < prefix.past
    )
