"""The HTTPS side of the fake API server: paths, discovery, paging, faults."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import BaseServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.clusters.fake.cluster import Cluster
from tests.clusters.fake.kinds import Kind
from tests.clusters.fake.refusal import Refusal, no_such_path
from tests.support.list_server import CERTIFICATE
from tests.support.serving import Serving, Threads

TOKEN = "a-secret-token-of-the-service-account"  # noqa: S105 - of the fake
_KEY = CERTIFICATE.with_name("key.pem")
_PAGE = 500
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class FaultKind(Enum):
    """What happens to a request instead of an answer."""

    REFUSED = "refused"
    """An answer of the given code; nothing is done."""
    DROPPED = "dropped"
    """The connection is closed; nothing is done."""
    LOST = "lost"
    """The request is done, and the connection is closed before the answer."""
    HANGS = "hangs"
    """No answer comes as long as the server lives; nothing is done."""
    DRIPS = "drips"
    """An answer comes that does not end as long as the server lives; nothing is done."""


@dataclass(frozen=True)
class Fault:
    """What is to go wrong."""

    kind: FaultKind
    code: int = 500
    message: str = "Internal error occurred"
    reason: str = "InternalError"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A request that the server got."""

    method: str
    path: str
    query: dict[str, str]
    length: int
    """Bytes of its body."""

    @property
    def writes(self) -> bool:
        """Whether it would change something."""
        return self.method != "GET" and "dryRun" not in self.query


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in http.server
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        api = self.server.api
        fault = api.note(Seen(self.command, parts.path, query, len(body)))
        with contextlib.suppress(ConnectionError):
            if fault and fault.kind is FaultKind.HANGS:
                api.closing.wait()
            if fault and fault.kind is FaultKind.DRIPS:
                self._drip(api.closing)
            if fault and fault.kind in (FaultKind.HANGS, FaultKind.DROPPED, FaultKind.DRIPS):
                self.close_connection = True
                return
            if fault and fault.kind is FaultKind.REFUSED:
                refusal = Refusal(fault.code, fault.reason, fault.message, headers=fault.headers)
                self._send(fault.code, refusal.status, refusal.headers)
                return
            try:
                with api.lock:
                    code, answer = api.answer(self, parts.path, query, body)
            except Refusal as refusal:
                code, answer = refusal.code, refusal.status
            if fault and fault.kind is FaultKind.LOST:
                self.close_connection = True
                return
            self._send(code, answer)

    def _drip(self, closing: threading.Event) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 40))
        self.end_headers()
        while not closing.wait(0.02):
            self.wfile.write(b" " * 1000)

    def _send(self, code: int, answer: Any, headers: dict[str, str] | None = None) -> None:  # noqa: ANN401 - JSON
        content = json.dumps(answer).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(Threads, HTTPServer):
    api: FakeApi


