"""Messages for the exceptions of HTTP: of requests and urllib3, and of Python's own client.

Their own texts contain class names, memory addresses and whole URLs with their secrets, so they are
never shown; the innermost cause is enough.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

from geofence.fetch.limits import Limits
from geofence.model.frozen import NamedTuple
from geofence.translation import tr


class Cause(NamedTuple):
    """Why a URL could not be fetched."""

    text: str
    """One clause without a period."""
    may_pass: bool
    """Whether a retry makes sense."""


class NoConnectionError(TimeoutError):
    """A connection takes too long."""


class SilenceError(TimeoutError):
    """A server that should answer sends nothing for too long."""


_Kinds = tuple[type[BaseException], ...]


class _OfRequests(NamedTuple):
    """Exceptions of requests and urllib3; empty if they are not imported, so raised none."""

    no_socks: _Kinds = ()
    proxy_settings: _Kinds = ()
    proxy: _Kinds = ()
    no_connection: _Kinds = ()
    silence: _Kinds = ()
    cut_short: _Kinds = ()
    tls: _Kinds = ()
    compression: _Kinds = ()
    may_pass: _Kinds = ()


def _of_requests() -> _OfRequests:
    if "requests" not in sys.modules:
        return _OfRequests()
    from requests import exceptions as rq
    from urllib3 import exceptions as u3

    return _OfRequests(
        no_socks=(rq.InvalidSchema,),
        proxy_settings=(rq.InvalidProxyURL, u3.ProxySchemeUnknown),
        proxy=(rq.ProxyError, u3.ProxyError),
        no_connection=(rq.ConnectTimeout,),
        silence=(rq.ReadTimeout, u3.ReadTimeoutError),
        cut_short=(rq.ChunkedEncodingError,),
        tls=(rq.SSLError,),
        compression=(rq.ContentDecodingError, u3.DecodeError),
        may_pass=(rq.ConnectionError, rq.ChunkedEncodingError, u3.ProtocolError),
    )


def root_cause(error: BaseException, limits: Limits) -> Cause:
    """Return the cause, from the whole chain of errors; the first rule that knows one decides."""
    chain, of_requests = tuple(_chain(error)), _of_requests()
    for known in chain:
        certain = _certain(known, of_requests)
        if certain is not None:
            return certain
    for temporary, text in _texts(limits, of_requests):
        if any(isinstance(known, temporary) for known in chain):
            return Cause(text, True)
    if any(isinstance(known, of_requests.compression) for known in chain):
        return Cause(tr("the body does not have the compression that its header gives"), False)
    return _of_system(chain, (HTTPException, *of_requests.may_pass))


def _certain(known: BaseException, of_requests: _OfRequests) -> Cause | None:
    """Return the cause that one error tells, whatever it led to."""
    if isinstance(known, ssl.SSLCertVerificationError):
        return Cause(_untrusted(known), False)
    if isinstance(known, socket.gaierror):
        return Cause(tr("DNS lookup failed ({reason})", reason=known.strerror), True)
    # The URL's own scheme was checked before, so this one is the proxy's.
    if isinstance(known, of_requests.no_socks):
        return Cause(_no_socks(), False)
    if isinstance(known, of_requests.proxy_settings):
        return Cause(_no_proxy(), False)
    return None


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


def _texts(limits: Limits, of_requests: _OfRequests) -> tuple[tuple[_Kinds, str], ...]:
    """Return messages for temporary failures by exception; the more specific first."""
    return (
        (of_requests.proxy, tr("the proxy does not work")),
        (
            (NoConnectionError, *of_requests.no_connection),
            tr("no connection within {seconds} seconds", seconds=f"{limits.connect:g}"),
        ),
        (
            (SilenceError, *of_requests.silence),
            tr("the server sends nothing for {seconds} seconds", seconds=f"{limits.read:g}"),
        ),
        ((RemoteDisconnected,), tr("the server closes the connection without an answer")),
        (
            (IncompleteRead, *of_requests.cut_short),
            tr("the connection ended before the body was complete"),
        ),
        ((ssl.SSLEOFError,), tr("the TLS connection was cut off")),
        ((ssl.SSLError, *of_requests.tls), tr("the server does not speak TLS correctly")),
    )


def _of_system(chain: tuple[BaseException, ...], temporary: _Kinds) -> Cause:
    for known in reversed(chain):
        if isinstance(known, OSError) and known.errno is not None and known.strerror:
            return Cause(tr("connection failed ({reason})", reason=known.strerror), True)
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
