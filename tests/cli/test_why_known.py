"""Why tells bans, exceptions for a time, lists with their age, and what the kernel itself finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from geofence.geoip.atlas import make_atlas
from geofence.model.notes import NoteKind
from geofence.state.atlas import StoredAtlas, save_atlas
from tests.cli.facts import fact, kinds
from tests.cli.machine import Machine
from tests.cli.test_cut import STRANGERS, Talk, talking
from tests.cli.world import FOREIGN, JAPANESE
from tests.support.name_server import NameServer, asking
from tests.support.values import space

SIP = ("--port", "5060/udp")


@pytest.fixture
def talk(fresh: Machine) -> Iterator[Talk]:
    with talking(fresh) as made:
        yield made


def verdict(where: Machine, address: str, port: str = "5060/udp") -> dict[str, object]:
    [told] = where.ok("why", address, "--port", port, "--json").json["verdicts"]
    assert isinstance(told, dict)
    return told


def hints(told: dict[str, object]) -> list[tuple[str, str]]:
    found = told["hints"]
    assert isinstance(found, list)
    return [(each["kind"], each["subject"]) for each in found]


def test_a_ban_is_told_with_its_reason_its_rest_and_its_packets(fresh: Machine, talk: Talk) -> None:
    fresh.ok("refresh")
    fresh.ok("ban", f"{STRANGERS[0]}/32", "--for", "1h", "--reason", "five failures")
    fresh.ok("ban", JAPANESE[0], "--for", "2h")
    assert talk.reaches(STRANGERS[0]) == [False]
    answer = fresh.ok("why", STRANGERS[0], *SIP, "--json").json
    [ban] = answer["bans"]
    assert (ban["prefix"], ban["reason"], ban["packets"]) == (
        f"{STRANGERS[0]}/32",
        "five failures",
        1,
    )
    assert 3_500 < ban["seconds_left"] <= 3_600
    [told] = answer["verdicts"]
    because = told["because_fact"]
    assert (because["kind"], because["subject"]) == ("banned", STRANGERS[0])
    assert because["data"]["reason"] == "five failures"
    assert told["now"]["because_fact"] == because
    assert hints(told)[0] == ("unban", STRANGERS[0])
    assert ("allow-exception", "office") in hints(told)
    assert hints(verdict(fresh, JAPANESE[0])) == [("unban", JAPANESE[0])]
    said = fresh.ok("why", STRANGERS[0], *SIP).out
    assert f"Ban of {STRANGERS[0]}: banned " in said
    assert "59 min left, 1 packet, five failures." in said
    fresh.ok("unban", JAPANESE[0])
    assert verdict(fresh, JAPANESE[0])["verdict"] == "pass"


def test_an_exception_wins_over_a_ban_of_its_network(one: Machine) -> None:
    one.ok("refresh")
    one.ok("ban", "45.88.0.0/24", "--for", "1h")
    assert verdict(one, "45.88.0.7")["verdict"] == "pass"
    assert verdict(one, "45.88.0.8")["verdict"] == "drop"
    answer = one.ok("why", "45.88.0.7", *SIP, "--json").json
    steps = answer["verdicts"][0]["now"]["steps"]
    assert (steps[0]["kind"], steps[0]["subject"], steps[0]["matched"]) == ("set", "ban4", True)
    assert (steps[-1]["subject"], steps[-1]["decides"]) == ("except4-sip", True)
    assert [each["decides"] for each in steps].count(True) == 1


def test_an_exception_for_a_time_is_told_with_its_end(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.ok("allow", FOREIGN[0], "--name", "hotel", "--for", "8h")
    told = verdict(fresh, FOREIGN[0])
    fact_of = told["because_fact"]
    assert isinstance(fact_of, dict)
    assert (fact_of["kind"], fact_of["subject"]) == ("timed-exception", "hotel")
    left = datetime.fromisoformat(fact_of["data"]["until"]) - datetime.now(UTC)
    assert timedelta(hours=7, minutes=59) < left <= timedelta(hours=8, seconds=1)
    assert hints(told) == [("revoke", "hotel")]
    assert told["verdict"] == "pass"
    fresh.ok("revoke", "hotel")
    assert verdict(fresh, FOREIGN[0])["verdict"] == "drop"


def test_an_observed_service_passes_what_it_would_drop(one: Machine) -> None:
    one.rule("60.toml", "[service.sip]\nobserve = true\n")
    one.ok("refresh")
    told = verdict(one, FOREIGN[0])
    assert (told["verdict"], told["observed"]) == ("pass", True)
    assert told["hint"] == "'geofence allow office' allows it"
    said = one.ok("why", FOREIGN[0], *SIP).out
    assert "would be dropped, but the service is only observed" in said


def test_lists_are_told_with_their_age_and_whether_they_are_used(one: Machine) -> None:
    one.ok("refresh")
    one.age_lists(timedelta(hours=5))
    answer = one.ok("why", "133.66.9.9", *SIP, "--json").json
    assert [(each["kind"], each["name"], each["used"]) for each in answer["lists"]] == [
        ("exception", "forgiven", False),
        ("blocklist", "rude", True),
        ("country", "JP", True),
    ]
    said = one.ok("why", "133.66.9.9", *SIP).out
    assert (
        "Lists with it: exception forgiven (not used), blocklist rude, country JP (5 h ago)."
        in said
    )


def test_the_world_index_tells_the_country_that_no_stored_list_has(one: Machine) -> None:
    one.ok("refresh")
    atlas = make_atlas({"US": space("8.0.0.0/8")}, datetime.now(UTC))
    save_atlas(one.state, StoredAtlas(atlas, {}))
    answer = one.ok("why", "8.8.8.8", *SIP, "--json").json
    assert answer["countries"] == []
    assert answer["country"] == {"code": "US", "name": "United States", "by": "atlas"}
    assert hints(answer["verdicts"][0]) == [("allow-address", "8.8.8.8"), ("allow-country", "US")]
    said = one.ok("why", "8.8.8.8").out
    assert said.startswith("8.8.8.8: United States (US)\n")
    assert "'geofence allow --country US' allows all of United States" in said


def test_who_was_turned_away_is_told_with_packets_and_times(fresh: Machine, talk: Talk) -> None:
    fresh.ok("refresh")
    stranger = STRANGERS[1]
    assert fresh.ok("why", stranger, "--json").json["turned_away"] == []
    assert talk.reaches(stranger) == [False]
    [noted] = fresh.ok("why", stranger, "--json").json["turned_away"]
    assert (noted["service"], noted["packets"]) == ("sip", 1)
    first, last = (datetime.fromisoformat(noted[key]) for key in ("first", "last"))
    assert datetime.now(UTC) - timedelta(minutes=2) < first <= last
    assert "sip has turned it away: 1 packet, " in fresh.ok("why", stranger).out


def test_a_set_that_others_changed_is_drift_and_repair_ends_it(fresh: Machine) -> None:
    fresh.ok("refresh")
    answer = fresh.ok("why", JAPANESE[0], *SIP, "--json").json
    found = {each["set"]: (each["in_kernel"], each["expected"]) for each in answer["kernel"]}
    assert found == {
        "ban4": (False, False),
        "timed4-sip": (False, False),
        "except4-sip": (False, False),
        "allow4": (True, True),
    }
    fresh.break_set()
    done = fresh.ok("why", JAPANESE[0], *SIP, "--json")
    assert fact(done, NoteKind.MEMBERSHIP_DRIFT) == (
        "allow4",
        {"address": JAPANESE[0], "backend": fresh.backend, "in_kernel": False},
    )
    said = fresh.ok("why", JAPANESE[0], *SIP, "--full")
    assert (
        "Drift: the kernel's set allow4 lacks 133.1.2.3. 'geofence repair' repairs it." in said.err
    )
    assert "has it" in said.out
    fresh.ok("repair")
    assert NoteKind.MEMBERSHIP_DRIFT not in kinds(fresh.ok("why", JAPANESE[0], "--json"))


def test_a_ban_that_only_the_kernel_has_or_lacks_is_drift(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.ok("ban", FOREIGN[0], "--for", "1h")
    log = fresh.state / "bans" / "log"
    recorded = log.read_bytes()
    log.unlink()
    done = fresh.ok("why", FOREIGN[0], *SIP, "--json")
    assert fact(done, NoteKind.MEMBERSHIP_DRIFT)[1]["in_kernel"] is True
    [told] = done.json["verdicts"]
    assert told["now"]["because_fact"]["subject"] == "ban4"
    fresh.clear()
    fresh.ok("restore")
    log.write_bytes(recorded)
    done = fresh.ok("why", FOREIGN[0], *SIP, "--json")
    assert fact(done, NoteKind.MEMBERSHIP_DRIFT) == (
        "ban4",
        {"address": FOREIGN[0], "backend": fresh.backend, "in_kernel": False},
    )
    fresh.ok("repair")
    assert NoteKind.MEMBERSHIP_DRIFT not in kinds(fresh.ok("why", FOREIGN[0], "--json"))


def test_steps_are_shown_for_one_port_and_for_all_if_asked(settled: Machine) -> None:
    said = settled.ok("why", FOREIGN[0], *SIP).out
    assert "steps of a packet to 5060/udp" in said
    assert said.count("yes, this decides") == 1
    assert len(said.splitlines()) <= 24
    assert "steps of a packet" not in settled.ok("why", FOREIGN[0]).out
    full = settled.ok("why", FOREIGN[0], "--full").out
    assert full.count("yes, this decides") == 2
    assert "steps of a packet to 5060/udp, 5060-5061/tcp" in full


def test_a_prefix_is_answered_for_part_by_part(one: Machine) -> None:
    one.ok("refresh")
    one.ok("ban", "133.66.8.0/25", "--for", "1h")
    answer = one.ok("why", "133.66.0.0/15", *SIP, "--json").json
    assert (answer["prefix"], answer["size"]) == ("133.66.0.0/15", 1 << 17)
    told = [
        (
            part["first"],
            part["last"],
            part["number"],
            part["verdicts"][0]["now"]["verdict"],
            part["verdicts"][0]["because_fact"]["kind"],
        )
        for part in answer["parts"]
    ]
    assert told == [
        ("133.67.0.0", "133.67.255.255", 65_536, "pass", "country"),
        ("133.66.8.128", "133.66.255.255", 65_408, "drop", "blocklist"),
        ("133.66.8.0", "133.66.8.127", 128, "drop", "banned"),
    ]
    said = one.ok("why", "133.66.0.0/15").out
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0] == "133.66.0.0/15: 131,072 IPv4 addresses"
    assert "sip 5060/udp 65,536 65,536" in lines
    assert "133.67.0.0-133.67.255.255: 65,536 IPv4 addresses, Japan (JP)" in lines
    assert len(lines) <= 24


def test_a_prefix_of_many_parts_shows_the_largest_and_counts_the_rest(settled: Machine) -> None:
    said = settled.ok("why", "0.0.0.0/0").out
    assert "more parts with" in said
    assert len(said.splitlines()) <= 24
    assert "more parts with" not in settled.ok("why", "0.0.0.0/0", "--full").out
    parts = settled.ok("why", "::/0", *SIP, "--json").json["parts"]
    assert sum(part["number"] for part in parts) == 1 << 128


def test_a_prefix_of_one_address_is_that_address(settled: Machine) -> None:
    assert settled.ok("why", f"{FOREIGN[0]}/32", "--json").json["address"] == FOREIGN[0]


@pytest.fixture
def names(one: Machine) -> Iterator[NameServer]:
    """The name server that the machine asks."""
    with asking(one) as server:
        yield server


def test_each_address_of_a_host_name_is_answered_for(one: Machine, names: NameServer) -> None:
    one.rule("60.toml", '[exception.trunk]\nhosts = ["sip.provider.net"]\n')
    names.addresses["sip.provider.net"] = ["45.90.0.1"]
    one.ok("refresh")
    names.addresses["sip.provider.net"] = ["45.90.0.1", "2a02:90::1"]
    answer = one.ok("why", "sip.provider.net", *SIP, "--json").json
    assert (answer["host"], answer["exceptions"]) == (
        "sip.provider.net",
        [{"name": "trunk", "enabled": True}],
    )
    told = [(each["address"], each["verdicts"][0]["verdict"]) for each in answer["addresses"]]
    assert told == [("45.90.0.1", "pass"), ("2a02:90::1", "drop")]
    said = one.ok("why", "SIP.provider.net.", *SIP).out
    assert said.startswith("sip.provider.net is a host name of exception trunk.\n")
    assert "\n45.90.0.1: " in said
    assert "\n2a02:90::1: " in said

    names.addresses.clear()
    done = one.ok("why", "sip.provider.net", "--json")
    assert [each["address"] for each in done.json["addresses"]] == ["45.90.0.1"]
    assert kinds(done) == [NoteKind.PROBLEM]
    failed = one.run("why", "nobody.provider.net")
    assert (failed.code, failed.out) == (1, "")
    assert "nobody.provider.net" in failed.err


def test_a_name_that_gives_a_private_address_is_refused(one: Machine, names: NameServer) -> None:
    one.ok("refresh")
    names.addresses["rebound.provider.net"] = ["192.168.1.1"]
    failed = one.run("why", "rebound.provider.net")
    assert failed.code == 1
    assert "192.168.1.1" in failed.err
