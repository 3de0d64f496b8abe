"""Sends ready-made frames as fast as one core can, and tells what they cost.

A veth pair is synchronous: what the receiving kernel does with a frame, it does on the sender's
time. So the processor time of the sending thread, a frame, is the cost of the whole way; so are its
instructions, where the processor counts them.

Commands on standard input, one a line: interface, destination MAC address, which of the files of
packets, counted from 0, how many frames to send first unmeasured, and how many then. Each is
answered with a line: nanoseconds of processor time, and instructions or ``-``.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

SOL_PACKET = 263
PACKET_QDISC_BYPASS = 20
BATCH = 1024
"""Frames a system call: the kernel's limit (UIO_MAXIOV)."""

INSTRUCTIONS = (0, 1)
"""``PERF_TYPE_HARDWARE``, ``PERF_COUNT_HW_INSTRUCTIONS``."""
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
"""The number of the system call, by machine."""
_ATTRIBUTES_SIZE = 64

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """``struct msghdr``."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """``struct mmsghdr``."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


def udp_frame(  # noqa: PLR0913 - what a frame consists of
    mac: bytes, source: str, target: str, port: int, payload: bytes, *, source_port: int = 5060
) -> bytes:
    """An Ethernet frame with a UDP packet; no UDP checksum, which IPv4 permits (RFC 768)."""
    udp = struct.pack(">HHHH", source_port, port, 8 + len(payload), 0) + payload
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(udp),
        0,
        0,
        64,
        socket.IPPROTO_UDP,
        0,
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    return mac + b"\x02\x00\x00\x00\x00\x01" + b"\x08\x00" + head + udp


def _checksum(head: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{len(head) // 2}H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Frames:
    """Frames in the form that ``sendmmsg`` takes, each with memory of its own, as from a card."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        together = b"".join(frames)
        self._frames = ctypes.create_string_buffer(together, len(together))
        ends = list(accumulate(map(len, frames), initial=ctypes.addressof(self._frames)))
        self._vectors = (_Vector * len(frames))(
            *(_Vector(at, end - at) for at, end in pairwise(ends))
        )
        first, size = ctypes.addressof(self._vectors), ctypes.sizeof(_Vector)
        self._messages = (_Message * len(frames))(
            *(_Message(_Header(None, 0, first + at * size, 1)) for at in range(len(frames)))
        )

    def send(self, by: socket.socket, start: int, count: int) -> None:
        """Send so many of them, over and over, from that one on."""
        size, whole = ctypes.sizeof(_Message), len(self._messages)
        first, number = ctypes.addressof(self._messages), by.fileno()
        sent = 0
        while sent < count:
            at = (start + sent) % whole
            batch = min(BATCH, whole - at, count - sent)
            done: int = _LIBC.sendmmsg(number, ctypes.c_void_p(first + at * size), batch, 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += done


def sending_socket(interface: str) -> socket.socket:
    """A socket whose frames leave by an interface without queueing."""
    by = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    by.bind((interface, 0))
    by.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    return by


class Cost(NamedTuple):
    """What sending took."""

    nanoseconds: int
    instructions: int | None
    """None where the processor, or its hypervisor, does not count them."""


class Meter:
    """Takes what sending costs."""

    def __init__(self, event: tuple[int, int] = INSTRUCTIONS) -> None:
        self._counter = opened_counter(*event)

    def send(self, frames: Frames, by: socket.socket, warm: int, count: int) -> Cost:
        """Send frames, the first of them unmeasured."""
        frames.send(by, 0, warm)
        counted = self._count()
        begun = time.thread_time_ns()
        frames.send(by, warm, count)
        taken = time.thread_time_ns() - begun
        return Cost(taken, None if counted is None else (self._count() or 0) - counted)

    def _count(self) -> int | None:
        if self._counter is None:
            return None
        return int.from_bytes(os.read(self._counter, 8), sys.byteorder)


def opened_counter(kind: int, event: int) -> int | None:
    """A descriptor that counts an event of this thread, as ``perf stat`` does; None: it cannot be.

    Layout: ``struct perf_event_attr`` of ``linux/perf_event.h`` in its first version.
    """
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None:
        return None
    attributes = struct.pack("=IIQQQQQIIQ", kind, _ATTRIBUTES_SIZE, event, *bytes(7))
    descriptor: int = _LIBC.syscall(number, attributes, 0, -1, -1, 0)
    return descriptor if descriptor >= 0 else None


def main(target: str, *files: str) -> None:
    """Build the frames and obey standard input.

    Args:
        target: destination address.
        files: of packets, one a line: source address, source port, destination port.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    meter, sockets = Meter(), {}
    frames: dict[tuple[str, str], Frames] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        interface, mac, which, warm, count = line.split()
        if interface not in sockets:
            sockets[interface] = sending_socket(interface)
        if (mac, which) not in frames:
            frames[mac, which] = Frames(list(_read(files[int(which)], mac, target)))
        cost = meter.send(frames[mac, which], sockets[interface], int(warm), int(count))
        print(cost.nanoseconds, "-" if cost.instructions is None else cost.instructions, flush=True)


def _read(path: str, mac: str, target: str) -> Iterator[bytes]:
    hardware, payload = bytes.fromhex(mac.replace(":", "")), b"x" * (400 - 28)
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - no need to import pathlib
        for line in file:
            source, here, there = line.split()
            yield udp_frame(hardware, source, target, int(there), payload, source_port=int(here))


if __name__ == "__main__":
    main(*sys.argv[1:])
