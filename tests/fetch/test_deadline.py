from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.fetch.deadline import Watchdog

SHORT, LONG = 0.1, 60.0


class Ends:
    """Counts the ends that a watchdog calls for."""

    def __init__(self) -> None:
        self.number = 0
        self.came = threading.Event()

    def __call__(self) -> None:
        self.number += 1
        self.came.set()


@contextmanager
def watching() -> Iterator[tuple[Watchdog, Ends]]:
    ends = Ends()
    watchdog = Watchdog(ends)
    before = threading.active_count()
    try:
        yield watchdog, ends
        assert threading.active_count() <= before + 1
    finally:
        watchdog.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_request_that_takes_too_long_is_ended_once() -> None:
    with watching() as (watchdog, ends):
        watchdog.arm(SHORT)
        assert ends.came.wait(10)
        time.sleep(3 * SHORT)
        assert ends.number == 1


def test_a_request_that_is_in_time_is_not_ended() -> None:
    with watching() as (watchdog, ends):
        for _ in range(20):
            watchdog.arm(SHORT)
            watchdog.disarm()
        assert not ends.came.wait(3 * SHORT)


def test_a_later_request_has_its_time_in_full() -> None:
    with watching() as (watchdog, ends):
        watchdog.arm(3 * SHORT)
        time.sleep(2 * SHORT)
        watchdog.disarm()
        begun = time.monotonic()
        watchdog.arm(3 * SHORT)
        assert ends.came.wait(10)
        assert time.monotonic() - begun >= 3 * SHORT


def test_each_late_request_of_a_client_is_ended() -> None:
    with watching() as (watchdog, ends):
        for number in range(1, 4):
            ends.came.clear()
            watchdog.arm(SHORT)
            assert ends.came.wait(10)
            watchdog.disarm()
            assert ends.number == number


def test_a_shorter_deadline_counts_although_the_watchdog_sleeps_longer() -> None:
    with watching() as (watchdog, ends):
        watchdog.arm(LONG)
        time.sleep(SHORT)
        watchdog.disarm()
        watchdog.arm(SHORT)
        assert ends.came.wait(10)


def test_a_watchdog_without_a_request_ends() -> None:
    with watching() as (_, ends):
        assert not ends.number
