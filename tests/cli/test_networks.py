"""Local networks as the command line shows, renews and explains them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.model.notes import NoteKind
from geofence.model.reasons import HintKind, ReasonKind
from tests.cli.facts import fact
from tests.cli.machine import BACKENDS, Machine, machine
from tests.cli.world import LANS

LAN = "192.168.7.0/24@lan"


@pytest.fixture(params=BACKENDS)
def fenced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A fenced machine without a LAN, for every backend in turn."""
    with machine(tmp_path, request.param) as made:
        made.ok("refresh")
        yield made


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[Machine]:
    """A fenced machine in a LAN."""
    with machine(tmp_path) as made:
        made.join_lan()
        made.ok("refresh")
        yield made


def networks(where: Machine) -> list[str]:
    found = where.ok("status", "--json").json["local_networks"]
    assert isinstance(found, list)
    return found


def test_repair_trusts_networks_where_they_are_now(fenced: Machine) -> None:
    made = fenced.generations()
    fenced.rule("60-edited.toml", "exception.home.enabled = false\n")
    fenced.join_lan()
    assert fenced.ok("restore", "--json").json["changed"] is False
    assert not fenced.trusts(LANS[0])
    done = fenced.ok("repair", "--json")
    _, allowed = fact(done, NoteKind.LOCAL_NETWORKS_ALLOWED)
    assert allowed["networks"] == [LAN, "fd00:99::/64@lan"]
    assert [fenced.trusts(network) for network in LANS] == [True, True]
    assert fenced.gets_in("45.88.0.7") == [True]  # what else was edited waits for an apply
    assert networks(fenced) == [LAN, "fd00:99::/64@lan"]
    assert fenced.generations() == made
    assert fenced.ok("repair", "--json").json["changed"] is False

    fenced.clear()
    fenced.ok("restore")
    assert [fenced.trusts(network) for network in LANS] == [True, True]


def test_rules_that_do_not_load_leave_the_networks_and_restore_the_rest(fenced: Machine) -> None:
    wrong = fenced.rule("60-wrong.toml", "[alow]\n")
    fenced.clear()
    done = fenced.run("repair", "--json")
    assert done.code == 5
    _, kept = fact(done, NoteKind.LOCAL_NETWORKS_KEPT)
    assert str(kept["message"]).startswith(f"{wrong}:1: ")
    assert fenced.observe().rules


def test_plan_and_apply_renew_local_networks_and_history_shows_them(at_home: Machine) -> None:
    assert networks(at_home) == [LAN, "fd00:99::/64@lan"]
    assert "192.168.7.0/24@lan, fd00:99::/64@lan" in at_home.ok("status").out
    at_home.tool("ip", "address", "delete", "192.168.7.2/24", "dev", "lan")
    told = at_home.ok("plan", "--offline", "--json").json
    assert told["local_networks"] == ["fd00:99::/64@lan"]
    assert told["changes"]
    at_home.ok("apply")
    (newest, _) = at_home.ok("history", "--json").json
    assert newest["local_networks"] == {"added": [], "removed": [LAN]}
    assert f"local networks -{LAN}" in " ".join(at_home.ok("history").out.split())


def test_a_rollback_does_not_bring_back_networks_that_are_gone(at_home: Machine) -> None:
    at_home.rule("60-edited.toml", "exception.home.enabled = false\n")
    at_home.ok("apply")
    at_home.tool("ip", "address", "delete", "192.168.7.2/24", "dev", "lan")
    at_home.ok("rollback")
    assert at_home.gets_in("45.88.0.7") == [True]
    assert networks(at_home) == ["fd00:99::/64@lan"]


def test_a_network_may_be_trusted_on_an_interface_that_is_not_there(at_home: Machine) -> None:
    at_home.rule(
        "60-local.toml",
        '[local]\nprefixes = ["192.168.9.0/24@eth9"]\nlink_local = ["lan"]\n',
    )
    at_home.ok("apply")
    assert networks(at_home) == ["192.168.9.0/24@eth9", "169.254.0.0/16@lan", "fe80::/10@lan"]
    assert at_home.trusts("192.168.9.0/24", "eth9")
    assert not at_home.trusts(LANS[0])


def test_why_names_the_interface_that_trusts_a_private_address(at_home: Machine) -> None:
    def why(address: str) -> tuple[bool, list[str], str, tuple[str, str]]:
        """Return whether it is local, its interfaces, the sentence's end, and the hint."""
        first, *_ = at_home.ok("why", address, "--json").json["verdicts"]
        because, hint = first["because_fact"], first["hint_fact"]
        assert because["kind"] == ReasonKind.NO_COUNTRY
        data, end = because["data"], because["text"].rpartition(", ")[2]
        return data["local"], data["interfaces"], end, (hint["kind"], hint["subject"])

    def on_an_interface(prefix: str) -> tuple[str, str]:
        return HintKind.LOCAL_PREFIX, f"{prefix}@INTERFACE"

    assert why("192.168.7.9") == (
        True,
        ["lan"],
        "allowed only from lan",
        on_an_interface("192.168.7.9/32"),
    )
    assert why("10.1.2.3") == (
        True,
        [],
        "but no interface is connected or routed to it",
        on_an_interface("10.1.2.3/32"),
    )
    nowhere = "not in an allowed country (JP)"
    assert why("fe80::7") == (False, [], nowhere, on_an_interface("fe80::7/128"))
    office = (HintKind.ALLOW_EXCEPTION, "office")
    assert why("45.9.1.1") == (False, [], nowhere, office)
