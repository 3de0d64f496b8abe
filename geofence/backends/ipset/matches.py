"""The matches that the fence's iptables rules need, asked of the kernel.

The question is the one that ``iptables-nft`` asks before it uses a match, and the kernel loads the
match's module to answer it: ``nfnl_compat_get_rcu`` in ``net/netfilter/nft_compat.c``. Trying the
rules with ``iptables-restore --test`` would tell the same, at the cost of 13 ms a family.
"""

from __future__ import annotations

import errno
import socket

from geofence.model.prefixes import Family
from geofence.netlink import messages
from geofence.netlink.attributes import NET_BYTEORDER, number, string

NEEDED = ("addrtype", "comment", "connlabel", "conntrack", "set", "u32")
"""Matches that are in every fence; ``helper`` is needed by services that name one."""

_COMPAT_GET = 11 << 8
"""``NFNL_SUBSYS_NFT_COMPAT`` with ``NFNL_MSG_COMPAT_GET``."""
_NAME, _REVISION, _TYPE = 1, 2, 3
"""``NFTA_COMPAT_…``"""
_DATAGRAM = 1 << 12


def lacking() -> str | None:
    """Return the first needed match that the kernel does not have for one of the families.

    A kernel that cannot be asked (without ``nft_compat``, or without privilege) counts as one that
    has them all: iptables says so itself when it is given the rules.
    """
    protocol = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, protocol, messages.NETLINK_NETFILTER) as channel:
        for family in Family:
            for match in NEEDED:
                if _answer(channel, family, match) == errno.ENOENT:
                    return match
    return None


def _answer(channel: socket.socket, family: Family, match: str) -> int:
    """Return 0 if the kernel has revision 0 of the match, or the number of its error.

    A kernel that has other revisions alone answers EPROTONOSUPPORT.
    """
    body = b"".join(
        (
            messages.NETFILTER.pack(family.socket_family, 0, 0),
            string(_NAME, match),
            number(_REVISION | NET_BYTEORDER, 0),
            number(_TYPE | NET_BYTEORDER, 0),
        )
    )
    channel.send(messages.pack(_COMPAT_GET, messages.REQUEST, 1, body))
    kind, _, _, answer = next(messages.unpack(channel.recv(_DATAGRAM)))
    return messages.error_number(kind, answer) if kind == messages.ERROR else 0
