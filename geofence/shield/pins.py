"""The shield's names in the BPF file system: what keeps it there, and what takes it away.

There is a directory for each network namespace. It holds the counters, and for each interface the
link of tcx (``tcx-2``), or a mark that cls_bpf has the program there (``clsact-2``). A link that
was detached where the file system is read-only keeps its name until the shield is up again.

Taking the shield away needs no capability but CAP_NET_ADMIN, so every unit of geofence can do it:
who can open the pinned link may detach it, and a filter of cls_bpf is deleted over netlink.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from geofence.errors import BackendError
from geofence.host.ownership import distrust, distrust_on_the_way
from geofence.translation import tr

DIRECTORY = "geofence"
COUNTERS = "counters"
TCX, CLSACT = "tcx-", "clsact-"
_NAMESPACE = Path("/proc/thread-self/ns/net")


def directory(bpf_directory: Path) -> Path:
    """Return the directory of this network namespace; it may not exist."""
    return bpf_directory / DIRECTORY / str(_NAMESPACE.stat().st_ino)


def is_up(bpf_directory: Path) -> bool:
    """Whether a program is attached somewhere, or may be."""
    return next(attached(bpf_directory), None) is not None


def attached(bpf_directory: Path) -> Iterator[Path]:
    """Yield the names of links and programs, in no order; none that others may have put there."""
    place = directory(bpf_directory)
    with suppress(OSError):
        for path in () if is_shared(place) else place.iterdir():
            if path.name.startswith((TCX, CLSACT)):
                yield path


def is_shared(place: Path) -> bool:
    """Whether others than root could have made the names in a directory, or could exchange it.

    A BPF file system that is mounted without a mode lets everybody make directories. A name of
    somebody else may be a link to another program's, and must not be taken off an interface.

    Raises:
        OSError: the system does not say.
    """
    if distrust_on_the_way(place):
        return True
    try:
        return distrust(place.stat(), None, by_hand=False) is not None
    except FileNotFoundError:
        return False


def lower(bpf_directory: Path) -> bool:
    """Take the shield off all interfaces, and return whether it was on any.

    Its counters stay. From then on the fence sees every packet, so the fence may change.

    Raises:
        BackendError: it is still there, in part or whole.
    """
    names = list(attached(bpf_directory))
    for path in names:
        lower_from(path)
    return bool(names)


def lower_from(path: Path) -> None:
    """Take the shield off the interface of one name.

    Raises:
        BackendError: it is still there.
    """
    try:
        _detach(path)
    except OSError as error:
        raise BackendError(
            tr(
                "The shield cannot be taken down: {reason}. The fence was not changed. Run "
                "'sudo geofence shield --down'.",
                reason=error.strerror or error,
            )
        ) from error


def _detach(path: Path) -> None:
    # Imported here: restore at boot finds nothing to take down, and should not wait for them.
    from geofence.shield import attachment, bpf

    if path.name.startswith(CLSACT):
        attachment.detach_filter(attachment.index_in(path))
    else:
        link = bpf.pinned(path)
        try:
            bpf.detach_link(link)
        finally:
            os.close(link)
    with suppress(OSError):
        path.unlink()


def forget(bpf_directory: Path) -> None:
    """Remove the counters and the directory, once the shield is on no interface."""
    place = directory(bpf_directory)
    with suppress(OSError):
        if is_shared(place):
            return
        (place / COUNTERS).unlink(missing_ok=True)
        place.rmdir()
    with suppress(OSError):  # other network namespaces may have theirs
        place.parent.rmdir()
