"""Checks of media: what leads to calls without sound. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

from geofence.asterisk.reading import PortRange
from geofence.doctor.evidence import Codecs, Evidence, NotedSource
from geofence.doctor.findings import Finding, FindingKind
from geofence.doctor.port_sets import fenced, left
from geofence.doctor.ports import PBX_PROGRAMS, media
from geofence.host.sockets import ListeningSocket
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import address_text

_RELAYS = frozenset({*PBX_PROGRAMS, "docker-proxy", "rtpengine", "rtpproxy"})
"""Programs that hold ports of media for a PBX."""
_PACKETS = 250
"""A call sends 50 packets a second; scanners send a few to each port."""
_SLOWEST, _FASTEST = 10, 400
"""Packets a second that one source's media may have: from 100 ms a packet to eight calls."""
_MOST_PAIRS = 1_000
"""Pairs of unlike endpoints that are compared."""


def ranges(evidence: Evidence) -> Iterator[Finding]:
    """Find media ports of the PBX that are not fenced."""
    reading = evidence.reading
    if reading is None:
        return
    ports = fenced(evidence.services)
    for each in (reading.rtp, *reading.rtp_more, reading.udptl):
        missing = left(each.ports, ports) if each is not None and each.needed else ()
        if each is not None and missing:
            rtcp = missing == _rtcp(each)
            kind = FindingKind.RTCP_NOT_FENCED if rtcp else FindingKind.RTP_NOT_FENCED
            data = {"ports": str(each.ports), "source": each.source}
            yield Finding(kind, " ".join(map(str, missing)), data)


def _rtcp(each: PortRange) -> tuple[Ports, ...]:
    """Return the port of RTCP above the even end that was written; none without it."""
    if each.declared is None or each.last != each.declared[1] + 1:
        return ()
    return (Ports(Protocol.UDP, each.last, each.last),)


def too_wide(evidence: Evidence) -> Iterator[Finding]:
    """Find fenced media ports that the PBX does not use."""
    used = media(evidence) if evidence.reading is not None else ()
    for service, ports in evidence.services.items():
        for each in ports:
            if any(each.overlaps(one) for one in used):
                rest = left(each, used)
                if sum(1 + part.last - part.first for part in rest) > 1:
                    data = {"service": service, "ports": " ".join(map(str, used))}
                    yield Finding(FindingKind.RTP_TOO_WIDE, " ".join(map(str, rest)), data)


def held(evidence: Evidence) -> Iterator[Finding]:
    """Find other processes that hold ports of the media range."""
    found: dict[str, list[int]] = defaultdict(list)
    for each in evidence.sockets or ():
        at = Ports(each.protocol, each.port, each.port)
        if each.exposed and _is_strange(each) and any(at.overlaps(one) for one in media(evidence)):
            found[each.holders[0].program].append(each.port)
    for process, ports in found.items():
        alone = len(ports) == 1 and _is_chosen(evidence, ports[0])
        if not alone:
            data = {"process": process, "held": len(ports)}
            subject = str(Ports(Protocol.UDP, min(ports), min(ports)))
            yield Finding(FindingKind.RTP_PORT_HELD, subject, data)


def _is_strange(socket: ListeningSocket) -> bool:
    programs = {holder.program for holder in socket.holders}
    return bool(programs) and not programs & _RELAYS


def _is_chosen(evidence: Evidence, port: int) -> bool:
    return evidence.ephemeral is not None and port in evidence.ephemeral


def blocked(evidence: Evidence) -> Iterator[Finding]:
    """Find sources of which the fence drops what looks like media."""
    ranges = media(evidence)
    carrying = {
        service
        for service, ports in evidence.services.items()
        if any(each.overlaps(one) for each in ports for one in ranges)
    }
    for each in evidence.noted:
        if each.service in carrying and _looks_like_media(each):
            data = {"service": each.service, "packets": each.packets}
            yield Finding(FindingKind.MEDIA_BLOCKED, address_text(each.family, each.address), data)


def _looks_like_media(source: NotedSource) -> bool:
    seconds = source.span.total_seconds()
    if source.packets < _PACKETS or seconds <= 0:
        return False
    return _SLOWEST <= source.packets / seconds <= _FASTEST


def codecs(evidence: Evidence) -> Iterator[Finding]:
    """Find endpoints without a common codec where no module can translate between them."""
    if evidence.codecs is None:
        return
    unlike = _unlike(evidence.codecs)
    pairs = (pair for pair in combinations(sorted(unlike), 2))
    told: set[str] = set()
    for _, (one, other) in zip(range(_MOST_PAIRS), pairs, strict=False):
        if set(one) & set(other):
            continue
        mute = [each for each in (one, other) if not set(each) & evidence.codecs.translated]
        missing = list(dict.fromkeys(codec for each in mute for codec in each))
        subject = ", ".join(missing)
        if mute and subject not in told:
            told.add(subject)
            data = {"one": unlike[one], "other": unlike[other], "codecs": missing}
            yield Finding(FindingKind.CODEC_NOT_TRANSLATABLE, subject, data)


def _unlike(codecs: Codecs) -> Mapping[tuple[str, ...], str]:
    """Return the first endpoint of each choice of codecs."""
    found: dict[tuple[str, ...], str] = {}
    for endpoint, offered in codecs.offered.items():
        if offered:
            found.setdefault(offered, endpoint)
    return found


CHECKS = (ranges, too_wide, held, blocked, codecs)
