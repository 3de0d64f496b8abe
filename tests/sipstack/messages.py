"""SIP requests as a peer's or an attacker's tool writes them, byte for byte."""

from __future__ import annotations

from itertools import count

from tests.sipstack.addresses import Endpoint, family_of, pbx_for, sip_host

_NUMBERS = count(1)


def request(  # noqa: PLR0913 - the headers that attacks differ by
    method: str,
    sender: Endpoint,
    *,
    user: str = "anybody",
    params: str = "",
    contact: Endpoint | None = None,
    by: str = "UDP",
    call: str = "",
    more: str = "",
    body: str = "",
) -> bytes:
    """Return a request to the PBX, at its address in the sender's family.

    Args:
        method: ``OPTIONS``, ``INVITE``, …
        sender: whom it is from.
        user: whom it asks for.
        params: of ``Via``, with a semicolon before each.
        contact: stands in ``Contact`` instead of the sender.
        by: the transport in ``Via``.
        call: Call-ID and branch, where it belongs to an earlier request; or else a new one.
        more: header lines, each with its end.
        body: SDP.
    """
    call = call or new_call()
    pbx = sip_host(pbx_for(sender.address))
    lines = (
        f"{method} sip:{user}@{pbx} SIP/2.0",
        f"Via: SIP/2.0/{by} {sender};branch=z9hG4bK{call}{params}",
        f"From: <sip:peer@{sender}>;tag={call}",
        f"To: <sip:{user}@{pbx}>",
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
    place = f"IN IP{family_of(address).digit} {address}"
    lines = (
        "v=0",
        f"o=- 1 1 {place}",
        "s=-",
        f"c={place}",
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
