"""The edge: waits for changes of this host's interfaces and routes."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from geofence.flows.conntrack import netlink
from geofence.netlink.messages import NETLINK_ROUTE

_GROUPS = 1 << 0 | 1 << 6 | 1 << 10 | 1 << 31
"""``RTMGRP_LINK``, ``RTMGRP_IPV4_ROUTE``, ``RTMGRP_IPV6_ROUTE`` and ``RTNLGRP_NEXTHOP`` of
linux/rtnetlink.h. A change of addresses is one of routes."""
_DATAGRAM = 1 << 15


class RouteChanges:
    """Hears of every change from the moment it is made."""

    def __init__(self, channel: socket.socket) -> None:
        """Listen to a netlink socket that is in the groups."""
        self._channel = channel

    def within(self, seconds: float) -> bool:
        """Wait until something has changed; False if nothing has for so long."""
        self._channel.settimeout(seconds)
        try:
            self._hear()
        except TimeoutError:
            return False
        return True

    def pass_over(self) -> None:
        """Forget the changes so far."""
        self._channel.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._hear()

    def _hear(self) -> None:
        try:
            self._channel.recv(_DATAGRAM)
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # so many that some were lost: that is a change, too
                raise


@contextmanager
def route_changes() -> Iterator[RouteChanges]:
    """Listen for changes of interfaces, addresses and routes.

    Raises:
        BackendError: the kernel would not tell, or no longer does.
    """
    with netlink(NETLINK_ROUTE, "watch this host's routes", _GROUPS) as channel:
        yield RouteChanges(channel)
