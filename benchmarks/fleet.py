"""A fleet that refreshes from one source, and from a mirror of its own: requests, bytes, time.

The hosts run the real code of fetching and its guards; the mirror is published by the real code and
served over TLS on the loopback. Bytes are those of the loopback interface, all headers and
acknowledgements of both directions included. The night of a fleet (three hours) is shortened.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Timer

from benchmarks import report
from benchmarks.fleet_clients import LISTS, Phase, Ran, serve
from geofence.errors import ListError
from geofence.model.lists import ListKind
from geofence.model.policy import MirrorSource, Policy
from geofence.operations.lists import fetched
from geofence.operations.mirror import make_key, publish
from geofence.operations.site import Site
from tests.support.list_server import CERTIFICATE

HOSTS = 1_000
_PROCESSES = 4
_PORT = 8443
_WINDOW, _LONG = 60.0, 240.0
"""Seconds in which all hosts begin, where they have the lists already, and where they do not."""
_HEADINGS = (
    "night",
    "requests",
    "answers",
    "on the wire",
    "a host",
    "server's CPU",
    "median",
    "slowest",
    "renewed",
    "unchanged",
    "refused",
    "failed",
)


def refreshing(lists: Path, scratch: Path) -> None:
    """Some nights of a fleet, one row each."""
    report.heading(
        "A fleet",
        f"{HOSTS:,} hosts in {_PROCESSES} processes, with the lists of "
        f"{' and '.join(each.name for each in LISTS)}, over TLS. They begin within "
        f"{_WINDOW:g} seconds, at the first night {_LONG:g}. Numbers of lists, two a host.",
    )
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)  # they win
    os.environ["SSL_CERT_FILE"] = str(CERTIFICATE)
    www = scratch / "www"
    _origin(www, lists)
    with _served(www) as server, _hosts() as hosts:
        site, key = _mirror(scratch, www)
        night = _Nights(server, hosts)
        source = Policy(country_urls=(f"{_url()}origin/{{cc}}/aggregated.json",))
        mirror = Policy(mirror_source=MirrorSource((f"{_url()}mirror/",), (key,)))
        rows = [
            night.row("source: first", Phase(source, _LONG, anew=True)),
            night.row("source: nothing changed", Phase(source, _WINDOW)),
        ]
        _renew(site)
        rows += [
            night.row("mirror: first", Phase(mirror, _LONG, anew=True)),
            night.row("mirror: nothing changed", Phase(mirror, _WINDOW)),
        ]
        _renew(site)
        rows.append(night.row("mirror: signed again", Phase(mirror, _WINDOW)))
        _change(www, 0.001)
        _renew(site)
        rows.append(night.row("mirror: JP changed", Phase(mirror, _WINDOW)))
        _change(www, 0.001)
        _renew(site)
        down = (_WINDOW / 4, _WINDOW / 2)
        rows.append(night.row("mirror: down for a quarter", Phase(mirror, _WINDOW), down))
        rows.append(night.row("mirror: the night after", Phase(mirror, _WINDOW)))
        _change(www, 0.4)
        _renew(site)
        rows.append(night.row("mirror: JP lost 40 %, refused there", Phase(mirror, _WINDOW)))
        _renew(site, "shrink=JP", "ends=JP")
        rows.append(night.row("mirror: the same, overridden there", Phase(mirror, _WINDOW)))
    report.table(_HEADINGS, rows)


@dataclass(slots=True)
class _Server:
    """The process that serves, and how to have it again."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None
    spent: float = 0.0
    """Processor seconds of earlier processes."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "benchmarks.mirror_server", str(self.directory)]
        self.process = subprocess.Popen([*command, str(_PORT)])
        for _ in range(200):
            try:
                _counted()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise ListError("The server does not answer.")

    def stop(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.spent += self._busy()
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    @property
    def busy(self) -> float:
        """Processor seconds so far."""
        return self.spent + self._busy()

    def _busy(self) -> float:
        if self.process is None:
            return 0.0
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Nights:
    """Runs phases on all hosts, and measures them."""

    server: _Server
    play: Callable[[Phase], Sequence[Ran]]

    def row(self, name: str, phase: Phase, down: tuple[float, float] | None = None) -> list[str]:
        """Have all hosts refresh once; a row of the table.

        Args:
            name: of the row.
            phase: what they do.
            down: from when to when the server is down.
        """
        _counted()
        bytes_before, busy_before = _on_the_wire(), self.server.busy
        timers = [] if down is None else self._interrupted(*down)
        ran = self.play(phase)
        for timer in timers:
            timer.join()
        wire, busy = _on_the_wire() - bytes_before, self.server.busy - busy_before
        answers = _counted()
        seconds = [each.seconds for each in ran]
        for why in sorted({each.why for each in ran if each.why})[:2]:
            print(f"{name}: {why}", file=sys.stderr, flush=True)
        return [
            name,
            "?" if down else f"{sum(answers.values()):,}",
            "?" if down else ", ".join(f"{n:,} {code}" for code, n in sorted(answers.items())),
            f"{wire / 1e6:.1f} MB",
            f"{wire / 1e3 / len(ran):.1f} kB",
            f"{busy:.1f} s",
            f"{median(seconds) * 1000:.0f} ms",
            f"{max(seconds):.1f} s",
            f"{sum(each.renewed for each in ran):,}",
            f"{sum(each.unchanged for each in ran):,}",
            f"{sum(each.refused for each in ran):,}",
            f"{sum(each.failed for each in ran):,}",
        ]

    def _interrupted(self, begin: float, end: float) -> list[Timer]:
        timers = [Timer(begin, self.server.stop), Timer(end, self.server.start)]
        for timer in timers:
            timer.start()
        return timers


def _url() -> str:
    return f"https://127.0.0.1:{_PORT}/"


def _counted() -> dict[str, int]:
    """Answers of the server by status since the last look."""
    context = ssl.create_default_context(cafile=str(CERTIFICATE))
    with urllib.request.urlopen(f"{_url()}count", timeout=5, context=context) as answer:  # noqa: S310 - https
        found: dict[str, int] = json.load(answer)
    return found


def _on_the_wire() -> int:
    """Bytes that the loopback has carried; nobody else is in this namespace."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    [loopback] = [
        line.partition(":")[2].split() for line in lines if line.strip().startswith("lo:")
    ]
    return int(loopback[0])


