"""One request in an allowed name that makes the PBX answer a stranger, who then talks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest

from tests.sipstack.addresses import PHONE, STRANGER, Endpoint, Role
from tests.sipstack.conftest import OBLIGING
from tests.sipstack.messages import request
from tests.sipstack.peers import Peer
from tests.sipstack.site import NOTHING, Site

SPOOFED = PHONE, 5099
"""Whom the attacker's packets are from: allowed, and not listening for answers."""
FIRST_PORT = 5_070


@dataclass(frozen=True, slots=True)
class Trick:
    """What ``Via`` says; every trick has a port of the stranger's for itself."""

    method: str
    via: Role
    params: str = ""
    """With the stranger's as ``{address}``: in brackets over IPv6, pjsip does not resolve it."""

    def play(self, site: Site, spoofed: Peer, port: int) -> None:
        via, address = Endpoint(site.address(self.via), port), site.address(STRANGER)
        params = self.params.format(address=address)
        spoofed.send(request(self.method, via, user="486", params=params))


TRICKS = {
    "maddr in OPTIONS": Trick("OPTIONS", PHONE, ";maddr={address}"),
    "maddr in a rejected INVITE": Trick("INVITE", PHONE, ";maddr={address}"),
    "maddr and rport": Trick("OPTIONS", PHONE, ";rport;maddr={address}"),
    "received": Trick("OPTIONS", PHONE, ";received={address}"),
    "received and rport": Trick("OPTIONS", PHONE, ";rport=5060;received={address}"),
    "sent-by": Trick("OPTIONS", STRANGER),
    "sent-by and rport": Trick("OPTIONS", STRANGER, ";rport"),
    "sent-by in a rejected INVITE": Trick("INVITE", STRANGER, ";rport=5060;received={address}"),
}

REACHES = {
    "pjsip": {"maddr in OPTIONS", "maddr in a rejected INVITE", "maddr and rport"},
    "kamailio": set[str](),
    OBLIGING: {"sent-by"},
}
"""What fools whom, as the tests find where nothing is fenced."""

everywhere = pytest.mark.parametrize(
    ("attacked", "kind"), [(kind, kind) for kind in REACHES], indirect=["attacked"]
)


def strangers(attacked: Site) -> dict[str, Peer]:
    """One for each trick."""
    return {
        name: attacked.peer(STRANGER, port) for port, name in enumerate(TRICKS, start=FIRST_PORT)
    }


@everywhere
def test_without_a_fence_these_tricks_reach_the_stranger(attacked: Site, kind: str) -> None:
    spoofed, by_trick = attacked.peer(*SPOOFED), strangers(attacked)
    for name, trick in TRICKS.items():
        trick.play(attacked, spoofed, by_trick[name].endpoint.port)

    fooled = {name for name, stranger in by_trick.items() if stranger.answers()}
    assert fooled == REACHES[kind]


@everywhere
def test_behind_the_fence_no_answer_reaches_a_stranger(attacked: Site, kind: str) -> None:
    spoofed, by_trick = attacked.peer(*SPOOFED), strangers(attacked)
    attacked.fence()
    for name, trick in TRICKS.items():
        fooled = STRANGER if name in REACHES[kind] else PHONE
        attacked.await_try(
            fooled, partial(trick.play, attacked, spoofed, by_trick[name].endpoint.port)
        )

    got = dict(zip(TRICKS, attacked.all_got(*by_trick.values()), strict=True))
    assert got == dict.fromkeys(TRICKS, NOTHING)
    assert attacked.works_for(attacked.peer(PHONE))
