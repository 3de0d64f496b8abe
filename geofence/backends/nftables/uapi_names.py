"""Numbers of the kernel's interface that are shown by their names, too.

Plain classes, as in ``uapi``.

Sources: ``linux/netfilter/nf_tables.h``, ``linux/netfilter.h``, ``linux/rtnetlink.h``,
``linux/netfilter/nf_conntrack_common.h``.
"""

from __future__ import annotations


def names_of(numbers: type) -> dict[int, str]:
    """Return what the numbers of a class are called, in small letters."""
    return {number: name.lower() for name, number in vars(numbers).items() if name.isupper()}


class InetHook:
    """``enum nf_inet_hooks``."""

    PREROUTING = 0
    INPUT = 1
    FORWARD = 2
    OUTPUT = 3


class TableFlag:
    """``enum nft_table_flags``."""

    DORMANT = 1
    OWNER = 2
    PERSIST = 4


class MetaKey:
    """``enum nft_meta_keys``."""

    IIF = 4
    OIF = 5
    IIFNAME = 6
    OIFNAME = 7
    NFPROTO = 15
    L4PROTO = 16


class CmpOp:
    """``enum nft_cmp_ops``."""

    EQ = 0
    NEQ = 1
    LT = 2
    LTE = 3
    GT = 4
    GTE = 5


class PayloadBase:
    """``enum nft_payload_bases``."""

    NETWORK = 1
    TRANSPORT = 2


class DynsetOp:
    """``enum nft_dynset_ops``."""

    ADD = 0
    """An element that is there already keeps its time-out."""
    UPDATE = 1
    """Its time-out begins anew."""


class AddressType:
    """``RTN_…`` of ``linux/rtnetlink.h``."""

    UNICAST = 1
    """Another host's."""
    LOCAL = 2
    BROADCAST = 3
    ANYCAST = 4


class CtKey:
    """``enum nft_ct_keys``."""

    STATE = 0
    DIRECTION = 1
    STATUS = 2
    HELPER = 6
    PROTO_DST = 12
    LABELS = 13


class CtDirection:
    """``enum ip_conntrack_dir``."""

    ORIGINAL = 0
    REPLY = 1


class CtState:
    """``NF_CT_STATE_BIT`` of each state, ``linux/netfilter/nf_conntrack_common.h``."""

    INVALID = 1
    ESTABLISHED = 2
    RELATED = 4
    NEW = 8
    UNTRACKED = 64
