"""A ConfigMap's volume as the kubelet makes it on a node, and how a container mounts it.

The layout and the order of changes are those of Kubernetes' ``pkg/volume/util/atomic_writer.go``;
modes are those of ``pkg/volume/emptydir``: 0777 for the volume, and 0755 for each version in it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

POD = "6a1f3a42-5a5c-4b0a-9a7d-3a0f5d1f2b11"

MOUNTED = 'mount --bind "$VOLUME" "$AT" && mount -o remount,bind,ro "$AT" && exec "$0" "$@"'
WRAPPER = ("unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTED)
"""Runs a command where ``$VOLUME`` is mounted at ``$AT``, read-only."""


class ConfigMapVolume:
    """The volume of one pod, which its container has mounted."""

    def __init__(self, kubelet: Path, name: str = "rules", pod: str = POD) -> None:
        """Make an empty one below the kubelet's directory."""
        pods = kubelet / "pods"
        pods.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.path = pods / pod / "volumes/kubernetes.io~configmap" / name
        self.path.mkdir(parents=True)
        self.path.chmod(0o777)

    def write(self, files: Mapping[str, str]) -> None:
        """Exchange the content, as after a change of the ConfigMap."""
        data = self.path / "..data"
        before = self.path / data.readlink() if data.is_symlink() else None
        version = Path(mkdtemp(prefix="..2026_11_26_", dir=self.path))
        version.chmod(0o755)
        for name, text in files.items():
            (version / name).write_text(text, encoding="utf-8")
            (version / name).chmod(0o644)
        (self.path / "..data_tmp").symlink_to(version.name)
        (self.path / "..data_tmp").replace(data)
        for name in files:
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        for link in self.path.iterdir():
            if not link.name.startswith("..") and link.name not in files:
                link.unlink()
        if before is not None:
            shutil.rmtree(before)
