"""Status tells what the fence is, not what the rules would have it be."""

from __future__ import annotations

from typing import Any

from geofence.allowed.active_exceptions import Obstacle
from geofence.apply import plan_for
from geofence.backends import registry
from geofence.model.notes import NoteKind
from geofence.plan.drift import DriftKind
from geofence.state.generations import GenerationStore
from tests.cli.facts import kinds
from tests.cli.machine import Machine
from tests.cli.world import japan
from tests.support.list_server import content


def exceptions(where: Machine) -> tuple[list[str], dict[str, str]]:
    """Return the active exceptions, and what keeps each enabled one from being active."""
    told: Any = where.run("status", "--json").json
    return told["exceptions"], {
        each["exception"]: each["kind"] for each in told["exceptions_waiting"]
    }


def test_an_exception_is_active_when_the_fence_allows_it(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.ok("allow", "office")
    assert exceptions(fresh) == (["office", "home"], {})
    assert "Active exceptions: office, home\n" in fresh.ok("status").out

    fresh.ok("rollback")
    assert exceptions(fresh) == (["home"], {"office": Obstacle.NOT_APPLIED})

    fresh.ok("apply")
    assert exceptions(fresh) == (["office", "home"], {})


def test_a_disabled_exception_is_active_as_long_as_the_fence_allows_it(
    one: Machine,
) -> None:
    one.ok("refresh")
    one.ok("allow", "office")
    one.ok("revoke", "office")
    assert exceptions(one) == (["home"], {})

    one.ok("rollback")
    told = one.ok("status", "--json").json
    assert told["exceptions"] == ["office", "home"]
    assert "office" in told["exceptions_off"]


def test_an_exception_without_addresses_is_inactive(one: Machine) -> None:
    one.ok("refresh")
    one.rule("60-far.toml", '[exception.far]\nhosts = ["far.example"]\n')
    one.ok("apply")
    assert exceptions(one) == (["home"], {"far": Obstacle.UNRESOLVED})


def test_exceptions_are_inactive_without_a_fence(one: Machine) -> None:
    one.ok("refresh")
    one.clear()
    done = one.run("status", "--json")
    assert done.code == 1
    assert done.json["exceptions"] == []
    [waiting] = done.json["exceptions_waiting"]
    assert (waiting["exception"], waiting["kind"]) == ("home", Obstacle.NO_FENCE)


def test_sets_without_rules_do_not_count_as_a_fence(fresh: Machine) -> None:
    fresh.ok("refresh")
    if fresh.backend == "ipset":
        fresh.tool("ip6tables", "-t", "mangle", "-F")
        one = fresh.run("status", "--json")
        assert (one.code, one.json["fenced"], one.json["unfenced"]) == (1, True, ["ipv6"])
        fresh.tool("iptables", "-t", "mangle", "-F")
    else:
        fresh.tool("nft", "flush", "table", "inet", "geofence")

    done = fresh.run("status", "--json")
    assert (done.code, done.json["fenced"]) == (1, False)
    assert done.json["unfenced"] == ["ipv4", "ipv6"]
    assert exceptions(fresh) == ([], {"home": Obstacle.NO_FENCE})

    fresh.ok("refresh")
    whole = fresh.ok("status", "--json").json
    assert (whole["fenced"], whole["unfenced"]) == (True, [])


def test_a_fence_that_no_generation_records_is_read_from_the_kernel(one: Machine) -> None:
    one.ok("refresh")
    for path in one.generations():
        path.unlink()
    assert exceptions(one) == (["home"], {})


def test_a_fence_without_services_is_reported(fresh: Machine) -> None:
    disabled = "[service.sip]\nenabled = false\n[service.rtp]\nenabled = false\n"
    path = fresh.rule("60-none.toml", disabled)
    fresh.ok("refresh")

    done = fresh.ok("status")
    assert done.out.startswith("The fence is up as applied, but it fences NO SERVICE.\n")
    told = fresh.ok("status", "--json")
    assert (told.json["fenced"], told.json["services"]) == (True, [])
    assert kinds(told) == [NoteKind.NO_SERVICE_ENABLED]
    assert exceptions(fresh) == ([], {"home": Obstacle.NO_SERVICE})

    path.unlink()
    assert kinds(fresh.ok("status", "--json")) == [NoteKind.NO_SERVICE_APPLIED]
    fresh.ok("refresh")
    assert kinds(fresh.ok("status", "--json")) == []


def test_no_secret_of_a_url_is_shown(one: Machine) -> None:
    where = f"127.0.0.1:{one.server.port}/{{cc}}.json?token=SECRET"
    one.rule("60-token.toml", f'[source.country]\nurls = ["http://{where}"]\n')
    one.server.on("/jp.json?token=SECRET", content(japan()))
    commands = [("plan", "--full"), ("plan", "--json"), ("refresh",), ("refresh", "--json")]
    commands += [("status", "--full"), ("status", "--json"), ("history", "--json")]
    said = [one.ok(*command).said for command in commands]
    assert not [each for each in said if "SECRET" in each]
    shown = f"http://127.0.0.1:{one.server.port}/jp.json?…"
    assert [shown in each for each in said] == [True, True, False, True, True, True, False]


def test_trusted_interfaces_are_listed(one: Machine) -> None:
    one.ok("refresh")
    assert one.ok("status", "--json").json["interfaces"] == ["lo"]
    assert "rusted" not in one.ok("status").said

    one.rule("60-local.toml", '[local]\ninterfaces = ["lo", "tun*"]\n')
    assert one.ok("status", "--json").json["interfaces"] == ["lo"]
    one.ok("apply")
    assert one.ok("status", "--json").json["interfaces"] == ["lo", "tun*"]


def fence_with_the_other(fresh: Machine) -> str:
    """What a switch of backends that was killed leaves: another fence; its backend."""
    other = registry.load(next(name for name in registry.MODULES if name != fresh.backend))
    newest, _ = GenerationStore(fresh.state).newest()
    assert newest is not None
    with fresh.host.entered():
        other.commit(plan_for(other, newest.ruleset))
    return f"the fence of the backend {other.name}"


def test_a_second_fence_of_another_backend_is_drift(fresh: Machine) -> None:
    fresh.ok("refresh")
    left = fence_with_the_other(fresh)

    done = fresh.run("status", "--json")
    assert done.code == 6
    assert done.json["drift_facts"] == [
        {
            "kind": DriftKind.LEFTOVER,
            "subject": left,
            "prefixes_missing": 0,
            "prefixes_extra": 0,
        }
    ]
    done = fresh.run("plan", "--offline", "--exit-code")
    assert done.code == 6
    assert f"  - {left}\n" in done.out
    assert NoteKind.NOT_APPLIED_YET in kinds(fresh.ok("why", "133.1.2.3", "--json"))

    fresh.ok("apply")
    assert fresh.ok("status", "--json").json["drift_facts"] == []
    fresh.ok("plan", "--offline", "--exit-code")


def test_a_fence_of_another_backend_counts_as_a_fence(fresh: Machine) -> None:
    fresh.ok("refresh")
    fresh.clear()
    assert fresh.run("status").code == 1
    left = fence_with_the_other(fresh)
    done = fresh.run("status", "--json")
    assert (done.code, done.json["fenced"]) == (6, True)
    assert left in [each["subject"] for each in done.json["drift_facts"]]


def test_the_last_run_may_be_any_verb_that_changes_the_fence(one: Machine) -> None:
    one.ok("refresh")
    for verb in (("allow", "office"), ("revoke", "office"), ("rollback",), ("apply",)):
        one.ok(*verb)
        last = one.ok("status", "--json").json["last_run"]
        assert (last["command"], last["ending"]) == (verb[0], "done")


def test_a_private_address_with_most_connections_is_reported(one: Machine) -> None:
    one.ok("refresh")
    front = "10.0.0.1"
    for port in range(40_000, 40_012):
        one.tool(
            *("conntrack", "-I", "-p", "udp", "-s", front, "-d", "127.0.0.1"),
            *("--sport", str(port), "--dport", "5060", "-t", "300", "-u", "SEEN_REPLY,ASSURED"),
        )
    done = one.ok("status", "--json")
    assert done.json["crowd"] == {"address": front, "flows": 12, "of": 12, "share": 1.0}
    assert f"12 of 12 connections to fenced ports come from {front}" in one.ok("status").err
