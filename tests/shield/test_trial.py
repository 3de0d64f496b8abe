"""No packet that the fence passes is dropped by the shield; see also ``python -m tests.shield``."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.backends import registry
from tests.shield.kernel import side
from tests.shield.scene import bpf_directory
from tests.shield.trial import trial


@pytest.mark.parametrize(("backend", "tcx"), [("nftables", True), ("ipset", False)])
def test_what_the_fence_passes_passes_the_shield(
    tmp_path: Path, backend: str, *, tcx: bool
) -> None:
    side()
    with bpf_directory(tmp_path / "bpf") as place:
        found = list(trial(registry.load(backend), 7, 2_500, place, tcx=tcx))
    assert sum(each.packets for each in found) >= 2_500
    assert [lost for each in found for lost in each.lost] == []
    assert sum(each.by_shield for each in found) > 200
    assert sum(each.passed for each in found) > 200
