"""Refresh, apply, status and remove, as an operator meets them."""

from __future__ import annotations

import re
from datetime import timedelta

from geofence.model.lists import ListId, ListKind
from geofence.model.notes import NoteKind
from geofence.plan.drift import DriftKind
from geofence.state.versions import VersionStore
from tests.backends.damage import damage
from tests.cli.facts import fact
from tests.cli.machine import BACKENDS, Machine
from tests.cli.world import COME, FOREIGN, GONE, JAPANESE, LANS, japan, japan_later
from tests.support.list_server import status, tagged


def test_from_nothing_to_a_fence_and_on_to_a_changed_list(fresh: Machine) -> None:
    fresh.join_lan()
    nothing = fresh.run("status", "--json")
    assert (nothing.code, nothing.json["unfenced"]) == (1, ["ipv4", "ipv6"])

    first = fresh.ok("refresh", "--json").json
    assert (first["changed"], first["generation"]) == (True, 1)
    assert first["backend_name"] == fresh.backend
    allowed = {"set": "allow4", "addresses_added": 184_483_840, "addresses_removed": 0}
    assert allowed in first["sets"]
    assert fresh.gets_in(*JAPANESE, *FOREIGN) == [True, True, False, False]
    assert [fresh.trusts(network) for network in LANS] == [True, True]

    fence, generations = fresh.fence(), fresh.generations()
    again = fresh.ok("refresh", "--json").json
    assert (again["changed"], again["generation"]) == (False, 1)
    assert (fresh.fence(), fresh.generations()) == (fence, generations)

    assert fresh.gets_in(GONE, COME) == [True, False]
    fresh.serve("JP", japan_later())
    changed = fresh.ok("refresh", "--json").json
    assert (changed["changed"], changed["generation"]) == (True, 2)
    assert changed["sets"] == [
        {"set": "allow4", "addresses_added": 65_536, "addresses_removed": 65_536}
    ]
    assert changed["rules"] == {"added": [], "removed": []}
    assert [(each["list"], each["state"]) for each in changed["lists"]] == [
        ("country JP", "renewed")
    ]
    assert fresh.gets_in(GONE, COME) == [False, True]


def test_an_unchanged_list_is_not_downloaded_again(one: Machine) -> None:
    one.serve("JP", tagged(japan(), '"one"'))
    one.ok("refresh")
    [entry] = one.ok("refresh", "--json").json["lists"]
    assert entry["state"] == "unchanged"
    assert entry["parts"][0]["etag"] == '"one"'
    assert one.server.requests[-1].headers["if-none-match"] == '"one"'


def test_what_is_unchanged_is_not_written_again(one: Machine) -> None:
    one.serve("JP", tagged(japan(), '"one"'))
    one.ok("refresh")
    directory = one.state / "lists"
    files = [*directory.glob("*.list"), *directory.glob("*.versions")]
    before = {path: path.stat().st_ino for path in files}
    times = [one.ok("refresh", "--json").json["lists"][0]["checked_at"] for _ in range(3)]
    assert times == sorted(set(times))
    assert {path: path.stat().st_ino for path in files} == before
    assert len(before) == 2
    [listed] = one.ok("status", "--json").json["lists"]
    assert listed["checked_at"] == times[-1]
    # The next version has the time until which the one before it was in force.
    one.serve("JP", japan_later())
    one.ok("refresh")
    history = VersionStore(one.state).load(ListId(ListKind.COUNTRY, "JP"))
    assert history.versions[0].confirmed_at.isoformat() == times[-1]


def test_apply_takes_the_lists_at_hand(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.ok("remove")
    asked = len(fresh.server.requests)

    fresh.ok("apply")

    assert len(fresh.server.requests) == asked
    assert fresh.ok("status", "--json").json["drift_facts"] == []


def test_apply_without_lists_names_the_remedy(one: Machine) -> None:
    done = one.run("apply")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "geofence: These lists have not been downloaded yet: country JP. "
        "Run 'geofence refresh' with Internet access. The fence is unchanged.\n"
    )


