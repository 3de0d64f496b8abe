"""Restore brings the last good fence back, whatever of the rest is there."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from geofence.model.chosen import ChosenBy
from geofence.model.notes import Instead, NoteKind
from geofence.model.policy import BackendChoice
from geofence.model.prefixes import Family
from geofence.operations.restore import restore
from geofence.operations.site import Site
from tests.cli.facts import fact, instead, kinds
from tests.cli.machine import BACKENDS, Machine, machine
from tests.cli.world import COME, FOREIGN, GONE, JAPANESE, LANS, japan_later

HOME = "45.88.0.7"
READ_ONLY = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"',
)
WITHOUT_IPTABLES = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind /dev/null "$(readlink -f /usr/sbin/iptables)" && exec "$0" "$@"',
)


@pytest.fixture(scope="module", params=BACKENDS)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine that has recorded two generations."""
    with machine(tmp_path_factory.mktemp("recorded"), request.param) as made:
        made.ok("refresh")
        made.serve("JP", japan_later())
        made.ok("refresh")
        assert len(made.generations()) == 2
        yield made


@pytest.fixture
def booted(recorded: Machine, tmp_path: Path) -> Iterator[Machine]:
    """The same after a boot: no fence, no network, and a state directory to spoil."""
    recorded.clear()
    recorded.tool("ip", "link", "set", "lo", "down")
    whole = tmp_path / "whole"
    shutil.copytree(recorded.state, whole)
    yield recorded
    for state in (recorded.state, recorded.directory / "rules"):
        shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(whole, recorded.state)
    recorded.write_rules()
    recorded.tool("ip", "link", "set", "lo", "up")


def end(number: int) -> None:
    """Kill a process, and wait for it to be gone."""
    descriptor = os.pidfd_open(number)
    os.kill(number, signal.SIGKILL)
    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)


def spoil(*paths: Path) -> None:
    """Change one byte in the middle of each."""
    for path in paths:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)


def test_the_fence_comes_back_without_network_lists_or_rules(booted: Machine) -> None:
    shutil.rmtree(booted.state / "lists")
    booted.rule("60-wrong.toml", "[alow\n")
    asked = len(booted.server.requests)

    done = booted.ok("restore", "--json").json

    assert (done["changed"], done["generation"]) == (True, 2)
    assert (done["fenced"], done["unfenced"]) == (True, [])
    assert booted.gets_in(GONE, COME, *JAPANESE, *FOREIGN, HOME) == [
        *(False, True, True, True),
        *(False, False, True),
    ]
    assert len(booted.server.requests) == asked
    assert booted.ok("restore", "--json").json["changed"] is False


def test_the_reason_for_the_backend_is_shown(booted: Machine) -> None:
    named = booted.backend
    booted.environment["GEOFENCE_BACKEND"] = ""
    try:
        recorded = booted.ok("restore", "--json").json
        asked = booted.ok("--backend", named, "restore", "--json").json
    finally:
        del booted.environment["GEOFENCE_BACKEND"]
    assert (recorded["backend_name"], asked["backend_name"]) == (named, named)
    assert recorded["backend_reason"]["kind"] == ChosenBy.GENERATION
    assert recorded["backend_reason"]["generation"] == 2
    assert asked["backend_reason"]["kind"] == ChosenBy.OPTION


def test_a_damaged_generation_is_named_and_the_one_before_it_restored(booted: Machine) -> None:
    first, second = booted.generations()
    spoil(second)

    done = booted.run("restore", "--json")

    assert (done.code, done.json["generation"]) == (5, 1)
    assert str(second) in str(fact(done, NoteKind.PROBLEM)[1]["message"])
    assert booted.gets_in(GONE, COME) == [True, False]
    assert first.exists()


@pytest.mark.parametrize("lost", ["damaged", "gone"])
def test_without_a_usable_generation_the_fence_is_closed(booted: Machine, lost: str) -> None:
    if lost == "damaged":
        spoil(*booted.generations())
    else:
        for generation in booted.generations():
            generation.unlink()

    with booted.in_lan():
        done = booted.run("restore", "--json")

    assert (done.code, done.json["generation"]) == (5, None)
    assert done.err.count("was skipped") == (2 if lost == "damaged" else 0)
    assert instead(done) == (Instead.CLOSED, [])
    assert booted.gets_in(*JAPANESE, *FOREIGN, HOME) == [*[False] * 4, True]
    assert [booted.trusts(network) for network in LANS] == [True, True]
    assert booted.observe().rules


def test_without_a_usable_generation_the_rules_may_leave_the_host_open(booted: Machine) -> None:
    spoil(*booted.generations())
    booted.rule("60-open.toml", '[boot]\nwithout_ruleset = "open"\n')

    done = booted.run("restore", "--json")

    assert done.code == 5
    assert (done.json["fenced"], done.json["unfenced"]) == (False, ["ipv4", "ipv6"])
    assert instead(done) == (Instead.OPEN, ["ipv4", "ipv6"])
    assert not booted.observe().rules
    assert not booted.observe().sets


