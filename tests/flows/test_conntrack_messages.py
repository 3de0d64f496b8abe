from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geofence.flows import conntrack_messages
from geofence.flows.flow import Flow, FlowState
from geofence.model.prefixes import AddressSpace, Family
from tests.flows.made import space

PORTS = st.integers(0, 65535)
FAMILIES = st.sampled_from(Family)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    family = draw(FAMILIES)
    addresses = st.integers(1, (1 << family.bits) - 1)
    return Flow(
        family,
        draw(st.sampled_from(("udp", "tcp"))),
        draw(addresses),
        draw(PORTS),
        draw(addresses),
        draw(PORTS),
        inbound=False,
        state=FlowState.ESTABLISHED,
        assured=True,
        zone=draw(PORTS),
    )


def parsed(body: bytes, local: AddressSpace | None = None) -> Flow | None:
    return conntrack_messages.parse_flow(body, local or AddressSpace())


@given(flows())
def test_a_severed_flow_is_read_back_as_the_one_that_was_cut_leading_nowhere(flow: Flow) -> None:
    body = conntrack_messages.sever_request(flow).body
    read = parsed(body)
    assert read is not None
    assert read._replace(reply=b"") == flow._replace(destination=0, severed=True)
    assert (
        conntrack_messages.answering_address(read)
        == conntrack_messages.answering_address(flow)
        == flow.destination
    )
    assert conntrack_messages.is_severed(body, flow.family)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_raise_the_documented_error(body: bytes) -> None:
    with suppress(ValueError):
        conntrack_messages.parse_flow(body, AddressSpace())


@given(flows(), st.data())
def test_a_damaged_flow_is_read_or_refused(flow: Flow, data: st.DataObject) -> None:
    message = bytearray(conntrack_messages.sever_request(flow).body)
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        parsed(bytes(message))


@given(flows())
def test_a_flow_cut_short_is_refused(flow: Flow) -> None:
    body = conntrack_messages.sever_request(flow).body
    for length in range(44):
        with pytest.raises(ValueError, match=r"cut short|without"):
            conntrack_messages.parse_flow(body[:length], AddressSpace())


@pytest.mark.parametrize(
    ("local", "inbound"),
    [((), False), (("198.51.100.0/24",), True), (("198.51.100.0/24", "20.0.0.1/32"), False)],
)
def test_inbound_is_from_elsewhere_to_this_host(local: tuple[str, ...], *, inbound: bool) -> None:
    # The reader sees no difference between an entry's original tuple here and in a dump.
    flow = Flow(
        Family.IPV4, "udp", 0x14000001, 1, 0xC633640A, 5060, inbound=False, state=FlowState.NEW
    )
    nowhere = struct.pack("=HH", 8, 2) + bytes(4)
    somewhere = nowhere[:4] + b"\xc6\x33\x64\x0a"
    read = parsed(
        conntrack_messages.sever_request(flow).body.replace(nowhere, somewhere), space(*local)
    )
    assert read is not None
    assert read.inbound is inbound
