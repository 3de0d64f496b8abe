"""What requests' and urllib3's exceptions mean, in words that name no internals.

Their own texts hold class names, memory addresses and whole URLs with their secrets, so they are
never shown; the innermost cause says enough.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from http.client import IncompleteRead, RemoteDisconnected
from typing import NamedTuple

from requests import exceptions as rq
from urllib3 import exceptions as u3

from geofence.fetch.limits import Limits


class Reason(NamedTuple):
    """Why a URL gave nothing."""

    text: str
    """Follows the URL in a sentence."""
    may_pass: bool
    """Whether a retry makes sense."""


_UNTRUSTED = (
    "has a certificate that is not trusted ({why}); if a proxy of yours signs it, add the proxy's "
    "authority to the system's store, or name it in SSL_CERT_FILE"
)
_VARIABLES = "HTTPS_PROXY or ALL_PROXY"
_NO_SOCKS = (
    f"was not asked, for {_VARIABLES} names a SOCKS proxy and PySocks is not installed; name an "
    f"HTTP proxy there, or install it: '{sys.executable} -m pip install PySocks'"
)
_NO_PROXY = (
    f"was not asked, for what {_VARIABLES} says is not the URL of a proxy, such as "
    "http://proxy.example.com:3128"
)

_OF_PROXIES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((rq.InvalidSchema,), _NO_SOCKS),  # the URL's own scheme was checked before
    ((rq.InvalidProxyURL, u3.ProxySchemeUnknown), _NO_PROXY),
)
"""What is wrong with the proxy that the environment names."""


def reason(error: BaseException, limits: Limits) -> Reason:
    """Why, from the whole chain of causes; the first rule that knows one of them decides."""
    chain = tuple(_chain(error))
    for known in chain:
        if isinstance(known, ssl.SSLCertVerificationError):
            return Reason(_UNTRUSTED.format(why=known.verify_message), False)
        if isinstance(known, socket.gaierror):
            return Reason(f"cannot be found by DNS ({known.strerror})", True)
        for kinds, text in _OF_PROXIES:
            if isinstance(known, kinds):
                return Reason(text, False)
    for transient, text in _texts(limits):
        if any(isinstance(known, transient) for known in chain):
            return Reason(text, True)
    if any(isinstance(known, (rq.ContentDecodingError, u3.DecodeError)) for known in chain):
        return Reason("sends a body that is not compressed as it says", False)
    return _of_system(chain)


def _texts(limits: Limits) -> tuple[tuple[tuple[type[BaseException], ...], str], ...]:
    """What may pass, by exception; the more telling first."""
    return (
        ((rq.ProxyError, u3.ProxyError), "cannot be reached, for the proxy does not work"),
        ((rq.ConnectTimeout,), f"accepts no connection within {limits.connect:g} seconds"),
        ((rq.ReadTimeout, u3.ReadTimeoutError), f"sends nothing for {limits.read:g} seconds"),
        ((RemoteDisconnected,), "closes the connection without an answer"),
        ((IncompleteRead, rq.ChunkedEncodingError), "ended before the body was complete"),
        ((ssl.SSLError, rq.SSLError), "does not speak TLS properly"),
    )


def _of_system(chain: tuple[BaseException, ...]) -> Reason:
    for known in reversed(chain):
        if isinstance(known, OSError) and known.errno is not None and known.strerror:
            return Reason(f"cannot be reached ({known.strerror})", True)
    passing = (rq.ConnectionError, rq.ChunkedEncodingError, u3.ProtocolError)
    may_pass = any(isinstance(known, passing) for known in chain)
    return Reason("does not speak HTTP properly", may_pass)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it, outermost first."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        known = waiting.pop(0)
        if known in seen:
            continue
        seen.append(known)
        yield known
        nested = [known.__cause__, known.__context__, getattr(known, "reason", None), *known.args]
        waiting += [inner for inner in nested if isinstance(inner, BaseException)]
