"""Ports of media: rtp.conf and udptl.conf, with the servers that help through NAT."""

from __future__ import annotations

import re
from collections.abc import Sequence

from geofence.asterisk.addresses import MOST_PORT, has_placeholder, is_name, literal, split_port
from geofence.asterisk.configuration import Configuration, is_true
from geofence.asterisk.findings import Findings
from geofence.asterisk.reading import PortRange, Server, WarningKind
from geofence.asterisk.sections import Section, printable

_RTP_START, _RTP_END = 5000, 31000
_UDPTL_START, _UDPTL_END = 4000, 4999
_LOWEST = 1024
_STUN_PORT = 3478
_DIGITS = 30
"""Digits of a number that Asterisk looks at."""


def used_ports(first: int, last: int) -> tuple[int, int]:
    """Return which ports RTP and RTCP may use of a range: from an even port to an odd one."""
    return first & ~1, min(last | 1, MOST_PORT)


def read_rtp(configuration: Configuration, found: Findings) -> None:
    """Read rtp.conf."""
    if not configuration.runs("res_rtp_asterisk"):
        found.warn(WarningKind.MODULE_NOT_LOADED, "modules.conf", module="res_rtp_asterisk")
        return
    loaded = configuration.file("rtp.conf")
    if loaded.present and not loaded.counts:
        return
    section = loaded.section("general")
    found.rtp = _rtp_ports(found, section)
    if section is not None:
        _servers(found, section, "stunaddr", found.stun)
        _servers(found, section, "turnaddr", found.turn)
    candidates = loaded.section("ice_host_candidates")
    for key in candidates.keys if candidates else ():
        _candidate(found, key.value.split(",")[0].strip())


def _candidate(found: Findings, outside: str) -> None:
    if literal(outside) is None:
        return
    found.own.add(outside)
    if outside not in found.external:
        found.external.append(outside)


def _rtp_ports(found: Findings, section: Section | None) -> PortRange:
    starts = _given(found, section, "rtpstart")
    ends = _given(found, section, "rtpend")
    where = section.where if section else "rtp.conf"
    if not starts and not ends:
        lowest, highest = used_ports(_RTP_START, _RTP_END)
        return PortRange(lowest, highest, where)
    before = _declared(starts[:1], ends[:1])
    since = _declared(starts[-1:], ends[-1:])
    both = [_effective(found, where, each) for each in dict.fromkeys([before, since])]
    ports = [used_ports(*each) for each in both]
    return PortRange(
        min(first for first, _ in ports),
        max(last for _, last in ports),
        where,
        declared=before,
        declared_from_23=None if since == before else since,
    )


def _given(found: Findings, section: Section | None, option: str) -> list[int]:
    keys = section.named(option) if section else []
    numbers = []
    for key in keys:
        if has_placeholder(key.value):
            found.unsee(
                WarningKind.PLACEHOLDER, key.file, option=option, value=printable(key.value)
            )
        else:
            numbers.append(_number(key.value))
    if len(set(numbers)) > 1:
        found.warn(WarningKind.KEY_TWICE, keys[-1].file, option=option, values=numbers)
    return numbers


def _number(text: str) -> int:
    """Read a number as C does: 0 where there is none, and whatever follows is ignored."""
    matched = re.match(r"\s*[+-]?\d+", text[:_DIGITS], re.ASCII)
    return int(matched[0]) if matched else 0


def _declared(starts: Sequence[int], ends: Sequence[int]) -> tuple[int, int]:
    return (starts or [_RTP_START])[0], (ends or [_RTP_END])[0]


def _effective(found: Findings, where: str, declared: tuple[int, int]) -> tuple[int, int]:
    first, last = (min(max(each, _LOWEST), MOST_PORT) for each in declared)
    first += first % 2
    if first < last:
        return first, last
    found.warn(WarningKind.RANGE_INVALID, where, first=declared[0], last=declared[1])
    return _RTP_START, _RTP_END


def _servers(found: Findings, section: Section, option: str, servers: list[Server]) -> None:
    keys = [key for key in section.named(option) if key.value]
    for key in dict.fromkeys([*keys[:1], *keys[-1:]]):
        if has_placeholder(key.value):
            found.unsee(
                WarningKind.PLACEHOLDER, section.where, option=option, value=printable(key.value)
            )
            continue
        parsed = split_port(key.value)
        if parsed is None or (literal(parsed.host) is None and not is_name(parsed.host)):
            found.warn(
                WarningKind.VALUE_INVALID,
                section.where,
                option=option,
                value=printable(key.value),
            )
            continue
        server = Server(parsed.host, parsed.port or _STUN_PORT)
        if server not in servers:
            servers.append(server)


def read_udptl(configuration: Configuration, found: Findings, *, needed: bool) -> None:
    """Read udptl.conf; without the file its defaults count where an endpoint needs them."""
    loaded = configuration.file("udptl.conf")
    if loaded.present and not loaded.counts:
        return
    if not loaded.present and not needed:
        return
    section = loaded.section("general")
    first = _fax_port(section, "udptlstart", _UDPTL_START)
    last = _fax_port(section, "udptlend", _UDPTL_END)
    declared = (
        None if first is None and last is None else (first or _UDPTL_START, last or _UDPTL_END)
    )
    lowest, highest = declared or (_UDPTL_START, _UDPTL_END)
    even = section is not None and is_true(section.last("use_even_ports"))
    lowest += even and lowest % 2
    if lowest > highest:
        found.warn(WarningKind.RANGE_INVALID, "udptl.conf", first=lowest, last=highest)
        lowest, highest = _UDPTL_START, _UDPTL_END
    highest -= even and highest % 2
    where = section.where if section else "udptl.conf"
    found.udptl = PortRange(lowest, highest, where, declared=declared, needed=needed)


def _fax_port(section: Section | None, option: str, default: int) -> int | None:
    value = section.last(option) if section else None
    if value is None:
        return None
    number = _number(value)
    return number if _LOWEST <= number <= MOST_PORT else default
