"""No packet that the fence passes is dropped by the shield; see also ``python -m tests.shield``."""

from __future__ import annotations

from pathlib import Path

import pytest

from geofence.backends import registry
from geofence.lab.payloads import TOKEN_LENGTH
from tests.shield.kernel import by_tcx, side
from tests.shield.scene import bpf_directory
from tests.shield.trial import damaged, trial


@pytest.mark.parametrize(("size", "first"), [(28, 0x45), (36, 0x45), (60, 0x60), (80, 0x60)])
@pytest.mark.parametrize("protocol", [17, 6, 0])
def test_a_wrong_checksum_leaves_the_token_by_which_a_packet_is_known(
    size: int, first: int, protocol: int
) -> None:
    packet = bytearray(range(size))
    packet[0], packet[9 if first == 0x45 else 6] = first, protocol
    assert damaged(bytes(packet), "sum")[-TOKEN_LENGTH:] == packet[-TOKEN_LENGTH:]


@pytest.mark.parametrize(("backend", "tcx"), [("nftables", True), ("ipset", False)])
def test_what_the_fence_passes_passes_the_shield(
    tmp_path: Path, backend: str, *, tcx: bool
) -> None:
    side()
    with bpf_directory(tmp_path / "bpf") as place:
        found = list(trial(registry.load(backend), 7, 2_500, place, tcx=tcx and by_tcx()))
    assert sum(each.packets for each in found) >= 2_500
    assert [lost for each in found for lost in each.lost] == []
    assert sum(each.by_shield for each in found) > 200
    assert sum(each.passed for each in found) > 200
