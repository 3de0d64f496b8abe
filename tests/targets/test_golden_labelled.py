"""Objects equal the golden files, which people have read."""

from __future__ import annotations

import pytest

from tests.targets.golden_files import CASES, HERE, written


@pytest.mark.parametrize("case", CASES)
def test_objects_equal_the_golden_file(case: str) -> None:
    assert written(case) == (HERE / case).read_text(encoding="utf-8")
