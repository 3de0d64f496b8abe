"""What a real API server does to NetworkPolicies: defaults, refusals, and fields that it drops."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

from tests.clusters.fake.refusal import copied

END_PORT_SINCE = (1, 25)
"""The release in which ``endPort`` cannot be turned off any more."""
_LAST_PORT = 65_535
_MAPPED = 0xFFFF
"""The bits before the IPv4 address in a mapped one."""


def with_defaults(spec: dict[str, Any], version: tuple[int, int]) -> dict[str, Any]:
    """Return the spec as it is stored: defaults filled in, endPort dropped by an old server."""
    made = copied(spec)
    if not made.get("policyTypes"):
        made["policyTypes"] = ["Ingress", *(["Egress"] if made.get("egress") else [])]
    made.setdefault("podSelector", {})
    for rule in (*(made.get("ingress") or ()), *(made.get("egress") or ())):
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")
            if version < END_PORT_SINCE:
                port.pop("endPort", None)
    return made


def mistakes(spec: dict[str, Any]) -> list[str]:
    """What the server refuses of a NetworkPolicy."""
    found = list(_label_mistakes(spec))
    for at, rule in enumerate(spec.get("ingress") or ()):
        path = f"spec.ingress[{at}]"
        for number, port in enumerate(rule.get("ports") or ()):
            found += _port_mistakes(port, f"{path}.ports[{number}]")
        for number, peer in enumerate(rule.get("from") or ()):
            found += _peer_mistakes(peer, f"{path}.from[{number}]")
    return found


def _label_mistakes(spec: dict[str, Any]) -> Iterator[str]:
    for key, value in (spec["podSelector"].get("matchLabels") or {}).items():
        if not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value):
            where = f"spec.podSelector.matchLabels[{key}]"
            yield f'{where}: Invalid value: "{value}": a valid label must be alphanumeric'


def _port_mistakes(port: dict[str, Any], path: str) -> Iterator[str]:
    if port["protocol"] not in ("TCP", "UDP", "SCTP"):
        supported = 'supported values: "SCTP", "TCP", "UDP"'
        yield f'{path}.protocol: Unsupported value: "{port["protocol"]}": {supported}'
    number, last = port.get("port"), port.get("endPort")
    if isinstance(number, int) and not 1 <= number <= _LAST_PORT:
        yield f"{path}.port: Invalid value: {number}: must be between 1 and 65535, inclusive"
    if last is None:
        return
    if number is None:
        yield f"{path}.endPort: Invalid value: {last}: may not be specified when `port` is not"
    elif last < number:
        yield f"{path}.endPort: Invalid value: {last}: must be greater than or equal to `port`"
    elif last > _LAST_PORT:
        yield f"{path}.endPort: Invalid value: {last}: must be between 1 and 65535, inclusive"


def _peer_mistakes(peer: dict[str, Any], path: str) -> Iterator[str]:
    if not peer:
        yield f"{path}: Required value: must specify a peer"
    block = peer.get("ipBlock")
    if block is None:
        return
    path = f"{path}.ipBlock.cidr"
    text = block.get("cidr", "")
    if not text:
        yield f"{path}: Required value"
    elif wrong := cidr_mistake(text):
        yield f'{path}: Invalid value: "{text}": {wrong}'


def cidr_mistake(text: str) -> str:
    """Why a server of today refuses a CIDR; empty if it does not."""
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch(r"0|[1-9][0-9]*", length):
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    if re.search(r"(^|[.])0[0-9]", address) and ":" not in address:
        return "must not have leading 0s"
    family, bits = (socket.AF_INET6, 128) if ":" in address else (socket.AF_INET, 32)
    try:
        number = int.from_bytes(socket.inet_pton(family, address), "big")
    except OSError:
        bits = -1
    if int(length) > bits:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    if family == socket.AF_INET6 and number >> 32 == _MAPPED:
        return "must not have an IPv4-mapped IPv6 address"
    if number & ((1 << (bits - int(length))) - 1):
        return "must not have bits set beyond the prefix length"
    return ""
