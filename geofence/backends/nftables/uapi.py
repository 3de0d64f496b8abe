"""Numbers of the kernel's interface, by the names that its headers give them.

Sources: ``linux/netfilter/nf_tables.h``, ``linux/netfilter/nfnetlink.h``, ``linux/netfilter.h``.

They are plain classes: an enumeration takes a quarter of a millisecond to make. What is shown by
its name, too, is in ``uapi_names``.
"""

from __future__ import annotations

SUBSYSTEM = 10
"""``NFNL_SUBSYS_NFTABLES``."""
BATCH_BEGIN = 16
BATCH_END = 17
GEN_ID = 1
"""``NFTA_GEN_ID``."""
BATCH_GENID = 1
"""Attribute of ``BATCH_BEGIN``: the generation that the transaction is made for."""

INET = 1
"""``NFPROTO_INET``: a table for both families."""


NF_DROP = 0
NF_ACCEPT = 1


class Message:
    """``enum nf_tables_msg_types``."""

    NEWTABLE = 0
    GETTABLE = 1
    DELTABLE = 2
    NEWCHAIN = 3
    GETCHAIN = 4
    DELCHAIN = 5
    NEWRULE = 6
    GETRULE = 7
    DELRULE = 8
    NEWSET = 9
    GETSET = 10
    DELSET = 11
    NEWSETELEM = 12
    GETSETELEM = 13
    DELSETELEM = 14
    GETGEN = 16
    NEWOBJ = 18
    GETOBJ = 19
    DELOBJ = 20
    GETFLOWTABLE = 23
    DELFLOWTABLE = 24


class TableAttribute:
    """``enum nft_table_attributes``."""

    NAME = 1
    FLAGS = 2
    USERDATA = 6


class ChainAttribute:
    """``enum nft_chain_attributes``."""

    TABLE = 1
    NAME = 3
    HOOK = 4
    POLICY = 5
    TYPE = 7
    FLAGS = 10


class ChainFlag:
    """``enum nft_chain_flags``."""

    BASE = 1
    BINDING = 4
    """Made with the rule that goes there, and gone with it."""


class HookAttribute:
    """``enum nft_hook_attributes``."""

    NUMBER = 1
    PRIORITY = 2


class RuleAttribute:
    """``enum nft_rule_attributes``."""

    TABLE = 1
    CHAIN = 2
    EXPRESSIONS = 4
    USERDATA = 7


class SetAttribute:
    """``enum nft_set_attributes``."""

    TABLE = 1
    NAME = 2
    FLAGS = 3
    KEY_TYPE = 4
    KEY_LEN = 5
    DESC = 9
    ID = 10
    TIMEOUT = 11
    USERDATA = 13
    EXPRESSION = 17


class SetFlag:
    """``enum nft_set_flags``."""

    ANONYMOUS = 0x1
    """Made with the rule that looks into it, and gone with it."""
    INTERVAL = 0x4
    TIMEOUT = 0x10
    """Elements may have time-outs."""
    EVAL = 0x20
    """Rules may add elements."""


SET_DESC_SIZE = 1
"""``NFTA_SET_DESC_SIZE``: the most elements it will hold."""


class ElementListAttribute:
    """``enum nft_set_elem_list_attributes``."""

    TABLE = 1
    SET = 2
    ELEMENTS = 3


class ElementAttribute:
    """``enum nft_set_elem_attributes``."""

    KEY = 1
    FLAGS = 3
    TIMEOUT = 4
    EXPIRATION = 5
    USERDATA = 6
    EXPRESSION = 7


class ElementFlag:
    """``enum nft_set_elem_flags``."""

    INTERVAL_END = 1
    CATCHALL = 2


class ObjectAttribute:
    """``enum nft_object_attributes``."""

    TABLE = 1
    NAME = 2
    TYPE = 3
    DATA = 4
    USERDATA = 8


COUNTER = 1
"""``NFT_OBJECT_COUNTER``."""


class Counter:
    """``enum nft_counter_attributes``."""

    BYTES = 1
    PACKETS = 2


class FlowtableAttribute:
    """``enum nft_flowtable_attributes``."""

    TABLE = 1
    NAME = 2


LIST_ELEM = 1
"""``NFTA_LIST_ELEM``: one member of a list of attributes."""
DATA_VALUE = 1
DATA_VERDICT = 2


class Expression:
    """``enum nft_expr_attributes``."""

    NAME = 1
    DATA = 2


class VerdictAttribute:
    """``enum nft_verdict_attributes``."""

    CODE = 1
    CHAIN = 2


class Code:
    """``enum nft_verdicts``."""

    JUMP = -3
    GOTO = -4
    RETURN = -5


REGISTER_VERDICT = 0
REGISTER = 1
"""``NFT_REG_1``: 16 bytes, enough for an address or an interface's name."""


class Immediate:
    """``enum nft_immediate_attributes``."""

    DREG = 1
    DATA = 2


class Meta:
    """``enum nft_meta_attributes``."""

    DREG = 1
    KEY = 2


class Cmp:
    """``enum nft_cmp_attributes``."""

    SREG = 1
    OP = 2
    DATA = 3


class Range:
    """``enum nft_range_attributes``."""

    SREG = 1
    OP = 2
    FROM = 3
    TO = 4


class Payload:
    """``enum nft_payload_attributes``."""

    DREG = 1
    BASE = 2
    OFFSET = 3
    LEN = 4


class Lookup:
    """``enum nft_lookup_attributes``."""

    SET = 1
    SREG = 2
    DREG = 3
    FLAGS = 5


class Limit:
    """``enum nft_limit_attributes``."""

    RATE = 1
    UNIT = 2
    BURST = 3
    TYPE = 4
    FLAGS = 5


LIMIT_PACKETS = 0
"""``NFT_LIMIT_PKTS``."""
LIMIT_INVERTED = 1
"""``NFT_LIMIT_F_INV``."""


class Dynset:
    """``enum nft_dynset_attributes``."""

    SET_NAME = 1
    OP = 3
    SREG_KEY = 4
    TIMEOUT = 6
    FLAGS = 9


class Fib:
    """``enum nft_fib_attributes``."""

    DREG = 1
    RESULT = 2
    FLAGS = 3


BITWISE_MASK_XOR = 0
"""``NFT_BITWISE_MASK_XOR``: keep the bits of a mask."""
LOOKUP_INVERTED = 1
"""``NFT_LOOKUP_F_INV``."""
LOOPBACK_INDEX = 1
"""``LOOPBACK_IFINDEX``, ``net/net_namespace.h``."""
FIB_ADDRTYPE = 3
"""``NFT_FIB_RESULT_ADDRTYPE``."""
FIB_DADDR = 2
"""``NFTA_FIB_F_DADDR``."""


class Ct:
    """``enum nft_ct_attributes``."""

    DREG = 1
    KEY = 2
    DIRECTION = 3
    SREG = 4


CT_CONFIRMED = 1 << 3
CT_DNAT = 1 << 5
"""``IPS_DST_NAT``."""
CT_HELPER_LENGTH = 16
"""``NF_CT_HELPER_NAME_LEN``."""
CT_LABEL_WORD = 64
"""Bits of the words that labels are kept in, ``unsigned long``."""


class Bitwise:
    """``enum nft_bitwise_attributes``."""

    SREG = 1
    DREG = 2
    LEN = 3
    MASK = 4
    XOR = 5
    OP = 6


class Objref:
    """``enum nft_objref_attributes``."""

    TYPE = 1
    NAME = 2
