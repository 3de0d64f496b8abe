"""Programs that watch geofence, out of Debian's packages."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geofence.lab.host import Host

TOP = Path(__file__).parents[2]
CONTRIB = TOP / "contrib"
DOWNLOADED = TOP / ".venv" / "peers-watchers"
_SECONDS = 20.0
"""Until a program counts as one that does not answer."""
_CONFIGURATION = """\
host 127.0.0.1
port 4949
log_file {place}/node.log
pid_file {place}/node.pid
background 0
setsid 0
user root
group root
allow ^127\\.0\\.0\\.1$
"""


@dataclass(frozen=True)
class Watchers:
    """Where they were unpacked."""

    place: Path

    def promtool(self, *arguments: str, given: str = "") -> str:
        """Run promtool; it has to be content."""
        done = subprocess.run(
            [self.place / "usr/bin/promtool", *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def node_exporter(self, host: Host, directory: Path) -> Iterator[str]:
        """Serve what is in a directory, and yield the URL of the metrics."""
        command = [
            str(self.place / "usr/bin/prometheus-node-exporter"),
            "--web.listen-address=127.0.0.1:9100",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={directory}",
        ]
        with _running(host, command):
            yield "http://127.0.0.1:9100/metrics"

    @contextmanager
    def munin_node(self, host: Host, place: Path, plugin_settings: str) -> Iterator[None]:
        """Serve geofence's plugin on port 4949."""
        plugins, settings = place / "plugins", place / "plugin-conf.d"
        for directory in (plugins, settings):
            directory.mkdir(parents=True)
        shutil.copy(CONTRIB / "munin/geofence", plugins)
        (settings / "geofence").write_text(plugin_settings)
        (place / "munin-node.conf").write_text(_CONFIGURATION.format(place=place))
        command = ["env", f"PERL5LIB={self._perl(place)}", str(self.place / "usr/sbin/munin-node")]
        with _running(host, command):
            yield

    def _perl(self, place: Path) -> str:
        """Return where modules are, with munin's own idea of its directories first."""
        packaged = self.place / "usr/share/perl5"
        defaults = Path("Munin/Common/Defaults.pm")
        text = (packaged / defaults).read_text("utf-8")
        target = place / "perl" / defaults
        target.parent.mkdir(parents=True)
        target.write_text(text.replace("q{/etc/munin}", f"q{{{place}}}"))
        found = [place / "perl", packaged, *self.place.glob("usr/lib/*/perl5/5.*")]
        return ":".join(map(str, found))


@contextmanager
def _running(host: Host, command: list[str]) -> Iterator[None]:
    process = host.start(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_SECONDS)


def fetched(host: Host, url: str) -> str:
    """Ask a server on a host's loopback, once it listens."""
    deadline = time.monotonic() + _SECONDS
    with host.entered():
        while True:
            try:
                with urllib.request.urlopen(url, timeout=_SECONDS) as reply:  # noqa: S310 - ours
                    text: str = reply.read().decode()
                    return text
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
