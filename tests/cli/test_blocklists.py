"""A blocklist that was never to be had stops nothing else."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.cli.facts import problem_with
from tests.cli.machine import Machine
from tests.cli.world import COME, FOREIGN, GONE, JAPANESE, SMALL, japan_later, small
from tests.support.list_server import Reply, content, status

HELD = JAPANESE[0]
FEW = b"133.1.0.0/16\n"
NOTHING = "Until it is downloaded, it blocks nothing."


def serve(machine: Machine, reply: Reply) -> None:
    address = machine.server.on("/bad.txt", reply)
    machine.rule("60-bad.toml", f'[blocklist.bad]\nurl = "{address}"\n')


def test_the_rest_is_renewed_and_applied_and_it_is_said(fresh: Machine) -> None:
    fresh.ok("refresh")
    serve(fresh, status(404))
    fresh.serve("JP", japan_later())

    done = fresh.run("refresh", "--json")

    assert done.code == 5
    assert "404 (Not Found)" in problem_with(done, "blocklist bad")
    assert NOTHING in done.err
    assert fresh.gets_in(GONE, COME) == [False, True]
    assert fresh.run("allow", "office").code == 5
    never = "has not been downloaded yet. Run 'geofence refresh'. Until"
    assert never in fresh.run("apply").err
    assert FOREIGN[0] in fresh.ok("why", FOREIGN[0]).out

    serve(fresh, content(FEW))
    fresh.ok("refresh")
    assert fresh.gets_in(HELD, COME) == [False, True]


@pytest.mark.parametrize("first", ["first", "second"])
def test_one_that_takes_countries_away_waits_for_its_override(fresh: Machine, first: str) -> None:
    if first == "second":
        serve(fresh, content(FEW))
    fresh.ok("refresh")
    serve(fresh, content(FEW + b"".join(b"%d.0.0.0/8\n" % octet for octet in range(100, 120))))

    refused = fresh.run("refresh")

    guard = "first-run=bad" if first == "first" else "growth=bad"
    assert refused.code == 5
    assert f"--accept {guard}" in refused.err
    assert fresh.gets_in("101.1.1.1") == [True]
    assert (NOTHING in refused.err) is (first == "first")

    fresh.ok("refresh", "--accept", guard)
    assert fresh.gets_in("101.1.1.1") == [False]


def test_the_list_of_a_removed_source_blocks_nobody(fresh: Machine) -> None:
    """It stays on disk, and why looks into all that is there."""
    serve(fresh, content(FEW))
    fresh.ok("refresh")
    assert "blocklist bad" in fresh.ok("why", HELD).out

    fresh.rule("60-bad.toml", '[blocklist.bad]\nprefixes = ["133.2.0.0/16"]\n')
    fresh.ok("apply")

    assert fresh.gets_in(HELD) == [True]
    told = fresh.ok("why", HELD, "--json").json
    assert {each["verdict"] for each in told["verdicts"]} == {"pass"}
    assert told["notes"] == []

    fresh.rule("60-bad.toml", '[blocklist.bad]\nprefixes = ["133.1.2.0/24"]\n')
    assert "blocklist bad" in fresh.ok("why", HELD).out


def test_one_that_takes_an_allowed_country_away_waits_for_its_override(fresh: Machine) -> None:
    fresh.serve("VA", small("VA"))
    fresh.rule("70-allow.toml", '[allow]\ncountries = ["VA"]\n')
    ipv4, ipv6 = SMALL["VA"]
    serve(fresh, content("".join(f"{prefix}\n" for prefix in (*ipv4, ipv6)).encode()))
    objection = (
        "The list blocklist bad would block 100 % of the 8,192 IPv4 addresses of country VA at once"
    )

    assert objection in fresh.run("plan").said
    refused = fresh.run("refresh")

    assert refused.code == 5
    assert objection in refused.err
    inside = str(ip_network(ipv4[0])[1])
    assert fresh.gets_in(inside) == [True]

    fresh.ok("refresh", "--accept", "first-run=bad", "--accept", "shut-out")
    assert fresh.gets_in(inside) == [False]
