"""A few of the damaged configurations of ``tests/asterisk/fuzz.py``."""

from __future__ import annotations

import sys

import pytest

from tests.asterisk.fuzz import Inputs, Watch, check

INPUTS = 300


@pytest.fixture(scope="module")
def watch() -> Watch:
    found = Watch()
    sys.addaudithook(found)
    return found


@pytest.mark.parametrize("start", range(0, INPUTS, 100))
def test_no_input_makes_the_reader_fail(start: int, watch: Watch) -> None:
    readings = [check(number, 1_000_000, watch) for number in range(start, start + 100)]
    assert any(each.listeners for each in readings)
    assert any(each.invalid for each in readings)


def test_a_seed_makes_the_same_input_again() -> None:
    assert Inputs(7).files() == Inputs(7).files() != Inputs(8).files()
