"""Notifications of changes of this host's interfaces and routes.

What has changed is not read from them: one change often comes with hundreds, and the kernel may
lose some (ENOBUFS), which is a change, too. So nothing is decoded, by pyroute2 or by hand.
"""

from __future__ import annotations

import errno
import select
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.netlink.socket import NetlinkSocket
from geofence.routing.routes import connected

_GROUPS = 1 << 0 | 1 << 6 | 1 << 10 | 1 << 31
"""``RTMGRP_LINK``, ``RTMGRP_IPV4_ROUTE``, ``RTMGRP_IPV6_ROUTE`` and ``RTNLGRP_NEXTHOP`` of
linux/rtnetlink.h. A change of addresses is one of routes."""
_MILLISECONDS = 1000


class RouteChanges:
    """Receives every change from the moment it is made."""

    def __init__(self, channel: NetlinkSocket) -> None:
        """Listen to a netlink socket that is in the groups."""
        self._channel = channel
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def within(self, seconds: float) -> bool:
        """Wait until something has changed; False if nothing has for so long."""
        if not self._poll.poll(seconds * _MILLISECONDS):
            return False
        self._receive_one()
        return True

    def pass_over(self) -> None:
        """Forget the changes so far."""
        while self._poll.poll(0):
            self._receive_one()

    def _receive_one(self) -> None:
        try:
            self._channel.receive()
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


@contextmanager
def route_changes() -> Iterator[RouteChanges]:
    """Listen for changes of interfaces, addresses and routes.

    Raises:
        BackendError: the kernel would not tell, or no longer does.
    """
    with connected(_GROUPS) as channel:
        yield RouteChanges(channel)
