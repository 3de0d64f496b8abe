"""Checks of ports: what listens against what is fenced. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from geofence.doctor.evidence import Evidence, RulesOfOthers
from geofence.doctor.findings import Finding, FindingKind
from geofence.doctor.port_sets import common, covered, fenced
from geofence.geoip.scopes import LOOPBACK, NOT_ROUTED
from geofence.host.sockets import ListeningSocket
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import AddressSpace, Family

PBX_PROGRAMS = frozenset({"asterisk", "freeswitch", "kamailio", "opensips"})
"""Names of processes whose ports are a PBX's."""
_SIP = (5060, 5061)
"""Ports on which SIP is expected, whatever program listens there."""
_NONE = RulesOfOthers()
_MOST_ALONE = 8
"""UDP ports of one process that are told one by one."""
_RANGE = 100
"""Ports from which on a range of UDP is for media, where no configuration tells."""


class Heard(NamedTuple):
    """A port where a PBX listens, or will."""

    ports: Ports
    process: str
    """Empty where only the configuration tells."""
    where: str
    """Its address; of the configuration, file and section."""
    certain: bool = True
    """False if it may be closed, or open for private networks alone."""


def is_pbx(socket: ListeningSocket) -> bool:
    """Whether a PBX holds the socket."""
    return any(holder.program in PBX_PROGRAMS for holder in socket.holders)


def media(evidence: Evidence) -> tuple[Ports, ...]:
    """Return the ranges that carry media, by the configuration; without one, wide fenced ones."""
    reading = evidence.reading
    if reading is None:
        wide = (each for each in fenced(evidence.services) if each.protocol is Protocol.UDP)
        return tuple(each for each in wide if each.last - each.first >= _RANGE)
    ranges = (reading.rtp, *reading.rtp_more, reading.udptl)
    return tuple(each.ports for each in ranges if each is not None and each.needed)


def heard(evidence: Evidence) -> tuple[Heard, ...]:
    """Return where a PBX listens: sockets, and what the configuration says beside them."""
    found: dict[Ports, Heard] = {}
    configured = tuple(_configured(evidence))
    known = {each.ports for each in configured}
    for socket in evidence.sockets or ():
        at = Ports(socket.protocol, socket.port, socket.port)
        if socket.exposed and _counts(evidence, socket, at, known):
            process = socket.holders[0].program if socket.holders else ""
            heard_at = Heard(at, process, str(socket.address), not _is_inside(evidence, socket))
            known_before = found.get(at)
            if known_before is None or (heard_at.certain and not known_before.certain):
                found[at] = heard_at
    running = any(map(is_pbx, evidence.sockets or ()))
    for each in configured:
        # What a running Asterisk does not listen on is opened by its next reload at most.
        found.setdefault(each.ports, each._replace(certain=each.certain and not running))
    return tuple(found[at] for at in sorted(found))


def _is_inside(evidence: Evidence, socket: ListeningSocket) -> bool:
    """Whether only a private network reaches a socket, since this host has a public address, too.

    Without one, another host may translate a public address to the private one.
    """
    own = evidence.hosts.own if evidence.hosts else AddressSpace()
    address = getattr(socket.address, "ipv4_mapped", None) or socket.address
    family = Family.IPV4 if address.version == 4 else Family.IPV6  # noqa: PLR2004
    return int(address) in NOT_ROUTED[family] and bool((own - NOT_ROUTED - LOOPBACK)[family])


def _counts(evidence: Evidence, socket: ListeningSocket, at: Ports, configured: set[Ports]) -> bool:
    """Whether a socket is a PBX's and meant for others.

    Asterisk holds UDP sockets on ports that the kernel chose, for itself; and calls hold those of
    media, which other checks are about.
    """
    if at in configured or socket.port in _SIP:
        return True
    if not is_pbx(socket):
        return False
    chosen = evidence.ephemeral is not None and evidence.ephemeral.overlaps(at)
    return socket.protocol is Protocol.TCP or not (chosen or covered(at, media(evidence)))


def _configured(evidence: Evidence) -> Iterator[Heard]:
    for each in evidence.reading.listeners if evidence.reading else ():
        if each.exposed:
            at = Ports(each.protocol, each.port, each.port)
            yield Heard(at, "", each.source, each.certain)


def not_fenced(evidence: Evidence) -> Iterator[Finding]:
    """Find ports where a PBX listens and that no service fences, or in the other protocol alone."""
    ports = fenced(evidence.services)
    for each in _together(one for one in heard(evidence) if not covered(one.ports, ports)):
        data: dict[str, object] = {
            "process": each.process,
            "where": each.where,
            "bound": bool(each.process),
        }
        other = _other(each.ports)
        mixed = covered(other, ports) and not _is_heard(evidence, other)
        kind = FindingKind.PROTOCOLS_MIXED_UP if mixed else FindingKind.BOUND_NOT_FENCED
        data |= {"fenced": str(other)} if mixed else {}
        yield Finding(kind, str(each.ports), data, mild=not each.certain)


def _together(open_ports: Iterable[Heard]) -> Iterator[Heard]:
    """Yield what is open, as one range where a process has many UDP ports: those of calls."""
    by_process: dict[str, list[Heard]] = defaultdict(list)
    for each in open_ports:
        is_udp = each.ports.protocol is Protocol.UDP
        by_process[each.process if is_udp else ""].append(each)
    for process, known in by_process.items():
        if not process or len(known) <= _MOST_ALONE:
            yield from known
        else:
            first, last = known[0].ports.first, known[-1].ports.last
            yield known[0]._replace(ports=Ports(Protocol.UDP, first, last))


def not_bound(evidence: Evidence) -> Iterator[Finding]:
    """Find fenced ports where nothing listens."""
    known = heard(evidence)
    if not known or evidence.sockets is None:
        return  # no PBX was seen, so nothing tells where it would listen
    ranges, mixed = media(evidence), _mixed_up(evidence)
    for service, ports in evidence.services.items():
        for each in ports:
            carries = any(each.overlaps(one) for one in ranges)
            if not carries and not _is_heard(evidence, each) and not common(each, mixed):
                data = {"service": service}
                yield Finding(FindingKind.FENCED_NOT_BOUND, str(each), data)


def _mixed_up(evidence: Evidence) -> tuple[Ports, ...]:
    ports = fenced(evidence.services)
    others = (_other(each.ports) for each in heard(evidence) if not covered(each.ports, ports))
    return tuple(each for each in others if not _is_heard(evidence, each))


def _is_heard(evidence: Evidence, ports: Ports) -> bool:
    """Whether anything listens on one of the ports, or gets what is sent there."""
    sockets = evidence.sockets or ()
    return (
        any(each.protocol is ports.protocol and each.port in ports for each in sockets)
        or any(ports.overlaps(each.ports) for each in heard(evidence))
        or any(ports.overlaps(each.named) for each in (evidence.rules or _NONE).published)
    )


def _other(ports: Ports) -> Ports:
    protocol = Protocol.TCP if ports.protocol is Protocol.UDP else Protocol.UDP
    return Ports(protocol, ports.first, ports.last)


CHECKS = (not_fenced, not_bound)
