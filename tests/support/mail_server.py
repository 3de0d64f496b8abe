"""A small SMTP server on the loopback that keeps what it gets, or refuses it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self


class _Session(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.say("220 here")
        lines: list[str] = []
        for line in self.rfile:
            text = line.decode().rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            if verb == "RCPT" and self.server.owner.refuses:
                self.say(self.server.owner.refuses)
            elif verb == "DATA":
                self.say("354 go on")
                lines += iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), ".")
                self.server.owner.mails.append("\n".join(lines))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                if verb in ("MAIL", "RCPT"):
                    self.server.owner.envelopes.append(text)
                self.say("250 yes")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(ThreadingTCPServer):
    owner: MailServer
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


@dataclass
class MailServer:
    """Runs as a context manager, in the network namespace of its thread."""

    port: int = 25
    refuses: str = ""
    """What every recipient is answered; empty: all are taken."""
    mails: list[str] = field(default_factory=list)
    envelopes: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self.port), _Session)
        self._server.owner = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
