"""A machine of its own to run the real command on: network, list server, rules and state."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from geofence.backends import registry
from geofence.lab.host import Host
from geofence.model.plan import Observed
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import Role, SetKey
from geofence.policy.owned import OWNED_FILE
from geofence.state.lists import ListStore
from tests.cli import forked
from tests.cli.world import japan
from tests.support.list_server import Handler, ListServer, Reply, content

ROOT = Path(__file__).parents[2]
BACKENDS = sorted(registry.MODULES)

_RULES = """\
[source.country]
urls = ["http://127.0.0.1:{port}/{{cc}}.json"]

[exception.office]
description = "An office abroad"
prefixes = ["45.9.0.0/16", "2a00:1450::/32"]
services = ["sip"]
group = "offices"
enabled = false

[exception.lab]
prefixes = ["45.77.0.0/16"]
group = "offices"
enabled = false

[exception.home]
prefixes = ["45.88.0.7/32"]

[blocklist.rude]
prefixes = ["133.66.0.0/16", "2400:4066::/32"]

[exception.forgiven]
prefixes = ["133.66.9.9/32"]
enabled = false
"""
"""Beside what ships, by which Japan may come in."""

_COUNTERS = re.compile(r"\[\d+:\d+\]|packets \d+ bytes \d+")


@dataclass
class Gate:
    """An answer that is held back."""

    then: Reply
    asked: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self, handler: Handler) -> None:
        """Hold it back; as long as anybody lives if it is never let go."""
        self.asked.set()
        while not (self.opened.is_set() or handler.wait(0.01)):
            pass
        self.then(handler)

    def wait_until_asked(self) -> None:
        assert self.asked.wait(60)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it said."""
        return self.out + self.err

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command says
        """Its standard output, understood."""
        return json.loads(self.out)


