"""A front that hides its sources is told by the flows; a busy phone or a fence at work is not."""

from __future__ import annotations

import pytest

from geofence.flows.flow import Flow, FlowState
from geofence.flows.shared_source import crowd
from geofence.merge import merge
from geofence.model.prefixes import Family
from tests.support.values import JAPAN, policy, prefix

SERVICES = merge(policy(), JAPAN).services


def flows(source: str, number: int, port: int = 5060, *, inbound: bool = True) -> list[Flow]:
    known = prefix(source)
    here = 1 if known.family is Family.IPV6 else prefix("192.0.2.2/32").network
    return [
        Flow(known.family, "udp", known.network, at, here, port, inbound, FlowState.ESTABLISHED)
        for at in range(number)
    ]


@pytest.mark.parametrize("source", ["10.0.0.1/32", "172.17.0.1/32", "fd00::1/128"])
def test_a_private_address_with_most_connections_is_reported(source: str) -> None:
    found = crowd(SERVICES, flows(source, 16) + flows("133.1.2.3/32", 4), dropped=0)
    assert found is not None
    assert (found.flows, found.of, found.share) == (16, 20, 0.8)
    address, _, _ = source.partition("/")
    assert f"16 of 20 connections to fenced ports come from {address}, a private" in str(found)


@pytest.mark.parametrize(
    ("some", "dropped"),
    [
        (flows("10.0.0.1/32", 9), 0),  # one phone
        (flows("10.0.0.1/32", 15) + flows("10.0.0.2/32", 5), 0),  # several
        (flows("133.1.2.3/32", 30), 0),  # a trunk, whose address says who it is
        (flows("10.0.0.1/32", 30), 1),  # the fence sees strangers
        (flows("10.0.0.1/32", 30, port=80), 0),  # not to a fenced port
        (flows("10.0.0.1/32", 30, inbound=False), 0),
        ([], 0),
    ],
)
def test_other_distributions_are_not_reported(some: list[Flow], dropped: int) -> None:
    assert crowd(SERVICES, some, dropped=dropped) is None