def test_without_a_usable_generation_a_fence_in_the_kernel_is_kept(booted: Machine) -> None:
    """As when the state directory is lost under a running daemon, which restores all the time."""
    booted.ok("restore")
    before = booted.fence()
    shutil.rmtree(booted.state / "generations")

    done = booted.run("restore", "--json")

    assert done.code == 5
    assert instead(done) == (Instead.KEPT, [])
    assert booted.fence() == before


def test_without_a_usable_generation_the_shipped_rules_replace_wrong_ones(booted: Machine) -> None:
    spoil(*booted.generations())
    booted.rule("60-wrong.toml", "[alow]\n")

    with booted.in_lan():
        done = booted.run("restore", "--json")

    assert done.code == 5
    assert "60-wrong.toml:1" in str(fact(done, NoteKind.SHIPPED_RULES)[1]["message"])
    assert booted.gets_in(*JAPANESE) == [False] * len(JAPANESE)
    assert booted.trusts(LANS[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_nothing_was_applied_restore_changes_nothing(tmp_path: Path, backend: str) -> None:
    """The boot unit may be enabled before the first refresh, or after one that a guard refused."""
    with machine(tmp_path, backend) as bare:
        for made in ("nothing", "lists"):
            if made == "lists":
                bare.serve("JP", b'{"countryCode": "JP"')
                assert bare.run("refresh").code != 0
                assert bare.state.is_dir()
            done = bare.run("restore", "--json")

            assert (done.code, done.json["unfenced"]) == (5, ["ipv4", "ipv6"])
            assert kinds(done) == [NoteKind.NOTHING_APPLIED]
            assert fact(done, NoteKind.NOTHING_APPLIED)[0] == str(bare.state)
            assert not bare.observe().sets


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reboot_before_confirm_brings_the_previous_fence_back(
    tmp_path: Path, backend: str
) -> None:
    """A container keeps the boot id of its host; but what was to undo it is gone."""
    with machine(tmp_path, backend) as made:
        made.ok("refresh")
        made.rule("70-mine.toml", "[allow]\ncountries = []\n")
        made.ok("apply", "--confirm-within", "5m", "--accept", "shut-out")
        waiting = json.loads((made.state / "probation.json").read_text(encoding="utf-8"))
        made.clear()
        assert made.ok("restore", "--json").json["generation"] == 2, "the watchman still waits"
        made.clear()
        end(int(waiting["watchman"].split()[0]))

        done = made.run("restore", "--json")

        assert (done.json["changed"], done.json["generation"]) == (True, 1)
        assert made.gets_in(*JAPANESE) == [True, True]
        assert not (made.state / "probation.json").exists()
        assert made.run("restore", "--json").json["generation"] == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_previous_fence_with_a_lost_record_ends_in_a_closed_one(
    tmp_path: Path, backend: str
) -> None:
    with machine(tmp_path, backend) as made:
        made.ok("refresh")
        made.rule("70-mine.toml", "[allow]\ncountries = []\n")
        made.ok("apply", "--confirm-within", "5m", "--accept", "shut-out")
        waiting = json.loads((made.state / "probation.json").read_text(encoding="utf-8"))
        end(int(waiting["watchman"].split()[0]))
        for generation in (made.state / "generations").glob("*1.generation"):
            generation.unlink()
        made.clear()

        done = made.run("restore", "--json")

        assert NoteKind.UNCONFIRMED in kinds(done)
        assert made.gets_in(*JAPANESE) == [False, False]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_unconfirmed_first_fence_is_removed(tmp_path: Path, backend: str) -> None:
    with machine(tmp_path, backend) as made:
        made.run("plan")
        made.ok("refresh")
        made.ok("remove")
        for generation in (made.state / "generations").iterdir():
            generation.unlink()
        made.ok("apply", "--confirm-within", "5m")
        waiting = json.loads((made.state / "probation.json").read_text(encoding="utf-8"))
        end(int(waiting["watchman"].split()[0]))
        made.clear()

        assert NoteKind.NOTHING_APPLIED in kinds(made.run("restore", "--json"))
        assert not made.observe().sets


def test_the_fence_is_restored_though_the_state_directory_cannot_be_locked(
    booted: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS without a lock daemon."""
    monkeypatch.setattr(fcntl, "flock", _no_locks)
    site = Site(booted.rules, booted.state, BackendChoice(booted.backend))

    with booted.host.entered():
        report = restore(site)

    assert (report.generation, report.degraded) == (2, True)
    [said] = report.notes
    assert (said.kind, "No locks available" in str(said.data["message"])) == (
        NoteKind.PROBLEM,
        True,
    )
    assert booted.gets_in(GONE, COME) == [False, True]


def _no_locks(_descriptor: int, _operation: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_the_fence_is_restored_from_a_read_only_disk(booted: Machine) -> None:
    before = booted.files()
    booted.wrapper = (*READ_ONLY, str(booted.state))
    try:
        done = booted.run("restore", "--json")
    finally:
        booted.wrapper = ()
    assert (done.code, done.json["changed"], done.json["generation"]) == (0, True, 2)
    assert booted.gets_in(COME) == [True]
    assert booted.files() == before


def test_a_refresh_on_a_disk_that_cannot_be_written_to_leaves_the_fence(booted: Machine) -> None:
    booted.ok("restore")
    fence = booted.fence()
    booted.tool("ip", "link", "set", "lo", "up")
    booted.wrapper = (*READ_ONLY, str(booted.state))
    try:
        done = booted.run("refresh")
    finally:
        booted.wrapper = ()
    assert done.code == 1
    assert "Read-only file system. Make the file system writable" in done.err
    assert booted.fence() == fence


def test_where_its_backend_no_longer_works_another_one_takes_the_fence(tmp_path: Path) -> None:
    with machine(tmp_path, "ipset") as made:
        made.ok("refresh")
        made.clear()
        made.environment["GEOFENCE_BACKEND"] = "auto"
        made.wrapper = WITHOUT_IPTABLES

        done = made.ok("restore", "--json")

        assert done.json["backend_name"] == "nftables"
        assert done.json["backend_reason"]["kind"] == ChosenBy.AUTOMATIC
        assert "iptables" in str(done.json["backend_reason"]["against"])
        assert "table inet geofence\n" in made.tool("nft", "list", "tables")


def test_a_standing_fence_without_a_generation_is_made_whole_around_its_sets(
    booted: Machine,
) -> None:
    booted.ok("restore")
    whole = booted.observe()
    spoil(*booted.generations())
    if booted.backend == "ipset":
        booted.tool("iptables", "-t", "mangle", "-F", "PREROUTING")
    else:
        booted.tool("nft", "flush", "chain", "inet", "geofence", "fence-sip")
    assert booted.observe().rules != whole.rules

    done = booted.run("restore", "--json")

    assert done.code == 5
    assert instead(done) == (Instead.COMPLETED, [])
    assert (booted.observe().rules, booted.observe().sets) == (whole.rules, whole.sets)
    assert instead(booted.run("restore", "--json")) == (Instead.KEPT, [])
    status = booted.run("status", "--json")
    assert (status.code, status.json["fenced"], status.json["generation"]) == (6, True, None)


def flush(booted: Machine) -> None:
    """Take the rules by which packets enter, and leave what they led to."""
    if booted.backend == "ipset":
        booted.tool("iptables", "-t", "mangle", "-F")
        booted.tool("ip6tables", "-t", "mangle", "-F")
    else:
        booted.tool("nft", "flush", "table", "inet", "geofence")


def test_a_fence_that_no_packet_enters_any_more_is_made_whole_around_its_sets(
    booted: Machine,
) -> None:
    booted.ok("restore")
    whole = booted.observe()
    spoil(*booted.generations())
    flush(booted)
    assert booted.observe().rules
    assert not booted.observe().fenced

    done = booted.run("restore", "--json")

    assert done.code == 5
    assert instead(done) == (Instead.RESTORED, [])
    assert (booted.observe().rules, booted.observe().sets) == (whole.rules, whole.sets)


def assert_restore_closes(where: Machine) -> None:
    """Without a generation, and with rules that no longer fit the sets."""
    shutil.rmtree(where.state / "generations")
    where.rule("60-iax.toml", '[service.iax]\nports = ["4569/udp"]\n')

    done = where.run("restore", "--json")

    assert done.code == 5
    assert instead(done) == (Instead.CLOSED, [])
    assert where.observe().fenced == set(Family)
    assert where.gets_in(*JAPANESE, *FOREIGN, HOME) == [*(False, False, False, False), True]


def test_a_fence_that_packets_pass_by_and_the_rules_do_not_know_is_closed(booted: Machine) -> None:
    booted.ok("restore")
    flush(booted)
    assert_restore_closes(booted)


@pytest.mark.parametrize("tool", ["iptables", "ip6tables"])
def test_a_fence_of_one_family_that_the_rules_do_not_know_is_closed(
    tmp_path: Path, tool: str
) -> None:
    with machine(tmp_path, "ipset") as made:
        made.ok("refresh")
        made.tool(tool, "-t", "mangle", "-F")
        assert len(made.observe().fenced) == 1
        assert_restore_closes(made)


def test_with_the_rule_open_families_without_a_fence_are_named(booted: Machine) -> None:
    booted.ok("restore")
    shutil.rmtree(booted.state / "generations")
    booted.rule("60-open.toml", '[boot]\nwithout_ruleset = "open"\n')
    booted.rule("60-iax.toml", '[service.iax]\nports = ["4569/udp"]\n')
    if booted.backend == "ipset":
        booted.tool("iptables", "-t", "mangle", "-F")
    else:
        flush(booted)
    before = booted.fence()

    done = booted.run("restore", "--json")

    lost = ["ipv4"] if booted.backend == "ipset" else ["ipv4", "ipv6"]
    assert (done.code, done.json["unfenced"]) == (5, lost)
    assert instead(done) == (Instead.OPEN, lost)
    assert booted.fence() == before
