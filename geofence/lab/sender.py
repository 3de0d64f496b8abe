"""The sender of probes: puts them on the cable, byte for byte."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.lab.probes import Probe

ETHERTYPES = {4: 0x0800, 6: 0x86DD}
"""``linux/if_ether.h``, by IP version."""

MACS = {"wan": "02:00:00:00:00:10", "tun0": "02:00:00:00:00:11"}
"""Hardware addresses of the PBX, by interface; the Internet's ends bear the same names."""


class Sender:
    """Sends from the namespace that its socket belongs to; addresses need not be its own."""

    def __init__(self, link_layer: socket.socket) -> None:
        """Send through a socket of ``AF_PACKET``, ``SOCK_DGRAM``."""
        self._socket = link_layer

    def send(self, probe: Probe, source_port: int, token: int) -> None:
        """Put all packets of the probe on its cable.

        Args:
            probe: what to send.
            source_port: used where the probe names none.
            token: by which an observer knows it.
        """
        mac = bytes.fromhex(MACS[probe.link].replace(":", ""))
        where = (probe.link, ETHERTYPES[probe.source.version], 0, 0, mac)
        port = source_port if probe.source_port is None else probe.source_port
        for packet in probe.build(probe, port, token):
            self._socket.sendto(packet, where)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """Keep the calling thread on one processor, so that what it sends arrives in order.

    A veth device hands a packet to the queue of the processor that sent it; two queues are not in
    step with each other.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
