"""The address by which a STUN server sees this host.

Sources: RFC 8489 (STUN), sections 5 and 14.2.
"""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import IPv4Address

from geofence.errors import BackendError
from geofence.translation import tr

_COOKIE = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_MAPPED, _XOR_MAPPED = 0x0001, 0x0020
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_ADDRESS = struct.Struct("!xBHI")
_IPV4 = 1
_SECONDS = 2.0
_TRIES = 2
_LONGEST = 2048


def mapped_address(host: str, port: int) -> IPv4Address:
    """Return the IPv4 address from which a STUN server sees a packet of this host come.

    Raises:
        BackendError: the server does not answer, or not as STUN servers do.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_SECONDS)
            channel.connect((host, port))
            for _ in range(_TRIES):
                found = _asked(channel)
                if found is not None:
                    return found
    except OSError as error:
        raise _refusal(host, error.strerror or str(error)) from error
    raise _refusal(host, tr("no answer"))


def _asked(channel: socket.socket) -> IPv4Address | None:
    ident = os.urandom(12)
    channel.send(_HEADER.pack(_REQUEST, 0, _COOKIE, ident))
    try:
        return parse_answer(channel.recv(_LONGEST), ident)
    except TimeoutError:
        return None


def parse_answer(answer: bytes, ident: bytes) -> IPv4Address | None:
    """Return the mapped address of an answer to a request; None if it is none."""
    if len(answer) < _HEADER.size:
        return None
    kind, _, cookie, echoed = _HEADER.unpack_from(answer)
    if (kind, cookie, echoed) != (_SUCCESS, _COOKIE, ident):
        return None
    found: IPv4Address | None = None
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= len(answer):
        name, length = _ATTRIBUTE.unpack_from(answer, at)
        value = answer[at + _ATTRIBUTE.size :][:length]
        at += _ATTRIBUTE.size + (length + 3) // 4 * 4
        if name in {_MAPPED, _XOR_MAPPED} and len(value) == _ADDRESS.size:
            family, _, address = _ADDRESS.unpack(value)
            if family == _IPV4 and (name == _XOR_MAPPED or found is None):
                found = IPv4Address(address ^ (_COOKIE if name == _XOR_MAPPED else 0))
    return found


def _refusal(host: str, reason: str) -> BackendError:
    return BackendError(
        tr(
            "The STUN server {host} does not tell this host's address: {reason}",
            host=host,
            reason=reason,
        )
    )
