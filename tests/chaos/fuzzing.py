"""Runs the tests that fuzz, each with as many inputs as are asked for, and counts them.

The strategies are those of the tests: nothing is written twice. An input counts if the test was run
on it to its end.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

TARGETS: dict[str, tuple[str, ...]] = {
    "lists": (
        "tests/lists/test_country_json.py::test_any_bytes_give_a_list_or_a_list_error",
        "tests/lists/test_country_json.py::test_any_json_gives_a_list_or_a_list_error",
        "tests/lists/test_country_json.py::test_an_entry_is_taken_exactly_if_netaddr_prints_it_so",
        "tests/lists/test_text.py::test_any_bytes_give_a_list_or_a_list_error",
        "tests/lists/test_text.py::test_the_bulk_parser_accepts_exactly_as_the_careful_one",
        "tests/lists/test_text.py::test_netaddr_reads_ranges_alike",
    ),
    "rules": ("tests/policy/test_fuzz.py",),
    "state": (
        "tests/state/test_generations.py::test_every_damaged_byte_is_noticed",
        "tests/state/test_generations.py::test_trailing_bytes_are_refused",
        "tests/state/test_generations.py::test_other_files_are_ignored",
        "tests/state/test_generations.py::test_a_right_checksum_over_wrong_facts_raises_nothing_else",
        "tests/state/test_lists.py::test_any_file_gives_a_list_or_a_warning",
        "tests/chaos/test_fuzz_state.py",
    ),
    "arguments": ("tests/chaos/test_fuzz_arguments.py",),
}
"""The tests of each target."""

_TESTS = {"lists": 6, "rules": 7, "state": 8, "arguments": 3}
"""How many tests share a target's inputs."""
_ROUNDS = 20


class Inputs:
    """A plugin of pytest's that leaves only what fuzzes and counts what goes in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Wrap the tests; those that do not fuzz are left out."""
        items[:] = [item for item in items if is_hypothesis_test(_function(item))]
        for item in items:
            handle = _function(item).hypothesis
            handle.inner_test = self._counting(item.nodeid, handle.inner_test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed."""
        if report.failed:
            self.failed.append(f"{report.nodeid}\n{report.longreprtext}")

    def _counting(self, name: str, test: Callable[..., None]) -> Callable[..., None]:
        original = getattr(test, "counted", test)

        @functools.wraps(original)
        def counted(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever the test takes
            original(*args, **kwargs)
            self.counts[name] += 1

        counted.counted = original  # type: ignore[attr-defined]
        return counted


def _function(item: pytest.Item) -> Any:  # noqa: ANN401 - hypothesis adds to functions
    return getattr(item, "obj", None)


def fuzz(target: str, inputs: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Run a target's tests until that many inputs went in; how many by test, and what failed.

    Has to be the first to import the tests: they take over what is set here.
    """
    settings.register_profile(
        "long",
        max_examples=max(1, inputs // _TESTS[target] + 1),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("long")
    counts: Counter[str] = Counter()
    for turn in range(_ROUNDS):  # a test may know fewer inputs than it was asked for
        seen = Inputs()
        hypothesis_seed = f"--hypothesis-seed={seed + turn}"
        quiet = ("-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", hypothesis_seed)
        pytest.main([*quiet, *TARGETS[target]], plugins=[seen])
        counts += seen.counts
        if seen.failed or counts.total() >= inputs:
            return counts, seen.failed
    return counts, ["The tests do not know that many inputs."]
