"""Whether the kernel may hold anything of this backend's, asked without the rest of it."""

from __future__ import annotations

import errno

from geofence.backends.nftables.uapi import INET, SUBSYSTEM, Message, TableAttribute
from geofence.netlink.attributes import string
from geofence.netlink.messages import NETFILTER, NETLINK_NETFILTER, REQUEST, Request
from geofence.netlink.socket import NetlinkSocket

TABLE = "geofence"
"""The one table that is geofence's, of family ``inet``."""
_ABSENT = (errno.ENOENT, errno.EINVAL)
"""There is no such table, or no nf_tables in the kernel."""


def may_hold() -> bool:
    """Whether there is a table of geofence's; also if that cannot be told."""
    body = NETFILTER.pack(INET, 0, 0) + string(TableAttribute.NAME, TABLE)
    request = Request(SUBSYSTEM << 8 | Message.GETTABLE, REQUEST, body)
    try:
        with NetlinkSocket(NETLINK_NETFILTER) as netlink:
            netlink.ask(request)
    except OSError as error:
        return error.errno not in _ABSENT
    except ValueError:
        return True
    return True
