"""Entries of connection tracking as netlink messages: pure functions.

pyroute2 decodes one flow in about 100 µs, so a table of 100,000 took 11 s to read; here it is a
tenth of that. Only what geofence asks is taken from a message.

Layouts: ``linux/netfilter/nfnetlink_conntrack.h`` and ``nf_conntrack_common.h``.
"""

from __future__ import annotations

import struct
import sys

from geofence.flows.flow import Flow, FlowState
from geofence.model.prefixes import AddressSpace, Family, PrefixSet
from geofence.model.ruleset import ADMITTED, BEGUN
from geofence.netlink.attributes import (
    Span,
    as_number,
    attribute,
    nested,
    spans,
    values,
)
from geofence.netlink.messages import ACK, CREATE, DUMP, EXCL, NETFILTER, REQUEST, Request

_PORT = struct.Struct("!H")
_WORD = struct.Struct("!I")

_CONNTRACK = 1 << 8
_CT_NEW = 0
_CT_GET = 1
_CT_DELETE = 2

_CTA_TUPLE_ORIG = 1
_CTA_TUPLE_REPLY = 2
_CTA_STATUS = 3
_CTA_PROTOINFO = 4
_CTA_TIMEOUT = 7
_CTA_ID = 12
_CTA_ZONE = 18
_CTA_LABELS = 22
_CTA_TUPLE_IP = 1
_CTA_TUPLE_PROTO = 2
_CTA_TUPLE_ZONE = 3
_SOURCE_AND_DESTINATION = {Family.IPV4: (1, 2), Family.IPV6: (3, 4)}
_CTA_PROTO_NUM = 1
_CTA_PROTO_SRC_PORT = 2
_CTA_PROTO_DST_PORT = 3
_CTA_PROTOINFO_TCP = 1
_CTA_PROTOINFO_TCP_STATE = 1
_CTA_PROTOINFO_TCP_FLAGS = (4, 5)
_TCP_BE_LIBERAL = b"\x08\x08"
"""``IP_CT_TCP_FLAG_BE_LIBERAL``, value and mask: no packet is out of its window."""

_IPS_EXPECTED = 1 << 0
_IPS_SEEN_REPLY = 1 << 1
_IPS_ASSURED = 1 << 2
_IPS_CONFIRMED = 1 << 3
_IPS_SRC_NAT = 1 << 4
_IPS_NAT_MASK = _IPS_SRC_NAT | 1 << 5
_IPS_DYING = 1 << 9
_TCP_ESTABLISHED = 3

_SEVERED_FOR = {"udp": 120, "tcp": 1200}
"""Seconds without a packet of this host's until the kernel forgets a severed flow by itself: as it
keeps an idle UDP stream, or as long as this host repeats TCP that nobody acknowledges."""

_PROTOCOLS = {17: "udp", 6: "tcp"}
_NUMBERS = {name: number for number, name in _PROTOCOLS.items()}
_FAMILIES = {family.socket_family: family for family in Family}

_End = tuple[int, int]
"""Address and port."""


