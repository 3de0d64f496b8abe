"""Putting a loaded program on interfaces, in place of the one that is there at once."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from geofence.model.shield import OnInterface, ShieldReason, Why
from geofence.shield import attachment, bpf
from geofence.shield.attachment import How
from geofence.shield.loading import ShieldError, refusing
from geofence.shield.obstacles import Port
from geofence.shield.pins import CLSACT, COUNTERS, TCX, attached, directory, is_shared, lower_from

_NO_TCX = (errno.EINVAL, errno.EOPNOTSUPP)
_PRIVATE = 0o700
_MOUNTS = Path("/proc/thread-self/mounts")


def is_bpf_file_system(path: Path) -> bool:
    """Whether a BPF file system is mounted there."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    return any(line.split()[1:3] == [str(path), "bpf"] for line in lines)


def pinned_counters(bpf_directory: Path, size: int, number: int) -> int | None:
    """Return a descriptor of the pinned counters; None if there are none of this shape."""
    try:
        descriptor = bpf.pinned(directory(bpf_directory) / COUNTERS)
    except OSError:
        return None
    if bpf.map_entries(descriptor) == (size, number):
        return descriptor
    os.close(descriptor)
    return None


def keep_counters(bpf_directory: Path, descriptor: int) -> None:
    """Pin counters in place of others.

    Raises:
        ShieldError: the kernel refuses.
    """
    with refusing():
        place = _made(bpf_directory)
        (place / COUNTERS).unlink(missing_ok=True)
        bpf.pin(descriptor, place / COUNTERS)


def put_up(
    bpf_directory: Path, ports: Iterable[Port], program: int, counts: int, *, tcx: bool
) -> tuple[OnInterface, ...]:
    """Put a program on these interfaces, and take the shield off all others.

    Args:
        bpf_directory: the BPF file system.
        ports: the interfaces.
        program: descriptor of the program.
        counts: descriptor of its counters.
        tcx: whether to try tcx first.

    Raises:
        ShieldError: the kernel refuses; it may be on some of them.
        BackendError: it cannot be taken off another interface.
    """
    wanted = tuple(ports)
    with refusing():
        place = _made(bpf_directory)
        made = tuple(_on(place, port, program, counts, tcx=tcx) for port in wanted)
    names = {(TCX if each.how == How.TCX else CLSACT) + str(each.number) for each in made}
    for path in attached(bpf_directory):
        if path.name not in names:
            lower_from(path)
    return made


def seen_up(bpf_directory: Path) -> frozenset[OnInterface]:
    """Return where the kernel has the shield; names of interfaces are left empty.

    Raises:
        OSError: the kernel does not tell.
    """
    return frozenset(_seen(bpf_directory))


def _seen(bpf_directory: Path) -> Iterator[OnInterface]:
    for path in attached(bpf_directory):
        number = attachment.index_in(path)
        if path.name.startswith(CLSACT):
            held = attachment.filter_on(number)
            if held is not None and held.is_own:
                yield OnInterface(number, "", How.CLSACT, held.program)
            continue
        link = bpf.pinned(path)
        try:
            info = bpf.link_info(link)
        finally:
            os.close(link)
        if info.interface == number:
            yield OnInterface(number, "", How.TCX, info.program)


def _made(bpf_directory: Path) -> Path:
    """Make the directory of the shield's names.

    Raises:
        ShieldError: others could change what is in it.
    """
    place = directory(bpf_directory)
    for each in (place.parent, place):
        if not is_shared(each):
            each.mkdir(mode=_PRIVATE, exist_ok=True)
        if is_shared(each):
            raise ShieldError(ShieldReason(Why.SHARED, str(place.parent)))
    return place


def _on(place: Path, port: Port, program: int, counts: int, *, tcx: bool) -> OnInterface:
    number = bpf.program_id(program)
    if tcx:
        try:
            _by_tcx(place / f"{TCX}{port.number}", port.number, program)
        except OSError as error:
            if error.errno not in _NO_TCX:
                raise
        else:
            return OnInterface(port.number, port.name, How.TCX, number)
    mark = place / f"{CLSACT}{port.number}"
    if not mark.exists():  # before the filter: what is up has a name, whenever this is killed
        bpf.pin(counts, mark)
    attachment.attach_filter(port.number, program)
    return OnInterface(port.number, port.name, How.CLSACT, number)


def _by_tcx(path: Path, interface: int, program: int) -> None:
    with suppress(FileNotFoundError):
        link = bpf.pinned(path)
        try:
            if bpf.link_info(link).interface == interface:
                bpf.replace_tcx(link, program)
                return
        finally:
            os.close(link)
        path.unlink()  # of an interface that is gone, or detached
    link = bpf.attach_tcx(program, interface)
    try:
        bpf.pin(link, path)
    finally:
        os.close(link)
