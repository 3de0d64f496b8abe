"""The impact of a change of the ruleset on live flows, and whose they are. Pure.

A flow that is established keeps passing, whatever the ruleset says (see ``Ruleset.rules``), until
it ends or its entry is deleted. So a flow counts as denied if the fence would not let it begin.

conntrack does not know the interface by which a flow came, so the one by which its source is
reached stands for it. ``depending_on_interface`` gives the flows that this matters to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

from geofence.flows.flow import Flow
from geofence.model.frozen import NamedTuple, dataclass
from geofence.model.policy import besides_loopback
from geofence.model.prefixes import Family, address_text
from geofence.model.ruleset import Action, Ruleset
from geofence.verdict import decide


class Touched(NamedTuple):
    """A flow that a change touches, and the service it is to."""

    flow: Flow
    service: str


class TouchedSource(NamedTuple):
    """All that a change touches of one source."""

    family: Family
    address: int
    services: tuple[tuple[str, int], ...]
    """Number of flows by service, by name."""

    @property
    def flows(self) -> int:
        """Number of flows."""
        return sum(number for _, number in self.services)

    def __str__(self) -> str:
        services = ", ".join(f"{name} {number}" for name, number in self.services)
        return f"{address_text(self.family, self.address)} ({services})"


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of the ruleset means for the flows there are."""

    denied: tuple[Touched, ...] = ()
    """Could begin before and no longer could, live or not: these are what a cut deletes."""
    admitted: tuple[Touched, ...] = ()
    """Could not begin before and now could."""
    sources: frozenset[tuple[Family, int]] = frozenset()
    """Those with a live flow to a service that is fenced afterwards, which could begin before."""
    unnamed: tuple[TouchedSource, ...] = ()
    """Peers that this host contacts from fenced ports, and that no rule allows afterwards."""

    @property
    def talking(self) -> int:
        """Number of these sources."""
        return len(self.sources)

    @property
    def denied_live(self) -> tuple[Touched, ...]:
        """Of the denied, those with both ends talking now."""
        return tuple(touched for touched in self.denied if touched.flow.live)

    @property
    def admitted_live(self) -> tuple[Touched, ...]:
        """Of the admitted, those with both ends talking now."""
        return tuple(touched for touched in self.admitted if touched.flow.live)


def by_source(touched: Iterable[Touched]) -> tuple[TouchedSource, ...]:
    """Return whose the flows are: sources with most flows first, then by address."""
    counts: dict[tuple[Family, int], dict[str, int]] = {}
    for flow, service in touched:
        services = counts.setdefault((flow.family, flow.source), {})
        services[service] = services.get(service, 0) + 1
    sources = (
        TouchedSource(family, address, tuple(sorted(services.items())))
        for (family, address), services in counts.items()
    )
    return tuple(sorted(sources, key=lambda source: (-source.flows, source.family, source.address)))


def impact(before: Ruleset | None, after: Ruleset, flows: Iterable[Flow]) -> Impact:
    """Return what the change from one ruleset to the other means for the flows.

    Args:
        before: what the kernel holds now; None for no fence. With None, ``denied`` is every flow
            that ``after`` would not let begin.
        after: what it would hold.
        flows: as the kernel knows them.
    """
    was, becomes = _verdicts(before), _verdicts(after)
    denied: list[Touched] = []
    admitted: list[Touched] = []
    talking: set[tuple[Family, int]] = set()
    for flow in flows:
        if not flow.inbound:
            continue
        (service_before, passed), (service, passes) = was(flow), becomes(flow)
        if passed and service and flow.live:
            talking.add((flow.family, flow.source))
        if passed and not passes:
            denied.append(Touched(flow, service))
        if passes and not passed:
            admitted.append(Touched(flow, service_before))
    return Impact(tuple(denied), tuple(admitted), frozenset(talking))


def begun_from_fenced_ports(ruleset: Ruleset, flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """Return flows that this host began from a fenced port with a source that is blocked.

    The other end gets in only because this host sent first.
    """
    verdict = _verdicts(ruleset)
    return tuple(flow for flow in flows if flow.begun_here and not verdict(flow)[1])


def depending_on_interface(
    flows: Iterable[Flow], rulesets: Iterable[Ruleset | None]
) -> Iterator[Flow]:
    """Yield flows, cut ones too, that a ruleset allows only by some interfaces.

    What comes by ``lo`` is this host's own, so to trust that alone makes no difference.
    """
    known = (ruleset for ruleset in rulesets if ruleset)
    verdicts = [_verdicts(each) for each in known if _by_interface(each)]
    for flow in flows:
        theirs = flow.inbound or flow.begun_here or flow.severed
        if theirs and not all(verdict(flow)[1] for verdict in verdicts):
            yield flow


def _by_interface(ruleset: Ruleset) -> bool:
    return bool(besides_loopback(ruleset.interfaces) or ruleset.local)


def to_mend(ruleset: Ruleset | None, flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """Return the flows that were cut and that a ruleset allows; None is no fence at all."""
    verdict = _verdicts(ruleset)
    return tuple(flow for flow in flows if flow.severed and verdict(flow)[1])


_Verdict = tuple[str, bool]
"""The service a flow is to, empty for none, and whether it could begin."""

_UNFENCED: _Verdict = ("", True)


def _verdicts(ruleset: Ruleset | None) -> Callable[[Flow], _Verdict]:
    """Return the oracle, asked no more than once for each source, service and interface."""
    if ruleset is None:
        return lambda _: _UNFENCED
    service_at = _service_at(ruleset)
    known: dict[tuple[str, Family, int, bool, str], bool] = {}

    def verdict(flow: Flow) -> _Verdict:
        service = service_at(flow.protocol, flow.port)
        if service is None:
            return _UNFENCED
        case = (service, flow.family, flow.source, flow.expected, flow.interface)
        if case not in known:
            known[case] = decide(ruleset, flow.opening).action is Action.PASS
        return service, known[case]

    return verdict


def _service_at(ruleset: Ruleset) -> Callable[[str, int], str | None]:
    """Return what finds the service at a port; the last one that has it."""
    spans = [
        (ports.protocol.value, ports.first, ports.last, service.name)
        for service in reversed(ruleset.services)
        for ports in service.ports
    ]

    @cache
    def service_at(protocol: str, port: int) -> str | None:
        found = (
            name for of, first, last, name in spans if of == protocol and first <= port <= last
        )
        return next(found, None)

    return service_at
