"""The system call bpf(2): maps, programs, links, and pins in the BPF file system.

Layouts: ``union bpf_attr`` of ``linux/bpf.h``. Everything raises ``OSError`` as the kernel says it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
"""``__NR_bpf`` by machine."""
_MAP_CREATE, _LOOKUP, _UPDATE, _PROG_LOAD, _OBJ_PIN, _OBJ_GET = 0, 1, 2, 5, 6, 7
_TEST_RUN, _OBJ_INFO, _BTF_BY_ID, _FREEZE, _BTF_NEXT, _LINK_CREATE, _LINK_UPDATE = (
    *(10, 15, 19, 22, 23),
    *(28, 29),
)
_ARRAY, _PERCPU_ARRAY = 2, 6
_SCHED_CLS = 3
_READ_ONLY_FOR_PROGRAMS = 1 << 7
_TCX_INGRESS = 46
_NAME = b"geofence"
_LINK_DETACH = 34
_LICENCE = b"Dual MIT/GPL\0"
"""Functions of the kernel are for programs whose licence is compatible with the GPL."""
_LOG_SIZE = 1 << 20
_LOG_TOLD = 400
_INFO_SIZE = 256
_LINK_TCX = 11
_POSSIBLE = Path("/sys/devices/system/cpu/possible")

_libc = ctypes.CDLL(None, use_errno=True)


class LinkInfo(NamedTuple):
    """A link that attaches a program to an interface."""

    program: int
    """The program's number."""
    interface: int
    """The interface's index; 0: it is gone."""


