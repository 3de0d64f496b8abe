"""The counter behind the fence: a table of nftables that sees which marked packets pass.

Marked are samples of what the shield would drop. The fence drops them, too, if the shield is
right; so whatever comes marked to the chain behind the fence shows that it is not. There the mark
is taken off again. While the shield only marks, a chain before the fence counts them, too: that
shows that marks come as far as that.
"""

from __future__ import annotations

from typing import NamedTuple

from geofence.backends.nftables import uapi
from geofence.backends.nftables.connection import BatchMessage, Refused, connected
from geofence.backends.nftables.encoding import (
    compare_with,
    count_on,
    expression,
    host_order,
    keep_bits,
)
from geofence.backends.nftables.uapi import Message, Meta
from geofence.backends.nftables.uapi_names import CmpOp, InetHook
from geofence.netlink.attributes import as_number, attribute, nested, number, string, values
from geofence.netlink.messages import APPEND, CREATE

TABLE = "geofence-shield"
_ARRIVED, _PASSED = "arrived", "passed"
_BEFORE, _BEHIND = -151, -149
"""Priorities of the chains; the fence is at -150."""
_MARK = 3
"""``NFT_META_MARK``."""
_SOURCE_REGISTER = 3
"""``NFTA_META_SREG``."""
_ALL_BITS = 0xFFFFFFFF
_COMMENT = "made by geofence: counts samples of its shield that the fence lets pass"


class Counted(NamedTuple):
    """How many marked packets came to the fence, and how many passed it."""

    arrived: int
    """Only counted while the shield drops nothing."""
    passed: int


def place_counters(mark: int, *, before: bool) -> None:
    """Make the table anew, in one transaction.

    Args:
        mark: the bit of marked packets.
        before: whether to count them before the fence, too.

    Raises:
        BackendUnavailable: the kernel has no nf_tables.
        BackendError: it refuses.
    """
    from geofence.backends.nftables import userdata

    comment = attribute(uapi.TableAttribute.USERDATA, userdata.comment(_COMMENT))
    table = string(uapi.TableAttribute.NAME, TABLE)
    make = BatchMessage(Message.NEWTABLE, CREATE, table + comment, f"table inet {TABLE}")
    messages = [make, _deletion(), make, _counter(_PASSED), _chain(_PASSED, _BEHIND)]
    unmark = _set_mark(_ALL_BITS & ~mark)
    messages.append(_rule(_PASSED, _is_marked(mark) + count_on(_PASSED) + unmark))
    if before:
        messages += [_counter(_ARRIVED), _chain(_ARRIVED, _BEFORE)]
        messages.append(_rule(_ARRIVED, _is_marked(mark) + count_on(_ARRIVED)))
    with connected() as nft:
        nft.transact(messages)


def counted() -> Counted | None:
    """Return what was counted; None if the table is gone.

    Raises:
        BackendUnavailable: no privilege.
    """
    with connected() as nft:
        found = []
        for name in (_ARRIVED, _PASSED):
            kind = number(uapi.ObjectAttribute.TYPE, uapi.COUNTER)
            asked = string(uapi.ObjectAttribute.TABLE, TABLE)
            asked += string(uapi.ObjectAttribute.NAME, name) + kind
            try:
                answer = values(nft.get(Message.GETOBJ, asked))
            except Refused:
                if name == _PASSED:
                    return None
                found.append(0)
                continue
            data = values(answer.get(uapi.ObjectAttribute.DATA, b""))
            found.append(as_number(data.get(uapi.Counter.PACKETS)))
    return Counted(*found)


def remove_counters() -> None:
    """Remove the table, if it is there.

    Raises:
        BackendUnavailable: no privilege, or the kernel has no nf_tables.
        BackendError: it refuses.
    """
    with connected(deleting=True) as nft:
        try:
            nft.get(Message.GETTABLE, string(uapi.TableAttribute.NAME, TABLE))
        except Refused:
            return
        nft.transact([_deletion()])


def _deletion() -> BatchMessage:
    body = string(uapi.TableAttribute.NAME, TABLE)
    return BatchMessage(Message.DELTABLE, 0, body, f"removal of table inet {TABLE}")


def _counter(name: str) -> BatchMessage:
    zero = (number(uapi.Counter.BYTES, 0, 8), number(uapi.Counter.PACKETS, 0, 8))
    body = string(uapi.ObjectAttribute.TABLE, TABLE) + string(uapi.ObjectAttribute.NAME, name)
    body += number(uapi.ObjectAttribute.TYPE, uapi.COUNTER)
    body += nested(uapi.ObjectAttribute.DATA, *zero)
    return BatchMessage(Message.NEWOBJ, CREATE, body, f"counter {name}")


def _chain(name: str, priority: int) -> BatchMessage:
    hook = (
        number(uapi.HookAttribute.NUMBER, InetHook.PREROUTING),
        number(uapi.HookAttribute.PRIORITY, priority),
    )
    body = string(uapi.ChainAttribute.TABLE, TABLE) + string(uapi.ChainAttribute.NAME, name)
    body += nested(uapi.ChainAttribute.HOOK, *hook)
    body += number(uapi.ChainAttribute.POLICY, uapi.NF_ACCEPT)
    body += string(uapi.ChainAttribute.TYPE, "filter")
    return BatchMessage(Message.NEWCHAIN, CREATE, body, f"chain {name}")


def _rule(chain: str, expressions: bytes) -> BatchMessage:
    body = string(uapi.RuleAttribute.TABLE, TABLE) + string(uapi.RuleAttribute.CHAIN, chain)
    body += nested(uapi.RuleAttribute.EXPRESSIONS, expressions)
    return BatchMessage(Message.NEWRULE, CREATE | APPEND, body, f"a rule of chain {chain}")


def _load_mark() -> bytes:
    return expression("meta", number(Meta.DREG, uapi.REGISTER), number(Meta.KEY, _MARK))


def _is_marked(mark: int) -> bytes:
    return _load_mark() + keep_bits(host_order(mark)) + compare_with(CmpOp.NEQ, bytes(4))


def _set_mark(kept: int) -> bytes:
    """Return expressions that keep some bits of the mark."""
    stored = expression("meta", number(Meta.KEY, _MARK), number(_SOURCE_REGISTER, uapi.REGISTER))
    return _load_mark() + keep_bits(host_order(kept)) + stored
