"""Endpoints of pjsip.conf: their proxies, their own RTP ports, and whether they send faxes."""

from __future__ import annotations

from geofence.asterisk.addresses import literal
from geofence.asterisk.configuration import Object, is_true
from geofence.asterisk.findings import Findings
from geofence.asterisk.media import used_ports
from geofence.asterisk.peers import add_uri, report_unknown
from geofence.asterisk.reading import PortRange, WarningKind

_OWN = ("rtp_port_start", "rtp_port_end")
_INTERESTING = frozenset(["outbound_proxy", "t38_udptl", *_OWN])
_LOWEST, _HIGHEST = 1024, 65535
_BOTH = frozenset({4, 6})


def read_endpoint(found: Findings, each: Object) -> bool:
    """Read an endpoint; whether it sends and receives faxes by T.38."""
    if not each.section.mentions(_INTERESTING):
        return False
    report_unknown(found, each, "endpoint")
    values = {key.name.lower(): key.value for key in each.section.keys}
    add_uri(found, each, "outbound_proxy", values.get("outbound_proxy", ""))
    _own_ports(found, each, values)
    return is_true(values.get("t38_udptl"))


def _own_ports(found: Findings, each: Object, values: dict[str, str]) -> None:
    ports = []
    for option in _OWN:
        value = values.get(option, "0")
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(_HIGHEST))):
            found.warn(WarningKind.VALUE_INVALID, each.where, option=option, value=value)
            return
        ports.append(int(value))
    first, last = ports
    if not first and not last:
        return
    if not _LOWEST <= first < last <= _HIGHEST:
        found.warn(WarningKind.RANGE_INVALID, each.where, first=first, last=last)
        return
    lowest, highest = used_ports(first, last)
    families = _families(found, values)
    found.rtp_more.append(PortRange(lowest, highest, each.where, families, (first, last)))


def _families(found: Findings, values: dict[str, str]) -> frozenset[int]:
    """Return in which families the endpoint's media comes."""
    address = literal(values.get("media_address", ""))
    if address is not None and is_true(values.get("bind_rtp_to_media_address")):
        return frozenset({address.version})
    return found.families.get(values.get("transport", ""), _BOTH)
