"""Fields of packets and flows: what a register was loaded with, and how that is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from geofence.backends.nftables import uapi
from geofence.backends.nftables.encoding import (
    DESTINATION,
    DESTINATION_PORT,
    FIN_SYN_RST_ACK,
    NFPROTO,
    OLDER_AND_TRANSLATED,
    SOURCE,
    SOURCE_PORT,
    SYN,
    TCP_FLAGS,
    UDP_LENGTH,
    label_bits,
)
from geofence.backends.nftables.uapi_names import (
    AddressType,
    CmpOp,
    CtDirection,
    CtKey,
    CtState,
    MetaKey,
    PayloadBase,
    names_of,
)
from geofence.model.frozen import NamedTuple
from geofence.model.ports import LOOPBACK, Protocol
from geofence.model.prefixes import Family, address_text
from geofence.model.ruleset import ADMITTED, BEGUN
from geofence.netlink.attributes import as_number, as_string

_IFNAMSIZ = 16


class Field(NamedTuple):
    """What a register was loaded with."""

    text: str
    show: Callable[[bytes], str] = bytes.hex
    """How a value that it is compared with is written."""
    bits: Mapping[int, str] | None = None
    """How it is written that none of some bits is set (EQ), or any (NEQ)."""
    network: tuple[str, int] | None = None
    """Of an address without its last bits: its text, and how many bits are left."""


def _interface(value: bytes) -> str:
    """Return an interface: compared in full length it is a name, else the beginning of one."""
    rest = "" if len(value) == _IFNAMSIZ else "*"
    return f'"{as_string(value)}{rest}"'


def _named(names: Mapping[int, str]) -> Callable[[bytes], str]:
    return lambda value: names.get(as_number(value), value.hex())


def _host_order(names: Mapping[int, str]) -> Callable[[bytes], str]:
    return lambda value: names.get(int.from_bytes(value, sys.byteorder), value.hex())


def _address(family: Family) -> Callable[[bytes], str]:
    return lambda value: address_text(family, as_number(value))


def _port(value: bytes) -> str:
    return str(as_number(value))


def labels_text(value: bytes) -> str:
    """Return the numbers of labels, from a bitmap of words in host order."""
    size = uapi.CT_LABEL_WORD // 8
    words = (value[at : at + size] for at in range(0, len(value), size))
    bitmap = sum(
        int.from_bytes(word, sys.byteorder) << (number * uapi.CT_LABEL_WORD)
        for number, word in enumerate(words)
    )
    return ",".join(str(bit) for bit in range(bitmap.bit_length()) if bitmap >> bit & 1)


_IS_LOOPBACK = _host_order({uapi.LOOPBACK_INDEX: f'"{LOOPBACK}"'})
META = {
    MetaKey.IIF: Field("iif", _IS_LOOPBACK),
    MetaKey.OIF: Field("oif", _IS_LOOPBACK),
    MetaKey.IIFNAME: Field("iifname", _interface),
    MetaKey.OIFNAME: Field("oifname", _interface),
    MetaKey.NFPROTO: Field("meta nfproto", _named({v: str(k) for k, v in NFPROTO.items()})),
    MetaKey.L4PROTO: Field("meta l4proto", _named({p.number: str(p) for p in Protocol})),
}
_NETWORK = {
    (f"meta nfproto {family}", int(PayloadBase.NETWORK), *field[family]): Field(
        f"{'ip' if family is Family.IPV4 else 'ip6'} {name}", _address(family)
    )
    for family in Family
    for name, field in (("saddr", SOURCE), ("daddr", DESTINATION))
}
ADDRESSES = tuple(_NETWORK.values())
PAYLOAD = _NETWORK | {
    (f"meta l4proto {protocol}", int(PayloadBase.TRANSPORT), *field): Field(
        f"{protocol} {name}", show
    )
    for protocol in Protocol
    for name, field, show in (
        ("sport", SOURCE_PORT, _port),
        ("dport", DESTINATION_PORT, _port),
        ("flags", TCP_FLAGS, bytes.hex),
    )
}
PAYLOAD[(f"meta l4proto {Protocol.UDP}", int(PayloadBase.TRANSPORT), *UDP_LENGTH)] = Field(
    "udp length", _port
)
_ADDRESS_TYPES = _host_order(names_of(AddressType))
FIB = {uapi.FIB_DADDR: Field("fib daddr type", _ADDRESS_TYPES)}
CT: Mapping[tuple[int, bytes | None], Field] = {
    (CtKey.STATE, None): Field("ct state"),
    (CtKey.STATUS, None): Field("ct status"),
    (CtKey.HELPER, None): Field("ct helper", lambda value: f'"{as_string(value)}"'),
    (CtKey.LABELS, None): Field("ct label", labels_text),
    (CtKey.DIRECTION, None): Field("ct direction", _named(names_of(CtDirection))),
    (CtKey.PROTO_DST, bytes((CtDirection.ORIGINAL,))): Field("ct original proto-dst", _port),
}
_KNOWN = CtState.ESTABLISHED | CtState.RELATED
MASKED = (
    {
        ("ct state", _KNOWN.to_bytes(4, sys.byteorder)): Field(
            "ct state & (established | related)", bits={CmpOp.NEQ: "ct state established,related"}
        ),
        ("ct state", CtState.NEW.to_bytes(4, sys.byteorder)): Field(
            "ct state & new", bits={CmpOp.EQ: "ct state != new", CmpOp.NEQ: "ct state new"}
        ),
        ("tcp flags", bytes((FIN_SYN_RST_ACK,))): Field(
            "tcp flags & (fin | syn | rst | ack)", _named({SYN: "syn"})
        ),
    }
    | {
        ("ct label", label_bits(label)): Field(
            f"ct label & {label}",
            bits={CmpOp.EQ: f"ct label != {label}", CmpOp.NEQ: f"ct label {label}"},
        )
        for label in (ADMITTED, BEGUN)
    }
    | {
        ("ct status", bit.to_bytes(4, sys.byteorder)): Field(
            f"ct status & {name}",
            bits={CmpOp.EQ: f"ct status != {name}", CmpOp.NEQ: f"ct status {name}"},
        )
        for bit, name in ((uapi.CT_CONFIRMED, "confirmed"), (uapi.CT_DNAT, "dnat"))
    }
    | {
        ("ct status", OLDER_AND_TRANSLATED.to_bytes(4, sys.byteorder)): Field(
            "ct status &", _host_order({OLDER_AND_TRANSLATED: "confirmed,dnat"})
        )
    }
)
