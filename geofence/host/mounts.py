"""Volumes of a pod: directories whose files only the kubelet writes.

The kubelet makes the directory of a ConfigMap with mode 0777 and changes its files by exchanging
the link ``..data``. On the node, only root reaches it: the directory of all pods has mode 0750. In
the pod it is mounted read-only. So nobody else could have written what is in it.

Sources: proc(5); Kubernetes' ``pkg/volume/emptydir``, ``pkg/volume/configmap``, and
``pkg/volume/util/atomic_writer.go``.
"""

from __future__ import annotations

import os
import re

from geofence.lean import Path
from geofence.model.frozen import NamedTuple

_CONFIG_MAP = r"(/.*)?/pods/[0-9a-f-]{8,}/volumes/kubernetes\.io~configmap/[^/]+"
"""Where the kubelet keeps a ConfigMap of a pod, in the file system that it is in."""
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = r"\\([0-7]{3})"
_FEWEST = 6


class Mount(NamedTuple):
    """One mount, as far as it matters here."""

    root: str
    """The directory that is mounted, in its own file system."""
    read_only: bool


def is_config_map(directory: Path) -> bool:
    """Whether a directory is in a ConfigMap of this pod, which nobody in the pod can write.

    Raises:
        OSError: the system does not say.
    """
    mount = _mount_of(directory)
    return mount is not None and mount.read_only and bool(re.fullmatch(_CONFIG_MAP, mount.root))


def _mount_of(directory: Path) -> Mount | None:
    handle = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    try:
        facts = Path(f"/proc/self/fdinfo/{handle}").read_text(encoding="utf-8")
    finally:
        os.close(handle)
    found = re.search(r"^mnt_id:\s*(\d+)$", facts, re.MULTILINE)
    mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    return parse_mounts(mounts).get(int(found[1])) if found else None


def parse_mounts(text: str) -> dict[int, Mount]:
    """Return the mounts of ``/proc/self/mountinfo`` by their identifiers."""
    lines = (line.split(" ") for line in text.split("\n"))
    return {
        int(fields[0]): Mount(_unescaped(fields[3]), "ro" in fields[5].split(","))
        for fields in lines
        if len(fields) > _FEWEST and fields[0].isdecimal()
    }


def _unescaped(path: str) -> str:
    return re.sub(_ESCAPED, lambda found: chr(int(found[1], 8)), path)
