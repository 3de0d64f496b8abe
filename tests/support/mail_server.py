"""A small SMTP server on the loopback that keeps what it gets, or refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from socketserver import BaseServer, StreamRequestHandler, TCPServer

from tests.support.serving import Serving, Threads


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


class _Server(Threads, TCPServer):
    owner: MailServer
    allow_reuse_address = True


@dataclass
class MailServer(Serving):
    """Runs as a context manager, in the network namespace of its thread."""

    port: int = 25
    refuses: str = ""
    """What every recipient is answered; empty: all are taken."""
    mails: list[str] = field(default_factory=list)
    envelopes: list[str] = field(default_factory=list)

    def bound(self) -> Iterator[BaseServer]:
        server = _Server(("127.0.0.1", self.port), _Session)
        server.owner = self
        yield server
