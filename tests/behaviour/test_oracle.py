"""What geofence says of a packet is what the kernel does: the short form of ``tests.oracle``."""

from __future__ import annotations

import pytest

from geofence.backends import registry
from geofence.backends.nftables.backend import NftablesBackend
from tests.oracle.flooded import NOT_NOTED, Flooded
from tests.oracle.trial import trial

PACKETS = 4_000
INTERVALS = 60
"""Of a set that stays one: some sets of the random rulesets have more, others fewer."""
SEED = 20_260_201


@pytest.mark.parametrize("name", [*sorted(registry.MODULES), "nftables, large sets"])
def test_the_oracle_and_the_kernel_agree_on_thousands_of_packets(name: str) -> None:
    backend = registry.load(name) if name in registry.MODULES else NftablesBackend(INTERVALS)
    outcomes = list(trial(backend, SEED, PACKETS))

    assert [str(wrong) for outcome in outcomes for wrong in outcome.disagreements] == []
    sent = sum(outcome.packets for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    assert sent == PACKETS
    assert PACKETS / 10 < passed < PACKETS * 9 / 10


def test_a_flood_changes_what_is_noted_and_no_verdict() -> None:
    outcomes = list(trial(Flooded(), SEED, PACKETS // 2))

    wrong = [each for outcome in outcomes for each in outcome.disagreements]
    assert wrong
    assert [str(each) for each in wrong if each.seen != NOT_NOTED] == []
