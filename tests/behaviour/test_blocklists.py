"""A downloaded blocklist with private space among its addresses, by packets on both backends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geofence.lab.probes import Transport
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Blocklist
from geofence.model.prefixes import Family
from tests.behaviour.fence import Fence
from tests.behaviour.scene import LAN, LISTS, POLICY, Role, probe, space

FIREHOL = Blocklist("firehol", urls=("https://lists.example/level1.netset",))
POLICY_WITH_LIST = replace(POLICY, blocklists=(FIREHOL,))
DOWNLOADED = space(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "192.168.0.0/16",
    "224.0.0.0/3",
    "fc00::/7",
    "133.66.0.0/16",
    "2400:4066::/32",
)
WITH_LIST = {**LISTS, ListId(ListKind.BLOCKLIST, "firehol"): DOWNLOADED}
RULESET = replace(merge(POLICY_WITH_LIST, WITH_LIST), local=LAN)


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_what_is_listed_is_dropped_but_for_exceptions_and_local_networks(
    fence: Fence, family: Family, transport: Transport
) -> None:
    roles = (Role.ALLOWED, Role.BLOCKED, Role.BLOCKED_EXCEPTION, Role.LOCAL)
    sent = [probe(role, family, transport, 5060) for role in roles]
    fence.apply(replace(merge(POLICY_WITH_LIST, LISTS), local=LAN))
    assert fence.lab.fire(sent) == ["pbx"] * 4

    fence.apply(RULESET)

    assert fence.lab.fire(sent) == ["pbx", None, "pbx", "pbx"]
    assert fence.dropped()["sip"] == 1
