"""Two runs at once, and runs that are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from geofence.state.lock import exclusive
from tests.cli.machine import Gate, Machine, ended
from tests.cli.world import COME, GONE, japan, japan_later
from tests.support.list_server import content


@pytest.mark.parametrize(
    "verb", [("refresh",), ("apply",), ("allow", "office"), ("restore",), ("remove",)], ids=" ".join
)
def test_a_second_run_gives_up_after_a_while(settled: Machine, verb: tuple[str, ...]) -> None:
    fence = settled.fence()
    with exclusive(settled.state, 0):
        done = settled.run("--lock-wait", "0.1", *verb)
    assert (done.code, done.out) == (4, "")
    assert f"Another geofence process is using {settled.state}" in done.err
    assert settled.fence() == fence
    assert not settled.owned.exists()


def test_reading_verbs_do_not_wait(settled: Machine) -> None:
    with exclusive(settled.state, 0):
        for verb in ("plan", "status", "history"):
            settled.ok("--lock-wait", "0", verb)
        settled.ok("--lock-wait", "0", "why", "1.2.3.4")


def test_a_second_run_waits_for_the_first(settled: Machine) -> None:
    with exclusive(settled.state, 0):
        second = settled.start("--lock-wait", "60", "apply")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
    assert ended(second).code == 0


def test_two_refreshes_at_once_both_end_well(fresh: Machine) -> None:
    gate = Gate(content(japan_later()))
    fresh.serve("JP", gate)
    both = [fresh.start("refresh") for _ in range(2)]
    gate.wait_until_asked()
    gate.opened.set()
    assert [ended(each).code for each in both] == [0, 0]
    assert len(fresh.generations()) == 1
    assert fresh.gets_in(GONE, COME) == [False, True]
    assert fresh.ok("status", "--json").json["drift_facts"] == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell has its background jobs ignore SIGINT; what they start would go on doing so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_everything_as_it_was(
    fresh: Machine, number: signal.Signals
) -> None:
    fresh.ok("refresh")
    fence, files = fresh.fence(), fresh.files()
    gate = Gate(content(japan_later()))
    fresh.serve("JP", gate)
    run = fresh.start("refresh")
    gate.wait_until_asked()

    os.kill(run.pid, number)
    done = ended(run)

    if number is signal.SIGINT:
        assert done.code == 130
        assert done.err.startswith("geofence: interrupted. ")
    else:
        assert done.code == -signal.SIGTERM
    assert done.out == ""
    assert (fresh.fence(), fresh.files()) == (fence, files)
    gate.opened.set()
    fresh.serve("JP", japan())
    fresh.ok("refresh")
