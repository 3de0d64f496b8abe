"""A web server on the loopback with ETags, gzip and TLS, which counts what it answered.

    python -m benchmarks.mirror_server DIRECTORY PORT

``GET /count`` gives the number of answers by status, and begins anew.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.support.list_server import CERTIFICATE


class Counting:
    """Passes requests on, and counts the answers."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - any ASGI application
        self._app = app
        self._seen: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Answer one request."""

        async def count(message: Any) -> None:  # noqa: ANN401 - ASGI
            if message["type"] == "http.response.start" and scope["path"] != "/count":
                self._seen[str(message["status"])] += 1
            await send(message)

        await self._app(scope, receive, count)

    def told(self, _: Request) -> JSONResponse:
        """Answer with the numbers, and begin anew."""
        seen, self._seen = self._seen, Counter()
        return JSONResponse(dict(seen))


def main() -> None:
    """Serve until killed."""
    directory, port = sys.argv[1:]
    files = GZipMiddleware(StaticFiles(directory=directory), minimum_size=256, compresslevel=1)
    counting = Counting(files)
    app = Starlette(routes=[Route("/count", counting.told), Mount("/", counting)])
    key = CERTIFICATE.with_name("key.pem")
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        ssl_certfile=str(CERTIFICATE),
        ssl_keyfile=str(key),
        log_level="error",
        access_log=False,
        backlog=4096,
    )


if __name__ == "__main__":
    main()
