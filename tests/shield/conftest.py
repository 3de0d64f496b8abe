"""A scene on each backend, by tcx on the one and by cls_bpf on the other.

A kernel without tcx has cls_bpf on both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shield.kernel import by_tcx
from tests.shield.scene import Scene, scene


@pytest.fixture(params=["nftables-tcx", "ipset-clsact"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A fence and a shield."""
    backend, how = request.param.split("-")
    with scene(tmp_path, backend, tcx=how == "tcx" and by_tcx()) as made:
        yield made


@pytest.fixture
def nft_stage(tmp_path: Path) -> Iterator[Scene]:
    """The same on one backend, where the other would show nothing else."""
    with scene(tmp_path, "nftables", tcx=by_tcx()) as made:
        yield made


@pytest.fixture
def clsact_stage(tmp_path: Path) -> Iterator[Scene]:
    """The same by cls_bpf."""
    with scene(tmp_path, "nftables", tcx=False) as made:
        yield made
