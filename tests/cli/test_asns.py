"""AS numbers, regions and databases from rules to the kernel, by the command itself."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.cli.machine import Machine
from tests.cli.test_atlas import CODES
from tests.cli.world import COME, FOREIGN, GONE, JAPAN_IPV4, JAPAN_IPV6, JAPANESE, SMALL, small
from tests.lists.bodies import asn_json
from tests.support.list_server import content, status, tagged
from tests.support.mmdb import country, mmdb

NETWORK, NETWORK6 = "45.9.0.0/16", "2a00:1450::/32"
"""Of ``world.FOREIGN``."""
ELSEWHERE = "45.10.1.1"


def name_asn(machine: Machine, *prefixes: str) -> None:
    """Allow an AS number that has these prefixes."""
    ipv6 = [each for each in prefixes if ":" in each]
    ipv4 = [each for each in prefixes if ":" not in each]
    machine.server.on("/as/4713.json", content(asn_json(4713, ipv4, ipv6)))
    url = machine.server.url("/as/{asn}.json")
    machine.rule("60-asn.toml", f'[source.asn]\nurls = ["{url}"]\n[allow]\nasns = ["AS4713"]\n')


def test_the_network_of_an_as_number_is_allowed(fresh: Machine) -> None:
    name_asn(fresh, NETWORK, NETWORK6)
    fresh.ok("refresh")
    assert fresh.gets_in(*FOREIGN, ELSEWHERE, *JAPANESE) == [True, True, False, True, True]

    fresh.rule("70-none.toml", "[allow]\nasns = []\n")
    planned = fresh.ok("plan", "--offline")
    assert "AS4713: 65,536 IPv4 addresses, 1 IPv6 /32 network blocked" in planned.out
    fresh.ok("apply")
    assert fresh.gets_in(*FOREIGN) == [False, False]


def test_the_lists_of_as_numbers_are_shown(one: Machine) -> None:
    name_asn(one, NETWORK)
    planned = one.ok("plan", "--json").json
    assert [each["list"] for each in planned["lists"]] == ["country JP", "asn 4713"]
    found = {each["asn"] for each in planned["countries"]}
    assert found == {None, 4713}
    assert "AS4713: 65,536 IPv4 addresses allowed" in one.ok("plan").out
    one.ok("refresh")

    status_now = one.ok("status")
    assert "Allowed to sip, rtp: JP, AS4713" in status_now.out
    assert "asn 4713" in status_now.out
    told = one.ok("status", "--json").json
    [listed] = [each for each in told["lists"] if each["list"] == "asn 4713"]
    assert (listed["state"], listed["addresses"]["ipv4"]) == ("stored", 65_536)
    assert [part["format"] for part in listed["parts"]] == ["json"]
    names = {"names": ["JP", "AS4713"], "countries": ["JP"], "asns": [4713]}
    assert told["allowed"] == [{"service": name, **names} for name in ("sip", "rtp")]


def test_why_names_the_as_number_and_where_it_is_written(one: Machine) -> None:
    name_asn(one, NETWORK)
    one.ok("refresh")
    said = one.ok("why", FOREIGN[0])
    assert said.out.startswith(f"{FOREIGN[0]}: AS4713, in none of the stored country lists (JP)\n")
    assert "in the list of AS4713, which is allowed" in said.out
    answer = one.ok("why", FOREIGN[0], "--json").json
    assert answer["asns"] == [4713]
    fact = answer["verdicts"][0]["because_fact"]
    assert (fact["kind"], fact["data"]) == ("country", {"countries": [], "asns": [4713]})
    assert fact["origin"].endswith("60-asn.toml:3")
    other = one.ok("why", ELSEWHERE)
    assert "not in an allowed country (JP, AS4713)" in other.out


def test_why_says_which_blocklist_takes_an_address_of_an_as_number(one: Machine) -> None:
    name_asn(one, NETWORK)
    one.rule("61-bad.toml", '[blocklist.bad]\nprefixes = ["45.9.1.0/24"]\n')
    one.ok("refresh")
    assert one.gets_in(FOREIGN[0], "45.9.2.1") == [False, True]
    assert "in the blocklist bad" in one.ok("why", FOREIGN[0]).out


def test_an_as_number_that_was_never_downloaded_changes_nothing(fresh: Machine) -> None:
    fresh.ok("refresh")
    name_asn(fresh, NETWORK)
    fresh.server.on("/as/4713.json", status(404))
    before = fresh.fence()
    done = fresh.run("refresh")
    assert done.code == 1
    assert "These lists have not been downloaded yet: asn 4713." in done.err
    assert fresh.fence() == before
    assert "list missing: AS4713" in fresh.ok("why", ELSEWHERE).out


def test_the_checks_hold_for_as_numbers(one: Machine) -> None:
    halves = [str(each) for each in ip_network(NETWORK).subnets(new_prefix=18)]
    name_asn(one, *halves)
    one.ok("refresh")
    name_asn(one, halves[0])
    refused = one.run("refresh")
    assert refused.code == 5
    assert "The list asn 4713 lost 75 % of its 65,536 IPv4 addresses at once." in refused.err
    assert "(the limit for AS numbers)" in refused.err
    assert one.gets_in("45.9.255.1") == [True]
    assert one.run("refresh", "--accept", "shrink=4714").code == 2
    one.ok("refresh", "--accept", "shrink=4713")
    assert one.gets_in(FOREIGN[0], "45.9.255.1") == [True, False]

    one.rule("65-limit.toml", '[guard.shrink]\n"asn 4713" = 100\n')
    name_asn(one, "45.9.0.0/19")
    one.ok("refresh")

    name_asn(one, "45.9.0.0/19", "10.0.0.0/8")
    special = one.run("refresh")
    assert "--accept special-purpose=4713" in special.err
    name_asn(one, "45.9.0.0/19", "44.0.0.0/6")
    assert "--accept broad=4713" in one.run("refresh").err
    name_asn(one, "45.0.0.0/10")
    grown = one.run("refresh")
    assert "--accept growth=4713" in grown.err
    assert one.gets_in("45.20.1.1") == [False]


def test_more_than_any_network_has_is_refused_at_first_sight(one: Machine) -> None:
    name_asn(one, *(f"{first}.0.0.0/8" for first in range(20, 40)))
    refused = one.run("refresh")
    assert refused.code != 0
    assert "No autonomous system has more than 300,000,000 IPv4 addresses" in refused.err
    assert "--accept first-run=4713" in refused.err


def test_a_region_is_shown_by_its_name(one: Machine) -> None:
    for code in ("MC", "VA"):
        one.serve(code, small(code))
    one.rule(
        "60-region.toml",
        '[region.tiny]\ncountries = ["MC", "VA"]\n[allow]\ncountries = ["JP", "@tiny"]\n'
        '[service.rtp]\ncountries = ["VA"]\n',
    )
    one.ok("refresh")
    monaco, vatican = SMALL["MC"][0][0], SMALL["VA"][0][0]
    first = [str(ip_network(each)[9]) for each in (monaco, vatican)]
    assert one.gets_in(*first) == [True, True]
    shown = one.ok("status").out
    assert "Allowed to sip: JP, @tiny\nAllowed to rtp: VA\n" in shown
    assert "Allowed to sip: JP, @tiny\n" in one.ok("plan", "--offline").out


def world(*changes: tuple[str, str]) -> bytes:
    """A database of Japan and two small countries."""
    networks: dict[str, object] = {each: country("JP") for each in (*JAPAN_IPV4, *JAPAN_IPV6)}
    for code in ("MC", "VA"):
        ipv4, ipv6 = SMALL[code]
        networks |= {each: country(code) for each in (*ipv4, ipv6)}
    return mmdb({**networks, **{network: country(code) for network, code in changes}})


def test_a_database_instead_of_lists(fresh: Machine) -> None:
    url = fresh.server.on("/world.mmdb", tagged(world(), '"1"'))
    fresh.rule(
        "60-source.toml",
        f'[source.country]\nurls = ["{url}"]\n[allow]\ncountries = ["JP", "MC", "VA"]\n',
    )
    fresh.ok("refresh")
    assert fresh.server.asked("/world.mmdb") == 1
    assert fresh.gets_in(*JAPANESE, *FOREIGN, "80.94.96.9", GONE) == [
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    stored = fresh.files()
    del stored["counts.sqlite"]
    assert max(len(body) for _, body in stored.values()) < 10_000
    assert "Nothing to change" in fresh.ok("refresh").out
    fresh.server.on(
        "/world.mmdb", tagged(world(("61.255.0.0/16", "US"), ("203.180.0.0/16", "JP")), '"2"')
    )
    fresh.ok("refresh")
    assert fresh.gets_in(GONE, COME) == [False, True]
    fresh.clear()
    fresh.ok("restore")
    assert fresh.gets_in(*JAPANESE, GONE, COME) == [True, True, False, True]
    fresh.clear()
    fresh.ok("apply")
    assert fresh.gets_in(*JAPANESE, GONE, COME) == [True, True, False, True]


@pytest.mark.parametrize("kind", ["database", "lists"])
def test_local_files_instead_of_a_server(one: Machine, kind: str) -> None:
    from tests.cli.world import japan

    directory = one.directory / "lists"
    directory.mkdir(mode=0o755)
    path = directory / ("world.mmdb" if kind == "database" else "jp.json")
    path.write_bytes(world() if kind == "database" else japan())
    path.chmod(0o644)
    where = path if kind == "database" else f"{directory}/"
    one.rule("60-source.toml", f'[source.country]\nurls = ["{where}"]\n')
    one.ok("refresh")
    assert one.gets_in(*JAPANESE, *FOREIGN) == [True, True, False, False]
    assert one.server.requests == []

    path.chmod(0o666)
    refused = one.run("refresh")
    assert refused.code == 5
    assert f"{path}: it can be written by everyone" in refused.err
    assert f"chmod go-w {path}" in refused.err
    assert one.gets_in(*JAPANESE) == [True, True]


def test_the_world_index_from_a_database(one: Machine) -> None:
    networks: dict[str, object] = {}
    for number, code in enumerate(CODES):
        networks[f"11.{number}.0.0/16"] = country(code)
        networks[f"2a00:{number + 256:x}::/32"] = country(code)
    url = one.server.on("/world.mmdb", tagged(mmdb(networks), '"1"'))
    one.rule("60-source.toml", f'[source.country]\nurls = ["{url}"]\n')
    one.ok("atlas", "--renew")
    assert one.server.asked("/world.mmdb") <= 2  # for the first few countries, and for all others
    places = {code: f"11.{CODES.index(code)}.7.7" for code in ("AD", "JP", "ZW")}
    found = one.ok("atlas", "--json", *places.values()).json
    assert [each["country"] for each in found] == list(places)
    one.ok("atlas", "--renew")
    assert all("if-none-match" in each.headers for each in one.server.requests[2:])
