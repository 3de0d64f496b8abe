"""Signed mirrors made up for tests, well or badly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from geofence.mirror import index as index_file
from geofence.mirror.index import Entry, Index, Part
from geofence.mirror.signature import SigningKey, new_key, signed
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import MirrorSource, Policy
from tests.support.list_server import ListServer, content, tagged

JP = ListId(ListKind.COUNTRY, "JP")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
KEY = new_key()


def part(body: bytes, form: str = "json") -> Part:
    """The part of an index that names a body."""
    return Part(sha256(body).hexdigest(), len(body), None, form, None, "")


def index(bodies: Mapping[ListId, bytes], serial: int = 1, at: datetime = NOON) -> Index:
    """An index of lists of one body each, signed at a time."""
    lists = {name: Entry(at, (part(body),)) for name, body in bodies.items()}
    return Index(serial, at, at + WEEK, lists)


@dataclass
class MadeMirror:
    """A mirror on the loopback, below ``/m/``."""

    server: ListServer
    key: SigningKey = KEY
    trusted: tuple[str, ...] = field(default=(KEY.public,))

    @property
    def url(self) -> str:
        return self.server.url("/m/")

    def rules(self, **more: object) -> Policy:
        """Rules whose lists come from the mirror."""
        source = MirrorSource((self.url,), self.trusted)
        known: dict[str, object] = {"mirror_source": source, **more}
        return Policy(**known)  # type: ignore[arg-type]

    def put(self, made: Index, *bodies: bytes) -> bytes:
        """Serve an index, signed, and bodies; return the document of the index."""
        document = signed(index_file.written(made), self.key)
        self.put_document(document)
        for body in bodies:
            self.server.on(f"/m/lists/{sha256(body).hexdigest()}", content(body))
        return document

    def put_document(self, document: bytes) -> None:
        """Serve this in place of an index."""
        etag = f'"{sha256(document).hexdigest()[:16]}"'
        self.server.on(f"/m/{index_file.NAME}", tagged(document, etag))
