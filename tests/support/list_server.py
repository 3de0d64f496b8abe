"""A real HTTP server on the loopback that answers as a test tells it to, well or badly."""

from __future__ import annotations

import contextlib
import gzip
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import repeat
from pathlib import Path
from socketserver import BaseServer

from tests.support.serving import Serving, Threads

CERTIFICATE = Path(__file__).parent / "tls" / "certificate.pem"
"""Of the TLS server; its own authority."""
_KEY = CERTIFICATE.with_name("key.pem")


@dataclass(frozen=True)
class Request:
    """A request that the server got."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.owner.next_reply(Request(self.path, headers))
        with contextlib.suppress(ConnectionError):
            reply(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in http.server
        """Say nothing."""

    def head(self, status: int, headers: dict[str, str]) -> None:
        """Send status and header."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait, but no longer than the server lives; whether it is closing."""
        return self.server.owner.closing.wait(seconds)


Reply = Callable[[Handler], None]


class _Server(Threads, HTTPServer):
    owner: ListServer


@dataclass
class ListServer(Serving):
    """Answers each path with its replies in turn; the last one for good.

    As a context manager it runs on the loopback.
    """

    tls: bool = False
    at: int = 0
    """The port; 0 for any that is free."""
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    _replies: dict[str, list[Reply]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def bound(self) -> Iterator[BaseServer]:
        self._server = _Server(("127.0.0.1", self.at), Handler)
        self._server.owner = self
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, _KEY)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        yield self._server
        self.stack.callback(self.closing.set)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def url(self, path: str) -> str:
        """URL of a path."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def on(self, path: str, *replies: Reply) -> str:
        """Say how to answer a path from now on; its URL."""
        with self._lock:
            self._replies[path] = list(replies)
        return self.url(path)

    def next_reply(self, request: Request) -> Reply:
        """The reply to a request, which is noted."""
        with self._lock:
            self.requests.append(request)
            replies = self._replies.get(request.path, [status(404)])
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def asked(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(request.path == path for request in self.requests)


def content(body: bytes, headers: dict[str, str] | None = None, code: int = 200) -> Reply:
    """A proper answer."""

    def reply(handler: Handler) -> None:
        handler.head(code, {"Content-Length": str(len(body)), **(headers or {})})
        handler.wfile.write(body)

    return reply


def tagged(body: bytes, etag: str) -> Reply:
    """A proper answer with an ETag, or 304 to whoever has the body."""

    def reply(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == etag:
            handler.head(304, {"ETag": etag})
        else:
            content(body, {"ETag": etag})(handler)

    return reply


def status(code: int, **headers: str) -> Reply:
    """An answer without a body worth reading; ``retry_after`` becomes ``Retry-After``."""
    return content(b"no", {name.replace("_", "-"): value for name, value in headers.items()}, code)


def redirect(location: str, code: int = 302) -> Reply:
    """An answer that leads elsewhere."""
    return content(b"", {"Location": location}, code)


def compressed(body: bytes, encoding: str = "gzip") -> Reply:
    """A body that is gzip, whatever it says."""
    return content(gzip.compress(body), {"Content-Encoding": encoding})


def cut_short(body: bytes, missing: int, headers: dict[str, str] | None = None) -> Reply:
    """An answer that announces more than it sends."""

    def reply(handler: Handler) -> None:
        announced = str(len(body) + missing)
        handler.head(200, {"Content-Length": announced, "Connection": "close", **(headers or {})})
        handler.wfile.write(body)
        handler.close_connection = True

    return reply


def _chunked(handler: Handler, pieces: Iterable[bytes]) -> None:
    """Send pieces, and not the mark that ends them."""
    handler.head(200, {"Transfer-Encoding": "chunked"})
    for piece in pieces:
        handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


def endless() -> Reply:
    """A list that never ends."""
    return lambda handler: _chunked(handler, repeat(b"192.0.2.0/24\n" * 5_000))


def chunked_without_end(body: bytes) -> Reply:
    """A body in one piece, and then the connection ends instead of the body."""

    def reply(handler: Handler) -> None:
        _chunked(handler, [body])
        handler.close_connection = True

    return reply


def bomb(octets: int) -> Reply:
    """A small body that becomes this large when it is decompressed."""
    packed = gzip.compress(b"\n" * octets)
    return content(packed, {"Content-Encoding": "gzip"})


def dripping(body: bytes, seconds: float, *, announced: bool = True) -> Reply:
    """An answer whose body comes in octet by octet; its length announced or not."""
    length = {"Content-Length": str(len(body))} if announced else {"Connection": "close"}

    def reply(handler: Handler) -> None:
        handler.head(200, length)
        for octet in body:
            handler.wfile.write(bytes([octet]))
            if handler.wait(seconds):
                return

    return reply


def dripping_header(seconds: float) -> Reply:
    """An answer whose header never ends."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.wait(seconds):
            handler.wfile.write(b"X-More: to come\r\n"[:1])

    return reply


def silence() -> Reply:
    """No answer at all."""

    def reply(handler: Handler) -> None:
        handler.wait()
        handler.close_connection = True

    return reply


def hang_up() -> Reply:
    """The connection is closed without an answer."""

    def reply(handler: Handler) -> None:
        handler.close_connection = True

    return reply


def garbage() -> Reply:
    """What is not HTTP."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(b"220 mail.example ESMTP\r\n")
        handler.close_connection = True

    return reply
