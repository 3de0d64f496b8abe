"""A host that gives geofence no room, no network, no memory or the wrong time.

Each time: the fence stands, the exit code is a documented one, and what is said names what to do.
``Machine.run`` sees to it that no traceback is shown.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from geofence.errors import ExitCode
from geofence.state.generations import encode
from geofence.state.outcomes import Ending
from tests.chaos.ground import Ground, medium_list
from tests.chaos.killing import JAPAN
from tests.chaos.places import Place, place, small_disk
from tests.cli.machine import ROOT
from tests.support.list_server import hang_up

FREE_SPACE = "No space left on device. Free some space there. Nothing was changed."
MAKE_WRITABLE = "Read-only file system. Make the file system writable"


@pytest.fixture(params=["size=1m", "nr_inodes=40"])
def full(request: pytest.FixtureRequest, fresh: Ground) -> Iterator[Place]:
    """The state directory is a disk that becomes full once the fence stands."""
    machine = fresh.machine
    with small_disk(machine.state, request.param) as made:
        assert made.run('chmod 0700 "$1"', machine.state)
        machine.wrapper = made.wrapper
        machine.ok("refresh")
        if "inodes" in request.param:
            made.fill_inodes(machine.state)
        else:
            made.fill(machine.state)
        yield made


def test_on_a_full_disk_a_refresh_leaves_the_fence_as_it_was(fresh: Ground, full: Place) -> None:
    machine = fresh.machine
    before = machine.fence()
    machine.serve("JP", medium_list(8))

    done = machine.run("refresh")

    assert done.code == ExitCode.FAILED
    assert FREE_SPACE in done.err
    assert machine.fence() == before
    fresh.assert_fenced()
    full.free(machine.state)
    machine.ok("refresh")
    machine.ok("status")


def test_on_a_full_disk_an_exception_is_allowed_with_a_warning(fresh: Ground, full: Place) -> None:
    machine = fresh.machine

    done = machine.run("allow", "lab")

    assert done.code == ExitCode.DEGRADED
    assert "applied but not recorded. A reboot, or the daemon" in done.err
    assert "Free some space there" in done.err
    assert machine.gets_in("45.77.0.1", "45.9.1.1") == [True, False]
    fresh.assert_fenced()
    full.free(machine.state)
    machine.ok("apply")
    machine.ok("status")


def test_on_a_full_disk_restore_works(fresh: Ground, full: Place) -> None:
    machine = fresh.machine
    before = fresh.fence()
    fresh.lab.pbx.run("nft", "flush", "ruleset")

    assert machine.run("restore").code == ExitCode.DONE

    assert fresh.fence() == before
    full.free(machine.state)


def test_on_a_full_disk_of_rules_allow_changes_nothing(standing: Ground) -> None:
    machine = standing.machine
    before, rules = machine.fence(), (machine.rules / "50-test.toml").read_text(encoding="utf-8")
    with small_disk(machine.rules, "size=64k") as made:
        written = 'printf %s "$2" > "$1/50-test.toml"'
        assert made.run(written, machine.rules, rules)
        made.fill(machine.rules)
        machine.wrapper = made.wrapper

        done = machine.run("allow", "lab")

        assert done.code == ExitCode.FAILED
        assert FREE_SPACE in done.err
        assert machine.fence() == before
        made.free(machine.rules)
        machine.ok("allow", "lab")
    standing.assert_fenced()


@pytest.fixture
def read_only(standing: Ground) -> Iterator[Ground]:
    """The state directory cannot be written to once the fence stands."""
    state = standing.machine.state
    with place('mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"', state) as made:
        standing.machine.wrapper = made.wrapper
        yield standing


def test_a_refresh_fails_on_a_read_only_state(read_only: Ground) -> None:
    machine = read_only.machine
    before, files = machine.fence(), machine.files()
    machine.serve("JP", medium_list(8))

    done = machine.run("refresh")

    assert done.code == ExitCode.FAILED
    assert MAKE_WRITABLE in done.err
    assert machine.fence() == before
    assert machine.files() == files
    read_only.assert_fenced()


def test_a_read_only_state_is_restored_from(read_only: Ground) -> None:
    machine = read_only.machine
    before = read_only.fence()
    read_only.lab.pbx.run("nft", "flush", "ruleset")

    assert machine.run("restore").code == ExitCode.DONE

    assert read_only.fence() == before
    read_only.assert_fenced()


def test_on_a_read_only_state_an_exception_is_allowed_with_a_warning(
    read_only: Ground,
) -> None:
    done = read_only.machine.run("allow", "lab")

    assert done.code == ExitCode.DEGRADED
    assert "applied but not recorded" in done.err
    assert MAKE_WRITABLE in done.err
    assert read_only.machine.gets_in("45.77.0.1") == [True]
    read_only.assert_fenced()


ELSEWHERE = """\
[source.country]
urls = ["{url}"]
"""


def test_without_dns_the_last_lists_and_addresses_are_used(standing: Ground) -> None:
    machine = standing.machine
    machine.rule("60.toml", ELSEWHERE.format(url="https://lists.example.com/{cc}.json"))
    before = machine.fence()
    nobody = 'echo "nameserver 127.0.0.1" > "$1" && mount --bind "$1" /etc/resolv.conf'
    with place(nobody, machine.directory / "resolv.conf") as made:
        machine.wrapper = made.wrapper
        refreshed = machine.run("refresh")
        assert machine.fence() == before
        allowed = machine.run("allow", "push-as")

    assert refreshed.code == ExitCode.DEGRADED
    assert "The list country JP could not be renewed" in refreshed.err
    assert "DNS lookup failed" in refreshed.err
    assert allowed.code == ExitCode.DEGRADED
    assert "The DNS lookup of push-as.softphone.com failed" in allowed.err
    assert machine.gets_in("35.185.177.49", "45.9.1.1") == [True, False]
    standing.assert_fenced()


def test_without_network_the_last_lists_are_used(standing: Ground) -> None:
    machine = standing.machine
    machine.rule("60.toml", ELSEWHERE.format(url="https://192.0.2.1/{cc}.json"))
    machine.tool("ip", "route", "del", "default")
    before = machine.fence()

    done = machine.run("refresh")

    assert done.code == ExitCode.DEGRADED
    assert "192.0.2.1/jp.json: connection failed (Network is unreachable)" in done.err
    assert machine.fence() == before
    assert machine.ok("status", "--json").json["lists"][0]["state"] == "stored"


def test_a_first_run_without_network_makes_no_fence(fresh: Ground) -> None:
    fresh.machine.serve("JP", hang_up())
    before = fresh.machine.fence()

    done = fresh.machine.run("refresh")

    assert done.code == ExitCode.FAILED
    assert "These lists have not been downloaded yet: country JP." in done.err
    assert "closes the connection without an answer" in done.err
    assert fresh.machine.fence() == before


def a_year_ahead(made: Ground) -> None:
    """Let all that the state says have been written a year from now.

    That is what geofence meets when somebody sets the clock back a year. Linux has no clock of the
    day for a namespace alone, and the host's is not a test's to set.
    """
    year, site = timedelta(days=365), made.site
    accepted = site.lists.load(JAPAN).accepted
    assert accepted is not None
    provenance = tuple(
        replace(part, fetched_at=part.fetched_at + year, checked_at=part.checked_at + year)
        for part in accepted.provenance
    )
    site.lists.renew(replace(accepted, provenance=provenance))
    newest = made.newest()
    later = replace(newest, created_at=newest.created_at + year)
    made.machine.generations()[-1].write_bytes(encode(later))
    outcome = site.journal.outcome()
    assert outcome is not None
    site.journal.write_outcome(replace(outcome, at=outcome.at + year))


def test_with_the_clock_set_back_a_year_runs_succeed_with_a_warning(
    standing: Ground,
) -> None:
    machine = standing.machine
    before = machine.fence()
    a_year_ahead(standing)

    status = machine.ok("status")
    assert "which is in the future. Check the clock of this host" in status.said
    machine.ok("restore")
    machine.ok("history")
    assert machine.fence() == before
    machine.serve("JP", medium_list(8))
    machine.ok("refresh")

    assert machine.fence() != before
    assert "in the future" not in machine.ok("status").said
    assert len(machine.generations()) == 2
    outcome = standing.site.journal.outcome()
    assert outcome is not None
    assert outcome.ending is Ending.DONE
    standing.assert_fenced()


MEBI = 1 << 20


def test_sixty_four_megabytes_are_enough(standing: Ground) -> None:
    """Of memory that it writes to; programs and libraries on disk are mapped, not copied."""
    machine = standing.machine
    machine.wrapper = ("prlimit", f"--data={64 * MEBI}")
    machine.serve("JP", medium_list(8))

    for verb in (("refresh",), ("apply",), ("restore",), ("allow", "lab")):
        machine.ok(*verb)
        standing.assert_whole()
    standing.assert_fenced()


@pytest.mark.parametrize(
    "limit", [*(f"--data={mebi * MEBI}" for mebi in (16, 20, 24, 26)), f"--as={64 * MEBI}"]
)
def test_with_less_memory_it_ends_in_a_sentence_or_does_its_work(
    standing: Ground, limit: str
) -> None:
    """With 64 MB of addresses, shared libraries included, even Python's modules may not load."""
    machine = standing.machine
    machine.serve("JP", medium_list(8))
    machine.wrapper = ("prlimit", limit)

    for verb in (("refresh",), ("restore",), ("allow", "lab")):
        done = machine.run(*verb)
        assert done.code in (ExitCode.DONE, ExitCode.FAILED, ExitCode.DEGRADED)
        assert done.code == ExitCode.DONE or "memory" in done.err
        standing.assert_fenced()
    machine.wrapper = ()
    machine.ok("refresh")
    standing.assert_whole()