_NOWHERE = {
    family: attribute(kinds[1], bytes(family.bits // 8))
    for family, kinds in _SOURCE_AND_DESTINATION.items()
}
"""The destination of a severed flow."""


def flows_request(family: Family) -> Request:
    """Return a request for every flow of a family."""
    body = NETFILTER.pack(family.socket_family, 0, 0)
    return Request(_CONNTRACK | _CT_GET, REQUEST | DUMP, body)


def is_severed(body: bytes, family: Family) -> bool:
    """Whether a flow of the answer is a severed one, at a hundredth of the cost of parsing it.

    The kernel itself could leave the others out (``CTA_FILTER``), but of IPv6 flows it then sends
    those that do not match.
    """
    return _NOWHERE[family] in body


def answering_address(flow: Flow) -> int:
    """Return the address of this host (behind NAT, of another) that answers in a flow.

    Raises:
        ValueError: what the kernel said of the replies is cut short.
    """
    if not flow.severed:
        return flow.destination
    addresses = values(values(flow.reply).get(_CTA_TUPLE_IP, b""))
    return as_number(addresses.get(_SOURCE_AND_DESTINATION[flow.family][0]))


def parse_flow(body: bytes, local: AddressSpace) -> Flow | None:
    """Return the flow that a message describes; None for one that ends, or of another protocol.

    Args:
        body: the message's.
        local: the addresses of this host.

    Raises:
        ValueError: the message is cut short or lacks what every flow has.
    """
    try:
        return _flow(body, local)
    except (KeyError, IndexError, struct.error) as error:
        raise ValueError("a flow without addresses, ports or state") from error


def _flow(data: bytes, local: AddressSpace) -> Flow | None:
    family = _FAMILIES[data[0]]
    attributes = spans(data, NETFILTER.size, len(data))
    tuples = spans(data, *attributes[_CTA_TUPLE_ORIG])
    transport = spans(data, *tuples[_CTA_TUPLE_PROTO])
    protocol = _PROTOCOLS.get(data[transport[_CTA_PROTO_NUM][0]])
    (status,) = _WORD.unpack_from(data, attributes[_CTA_STATUS][0])
    if protocol is None or status & _IPS_DYING:
        return None
    there, back = _ends_of(data, family, tuples, transport)
    zone = attributes.get(_CTA_ZONE) or tuples.get(_CTA_TUPLE_ZONE)
    raw = bool(status & _IPS_NAT_MASK) or not back[0]
    ours = local[family]
    found = Flow(
        family,
        protocol,
        *there,
        *back,
        inbound=back[0] in ours and there[0] not in ours,
        state=_state(status),
        expected=bool(status & _IPS_EXPECTED),
        assured=bool(status & _IPS_ASSURED),
        closing=protocol == "tcp" and _tcp_state(data, attributes) > _TCP_ESTABLISHED,
        zone=_PORT.unpack_from(data, zone[0])[0] if zone else 0,
        ident=data[slice(*attributes[_CTA_ID])] if _CTA_ID in attributes else b"",
        reply=data[slice(*attributes[_CTA_TUPLE_REPLY])] if raw else b"",
        admitted=_has_label(data, attributes, ADMITTED),
        marked=_has_label(data, attributes, BEGUN),
        severed=not back[0],
    )
    if found.inbound or found.severed:
        return found
    return _seen_from_there(found, data[slice(*attributes[_CTA_TUPLE_ORIG])], ours)


def _ends_of(
    data: bytes, family: Family, tuples: dict[int, Span], transport: dict[int, Span]
) -> tuple[_End, _End]:
    """Return source and destination of a tuple, with their ports."""
    addresses = spans(data, *tuples[_CTA_TUPLE_IP])
    source, destination = (
        int.from_bytes(data[slice(*addresses[kind])]) for kind in _SOURCE_AND_DESTINATION[family]
    )
    ports = (
        _PORT.unpack_from(data, transport[kind][0])[0]
        for kind in (_CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT)
    )
    return (source, next(ports)), (destination, next(ports))


def _seen_from_there(flow: Flow, original: bytes, ours: PrefixSet) -> Flow:
    """Return a flow that was not begun elsewhere, turned round where this host has begun it."""
    ends = (flow.destination, flow.port, flow.source, flow.source_port)
    if flow.reply:  # NAT: the other end sees what answers go to
        tuples = spans(flow.reply, 0, len(flow.reply))
        transport = spans(flow.reply, *tuples[_CTA_TUPLE_PROTO])
        there, here = _ends_of(flow.reply, flow.family, tuples, transport)
        ends = (*there, *here)
    source, source_port, destination, port = ends
    if destination not in ours or source in ours:
        return flow
    return flow._replace(
        source=source,
        source_port=source_port,
        destination=destination,
        port=port,
        begun_here=True,
        original=original if flow.reply else b"",
    )


def _has_label(data: bytes, attributes: dict[int, Span], label: int) -> bool:
    """Whether the labels, words of 64 bits in host order, hold one."""
    if _CTA_LABELS not in attributes:
        return False
    word, bit = divmod(label, 64)
    first = attributes[_CTA_LABELS][0] + 8 * word
    return bool(int.from_bytes(data[first : first + 8], sys.byteorder) >> bit & 1)


def _state(status: int) -> FlowState:
    """Return the state of the next packet in the original direction (``resolve_normal_ct``)."""
    if status & _IPS_SEEN_REPLY:
        return FlowState.ESTABLISHED
    return FlowState.RELATED if status & _IPS_EXPECTED else FlowState.NEW


def _tcp_state(data: bytes, attributes: dict[int, Span]) -> int:
    if _CTA_PROTOINFO not in attributes:
        return 0
    tcp = spans(data, *attributes[_CTA_PROTOINFO])[_CTA_PROTOINFO_TCP]
    return data[spans(data, *tcp)[_CTA_PROTOINFO_TCP_STATE][0]]


def delete_request(flow: Flow) -> Request:
    """Return a request to forget one flow, and no later one of the same addresses and ports."""
    begun = _sent_tuple(flow) if flow.begun_here else _original_tuple(flow)
    wanted = nested(_CTA_TUPLE_ORIG, begun)
    if flow.ident:
        wanted += attribute(_CTA_ID, flow.ident)
    return _change(_CT_DELETE, REQUEST | ACK, flow, wanted)


def delete_reopened_request(flow: Flow) -> Request:
    """Return a request to forget what this host reopened by sending on in a flow that was cut."""
    wanted = nested(_CTA_TUPLE_ORIG, _sent_tuple(flow))
    return _change(_CT_DELETE, REQUEST | ACK, flow, wanted)


def sever_request(flow: Flow) -> Request:
    """Return a request for an entry that takes what this host still sends in a flow, and no more.

    Its replies are what this host sends in the flow; its original direction leads nowhere
    (``0.0.0.0``, ``::``), where no packet goes. So what this host sends belongs to it and makes no
    flow of this host's own, and what the other end sends belongs to nothing and is NEW.
    """
    nowhere = flow._replace(destination=0)
    status = _IPS_SEEN_REPLY | _IPS_ASSURED | _IPS_CONFIRMED
    body = nested(_CTA_TUPLE_ORIG, _original_tuple(nowhere))
    body += nested(_CTA_TUPLE_REPLY, _sent_tuple(flow))
    body += attribute(_CTA_STATUS, _WORD.pack(status))
    body += attribute(_CTA_TIMEOUT, _WORD.pack(_SEVERED_FOR[flow.protocol]))
    if flow.protocol == "tcp":
        body += nested(_CTA_PROTOINFO, _established())
    return _change(_CT_NEW, REQUEST | ACK | CREATE | EXCL, flow, body)


def _established() -> bytes:
    state = attribute(_CTA_PROTOINFO_TCP_STATE, bytes((_TCP_ESTABLISHED,)))
    state += b"".join(attribute(kind, _TCP_BE_LIBERAL) for kind in _CTA_PROTOINFO_TCP_FLAGS)
    return nested(_CTA_PROTOINFO_TCP, state)


def _change(command: int, flags: int, flow: Flow, attributes: bytes) -> Request:
    body = NETFILTER.pack(flow.family.socket_family, 0, 0) + attributes
    if flow.zone:
        body += attribute(_CTA_ZONE, _PORT.pack(flow.zone))
    return Request(_CONNTRACK | command, flags, body)


def _original_tuple(flow: Flow) -> bytes:
    there, back = (flow.source, flow.source_port), (flow.destination, flow.port)
    return _tuple(flow.family, flow.protocol, there, back)


def _sent_tuple(flow: Flow) -> bytes:
    """Return the tuple of what this host, or a machine behind it, sends in a flow."""
    there, back = (flow.source, flow.source_port), (flow.destination, flow.port)
    known = flow.original if flow.begun_here else flow.reply
    return known or _tuple(flow.family, flow.protocol, back, there)


def _tuple(family: Family, protocol: str, source: _End, destination: _End) -> bytes:
    octets = family.bits // 8
    kinds = _SOURCE_AND_DESTINATION[family]
    ends = zip(kinds, (source, destination), strict=True)
    addresses = b"".join(attribute(kind, address.to_bytes(octets)) for kind, (address, _) in ends)
    transport = (
        attribute(_CTA_PROTO_NUM, bytes((_NUMBERS[protocol],)))
        + attribute(_CTA_PROTO_SRC_PORT, _PORT.pack(source[1]))
        + attribute(_CTA_PROTO_DST_PORT, _PORT.pack(destination[1]))
    )
    return nested(_CTA_TUPLE_IP, addresses) + nested(_CTA_TUPLE_PROTO, transport)
