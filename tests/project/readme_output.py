"""The example output in README and docs, produced by the real command on a machine of its own.

A document marks a block with the command and the scene it runs in::

    <!-- output of "geofence status" in fenced -->
    ```console
    $ sudo geofence status
    ...
    ```

``python -m tests.project.readme_output --write`` rewrites all blocks; ``test_readme_output``
compares them. Blocks of one scene run on one machine, in the order of the document. With
``, parts 3 -1`` after the scene, a block shows those paragraphs of the output, here the third and
the last. ``README.ja.md`` and ``docs/ja`` show what the command prints in Japanese.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from geofence.lab import privilege
from geofence.lab.host import Host
from geofence.lab.wiring import connect, plug
from tests.cli.machine import ROOT, Machine, machine
from tests.lists.bodies import country_json
from tests.project.documents import DOCUMENTS, README_RULES, is_japanese, text
from tests.support.list_server import content, status
from tests.support.name_server import NameServer
from tests.support.probes import give_addresses

JAPANESE = {"LC_ALL": "", "LANG": "ja_JP.UTF-8", "LANGUAGE": "ja"}

PBX, CARRIER = "192.0.2.10", "192.0.2.1"
PHONES = ("133.5.113.7", "133.16.20.9", "61.44.9.31")
STRANGERS = ("203.0.113.66", "45.134.26.9", "185.243.5.17", "193.46.255.3")
PROXY = "198.51.100.20"

_JAPAN = tuple(f"{octet}.0.0.0/8" for octet in (59, 61, 101, 103, 111, 113, 115, 119, 121, 125))
_GERMANY = tuple(f"{octet}.0.0.0/8" for octet in (77, 78, 79, 80, 84, 87, 91))
_LISTS = {
    "JP": country_json("JP", [*_JAPAN, "133.0.0.0/8"], ["2400:4000::/19"]),
    "DE": country_json("DE", list(_GERMANY), ["2003::/18"]),
}
"""About as large as the countries are, for the checks compare sizes."""

_BLOCK = re.compile(
    r'(?P<mark><!-- output of "geofence (?P<arguments>[^"]*)" in (?P<scene>[a-z]+)'
    r"(?:, parts (?P<parts>[-0-9 ]+))? -->\n)"
    r"```console\n(?P<shown>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """An example in a document."""

    arguments: tuple[str, ...]
    scene: str
    parts: tuple[int, ...]
    shown: str


def blocks(document: str) -> list[Block]:
    """Return the examples of a document, in order."""
    return [_block(match) for match in _BLOCK.finditer(text(document))]


def _block(match: re.Match[str]) -> Block:
    parts = tuple(int(part) for part in (match["parts"] or "").split())
    return Block(tuple(match["arguments"].split()), match["scene"], parts, match["shown"])


def produced(document: str) -> list[str]:
    """Return what the examples of a document have to show."""
    wanted = blocks(document)
    found: dict[int, str] = {}
    for scene in dict.fromkeys(block.scene for block in wanted):
        with tempfile.TemporaryDirectory() as directory, _stage(Path(directory)) as stage:
            if is_japanese(document):
                stage.machine.environment |= JAPANESE
            SCENES[scene](stage)
            for number, block in enumerate(wanted):
                if block.scene == scene:
                    found[number] = _shown(stage, block)
    return [found[number] for number in range(len(wanted))]


def _shown(stage: Stage, block: Block) -> str:
    printed = stage.output(*block.arguments)
    if block.parts:
        paragraphs = ["", *printed.strip("\n").split("\n\n")]  # the first is 1
        printed = "\n".join(f"…\n{paragraphs[number]}" for number in block.parts)
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    called = "./bootstrap" if block.scene == "demo" else "sudo geofence"
    return "\n".join([f"$ {called} {' '.join(block.arguments)}", *lines, ""])


_AGE = re.compile(r"\b\d+ ?(?:s|min|h|d|秒|分|時間|日)(?![a-z])")
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\d(?: \d\d:\d\d)?\b")
_COUNT = re.compile(r"\d[\d,.]*")


def comparable(block: Block, shown: str) -> str:
    """Return output without what differs from run to run: times, and counts of the live demo."""
    shown = _AGE.sub("AGE", _MOMENT.sub("TIME", shown))
    if block.scene == "demo":
        shown = _COUNT.sub("N", shown)
    return re.sub(r" +", " ", shown)


@dataclass
class Stage:
    """A PBX with a fence, and the Internet around it."""

    machine: Machine
    internet: Host
    names: NameServer

    def output(self, *arguments: str) -> str:
        """Return what geofence prints, with the paths that operators have."""
        with self.machine.host.entered():
            printed = _together(self.machine.command(*arguments), self.machine.variables())
        for path, known in (
            (self.machine.rules, "/etc/geofence/rules.d"),
            (self.machine.state, "/var/lib/geofence"),
            (ROOT / "rules.d", "/opt/geofence/share/geofence/rules.d"),
        ):
            printed = printed.replace(str(path), known)
        return printed.replace(
            f"http://127.0.0.1:{self.machine.server.port}", "https://lists.example"
        )

    def call(self, *callers: str) -> None:
        """Let the kernel know a live connection of each to SIP."""
        for caller in callers:
            self.machine.tool(
                *("conntrack", "-I", "-p", "udp", "-s", caller, "-d", PBX),
                *("--sport", "5060", "--dport", "5060", "-t", "600", "-u", "SEEN_REPLY,ASSURED"),
            )

    def attack(self) -> None:
        """Send SIP from strangers, from each another number of packets."""
        for stranger, packets in zip(STRANGERS, (130, 110, 90, 70), strict=True):
            with self.internet.socket(2, 2) as sender:
                sender.bind((stranger, 0))
                for _ in range(packets):
                    sender.sendto(b"OPTIONS sip:100@192.0.2.10 SIP/2.0\r\n\r\n", (PBX, 5060))


def _together(command: list[str], environment: dict[str, str]) -> str:
    """Run a command and return all that it prints, errors and notes in their place."""
    variables = {**environment, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        command,
        env=variables,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


_BIND = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@contextmanager
def _stage(directory: Path) -> Iterator[Stage]:
    with ExitStack() as closing:
        made = closing.enter_context(machine(directory))
        internet = closing.enter_context(Host("internet"))
        cable = plug(internet, "wan", "02:00:00:00:00:01", f"{CARRIER}/24")
        connect(cable, plug(made.host, "eth0", "02:00:00:00:00:02", f"{PBX}/24"))
        made.tool("ip", "route", "add", "default", "via", CARRIER)
        give_addresses(internet, *(ip_address(stranger) for stranger in STRANGERS))
        resolver = directory / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        made.wrapper = ("unshare", "--mount", "sh", "-c", _BIND, "sh", str(resolver))
        names = closing.enter_context(NameServer(made.host, {"sip.provider.example": [PROXY]}))
        yield _prepared(Stage(made, internet, names))


def _prepared(stage: Stage) -> Stage:
    """Give the machine the rules that README has its reader write, and lists to fetch."""
    made = stage.machine
    made.rule("10-mine.toml", README_RULES)
    url = f"http://127.0.0.1:{made.server.port}/{{cc}}.json"
    made.rule("50-test.toml", f'backend = "nftables"\n[source.country]\nurls = ["{url}"]\n')
    made.environment["GEOFENCE_BACKEND"] = ""  # the rules say it
    for code, body in _LISTS.items():
        made.serve(code, body)
    return stage


def _fresh(stage: Stage) -> None:
    """Phones and strangers talk to a PBX that has no fence."""
    stage.call(*PHONES, STRANGERS[1])


def _fenced(stage: Stage) -> None:
    """The fence is up and has dropped what strangers sent."""
    stage.machine.ok("refresh")
    stage.attack()
    stage.call(*PHONES)


def _attacked(stage: Stage) -> None:
    """Most of those who talk are strangers."""
    stage.call(PHONES[0], *STRANGERS)


def _flushed(stage: Stage) -> None:
    """Another program has flushed all rules."""
    stage.machine.ok("refresh")
    stage.machine.clear()


def _changed(stage: Stage) -> None:
    """Another program has emptied one set."""
    stage.machine.ok("refresh")
    stage.machine.break_set()


def _unreachable(stage: Stage) -> None:
    """The source of one list does not answer properly."""
    stage.machine.ok("refresh")
    stage.machine.server.on("/de.json", status(404))


def _shrunk(stage: Stage) -> None:
    """The source of one list gives half of it."""
    stage.machine.ok("refresh")
    body = country_json("JP", list(_JAPAN[:5]), ["2400:4000::/19"])
    stage.machine.server.on("/jp.json", content(body))


def _mistyped(stage: Stage) -> None:
    """The rules have a country that does not exist."""
    stage.machine.ok("refresh")
    stage.machine.rule("10-mine.toml", '[allow]\ncountries = ["JP", "UK"]\n')


_EMPTY = 'mount -t tmpfs tmpfs /srv && exec "$@"'


def _cluster(stage: Stage) -> None:
    """Lists are there, and an empty directory for objects."""
    stage.machine.ok("refresh")
    stage.machine.wrapper = (*stage.machine.wrapper, "sh", "-c", _EMPTY, "sh")


def _demo(stage: Stage) -> None:
    """The demonstration makes its own network."""
    stage.machine.environment["GEOFENCE_BACKEND"] = "nftables"


SCENES: dict[str, Callable[[Stage], None]] = {
    "fresh": _fresh,
    "fenced": _fenced,
    "attacked": _attacked,
    "flushed": _flushed,
    "changed": _changed,
    "unreachable": _unreachable,
    "shrunk": _shrunk,
    "mistyped": _mistyped,
    "cluster": _cluster,
    "demo": _demo,
}


def rewrite(document: str) -> bool:
    """Write what the examples of a document have to show; whether anything differed."""
    texts = iter(produced(document))

    def replaced(match: re.Match[str]) -> str:
        block, new = _block(match), next(texts)
        same = comparable(block, block.shown) == comparable(block, new)
        return f"{match['mark']}```console\n{block.shown if same else new}```"

    before = text(document)
    after = _BLOCK.sub(replaced, before)
    (ROOT / document).write_text(after, encoding="utf-8")
    return before != after


def main() -> None:
    """Rewrite the examples that are out of date, or name their documents."""
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.project.readme_output --write")
    privilege.ensure()
    for document in DOCUMENTS:
        if blocks(document):
            sys.stdout.write(f"{document}: {'rewritten' if rewrite(document) else 'up to date'}\n")


if __name__ == "__main__":
    main()
