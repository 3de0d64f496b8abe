"""What others do that takes the fence away with everything else: seen, and healed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.behaviour.fence import Fence
from tests.behaviour.scene import RULESET
from tests.coexistence import test_ufw as ufw
from tests.coexistence.field import fenced, reach
from tests.coexistence.machine import Machine
from tests.coexistence.theirs import theirs

SAVED = "*mangle\n-A PREROUTING -p udp --dport 9 -j ACCEPT\nCOMMIT\n*filter\nCOMMIT\n"


def _flush_ruleset(machine: Machine) -> None:
    """All that nftables.service does, with the file that Debian ships."""
    machine.do("nft -f /etc/nftables.conf")


def _restore_saved(machine: Machine) -> None:
    """What netfilter-persistent does with rules that were saved before the fence was there."""
    for program in ("iptables-restore", "ip6tables-restore"):
        machine.run(program, stdin=SAVED)


def _manage_builtins(machine: Machine) -> None:
    """ufw as its owner, told that no rules but its own are wanted."""
    ufw.set_up(machine)
    machine.do("sed -i s/MANAGE_BUILTINS=no/MANAGE_BUILTINS=yes/ /etc/default/ufw")
    machine.do("ufw reload")


LOST: dict[Callable[[Machine], None], tuple[str, ...]] = {
    _flush_ruleset: ("ipset", "nftables"),
    _restore_saved: ("ipset",),
    _manage_builtins: ("ipset",),
}
"""What is done, and whose fence it takes away."""


@pytest.mark.parametrize("deed", LOST)
def test_a_fence_that_others_took_away_is_missed_and_made_again(
    fence: Fence, machine: Machine, deed: Callable[[Machine], None]
) -> None:
    fence.apply(RULESET)

    deed(machine)
    assert fence.plan(RULESET).is_empty == (fence.backend.name not in LOST[deed])
    before = theirs(fence)
    fence.apply(RULESET)

    assert theirs(fence) == before
    within = reach(fence)
    fence.remove()
    assert within == fenced(reach(fence))
