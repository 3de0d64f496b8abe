"""Sends ready-made frames as fast as one core can, and tells what they cost.

A veth pair is synchronous: what the receiving kernel does with a frame, it does on the sender's
time. So the processor time of the sending thread, a frame, is the cost of the whole way.

Commands on standard input, one a line: destination MAC address, number of frames, and which of the
files of sources, counted from 0. Each is answered with a line: nanoseconds of processor time.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time

SOL_PACKET = 263
PACKET_QDISC_BYPASS = 20
BATCH = 1024
"""Frames a system call: the kernel's limit (UIO_MAXIOV)."""

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """``struct mmsghdr``."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


def udp_frame(mac: bytes, source: str, target: str, port: int, payload: bytes) -> bytes:
    """An Ethernet frame with a UDP packet; no UDP checksum, which IPv4 permits (RFC 768)."""
    udp = struct.pack(">HHHH", 5060, port, 8 + len(payload), 0) + payload
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


class Flood:
    """Frames in the form that ``sendmmsg`` takes, and the socket they leave by."""

    def __init__(self, interface: str, frames: list[bytes]) -> None:
        self._keep = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
        self._vectors = (_Vector * len(frames))(
            *(_Vector(ctypes.addressof(kept), len(kept)) for kept in self._keep)
        )
        self._messages = (_Message * len(frames))(
            *(
                _Message(None, 0, ctypes.pointer(vector), 1, None, 0, 0, 0)
                for vector in self._vectors
            )
        )
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((interface, 0))
        self._socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)

    def send(self, count: int) -> int:
        """Send that many frames, over and over; nanoseconds of processor time."""
        size = ctypes.sizeof(_Message)
        start = ctypes.addressof(self._messages)
        number, whole = self._socket.fileno(), len(self._messages)
        sent = 0
        begun = time.thread_time_ns()
        while sent < count:
            at = sent % whole
            batch = min(BATCH, whole - at, count - sent)
            done: int = _LIBC.sendmmsg(number, ctypes.c_void_p(start + at * size), batch, 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += done
        return time.thread_time_ns() - begun


def main(interface: str, target: str, port: str, *sources: str) -> None:
    """Build the frames and obey standard input.

    Args:
        interface: where to send.
        target: destination address.
        port: destination port.
        sources: files with a source address a line.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    floods: dict[tuple[str, str], Flood] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        mac, count, which = line.split()
        if (mac, which) not in floods:
            hardware = bytes.fromhex(mac.replace(":", ""))
            payload = b"x" * (400 - 28)
            with open(sources[int(which)], encoding="ascii") as file:  # noqa: PTH123 - no need to import pathlib
                addresses = file.read().split()
            frames = [udp_frame(hardware, a, target, int(port), payload) for a in addresses]
            floods[mac, which] = Flood(interface, frames)
        print(floods[mac, which].send(int(count)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
