"""Applying again changes nothing; applying after damage makes the fence whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from geofence.backends import registry
from geofence.lab.network import Lab
from geofence.lab.probes import Transport
from geofence.model.prefixes import Family
from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET, Role, probe

DAMAGE = {
    "ipset": {
        "its rules flushed": "iptables -t mangle -F PREROUTING",
        "the whole table flushed": "ip6tables -t mangle -F",
        "a rule put in front": "iptables -t mangle -I PREROUTING -p udp --dport 5060 -j ACCEPT",
        "the jump there twice": "iptables -t mangle -A PREROUTING -j GEOFENCE",
        "a chain of its emptied": "ip6tables -t mangle -F GEOFENCE-sip",
        "a rule of its own added": "iptables -t mangle -I GEOFENCE-sip -j ACCEPT",
        "a set emptied": "ipset flush {allow4}",
        "an entry added": "ipset add {allow6} 2a00::/12",
        "an entry deleted": "ipset del {except4-sip} 35.185.177.49",
    },
    "nftables": {
        "its table deleted": "nft delete table inet geofence",
        "its rules flushed": "nft flush table inet geofence",
        "a set emptied": "nft flush set inet geofence {allow4}",
        "an entry added": "nft add element inet geofence {allow6} {{ 2a00::/12 }}",
        "an entry deleted": "nft delete element inet geofence {except4-sip} {{ 35.185.177.49 }}",
    },
}
"""What other tools and tired operators do; sets are named by their keys."""


def _cases() -> Iterator[tuple[str, str]]:
    for backend in sorted(registry.MODULES):
        for what in DAMAGE[backend]:
            yield backend, what


def _set_names(fence: Fence) -> dict[str, str]:
    """How the kernel calls the sets."""
    prefix = {"ipset": "geofence-", "nftables": ""}[fence.backend.name]
    return {key.name: f"{prefix}{key.name}" for key in RULESET.sets}


def _everybody(fence: Fence) -> list[str | None]:
    ports = [(Transport.UDP, 5060), (Transport.UDP, 10_000), (Transport.TCP, 5061)]
    return fence.lab.fire(
        probe(role, family, *port) for role in Role for family in Family for port in ports
    )


def test_applying_again_changes_nothing(fence: Fence) -> None:
    assert not fence.apply(RULESET).plan.is_empty
    _everybody(fence)
    before = fence.observe()

    assert fence.apply(RULESET).plan.is_empty
    assert fence.observe() == before
    assert sum(fence.dropped().values()) > 0


@pytest.mark.parametrize(("backend", "what"), list(_cases()))
def test_damage_is_seen_and_healed(lab: Lab, backend: str, what: str) -> None:
    fence = Fence(lab, registry.load(backend))
    fence.apply(RULESET)
    whole, landed = fence.observe(), _everybody(fence)

    fence.run(DAMAGE[backend][what].format(**_set_names(fence)))
    assert not fence.plan(RULESET).is_empty
    fence.apply(RULESET)

    assert _everybody(fence) == landed
    healed = fence.observe()
    assert (healed.sets, healed.rules, healed.debris) == (whole.sets, whole.rules, ())


def test_removing_twice_finds_nothing_the_second_time(fence: Fence) -> None:
    fence.apply(RULESET)

    assert fence.remove()
    assert not fence.remove()
    assert fence.observe() == type(fence.observe())()


def test_removing_heals_too(fence: Fence) -> None:
    fence.apply(RULESET)
    flush = {"ipset": "iptables -t mangle -F", "nftables": "nft flush table inet geofence"}
    fence.run(flush[fence.backend.name])

    assert fence.remove()
    assert not fence.remove()
