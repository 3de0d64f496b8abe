"""A fleet of three PBXs, by a real ansible-core: canaries first, rules of groups, one table."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.world import FOREIGN, JAPANESE
from tests.contrib.role.fleet import Fleet, Recap, fleet

LOCKED_OUT = {
    "geofence_rules": {"60-ssh.toml": '[service.ssh]\nports = ["22/tcp"]\n'},
    "geofence_confirm_within": 8,
}
WATCHED = {"geofence_canary_seconds": 0, "geofence_canary_interval": 1}
OTHERS = ("beta", "gamma")


MERGED = {
    **WATCHED,
    "geofence_countries": ["JP"],
    "geofence_rules": {"70-plain.toml": "[lists]\nmax_age = '9d'\n"},
    "geofence_rules__pbx": {"61-iax.toml": '[service.iax]\nports = ["4569/udp"]\n'},
    "geofence_exceptions__pbx": {"branch": {"prefixes": ["45.9.0.0/16"]}},
    "geofence_batch": 2,
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet(tmp_path_factory.mktemp("fleet")) as made:
        yield made


def others(three: Fleet) -> dict[str, tuple[object, ...]]:
    return {name: three.member(name).state() for name in OTHERS}


def assert_untouched(three: Fleet, before: dict[str, tuple[object, ...]], played: Recap) -> None:
    assert played.code != 0, played.said
    assert others(three) == before
    for name in OTHERS:
        told = played.of(name)
        assert told is None or told["changed"] == 0, played.said


def test_a_canary_that_cannot_be_reached_leaves_all_others_alone(three: Fleet) -> None:
    before = others(three)
    lost = {"alpha": {"ansible_port": 23}}
    played = three.play("rollout.yml", every=WATCHED, hosts=lost)
    told = played.of("alpha")
    assert told is not None
    assert told["unreachable"] == 1
    assert_untouched(three, before, played)


def test_without_its_canary_nothing_is_done(three: Fleet) -> None:
    before = others(three)
    played = three.play("rollout.yml", "--limit", "!alpha", every=WATCHED)
    assert "these canaries were not seen to be healthy in this run: alpha" in played.text
    assert_untouched(three, before, played)


def test_rules_of_groups_and_hosts_are_merged_once_the_canary_is_healthy(three: Fleet) -> None:
    beta = {
        "geofence_rules__beta": {"62-web.toml": '[service.web]\nports = ["443/tcp"]\n'},
        "geofence_exceptions__beta": {"desk": {"prefixes": ["45.88.3.0/24"]}},
    }
    played = three.play("rollout.yml", every=MERGED, hosts={"beta": beta})
    assert played.code == 0, played.said
    usual = {"iax", "rtp", "sip"}
    assert services(three) == {"alpha": usual, "beta": usual | {"web"}, "gamma": usual}
    for each in three.members:
        assert each.machine.gets_in(*JAPANESE, *FOREIGN) == [True, True, True, False]
    assert three.member("beta").machine.gets_in("45.88.3.1") == [True]
    assert three.member("gamma").machine.gets_in("45.88.3.1") == [False]


def services(three: Fleet) -> dict[str, set[str]]:
    return {
        each.name: {s["service"] for s in each.machine.ok("status", "--json").json["services"]}
        for each in three.members
    }


def test_a_canary_that_locks_the_controller_out_takes_it_back_and_ends_the_rollout(
    three: Fleet,
) -> None:
    before, alpha = others(three), three.member("alpha")
    was = alpha.machine.observe(), alpha.state()[0]
    played = three.play("rollout.yml", every={**MERGED, **LOCKED_OUT})
    assert "the host took it back: generation" in played.text
    assert "timed out waiting for ping module test" in played.text
    assert_untouched(three, before, played)
    now = alpha.machine.observe()
    assert (now.sets, now.rules, now.debris, alpha.state()[0]) == (
        was[0].sets,
        was[0].rules,
        was[0].debris,
        was[1],
    )
    status = alpha.machine.ok("status", "--json").json
    assert status["probation"] is None
    assert "was not confirmed" in status["last_run"]["message"]


def test_a_canary_that_does_not_stay_healthy_ends_the_rollout(three: Fleet) -> None:
    before = others(three)
    fewer = {**MERGED, "geofence_rules__pbx": {}, "geofence_canary_health": ["open"]}
    played = three.play("rollout.yml", every=fewer)
    assert "failed: [alpha] (item=look 1)" in played.text
    assert_untouched(three, before, played)
    assert services(three)["alpha"] == {"rtp", "sip"}  # its own change was confirmed before
    rules = three.member("alpha").state()[0]
    assert isinstance(rules, dict)
    assert "61-iax.toml" not in rules  # of the role, and no longer in the variables
    assert "50-test.toml" in rules  # of somebody else


def test_two_groups_with_one_name_are_told_apart_or_refused(three: Fleet) -> None:
    before = three.member("alpha").state()
    twice = {
        "geofence_rules__a": {"61-iax.toml": "[lists]\nmax_age = '9d'\n"},
        "geofence_rules__b": {"61-iax.toml": "[lists]\nmax_age = '8d'\n"},
    }
    played = three.play("rollout.yml", "--limit", "alpha", every={**WATCHED, **twice})
    assert "Several variables geofence_rules__… have 61-iax.toml." in played.text
    assert three.member("alpha").state() == before


def test_one_table_of_all_hosts_with_the_worst_first(three: Fleet) -> None:
    three.member("alpha").machine.ok("refresh")
    three.member("gamma").machine.clear()
    file = three.directory / "table.json"
    lost = {"beta": {"ansible_port": 23}}
    played = three.play("status.yml", "-e", f"geofence_table={file}", hosts=lost)
    assert played.code != 0
    rows = json.loads(file.read_text("utf-8"))
    assert [(each["host"], each["verdict"]) for each in rows] == [
        ("beta", "unreachable"),
        ("gamma", "open"),
        ("alpha", "well"),
    ]
    alpha = rows[-1]
    assert (alpha["problems"], alpha["dropped"]) == ([], 0)
    assert alpha["generation"] > 0
    assert alpha["lists_checked_at"]
    assert "beta, gamma: see the table" in played.text
    assert "The same /etc/machine-id" in played.text