@dataclass
class Machine:
    """Rules, state and kernel that belong to one test or one module of tests."""

    host: Host
    server: ListServer
    directory: Path
    backend: str
    wrapper: tuple[str, ...] = ()
    """A program and its arguments that the command is run by."""
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the first rules."""
        self.write_rules()

    def write_rules(self) -> None:
        """Make the directory of rules, with the first of them."""
        self.rules.mkdir(mode=0o755)
        self.rule("50-test.toml", _RULES.format(port=self.server.port))

    @property
    def rules(self) -> Path:
        return self.directory / "rules"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def owned(self) -> Path:
        """The rules file of the command line."""
        return self.rules / OWNED_FILE

    def rule(self, name: str, text: str) -> Path:
        """Write a file of rules."""
        path = self.rules / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def serve(self, code: str, *replies: Reply | bytes) -> None:
        """Answer like this from now on when a country's list is asked for."""
        answers = [content(reply) if isinstance(reply, bytes) else reply for reply in replies]
        self.server.on(f"/{code.lower()}.json", *answers)

    @contextmanager
    def another_server(self) -> Iterator[ListServer]:
        """A second server, for the length of the block."""
        with _served(self.host) as server:
            yield server

    def command(self, *arguments: str) -> list[str]:
        """The command line of a geofence run here."""
        return [*self.wrapper, sys.executable, "-m", "geofence", *arguments]

    def variables(self) -> dict[str, str]:
        """The environment of a geofence run here: nothing of the tester's but the search path."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "GEOFENCE_RULES_DIR": str(self.rules),
            "GEOFENCE_STATE_DIR": str(self.state),
            "GEOFENCE_BACKEND": self.backend,
            **self.environment,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start geofence; standard input is empty."""
        with self.host.entered():
            return subprocess.Popen(
                self.command(*arguments),
                env=self.variables(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )

    def run(self, *arguments: str) -> Done:
        """Run geofence to its end; no traceback ever."""
        if self.wrapper:
            return ended(self.start(*arguments))
        code = forked.run(self.host.fd, arguments, self.variables(), self.directory)
        out, err = ((self.directory / name).read_text("utf-8") for name in ("out", "err"))
        return _proper(Done(code, out, err))

    def ok(self, *arguments: str) -> Done:
        """Run what has to succeed."""
        done = self.run(*arguments)
        assert done.code == 0, done
        return done

    def tool(self, *command: str) -> str:
        """Run another program here."""
        return self.host.run(*command)

    def fence(self) -> str:
        """All that the kernel holds, as its own tools print it, but for counters."""
        parts: list[tuple[str, ...]] = [("nft", "list", "ruleset")]
        if self.backend == "ipset":
            parts = [("iptables-save",), ("ip6tables-save",), ("ipset", "save")]
        lines = "".join(self.tool(*part) for part in parts).splitlines()
        return "\n".join(_COUNTERS.sub("", line) for line in lines if not line.startswith("#"))

    def files(self) -> dict[str, tuple[int, bytes]]:
        """The state directory with all that is in it: time of last change and content."""
        return {
            str(path.relative_to(self.state)): (
                path.stat().st_mtime_ns,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in sorted(self.state.rglob("*"))
        }

    def generations(self) -> list[Path]:
        """The recorded generations, oldest first."""
        return sorted((self.state / "generations").glob("*.generation"))

    def observe(self) -> Observed:
        """What the kernel holds of geofence's."""
        with self.host.entered():
            return registry.load(self.backend).observe()

    def gets_in(self, *addresses: str, service: str = "sip") -> list[bool]:
        """Whether the kernel's sets let each source in; nobody does where there is no fence."""
        sets = self.observe().sets
        return [_holds(sets, ip_address(address), service) for address in addresses]

    def join_lan(self) -> None:
        """Get an interface ``lan`` with addresses of private networks (see ``world.LANS``)."""
        self.tool("ip", "link", "add", "lan", "type", "veth", "peer", "name", "far")
        for name in ("far", "lan"):
            self.tool("ip", "link", "set", name, "up")
        self.tool("ip", "address", "add", "192.168.7.2/24", "dev", "lan")
        self.tool("ip", "address", "add", "fd00:99::2/64", "dev", "lan", "nodad")

    @contextmanager
    def in_lan(self) -> Iterator[None]:
        """Be in the LAN for the length of the block."""
        self.join_lan()
        try:
            yield
        finally:
            self.tool("ip", "link", "delete", "lan")

    def trusts(self, network: str, interface: str = "lan") -> bool:
        """Whether a rule of the kernel's lets the network in by the interface."""
        rules = self.observe().rules
        return any(network in rule and interface in rule for rule in rules)

    def clear(self) -> None:
        """What a boot does to the kernel."""
        with self.host.entered():
            for name in BACKENDS:
                registry.load(name).remove()

    def break_set(self) -> None:
        """Empty the set of allowed countries, as somebody else might."""
        if self.backend == "ipset":
            self.tool("ipset", "flush", "geofence-allow4")
        else:
            tables = self.tool("nft", "list", "table", "inet", "geofence")
            name = next(
                line.split()[1] for line in tables.splitlines() if line.startswith("\tset allow4")
            )
            self.tool("nft", "flush", "set", "inet", "geofence", name)

    def age_lists(self, span: timedelta) -> None:
        """Make it so long since a source confirmed the lists."""
        store = ListStore(self.state)
        for accepted in store.load_all(store.ids())[0].values():
            then = [replace(p, checked_at=p.checked_at - span) for p in accepted.provenance]
            store.renew(replace(accepted, provenance=tuple(then)))


def _holds(
    sets: Mapping[SetKey, PrefixSet], source: IPv4Address | IPv6Address, service: str
) -> bool:
    family = Family.IPV4 if source.version == 4 else Family.IPV6
    keys = (SetKey(Role.EXCEPTION, service, family), SetKey(Role.ALLOW, "", family))
    return any(int(source) in sets[key] for key in keys)


def ended(process: subprocess.Popen[str], seconds: float = 60) -> Done:
    """Wait for a run of geofence; no traceback ever."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return _proper(Done(process.returncode, out, err))


def _proper(done: Done) -> Done:
    assert "Traceback" not in done.said, done.err[-2000:]
    assert "\x1b" not in done.said
    return done


@contextmanager
def machine(directory: Path, backend: str = "nftables") -> Iterator[Machine]:
    """A machine on which nothing was done yet; its server has Japan's list."""
    with Host("machine") as host, _served(host) as server:
        host.run("ip", "link", "set", "lo", "up")
        made = Machine(host, server, directory, backend)
        made.serve("JP", japan())
        yield made


@contextmanager
def _served(host: Host) -> Iterator[ListServer]:
    """A list server on the host's loopback."""
    server = ListServer()
    with host.entered():
        server.__enter__()
    try:
        yield server
    finally:
        server.__exit__(None, None, None)
