"""SIP requests as a peer's or an attacker's tool writes them, byte for byte."""

from __future__ import annotations

from itertools import count

from geofence.lab.network import PBX
from geofence.model.prefixes import Family

PBX_ADDRESS = str(PBX[Family.IPV4])

_NUMBERS = count(1)


def request(  # noqa: PLR0913 - the headers that attacks differ by
    method: str,
    sender: str,
    *,
    user: str = "anybody",
    via: str = "",
    params: str = "",
    contact: str = "",
    by: str = "UDP",
    call: str = "",
    more: str = "",
    body: str = "",
) -> bytes:
    """Return a request to the PBX.

    Args:
        method: ``OPTIONS``, ``INVITE``, …
        sender: address and port of whom it is from, ``192.0.2.1:5060``.
        user: whom it asks for.
        via: address and port in ``Via`` instead of the sender's.
        params: of ``Via``, with a semicolon before each.
        contact: address and port in ``Contact`` instead of the sender's.
        by: the transport in ``Via``.
        call: Call-ID and branch, where it belongs to an earlier request; or else a new one.
        more: header lines, each with its end.
        body: SDP.
    """
    call = call or new_call()
    lines = (
        f"{method} sip:{user}@{PBX_ADDRESS} SIP/2.0",
        f"Via: SIP/2.0/{by} {via or sender};branch=z9hG4bK{call}{params}",
        f"From: <sip:peer@{sender}>;tag={call}",
        f"To: <sip:{user}@{PBX_ADDRESS}>",
        f"Call-ID: {call}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:peer@{contact or sender}>",
        "Max-Forwards: 70",
        *(["Content-Type: application/sdp"] if body else ()),
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n" + more + "\r\n" + body).encode()


def new_call() -> str:
    """Return a Call-ID that no other request has."""
    return f"call{next(_NUMBERS)}"


def sdp(address: str, port: int) -> str:
    """Return a session with one stream of audio, to be sent to that address and port."""
    lines = (
        "v=0",
        f"o=- 1 1 IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0",
        "a=sendrecv",
    )
    return "\r\n".join(lines) + "\r\n"


def response_to(asked: bytes, status: str = "200 OK", body: str = "") -> bytes:
    """Return a response to a request, as its far end would send it."""
    lines = asked.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    wanted = ("via", "from", "call-id", "cseq", "record-route", "expires")
    copied = [line for line in lines if line.split(":")[0].lower() in wanted]
    to = next(line for line in lines if line.lower().startswith("to:"))
    contact = [line for line in lines if line.lower().startswith("contact:")]
    kind = ["Content-Type: application/sdp"] if body else []
    head = [f"SIP/2.0 {status}", *copied, f"{to};tag=far", *contact, *kind]
    return ("\r\n".join([*head, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()
