"""A source of lists on the loopback, as raw.githubusercontent.com answers: ETags, gzip, keep-alive.

    python -m benchmarks.source DIRECTORY

It serves what is in ``DIRECTORY/before``; once there is a file ``DIRECTORY/anew``, what is in
``DIRECTORY/after``. It prints its port.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple


class Stored(NamedTuple):
    """A list, ready to be sent."""

    etag: str
    packed: bytes

    @classmethod
    def of(cls, file: Path) -> Stored:
        """Read and compress a file."""
        body = file.read_bytes()
        return cls(f'"{sha256(body).hexdigest()}"', gzip.compress(body, mtime=0))


def _tree(directory: Path) -> Mapping[str, Stored]:
    files = (each for each in directory.rglob("*") if each.is_file())
    return {f"/{each.relative_to(directory)}": Stored.of(each) for each in files}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        found = self.server.tree.get(self.path)
        if found is None:
            self._head(404, {"Content-Length": "0"})
        elif self.headers.get("If-None-Match") == found.etag:
            self._head(304, {"ETag": found.etag})
        else:
            length = str(len(found.packed))
            self._head(
                200, {"ETag": found.etag, "Content-Encoding": "gzip", "Content-Length": length}
            )
            self.wfile.write(found.packed)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in http.server
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._marker = directory / "anew"
        self._before, self._after = (_tree(directory / name) for name in ("before", "after"))

    @property
    def tree(self) -> Mapping[str, Stored]:
        """What is served now."""
        return self._after if self._marker.exists() else self._before


def main() -> None:
    """Serve until killed."""
    server = _Server(Path(sys.argv[1]))
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