_FAILING = """
import resource, sys
import geofence.cli.app as app
from geofence.__main__ import main

def fail():
    kept, size = [], 1 << 20
    while size >= 16 and {without}:
        try:
            kept.append(bytes(size))
        except MemoryError:
            size //= 2
    {ending}

app.main = fail
resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))
main()
"""
"""Geofence with a command that takes all memory, or none, and then fails."""

ENDINGS = [
    "raise MemoryError",
    "raise SyntaxError",
    "raise ImportError",
    "raise SystemError",
    "raise OSError",
    "fail()",
]


def failing(ending: str, *, without: bool) -> subprocess.CompletedProcess[str]:
    """Run a command that fails, without memory or with it."""
    source = _FAILING.format(ending=ending, without=without)
    return subprocess.run(
        [sys.executable, "-c", source], check=False, capture_output=True, encoding="utf-8", cwd=ROOT
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_however_python_puts_it_lack_of_memory_is_named(ending: str) -> None:
    done = failing(ending, without=True)

    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith("geofence: not enough memory. ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("ending", ["raise SyntaxError", "raise ImportError", "raise SystemError"])
def test_with_memory_left_an_error_of_the_program_is_shown_as_such(ending: str) -> None:
    done = failing(ending, without=False)

    assert ending.removeprefix("raise ") in done.stderr
    assert "memory" not in done.stderr


@pytest.mark.parametrize("output", [">/dev/full", ">/dev/full 2>&1"])
def test_where_the_output_has_no_room_the_work_is_done_all_the_same(
    standing: Ground, output: str
) -> None:
    machine = standing.machine
    machine.serve("JP", medium_list(8))
    machine.wrapper = ("sh", "-c", f'exec "$@" {output}', "sh")

    done = machine.run("refresh")

    assert done.code == ExitCode.FAILED
    assert ("Free some space where the output goes" in done.err) is (output == ">/dev/full")
    assert len(machine.generations()) == 2
    standing.assert_whole()


def test_closed_streams_do_not_stop_a_run(standing: Ground) -> None:
    machine = standing.machine
    machine.serve("JP", medium_list(8))
    machine.wrapper = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")

    machine.ok("refresh")

    standing.assert_whole()
