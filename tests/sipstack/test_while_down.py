"""Strangers who came in while the fence was down, by whoever's hand, when it is up again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from geofence.model.prefixes import Family
from tests.sipstack.addresses import PHONE, STRANGER, Endpoint
from tests.sipstack.messages import request
from tests.sipstack.peers import Caller, Peer
from tests.sipstack.site import IPTABLES, NOTHING, Site


def flush_all(site: Site) -> None:
    """As ``systemctl reload nftables`` does, whose file has the host's own firewall in it."""
    site.lab.pbx.run("nft", "flush", "ruleset")
    if site.geofence.backend == "ipset":
        site.lab.pbx.run("ipset", "destroy")
    site.track()


def flush_rules(site: Site) -> None:
    """Empty what the backend holds rules in, and nothing else."""
    if site.geofence.backend == "ipset":
        for program in IPTABLES.values():
            site.lab.pbx.run(program, "-t", "mangle", "-F")
            site.lab.pbx.run(program, "-t", "mangle", "-X")
    else:
        site.lab.pbx.run("nft", "delete", "table", "inet", "geofence")


def remove(site: Site) -> None:
    """Take the fence down as its operator."""
    site.geofence.ok("remove")


DOWN = pytest.mark.parametrize("down", [flush_all, flush_rules, remove])
UP = pytest.mark.parametrize("up", ["apply", "restore"])


def repair(site: Site, verb: str) -> None:
    accept = ("--accept", "live-sources") if verb == "apply" else ()
    site.geofence.ok(verb, *accept)


@DOWN
@UP
def test_connections_begun_while_down_are_blocked_after_the_repair(
    on_pjsip: Site, down: Callable[[Site], None], up: str
) -> None:
    """Over UDP and over TCP, and whoever made the PBX speak to him first."""
    on_pjsip.track()
    on_pjsip.fence()
    down(on_pjsip)
    by_udp, by_tcp = on_pjsip.peer(STRANGER), on_pjsip.caller(STRANGER)
    misled, spoofed = on_pjsip.peer(STRANGER, 5070), on_pjsip.peer(PHONE, 5099)
    maddr = f";maddr={misled.endpoint.address}"
    spoofed.send(request("OPTIONS", Endpoint(spoofed.endpoint.address, 5070), params=maddr))
    assert b"200 OK" in misled.await_answer()
    assert on_pjsip.works_for(by_udp)
    assert on_pjsip.works_for(by_tcp)

    repair(on_pjsip, up)

    strangers: dict[str, Peer | Caller] = {"udp": by_udp, "tcp": by_tcp, "maddr": misled}
    got = dict(zip(strangers, on_pjsip.all_got(*strangers.values()), strict=True))
    assert got == dict.fromkeys(strangers, NOTHING)
    assert on_pjsip.works_for(on_pjsip.peer(PHONE))


@pytest.mark.parametrize("backend", ["ipset"], indirect=True)
def test_connections_begun_in_the_unfenced_family_are_blocked_after_the_repair(
    on_pjsip: Site,
) -> None:
    """Somebody flushed one family's rules alone; nftables has both in one table."""
    on_pjsip.track()
    on_pjsip.fence()
    on_pjsip.lab.pbx.run(IPTABLES[on_pjsip.family], "-t", "mangle", "-F")
    stranger = on_pjsip.peer(STRANGER)
    assert on_pjsip.works_for(stranger)
    assert on_pjsip.geofence.observe().fenced == set(Family) - {on_pjsip.family}

    on_pjsip.geofence.ok("apply", "--accept", "live-sources")

    assert on_pjsip.got(stranger) == NOTHING
