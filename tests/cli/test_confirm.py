"""What waits to be confirmed is said to wait, however the run ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.machine import Machine
from tests.cli.world import japan_later

REMINDER = "Run 'geofence confirm' within 60 s. Otherwise the previous fence is restored."


def damage_newest_list(where: Machine) -> None:
    """Leave only the one before it, which makes the next run a degraded one."""
    where.serve("JP", japan_later())
    where.ok("refresh")
    path = where.state / "lists" / "country-JP.list"
    path.write_bytes(path.read_bytes()[:-1])


def test_where_nothing_was_applied_confirm_is_refused(one: Machine) -> None:
    done = one.run("confirm")
    assert (done.code, done.out) == (2, "")
    assert not one.state.exists()


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("degraded", [False, True], ids=["done", "degraded"])
def test_a_reminder_to_confirm_comes_last(
    one: Machine, options: tuple[str, ...], *, degraded: bool
) -> None:
    one.ok("refresh")
    if degraded:
        damage_newest_list(one)
    done = one.run("apply", "--confirm-within", "60s", *options)
    assert done.code == (5 if degraded else 0)
    assert done.err.splitlines()[-1] == REMINDER
    one.ok("confirm")


def forget_what_was_applied(where: Machine) -> None:
    """And let there be a rule beside iptables' own that it cannot tell of."""
    for generation in where.generations():
        generation.unlink()
    where.tool("iptables", "-t", "mangle", "-A", "PREROUTING", "-j", "ACCEPT")
    where.tool("nft", "add", "rule", "ip", "mangle", "PREROUTING", "meta", "mark", "set", "0x1")


def test_unreadable_rules_of_others_are_not_a_fence_to_return_to(one: Machine) -> None:
    one.ok("refresh")
    one.ok("remove")
    forget_what_was_applied(one)
    one.ok("apply", "--confirm-within", "60s")
    one.ok("confirm")


def test_confirm_within_is_refused_where_the_fence_cannot_be_read(one: Machine) -> None:
    one.environment["GEOFENCE_BACKEND"] = "ipset"
    one.ok("refresh")
    one.environment.clear()
    forget_what_was_applied(one)
    before = one.fence()
    assert one.run("apply", "--confirm-within", "60s").code == 1
    assert one.fence() == before
    assert one.run("confirm").code == 2


def test_a_fence_without_packets_is_not_one_to_return_to(one: Machine) -> None:
    one.ok("refresh")
    for generation in one.generations():
        generation.unlink()
    one.tool("nft", "flush", "table", "inet", "geofence")
    one.ok("apply", "--confirm-within", "60s")
    one.ok("confirm")


def test_apply_without_it_asks_for_no_confirmation(one: Machine) -> None:
    one.ok("refresh")
    assert "confirm" not in one.ok("apply").said


def test_status_shows_a_pending_confirmation(one: Machine) -> None:
    one.ok("refresh")
    one.ok("remove")
    for generation in one.generations():
        generation.unlink()
    one.ok("apply", "--confirm-within", "60s")
    first = one.ok("status", "--json").json["probation"]
    assert (first["former"], first["over"]) == (None, False)
    assert timedelta() < datetime.fromisoformat(first["deadline"]) - datetime.now(UTC)
    one.ok("confirm")
    assert one.ok("status", "--json").json["probation"] is None
    assert "confirm" not in one.ok("status").out

    one.rule("60-iax.toml", '[service.iax]\nports = ["4569/udp"]\n')
    one.ok("apply", "--confirm-within", "60s")
    until = datetime.fromisoformat(one.ok("status", "--json").json["probation"]["deadline"])
    said = (
        f"The last change is pending: run 'geofence confirm' by {until:%H:%M:%S} UTC to keep it. "
        "Otherwise generation 2 is restored.\n"
    )
    assert said in one.ok("status").out
    facts = json.loads((one.state / "probation.json").read_text())
    (one.state / "probation.json").write_text(json.dumps({**facts, "boot": "another"}))

    assert one.ok("status", "--json").json["probation"]["over"] is True
    over = "The last change was not confirmed in time. The next run restores generation 2.\n"
    assert over in one.ok("status").out
    one.ok("restore")
    assert one.ok("status", "--json").json["probation"] is None


def test_while_a_change_waits_no_source_is_asked(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60.toml", '[blocklist.x]\nprefixes = ["133.1.0.0/16"]\n')
    one.ok("apply", "--confirm-within", "60s")
    asked = len(one.server.requests)
    assert one.run("refresh").code == 4
    assert len(one.server.requests) == asked
    one.ok("confirm")
    one.ok("refresh")
    assert len(one.server.requests) > asked


def test_a_first_refresh_can_wait_to_be_confirmed(one: Machine) -> None:
    done = one.ok("refresh", "--confirm-within", "60s", "--json")
    assert done.err.splitlines()[-1] == REMINDER
    assert one.ok("status", "--json").json["probation"]["former"] is None
    one.ok("confirm")
    assert "confirm" not in one.ok("refresh").said


def test_a_refresh_of_names_alone_cannot_wait(one: Machine) -> None:
    done = one.run("refresh", "--names-only", "--confirm-within", "60s")
    assert done.code == 2
    assert "--names-only and --confirm-within exclude each other" in done.err
