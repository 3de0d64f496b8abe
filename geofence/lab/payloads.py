"""Payloads of probes: SIP and RTP as a PBX receives them, each ending in a token of its own."""

from __future__ import annotations

import struct
from collections.abc import Callable

TOKEN_LENGTH = 8
"""Every payload ends in this many hexadecimal digits."""

Payload = Callable[[int], bytes]
"""From a token to a payload that ends in it."""


def token_text(token: int) -> bytes:
    """Return the token as payloads end in it."""
    return f"{token:0{TOKEN_LENGTH}x}".encode("ascii")


def plain(token: int) -> bytes:
    """Return nothing but the token."""
    return token_text(token)


def sip_options(token: int) -> bytes:
    """Return an OPTIONS request (RFC 3261, 11), the SIP way of asking whether somebody is there."""
    call = token_text(token).decode("ascii")
    lines = (
        "OPTIONS sip:pbx.example SIP/2.0",
        f"Via: SIP/2.0/UDP phone.example:5060;branch=z9hG4bK{call}",
        "Max-Forwards: 70",
        f"From: <sip:100@phone.example>;tag={call}",
        "To: <sip:pbx.example>",
        f"Call-ID: {call}@phone.example",
        "CSeq: 1 OPTIONS",
        "Content-Type: text/plain",
        f"Content-Length: {TOKEN_LENGTH}",
        "",
        call,
    )
    return "\r\n".join(lines).encode("ascii")


def rtp(token: int) -> bytes:
    """Return 20 ms of G.711 mu-law silence (RFC 3550, RFC 3551)."""
    header = struct.pack("!BBHII", 0x80, 0, token & 0xFFFF, token, 0x67656F66)
    return header + b"\xff" * (160 - TOKEN_LENGTH) + token_text(token)