def read_only_array(content: bytes) -> int:
    """Return the descriptor of an array of one value that nothing changes any more."""
    descriptor = _create(_ARRAY, len(content), 1, _READ_ONLY_FOR_PROGRAMS)
    try:
        _value(_UPDATE, descriptor, 0, ctypes.create_string_buffer(content, len(content)))
        _call(_FREEZE, struct.pack("=I", descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def per_cpu_array(size: int, number: int) -> int:
    """Return the descriptor of an array of so many values of a size, for each processor."""
    return _create(_PERCPU_ARRAY, size, number, 0)


def per_cpu_values(descriptor: int, key: int, size: int) -> list[bytes]:
    """Return an array's value on each processor."""
    room = ctypes.create_string_buffer(size * _processors())
    _value(_LOOKUP, descriptor, key, room)
    return [room.raw[at : at + size] for at in range(0, len(room.raw), size)]


def load_program(code: bytes, modules: Sequence[int] = ()) -> int:
    """Return the descriptor of a program for tc.

    Args:
        code: its instructions.
        modules: descriptors of the type information of modules whose functions it calls.

    Raises:
        OSError: the kernel refuses it; the text has the end of the verifier's log.
    """
    try:
        return _load(code, modules, None)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOMEM):
            raise
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return _load(code, modules, log)
        except OSError as again:
            told = log.value.decode(errors="replace").strip()[-_LOG_TOLD:]
            raise OSError(again.errno, f"{os.strerror(again.errno or 0)}: {told}") from again


def _load(code: bytes, modules: Sequence[int], log: ctypes.Array[ctypes.c_char] | None) -> int:
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(_LICENCE)
    descriptors = (ctypes.c_int * (1 + len(modules)))(0, *modules)
    attributes = struct.pack(
        "=IIQQIIQII16sIIIIQIIQIIIIQ",
        *(_SCHED_CLS, len(code) // 8, _address(instructions), _address(licence)),
        *(1 if log else 0, len(log) if log else 0, _address(log) if log else 0),
        *(0, 0, _NAME, 0, 0),
        *(0,) * 10,
        ctypes.addressof(descriptors) if modules else 0,
    )
    return _call(_PROG_LOAD, attributes)[0]


def try_out(program: int, frame: bytes, repeat: int = 1) -> tuple[int, int]:
    """Run a program on a frame; return its verdict, and nanoseconds for one run."""
    data = ctypes.create_string_buffer(frame, len(frame))
    attributes = struct.pack(
        "=IIIIQQIIIIQQII",
        *(program, 0, len(frame), 0, _address(data), 0, repeat, 0, 0, 0, 0, 0, 0, 0),
    )
    _, answer = _call(_TEST_RUN, attributes)
    _, verdict, _, _, _, _, _, nanoseconds = struct.unpack_from("=IiIIQQII", answer)
    return verdict, nanoseconds


def attach_tcx(program: int, interface: int) -> int:
    """Attach a program to an interface; return the link, which holds it there while it is open."""
    attributes = struct.pack("=IIIIIxxxxQ", program, interface, _TCX_INGRESS, 0, 0, 0)
    return _call(_LINK_CREATE, attributes)[0]


def replace_tcx(link: int, program: int) -> None:
    """Put a program in the place of a link's."""
    _call(_LINK_UPDATE, struct.pack("=IIII", link, program, 0, 0))


def detach_link(link: int) -> None:
    """Take a link's program off its interface, and wait until it runs there no more.

    Needs no capability beyond the descriptor.
    """
    _call(_LINK_DETACH, struct.pack("=I", link))


def link_info(link: int) -> LinkInfo:
    """Return what a link attaches where."""
    kind, _, program, _, interface = struct.unpack_from("=IIIII", _info(link))
    if kind != _LINK_TCX:
        raise OSError(errno.EINVAL, "not a link of tcx")
    return LinkInfo(program, interface)


def program_id(program: int) -> int:
    """Return the number of a program."""
    return int(struct.unpack_from("=II", _info(program))[1])


def map_entries(descriptor: int) -> tuple[int, int]:
    """Return the size of an array's values, and their number."""
    _, _, _, value_size, entries = struct.unpack_from("=IIIII", _info(descriptor))
    return value_size, entries


def pin(descriptor: int, path: Path) -> None:
    """Keep an object under a name in the BPF file system."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    _call(_OBJ_PIN, struct.pack("=QII", _address(name), descriptor, 0))


def pinned(path: Path) -> int:
    """Return a descriptor of a pinned object."""
    name = ctypes.create_string_buffer(os.fsencode(path))
    return _call(_OBJ_GET, struct.pack("=QII", _address(name), 0, 0))[0]


def next_type_information(number: int) -> int:
    """Return the number of the type information after that of a number."""
    _, answer = _call(_BTF_NEXT, struct.pack("=III", number, 0, 0))
    return int(struct.unpack_from("=II", answer)[1])


def type_information(number: int) -> int:
    """Return a descriptor of type information; needs CAP_SYS_ADMIN."""
    return _call(_BTF_BY_ID, struct.pack("=I", number))[0]


def type_information_name(descriptor: int) -> str:
    """Return whose type information it is: that of a module, or ``vmlinux``."""
    name = ctypes.create_string_buffer(64)
    info = struct.pack("=QIIQIi", 0, 0, 0, _address(name), len(name), 0)
    _info(descriptor, info)
    return name.value.decode(errors="replace")


def _create(kind: int, size: int, number: int, flags: int) -> int:
    attributes = struct.pack("=IIIIIII16sI", kind, 4, size, number, flags, 0, 0, _NAME, 0)
    return _call(_MAP_CREATE, attributes)[0]


def _value(command: int, descriptor: int, key: int, value: ctypes.Array[ctypes.c_char]) -> None:
    packed = ctypes.create_string_buffer(struct.pack("=I", key), 4)
    _call(command, struct.pack("=IxxxxQQQ", descriptor, _address(packed), _address(value), 0))


def _info(descriptor: int, given: bytes = b"") -> bytes:
    size = len(given) or _INFO_SIZE
    room = ctypes.create_string_buffer(given, size)
    _call(_OBJ_INFO, struct.pack("=IIQ", descriptor, size, _address(room)))
    return room.raw


def _call(command: int, attributes: bytes) -> tuple[int, bytes]:
    """Return what the call returns, and the attributes as it leaves them."""
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    room = ctypes.create_string_buffer(attributes, len(attributes))
    done = int(_libc.syscall(number, command, room, len(attributes)))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return done, room.raw


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


def _processors() -> int:
    """Return for how many processors the kernel has room."""
    last = _POSSIBLE.read_text(encoding="ascii").strip().replace(",", "-").split("-")[-1]
    return int(last) + 1
