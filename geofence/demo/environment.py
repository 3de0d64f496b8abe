"""The demo's environment: a lab, a list server on the PBX's loopback, and geofence on the PBX."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TypeVar

from geofence.by_hand.request import Request
from geofence.demo import world
from geofence.lab.network import Lab
from geofence.model.policy import BackendChoice
from geofence.model.ruleset import Ruleset
from geofence.operations.allow import allow
from geofence.operations.commit import Wish
from geofence.operations.refresh import refresh
from geofence.operations.remove import remove
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.operations.status import StatusReport, status

Result = TypeVar("Result")


class _ListServer(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: standard error is the demo's."""


class DemoEnvironment(AbstractContextManager["DemoEnvironment"]):
    """Everything that the demo acts on; all of it is removed when it is closed."""

    def __init__(self, backend: BackendChoice | None = None) -> None:
        """Build it.

        Args:
            backend: overrides the rules' ``backend``.

        Raises:
            LabUnavailable: neither root nor user namespaces are to be had.
        """
        with ExitStack() as closing:
            self.lab = closing.enter_context(Lab())
            self._directory = Path(closing.enter_context(TemporaryDirectory(prefix="geofence-")))
            port = self._serve(closing)
            self.site = Site(
                rules_directory=self._directory / "rules.d",
                state_directory=self._directory / "state",
                backend=backend,
                log_changes=False,
            )
            self.site.rules_directory.mkdir(mode=0o755)
            drop_in = self.site.rules_directory / "demo.toml"
            drop_in.write_text(world.rules(port), encoding="utf-8")
            self._closing = closing.pop_all()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take everything down."""
        self._closing.close()

    def _serve(self, closing: ExitStack) -> int:
        """Start the list server on the PBX's loopback and return its port."""
        self.publish(changed=False)
        handler = partial(_ListServer, directory=str(self._directory / "www"))
        with self.lab.pbx.entered():
            server = closing.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        closing.callback(thread.join)
        closing.callback(server.shutdown)
        return int(server.server_port)

    def publish(self, *, changed: bool) -> None:
        """Put a version of the country's list on the server."""
        folder = self._directory / "www" / "country" / "jp"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "aggregated.json").write_text(world.country_list(changed=changed), "utf-8")

    def refresh(self) -> RunReport:
        """Run ``geofence refresh``."""
        return self._on_pbx(lambda: refresh(self.site, Wish("refresh")))

    def allow(self, name: str) -> RunReport:
        """Run ``geofence allow NAME``."""
        return self._on_pbx(lambda: allow(self.site, Request((name,))))

    def remove(self) -> tuple[str, ...]:
        """Run ``geofence remove``."""
        return self._on_pbx(lambda: remove(self.site))

    def status(self) -> StatusReport:
        """Run ``geofence status``."""
        return self._on_pbx(lambda: status(self.site))

    def ruleset(self) -> Ruleset:
        """Return what was applied last, or no fence at all."""
        newest, _ = self.site.generations.newest()
        return newest.ruleset if newest else Ruleset()

    def _on_pbx(self, act: Callable[[], Result]) -> Result:
        with self.lab.pbx.entered():
            return act()
