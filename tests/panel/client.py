"""A panel that runs, and a browser without a window to look at it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from subprocess import Popen
from urllib.parse import urlencode

from tests.chaos.ground import Ground


@dataclass
class Reply:
    """What the panel answered."""

    code: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Panel:
    """A panel on the loopback of a PBX."""

    ground: Ground
    process: Popen[str]
    link: str
    """As it was printed."""
    cookie: str = ""
    user: int = field(default_factory=os.geteuid)
    """Who asks."""

    @property
    def host(self) -> str:
        """What the header Host has to be."""
        return self.link.split("/")[2]

    def ask(self, path: str, form: Mapping[str, str] | None = None, **headers: str | None) -> Reply:
        """Ask as a browser would; headers replace its own, None leaves one out."""
        sent: dict[str, str | None] = {
            "Host": self.host,
            "Cookie": f"geofence-panel={self.cookie}" if self.cookie else None,
            "Origin": f"http://{self.host}" if form is not None else None,
            "Content-Type": "application/x-www-form-urlencoded" if form is not None else None,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        with self.ground.lab.pbx.entered():
            link = HTTPConnection("127.0.0.1", int(self.host.split(":")[1]), timeout=60)
            with self._as_user():
                link.connect()
        body = None if form is None else urlencode(form)
        link.putrequest("GET" if form is None else "POST", path, skip_host=True)
        for name, value in sent.items():
            if value is not None:
                link.putheader(name, value)
        if body is not None:
            link.putheader("Content-Length", str(len(body)))
        link.endheaders(body.encode() if body else None)
        reply = link.getresponse()
        text = reply.read().decode()
        link.close()
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, text)

    @contextmanager
    def _as_user(self) -> Iterator[None]:
        before = os.geteuid()
        if self.user == before:
            yield
            return
        os.seteuid(self.user)
        try:
            yield
        finally:
            os.seteuid(before)

    def enter(self) -> Reply:
        """Open the link, and keep the cookie."""
        reply = self.ask("/" + self.link.split("/", 3)[3])
        found = re.search(r"geofence-panel=([^;]+)", reply.headers.get("set-cookie", ""))
        self.cookie = found[1] if found else ""
        return reply

    def token(self) -> str:
        """What forms of the session carry."""
        found = re.search(r'name="token" value="(\w+)"', self.ask("/").text)
        assert found
        return found[1]


@contextmanager
def panel(ground: Ground, *options: str) -> Iterator[Panel]:
    """A panel of a PBX, for the length of the block."""
    process = ground.machine.start("panel", "--port", "0", *options)
    try:
        assert process.stdout
        yield Panel(ground, process, process.stdout.readline().strip())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