@contextmanager
def _served(directory: Path) -> Iterator[_Server]:
    server = _Server(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _hosts() -> Iterator[Callable[[Phase], Sequence[Ran]]]:
    """Processes of many hosts each."""
    context = multiprocessing.get_context("spawn")
    ends = []
    for number in range(_PROCESSES):
        here, there = context.Pipe()
        share = HOSTS // _PROCESSES
        process = context.Process(target=serve, args=(there, share, number), daemon=True)
        process.start()
        ends.append((here, process))

    def play(phase: Phase) -> Sequence[Ran]:
        for here, _ in ends:
            here.send(phase)
        return [ran for here, _ in ends for ran in here.recv()]

    try:
        yield play
    finally:
        for here, process in ends:
            here.send(None)
            process.join(10)


def _origin(www: Path, lists: Path) -> None:
    """Copy the lists that are needed to where the source gives them."""
    for each in LISTS:
        place = www / "origin" / each.name.lower()
        place.mkdir(parents=True)
        body = (lists / each.name.lower() / "aggregated.json").read_bytes()
        (place / "aggregated.json").write_bytes(body)


def _mirror(scratch: Path, www: Path) -> tuple[Site, str]:
    """A host that publishes, and its public key."""
    rules = scratch / "mirror-rules"
    rules.mkdir(mode=0o755)
    key = make_key(scratch / "mirror.key")
    codes = json.dumps([each.name for each in LISTS])
    text = (
        f'[allow]\ncountries = {codes}\n[source.country]\nurls = ["{_url()}origin/{{cc}}/'
        f'aggregated.json"]\n[mirror]\ndirectory = "{www / "mirror"}"\n'
        f'key_file = "{scratch / "mirror.key"}"\n'
    )
    (rules / "50-mirror.toml").write_text(text)
    site = Site(rules, scratch / "mirror-state", log_changes=False)
    _renew(site, *(f"first-run={each.name}" for each in LISTS))
    return site, key.public


def _renew(site: Site, *accept: str) -> None:
    """What a refresh does on the mirror, the kernel left out."""
    site.state_directory.mkdir(mode=0o700, exist_ok=True)
    fetched(site, site.policy(), (ListKind.COUNTRY,), accept).store(site)
    publish(site)


def _change(www: Path, share: float) -> None:
    """Remove a share of the prefixes at the end of the source's list of Japan."""
    path = www / "origin" / LISTS[0].name.lower() / "aggregated.json"
    facts = json.loads(path.read_bytes())
    known = facts["prefixes"]["ipv4"]
    middle = len(known) // 2
    facts["prefixes"]["ipv4"] = [*known[:middle], *known[middle + int(len(known) * share) :]]
    path.write_text(json.dumps(facts, indent=2))
