"""Golden files: the objects of an example.

``python -m tests.targets.golden_files`` writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from geofence.model.target import Target, TargetKind
from geofence.targets.fence import ClusterFence
from geofence.targets.registry import load
from tests.targets.labelled import EXAMPLE, OBSERVING, target

HERE = Path(__file__).parent
CASES: dict[str, tuple[ClusterFence, Target]] = {
    "calico/golden/pods-and-nodes.json": (EXAMPLE, target(TargetKind.CALICO, nodes=True)),
    "calico/golden/observed.json": (OBSERVING, target(TargetKind.CALICO)),
    "cilium/golden/pods.json": (EXAMPLE, target(TargetKind.CILIUM)),
    "cilium/golden/nodes.json": (EXAMPLE, target(TargetKind.CILIUM, pods=False, nodes=True)),
}


def written(case: str) -> str:
    """The objects of a case as the file has them."""
    fence, chosen = CASES[case]
    objects = load(chosen.kind).objects(fence, chosen)
    return json.dumps([dict(each.content) for each in objects], indent=1) + "\n"


if __name__ == "__main__":
    for name in CASES:
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(written(name), encoding="utf-8")
