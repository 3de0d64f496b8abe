"""What a snapshot takes from a cache, and what it must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from geofence.apply import plan_for
from geofence.backends import registry
from geofence.cli.views.lists import list_json
from geofence.host.namespace import network_namespace
from geofence.lab.host import Host
from geofence.model.policy import BackendChoice
from geofence.operations.facts import Facts
from geofence.operations.history import HistoryEntry, history, latest_changes
from geofence.operations.site import Site
from geofence.operations.snapshot import Health, snapshot
from geofence.operations.status import StatusReport, status
from geofence.plan.drift import DriftKind
from geofence.state.cache import NAME, FactCache
from tests.cli.machine import BACKENDS, Machine, machine


@pytest.fixture(params=BACKENDS)
def fenced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose fence is up, and at which a snapshot was taken."""
    with machine(tmp_path, request.param) as made:
        made.ok("refresh")
        seen(made)
        yield made


def site_of(made: Machine) -> Site:
    return Site(made.rules, made.state, backend=BackendChoice(made.backend))


def seen(made: Machine) -> StatusReport:
    """What a snapshot says of the fence."""
    with made.host.entered():
        return snapshot(site_of(made)).status


def comparable(report: StatusReport) -> StatusReport:
    """A report without what may differ between one from a cache and another."""
    return replace(report, compared_at=None, unchanged_since=False, lists=())


def test_an_unchanged_kernel_is_not_read_again(fenced: Machine) -> None:
    first, second = seen(fenced), seen(fenced)
    assert first.unchanged_since
    assert second.unchanged_since
    assert second.compared_at == first.compared_at
    with fenced.host.entered():
        whole = status(site_of(fenced))
    assert not whole.unchanged_since
    assert comparable(second) == comparable(whole)
    assert [*map(list_json, second.lists)] == [*map(list_json, whole.lists)] != []


def test_a_change_by_another_program_is_seen(fenced: Machine) -> None:
    fenced.break_set()
    told = seen(fenced)
    assert not told.unchanged_since
    assert DriftKind.SET_CONTENT in {each.kind for each in told.drift}
    assert not seen(fenced).unchanged_since, "what differs is compared each time"


def test_an_entry_in_another_ones_place_is_seen(fenced: Machine) -> None:
    if fenced.backend == "ipset":
        entries = fenced.tool("ipset", "list", "geofence-allow4").splitlines()
        entry = next(line for line in reversed(entries) if line[:1].isdigit())
        fenced.tool("ipset", "del", "geofence-allow4", entry)
        fenced.tool("ipset", "add", "geofence-allow4", "203.0.113.0/24")
    else:
        name = f"inet geofence {set_name(fenced)}"
        fenced.tool("nft", "flush", "set", *name.split())
        fenced.tool("nft", f"add element {name} {{ 203.0.113.0/24 }}")
    assert seen(fenced).drift


def set_name(made: Machine) -> str:
    lines = made.tool("nft", "list", "table", "inet", "geofence").splitlines()
    return next(line.split()[1] for line in lines if line.startswith("\tset allow4"))


def test_a_rule_that_another_program_removed_is_seen(fenced: Machine) -> None:
    if fenced.backend == "ipset":
        fenced.tool("iptables", "-t", "mangle", "-D", "PREROUTING", "1")
    else:
        fenced.tool("nft", "flush", "chain", "inet", "geofence", "input")
    assert seen(fenced).drift


def test_a_fence_that_another_program_took_down_is_no_fence(fenced: Machine) -> None:
    fenced.clear()
    with fenced.host.entered():
        assert snapshot(site_of(fenced)).health is Health.OPEN


def test_a_fence_of_the_other_backend_beside_it_is_seen(fenced: Machine) -> None:
    other = registry.load(next(name for name in BACKENDS if name != fenced.backend))
    generation, _ = site_of(fenced).generations.newest()
    assert generation is not None
    with fenced.host.entered():
        other.commit(plan_for(other, generation.ruleset))
    assert [each.kind for each in seen(fenced).drift] == [DriftKind.LEFTOVER]


def test_packets_and_bans_are_no_change_of_the_fence(fenced: Machine) -> None:
    fenced.ok("ban", "20.1.2.3", "--for", "1h")
    told = seen(fenced)
    assert not told.drift
    assert seen(fenced).unchanged_since


def test_edited_rules_are_seen(fenced: Machine) -> None:
    assert seen(fenced).rules_edited is False
    fenced.rule(
        "60-more.toml", '[exception.more]\nprefixes = ["198.51.100.0/24"]\nenabled = true\n'
    )
    assert seen(fenced).rules_edited is True
    (fenced.rules / "60-more.toml").unlink()
    assert seen(fenced).rules_edited is False


def test_a_new_list_is_seen(fenced: Machine) -> None:
    before = {each.id: each.checked_at for each in seen(fenced).lists}
    fenced.age_lists(timedelta(days=9))
    told = seen(fenced)
    assert {each.id: each.checked_at for each in told.lists} != before
    assert told.stale


def test_a_new_generation_is_compared_anew(fenced: Machine) -> None:
    fenced.ok("allow", "office")
    told = seen(fenced)
    assert told.generation == 2
    assert not told.drift
    assert seen(fenced).unchanged_since


def test_another_namespace_is_not_taken_for_the_one_that_was_compared(fenced: Machine) -> None:
    with Host("another") as other, other.entered():
        assert snapshot(site_of(fenced)).health is Health.OPEN
        assert network_namespace() is not None
        inside = network_namespace()
    with fenced.host.entered():
        assert network_namespace() != inside
    assert seen(fenced).unchanged_since


def test_the_latest_changes_are_those_of_the_history(fenced: Machine) -> None:
    fenced.ok("allow", "office")
    fenced.ok("revoke", "office")
    site = site_of(fenced)
    whole = [replace(e, lists=None) for e in history(site) if isinstance(e, HistoryEntry)]
    for _ in range(2):
        cache = FactCache(fenced.state)
        assert latest_changes(site, 2, cache) == whole[:2]
        cache.save()
    assert latest_changes(site, 9, FactCache(fenced.state)) == whole


def test_a_damaged_generation_is_told_and_what_is_beside_it_is_right(fenced: Machine) -> None:
    fenced.ok("allow", "office")
    fenced.ok("revoke", "office")
    site = site_of(fenced)
    seen(fenced)
    fenced.generations()[1].write_bytes(b"damaged")
    told = latest_changes(site, 9, FactCache(fenced.state))
    whole = [replace(e, lists=None) if isinstance(e, HistoryEntry) else e for e in history(site)]
    assert told == whole
    assert not isinstance(told[1], HistoryEntry)


def test_the_cache_may_be_lost_or_be_somebody_elses(fenced: Machine) -> None:
    first = seen(fenced)
    (fenced.state / NAME).write_bytes(b"nonsense")
    assert comparable(seen(fenced)) == comparable(first)
    (fenced.state / NAME).unlink()
    assert not seen(fenced).unchanged_since


def test_without_a_cache_everything_is_found_out(fenced: Machine) -> None:
    with fenced.host.entered():
        site = site_of(fenced)
        facts = Facts(site)
        generation, _ = facts.newest
        assert generation is not None
        found = facts.compared(site.choose_again(generation).backend, generation)
    assert not found.is_earlier
    assert found.drift == ()