def test_a_first_refresh_that_fails_makes_no_fence_and_says_why(fresh: Machine) -> None:
    fresh.serve("JP", status(403))
    nothing = fresh.fence()

    done = fresh.run("refresh")

    assert (done.code, done.out) == (1, "")
    assert "country JP" in done.err
    assert "403 (Forbidden)" in done.err
    assert fresh.fence() == nothing
    assert fresh.run("status").code == 1


def test_status_names_drift_and_apply_repairs_it(fresh: Machine) -> None:
    fresh.ok("refresh")
    whole = fresh.observe()
    for what in ("a set emptied", "a chain emptied"):
        fresh.tool(*damage(fresh.backend)[what].split())

    seen = fresh.run("status", "--json")
    assert seen.code == 6
    facts = seen.json["drift_facts"]
    [content] = [each for each in facts if each["kind"] == DriftKind.SET_CONTENT]
    assert content["subject"] == "allow4"
    assert (content["prefixes_missing"], content["prefixes_extra"]) == (18, 0)
    assert DriftKind.RULE_MISSING in {each["kind"] for each in facts}

    [repaired] = fresh.ok("apply", "--json").json["sets"]
    assert (repaired["set"], repaired["addresses_added"]) == ("allow4", 184_483_840)
    assert fresh.observe().sets == whole.sets
    assert fresh.run("status").code == 0


def test_json_of_status_has_all_facts(settled: Machine) -> None:
    told = settled.ok("status", "--json").json
    assert told["fenced"] is True
    assert (told["generation"], told["reason"]) == (1, "refresh")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", told["applied_at"])
    assert [(each["service"], each["ports"]) for each in told["services"]] == [
        ("sip", ["5060/udp", "5060-5061/tcp"]),
        ("rtp", ["10000-20000/udp"]),
    ]
    assert told["sets"]["allow4"] == 18
    assert told["exceptions"] == ["home"]
    [entry] = told["lists"]
    assert entry["list"] == "country JP"
    assert entry["addresses"] == {"ipv4": 11 << 24, "ipv6": 1 << 109}
    assert entry["parts"][0]["url"] == settled.server.url("/jp.json")
    assert told["stale"] == told["notes"] == []


def test_remove_takes_all_of_it_and_nothing_else(fresh: Machine) -> None:
    fresh.tool("ipset", "create", "others", "hash:net")
    for program in ("iptables", "ip6tables"):
        fresh.tool(program, "-t", "mangle", "-A", "PREROUTING", "-p", "udp", "-j", "ACCEPT")
    fresh.tool("nft", "add", "table", "inet", "others")
    before = fresh.fence()
    fresh.ok("refresh")
    assert fresh.fence() != before
    files = fresh.files()

    removed = fresh.ok("remove", "--json")

    assert removed.json == {"removed": [fresh.backend]}
    assert fresh.fence() == before
    left = fresh.files()
    del left["removed"]  # that it is meant to be away: a timer is not to set it up again
    for each in (left, files):
        each.pop("counts.sqlite", None)  # what the fence had counted is added to it
    assert left == files
    assert fresh.ok("remove", "--json").json == {"removed": []}


def test_another_backend_takes_over_and_leaves_nothing(fresh: Machine) -> None:
    fresh.ok("refresh")
    other = next(name for name in BACKENDS if name != fresh.backend)

    switched = fresh.ok("--backend", other, "apply", "--json")

    assert fact(switched, NoteKind.FENCE_REPLACED)[0] == fresh.backend
    assert not fresh.observe().rules
    told = fresh.run("status", "--json")  # which is told to look for the first
    assert (told.code, told.json["fenced"]) == (6, True)
    left = [
        each["subject"] for each in told.json["drift_facts"] if each["kind"] == DriftKind.LEFTOVER
    ]
    assert left == [f"the fence of the backend {other}"]


def test_a_list_that_no_source_confirmed_for_long_is_named(one: Machine) -> None:
    one.ok("refresh")
    one.age_lists(timedelta(days=8))

    [stale] = one.ok("status", "--json").json["stale_facts"]
    assert (stale["kind"], stale["subject"]) == (NoteKind.LIST_STALE, "country JP")
    assert stale["data"]["days"] == 7
    told = one.ok("status")
    [entry] = [line for line in told.out.splitlines() if line.startswith("country JP")]
    assert "8 d ago" in entry
