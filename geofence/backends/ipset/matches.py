"""The matches that the fence's iptables rules need, asked of the kernel.

The question is the one that ``iptables-nft`` asks before it uses a match, and the kernel loads the
match's module to answer it: ``nfnl_compat_get_rcu`` in ``net/netfilter/nft_compat.c``. Trying the
rules with ``iptables-restore --test`` would tell the same, at the cost of 13 ms a family.
"""

from __future__ import annotations

from geofence.model.prefixes import Family
from geofence.netlink.attributes import NET_BYTEORDER, number, string
from geofence.netlink.messages import NETFILTER, NETLINK_NETFILTER, REQUEST, Request
from geofence.netlink.socket import NetlinkSocket

NEEDED = ("addrtype", "comment", "connlabel", "conntrack", "set", "u32")
"""Matches that are in every fence; ``helper`` is needed by services that name one."""

_COMPAT_GET = 11 << 8
"""``NFNL_SUBSYS_NFT_COMPAT`` with ``NFNL_MSG_COMPAT_GET``."""
_NAME, _REVISION, _TYPE = 1, 2, 3
"""``NFTA_COMPAT_…``"""


def lacking() -> str | None:
    """Return the first needed match that the kernel does not have for one of the families.

    A kernel that cannot be asked (without ``nft_compat``, or without privilege) counts as one that
    has them all: iptables says so itself when it is given the rules.
    """
    with NetlinkSocket(NETLINK_NETFILTER) as netlink:
        for family in Family:
            for match in NEEDED:
                if not _has(netlink, family, match):
                    return match
    return None


def _has(netlink: NetlinkSocket, family: Family, match: str) -> bool:
    """Whether the kernel has revision 0 of a match, or other revisions alone (EPROTONOSUPPORT)."""
    body = b"".join(
        (
            NETFILTER.pack(family.socket_family, 0, 0),
            string(_NAME, match),
            number(_REVISION | NET_BYTEORDER, 0),
            number(_TYPE | NET_BYTEORDER, 0),
        )
    )
    try:
        netlink.ask(Request(_COMPAT_GET, REQUEST, body))
    except FileNotFoundError:
        return False
    except OSError:  # it cannot be asked, or has other revisions alone
        pass
    return True
