"""How the servers of tests start and stop."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from socketserver import BaseServer, ThreadingMixIn
from types import TracebackType
from typing import Self


class Threads(ThreadingMixIn):
    """Of a server: connections in threads that nobody waits for."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may go when they like."""


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Let a server that is bound serve."""
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class Serving(ABC):
    """Serves while it is entered, as a context manager."""

    stack: ExitStack
    """What is undone at the end; the last first."""

    @abstractmethod
    def bound(self) -> Iterable[BaseServer]:
        """Yield its servers, bound to their ports; what follows the last is for when they serve."""

    def __enter__(self) -> Self:
        self.stack = ExitStack()
        for server in self.bound():
            self.stack.enter_context(serving(server))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.close()