@dataclass
class FakeApi(Serving):
    """An API server on the loopback; a context manager."""

    cluster: Cluster = field(default_factory=Cluster)
    seen: list[Seen] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    """What happens to the request of a number, the next one is ``len(seen)``."""
    always: Fault | None = None
    """What happens to every request."""
    at_request: Any = None
    """Called with each request, before anything is done."""
    page: int = _PAGE
    """Objects of a page at most."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def bound(self) -> Iterator[BaseServer]:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, _KEY)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        yield self._server
        self.stack.callback(self.closing.set)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, directory: Path, *, token: str = TOKEN, **user: Any) -> Path:  # noqa: ANN401 - YAML
        """Write a kubeconfig for it."""
        return write_kubeconfig(directory, self.url, CERTIFICATE, {"token": token, **user})

    @property
    def writes(self) -> list[Seen]:
        """The requests that would change something."""
        return [each for each in self.seen if each.writes]

    def note(self, request: Seen) -> Fault | None:
        """Note a request; return what is to go wrong."""
        with self.lock:
            number = len(self.seen)
            self.seen.append(request)
        if self.at_request is not None:
            self.at_request(request)
        return self.faults.get(number, self.always)

    def answer(
        self, handler: _Handler, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        """The code and object of an answer.

        Raises:
            Refusal: what it says.
        """
        scheme, _, token = (handler.headers.get("Authorization") or "").partition(" ")
        if (scheme.lower(), token) != ("bearer", TOKEN):
            raise Refusal(401, "Unauthorized", "Unauthorized")
        if len(body) > self.cluster.largest_request:
            said = f"Request entity too large: limit is {self.cluster.largest_request}"
            raise Refusal(413, "RequestEntityTooLarge", said)
        words = path.strip("/").split("/")
        found = self._discovery(words)
        if found is not None:
            return 200, found
        group, version, rest = ("", words[1], words[2:]) if words[0] == "api" else _grouped(words)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind = self.cluster.kind(group, version, rest[0])
        name = rest[1] if len(rest) > 1 else ""
        return self._object(handler, kind, (namespace, name), query, body)

    def _object(
        self,
        handler: _Handler,
        kind: Kind,
        at: tuple[str, str],
        query: dict[str, str],
        body: bytes,
    ) -> tuple[int, Any]:
        namespace, name = at
        verb = {"GET": "get" if name else "list", "PATCH": "patch"}.get(handler.command, "delete")
        self.cluster.allow(verb, kind, namespace, name)
        if verb == "get":
            return 200, self.cluster.get(kind, namespace, name)
        if verb == "list":
            return 200, self._listed(kind, namespace, query)
        if verb == "delete":
            options = json.loads(body or b"{}")
            return 200, self.cluster.delete(
                kind, namespace, name, options.get("preconditions") or {}
            )
        if handler.headers.get("Content-Type") == _MERGE:
            return 200, self.cluster.merge(
                kind, namespace, name, json.loads(body), query.get("fieldManager", "unknown")
            )
        if handler.headers.get("Content-Type") != _APPLY:
            raise Refusal(
                415, "UnsupportedMediaType", "the body of the request was of another type"
            )
        if not query.get("fieldManager"):
            said = "fieldManager: Required value: is required for apply patch"
            raise Refusal(422, "Invalid", said)
        wanted = json.loads(body) if body.startswith(b"{") else yaml.safe_load(body)
        thing, new = self.cluster.apply(
            kind,
            namespace,
            name,
            wanted,
            query["fieldManager"],
            force=query.get("force") == "true",
            dry_run=query.get("dryRun") == "All",
        )
        return 201 if new else 200, thing

    def _listed(self, kind: Kind, namespace: str, query: dict[str, str]) -> dict[str, Any]:
        pairs = (each.partition("=") for each in query.get("labelSelector", "").split(",") if each)
        found = self.cluster.listed(kind, namespace, {key: value for key, _, value in pairs})
        at = int(query.get("continue") or 0)
        past = at + min(int(query.get("limit") or len(found) or 1), self.page)
        more = {"continue": str(past)} if past < len(found) else {}
        return {
            "apiVersion": kind.group_version,
            "kind": f"{kind.name}List",
            "metadata": {"resourceVersion": str(self.cluster.revision), **more},
            "items": [_item(kind, each) for each in found[at:past]],
        }

    def _discovery(self, words: list[str]) -> dict[str, Any] | None:
        kinds = self.cluster.kinds
        major, minor = self.cluster.version
        if words == ["version"]:
            return {"major": str(major), "minor": str(minor), "gitVersion": f"v{major}.{minor}.0"}
        if words == ["apis"]:
            return _groups(kinds)
        if words[0] == "api" and len(words) == 2:
            return _resources("", words[1], kinds)
        if words[0] == "apis" and len(words) == 3:
            return _resources(words[1], words[2], kinds)
        return None


def _grouped(words: list[str]) -> tuple[str, str, list[str]]:
    if words[0] != "apis" or len(words) < 4:
        raise no_such_path()
    return words[1], words[2], words[3:]


def _item(kind: Kind, thing: dict[str, Any]) -> dict[str, Any]:
    """An object as in a list: a server leaves version and kind out, but not of custom kinds."""
    left_out = ("apiVersion", "kind") if kind.built_in else ()
    return {key: value for key, value in thing.items() if key not in left_out}


def _groups(kinds: Iterable[Kind]) -> dict[str, Any]:
    versions: dict[str, list[str]] = {}
    for each in kinds:
        if each.group and each.version not in versions.setdefault(each.group, []):
            versions[each.group].append(each.version)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": group,
                "versions": [{"groupVersion": f"{group}/{v}", "version": v} for v in found],
                "preferredVersion": {"groupVersion": f"{group}/{found[0]}", "version": found[0]},
            }
            for group, found in versions.items()
        ],
    }


def _resources(group: str, version: str, kinds: Iterable[Kind]) -> dict[str, Any]:
    found = [each for each in kinds if (each.group, each.version) == (group, version)]
    if not found:
        raise no_such_path()
    return {
        "kind": "APIResourceList",
        "groupVersion": found[0].group_version,
        "resources": [
            {"name": each.plural, "namespaced": each.namespaced, "kind": each.name}
            for each in found
        ],
    }


def write_kubeconfig(directory: Path, url: str, authority: Path, user: dict[str, Any]) -> Path:
    """Write a kubeconfig with one context."""
    path = directory / f"kubeconfig-{time.monotonic_ns()}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "clusters": [
            {"name": "c", "cluster": {"server": url, "certificate-authority": str(authority)}}
        ],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "fake", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(content))
    path.chmod(0o600)
    return path
