"""Messages for the exceptions of requests and urllib3.

Their own texts contain class names, memory addresses and whole URLs with their secrets, so they are
never shown; the innermost cause is enough.
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
from geofence.translation import tr


class Cause(NamedTuple):
    """Why a URL could not be fetched."""

    text: str
    """One clause without a period."""
    may_pass: bool
    """Whether a retry makes sense."""


_OF_PROXY_SETTINGS = (rq.InvalidSchema, rq.InvalidProxyURL, u3.ProxySchemeUnknown)


def root_cause(error: BaseException, limits: Limits) -> Cause:
    """Return the cause, from the whole chain of errors; the first rule that knows one decides."""
    chain = tuple(_chain(error))
    for known in chain:
        if isinstance(known, ssl.SSLCertVerificationError):
            return Cause(_untrusted(known), False)
        if isinstance(known, socket.gaierror):
            return Cause(tr("DNS lookup failed ({reason})", reason=known.strerror), True)
        if isinstance(known, _OF_PROXY_SETTINGS):
            # The URL's own scheme was checked before, so this one is the proxy's.
            no_socks = isinstance(known, rq.InvalidSchema)
            return Cause(_no_socks() if no_socks else _no_proxy(), False)
    for temporary, text in _texts(limits):
        if any(isinstance(known, temporary) for known in chain):
            return Cause(text, True)
    if any(isinstance(known, (rq.ContentDecodingError, u3.DecodeError)) for known in chain):
        return Cause(tr("the body does not have the compression that its header gives"), False)
    return _of_system(chain)


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    return tr(
        "the certificate is not trusted ({reason}); if your proxy signs it, add the proxy's "
        "authority to the system's store, or set SSL_CERT_FILE to it",
        reason=error.verify_message,
    )


def _no_socks() -> str:
    return tr(
        "HTTPS_PROXY or ALL_PROXY is set to a SOCKS proxy, but PySocks is not installed; set it to "
        "an HTTP proxy, or run '{command}'",
        command=f"{sys.executable} -m pip install PySocks",
    )


def _no_proxy() -> str:
    return tr(
        "HTTPS_PROXY or ALL_PROXY is not set to the URL of a proxy; expected one such as "
        "http://proxy.example.com:3128"
    )


def _texts(limits: Limits) -> tuple[tuple[tuple[type[BaseException], ...], str], ...]:
    """Return messages for temporary failures by exception; the more specific first."""
    return (
        ((rq.ProxyError, u3.ProxyError), tr("the proxy does not work")),
        (
            (rq.ConnectTimeout,),
            tr("no connection within {seconds} seconds", seconds=f"{limits.connect:g}"),
        ),
        (
            (rq.ReadTimeout, u3.ReadTimeoutError),
            tr("the server sends nothing for {seconds} seconds", seconds=f"{limits.read:g}"),
        ),
        ((RemoteDisconnected,), tr("the server closes the connection without an answer")),
        (
            (IncompleteRead, rq.ChunkedEncodingError),
            tr("the connection ended before the body was complete"),
        ),
        ((ssl.SSLError, rq.SSLError), tr("the server does not speak TLS correctly")),
    )


def _of_system(chain: tuple[BaseException, ...]) -> Cause:
    for known in reversed(chain):
        if isinstance(known, OSError) and known.errno is not None and known.strerror:
            return Cause(tr("connection failed ({reason})", reason=known.strerror), True)
    temporary = (rq.ConnectionError, rq.ChunkedEncodingError, u3.ProtocolError)
    may_pass = any(isinstance(known, temporary) for known in chain)
    return Cause(tr("the server does not speak HTTP correctly"), may_pass)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all its causes, outermost first."""
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
