"""The ports on which Asterisk listens, and the services that fence them. Pure.

Services have no families. A port that listens for one family only is fenced for both, as every
service of the rules is: nothing answers on the other family, so its fence takes nothing from
anybody, and RTP sockets are dual-stack whatever SIP is bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from geofence.asterisk.additions import PRIVILEGED, FencedPorts
from geofence.asterisk.reading import Listener, PortRange, Reading, Use
from geofence.model.asterisk import IAX, RTP, SIP, WEB
from geofence.model.frozen import dataclass
from geofence.model.policy import Policy, Ports

_SERVICES = {Use.SIP: SIP, Use.SIPS: SIP, Use.IAX: IAX, Use.HTTP: WEB, Use.HTTPS: WEB}


def usual_service(use: Use) -> str:
    """Return the service for ports of a use that the rules do not fence."""
    return _SERVICES[use]


def fenced_ports(reading: Reading, policy: Policy) -> Iterator[FencedPorts]:
    """Yield all ports, each once: those of the rules first, of overlapping ones the narrower."""
    taken = [(ports, service.name) for service in policy.services for ports in service.ports]
    by_rules = len(taken)
    for service, ports, source, certain in _listening(reading):
        left = [ports]
        for number, (held, name) in enumerate(tuple(taken)):
            common = _common(ports, held)
            if number < by_rules and common:
                yield FencedPorts(name, common, source, by_rules=True, certain=certain)
            left = [part for each in left for part in without(each, held)]
        for part in left:
            for each in _parted(part):
                disabled = service in policy.disabled_services
                yield FencedPorts(service, each, source, disabled=disabled, certain=certain)
        taken += [(part, service) for part in left]


def _listening(reading: Reading) -> Iterator[tuple[str, Ports, str, bool]]:
    """Yield service, ports and source of what listens; single ports before ranges."""
    for each in reading.listeners:
        if each.exposed:
            yield usual_service(each.use), _one(each), each.source, each.certain
    for media in _media(reading):  # fax is media, too
        yield RTP, media.ports, media.source, True


def _one(listener: Listener) -> Ports:
    return Ports(listener.protocol, listener.port, listener.port)


def _media(reading: Reading) -> tuple[PortRange, ...]:
    """Return the ranges of media: RTP, endpoints' own, and fax, if some endpoint uses it."""
    ranges = (reading.rtp, *reading.rtp_more, reading.udptl)
    return tuple(each for each in ranges if each is not None and each.needed)


def _common(one: Ports, other: Ports) -> Ports | None:
    if not one.overlaps(other):
        return None
    return Ports(one.protocol, max(one.first, other.first), min(one.last, other.last))


def without(one: Ports, other: Ports) -> list[Ports]:
    """Return a range without another, in up to two parts."""
    if not one.overlaps(other):
        return [one]
    ends = ((one.first, other.first - 1), (other.last + 1, one.last))
    return [Ports(one.protocol, first, last) for first, last in ends if first <= last]


def _parted(ports: Ports) -> list[Ports]:
    """Return privileged ports apart from the others."""
    privileged = Ports(ports.protocol, 0, PRIVILEGED - 1)
    below = _common(ports, privileged)
    return [*([below] if below else []), *without(ports, privileged)]


@dataclass(frozen=True, slots=True)
class Reach:
    """The services that trunks may reach."""

    signalling: Mapping[str, tuple[str, ...]]
    """By the usual name of the service: those that fence what listens."""
    media: tuple[str, ...]

    def of(self, use: Use) -> tuple[str, ...]:
        """Return the services of a trunk. IAX has media on its own port."""
        usual = usual_service(use)
        media = () if usual == IAX else self.media
        return tuple(dict.fromkeys((*self.signalling.get(usual, ()), *media)))


def reach(reading: Reading, fenced: Iterable[FencedPorts], policy: Policy) -> Reach:
    """Return the services that fence what listens; without any, those with the usual names.

    A range of media counts for the service that fences most of it: others may only happen to have a
    port within it.
    """
    known = tuple(each for each in fenced if not each.left_out)
    names = [service.name for service in policy.services]
    signalling: dict[str, tuple[str, ...]] = {
        usual: (usual,) for usual in (SIP, IAX) if usual in names
    }
    found: dict[str, list[str]] = {}
    for listener in reading.listeners:
        if listener.exposed:
            held = [each.service for each in known if each.ports.overlaps(_one(listener))]
            found.setdefault(usual_service(listener.use), []).extend(held)
    signalling |= {usual: tuple(dict.fromkeys(held)) for usual, held in found.items() if held}
    media = [most for each in _media(reading) if (most := _most(each.ports, known))]
    return Reach(signalling, tuple(media) or tuple(name for name in names if name == RTP))


def _most(ports: Ports, fenced: Iterable[FencedPorts]) -> str | None:
    sizes: dict[str, int] = {}
    for each in fenced:
        common = _common(ports, each.ports)
        if common:
            size = common.last - common.first + 1
            sizes[each.service] = sizes.get(each.service, 0) + size
    return max(sizes, key=lambda name: sizes[name], default=None)
