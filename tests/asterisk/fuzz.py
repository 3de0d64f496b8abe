"""Damaged and hostile configurations: ``python -m tests.asterisk.fuzz --inputs 100000``.

The suite reads a few hundred. Each input is a directory of files, made of pieces of the corpus and
of whatever the grammar treats specially. Every tenth is on disk, with links, pipes and secrets
around. Reading it must end soon, in a ``Reading`` whose sentences can be printed, without an
exception, with little memory, with few calls within each other, and without opening a file that is
none of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from geofence.asterisk.directory import Directory
from geofence.asterisk.reader import reading_of
from geofence.asterisk.reading import Reading
from geofence.cli.views.discover import reading_json

CORPUS = Path(__file__).parent / "corpus"
NAMES = (
    "pjsip.conf",
    "pjsip_wizard.conf",
    "rtp.conf",
    "http.conf",
    "udptl.conf",
    "iax.conf",
    "sorcery.conf",
    "extconfig.conf",
    "modules.conf",
    "sip.conf",
    "d/1.conf",
    "d/2.conf",
    "d/e/3.conf",
    "[x].conf",
)
SECONDS = 5.0
"""Of this process's time, for one input; the machine may be busy otherwise."""
MEBIBYTES = 600
CALLS = 60
"""Within each other, from ``reading_of`` on."""
LEAK = "[leak]\ntype=transport\nbind=0.0.0.0:666\n"
_WORDS = (
    b"[a] [t](!) [a](t) [a](+) [a](+type=aor) (t, u) ] [ ( ) {a,b} {{,},{ * ? [!a] [^ [] \\; ;-- "
    b'--; ;--; ;--- ; \\ = += => ==> # #include #tryinclude #exec #INCLUDE <> " / ../ '
    b"/etc/asterisk/ /etc/passwd ../../secret.conf d/*.conf d/../pjsip.conf **/*.conf "
    b"type=transport bind=0.0.0.0 bind=[::]:5060 bind=[ bind=:::1 protocol=tls protocol=${X} "
    b"local_net=10.0.0.0/8 local_net=! match=0.0.0.0/0 match=!1.2.3.4/33 match=::1%eth0 "
    b"match=1.2.3.4:x match=, contact=sip: contact=sip:a@b:99999 contact=<sip:x> contact=<> "
    b"server_uri=sip:[::1]:1 client_uri=sip:x rtpstart=-1 rtpend=99999999999999999999999999999999 "
    b"rtpstart=\xd9\xa3 stunaddr=[ bindaddr=:: bindport=-0 bindport=\xc2\xb2 enabled=yes "
    b"tlsenable=1 tlsbindaddr=[::]:0 remote_hosts=,, type=wizard type=endpoint type=identify "
    b"endpoint=x rtp_port_start=1024 rtp_port_end=\xc2\xb9 udptlstart=x noload=res_pjsip.so "
    b"transport=config, aor=realtime aor=config,../x.conf,criteria= \xff\xfe \xef\xbb\xbf \0 "
    b"\x1b[31m \xe2\x80\xae \xf0\x9f\x93\x9e"
)
_LONG = (b"x" * 4096, b";" * 300, b"{" * 300, b"\\;" * 3000)
PIECES = (*_WORDS.split(b" "), b"\n", b"\n\n", b"\r\n", b" ", b"\t", *_LONG)


@dataclass
class Watch:
    """Which files are opened while an input is read."""

    opened: list[str] = field(default_factory=list)
    active: bool = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note a file; called by the interpreter."""
        if self.active and event == "open" and isinstance(arguments[0], str):
            self.opened.append(arguments[0])


class Inputs:
    """Random inputs; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._corpus = [
            each.read_bytes() for each in sorted(CORPUS.rglob("*.conf")) if each.is_file()
        ]

    def files(self) -> dict[str, bytes | str]:
        """Return one input."""
        number = self._chance.randint(1, 5)
        names = ["pjsip.conf", *self._chance.sample(NAMES, number)]
        return {name: self._content() for name in names}

    def _content(self) -> bytes:
        how = self._chance.random()
        if how < 0.2:
            return self._chance.choice(self._corpus)
        if how < 0.7:
            return self._damaged(self._chance.choice(self._corpus))
        if how < 0.95:
            return b"[general]\n" + self._pieced(self._chance.randint(0, 20))
        return self._chance.randbytes(self._chance.randint(0, 2000))

    def _pieced(self, number: int) -> bytes:
        glue = self._chance.choice([b"", b"\n", b" "])
        return glue.join(self._chance.choices(PIECES, k=number))

    def _damaged(self, content: bytes) -> bytes:
        lines = content.split(b"\n")
        for _ in range(self._chance.randint(1, 3)):
            at = self._chance.randrange(len(lines))
            line = lines[at]
            cut = self._chance.randint(0, len(line))
            lines[at] = self._chance.choice(
                [
                    line[:cut] + self._pieced(1) + line[cut:],
                    line[:cut],
                    self._pieced(2),
                    self._chance.choice(lines),
                    line + b"\n" + line,
                ]
            )
        if self._chance.random() < 0.2:
            self._chance.shuffle(lines)
        return b"\n".join(lines)

    def on_disk(self, scratch: Path) -> Path:
        """Write one input to a container's file system, with links around; return its directory."""
        directory = scratch / "root" / "etc" / "asterisk"
        directory.mkdir(parents=True)
        for secret in (scratch, scratch / "root" / "etc", scratch / "root"):
            (secret / "secret.conf").write_text(LEAK, encoding="utf-8")
        (scratch / "root" / "linked.conf").write_bytes(self._content())
        for name, content in self.files().items():
            place = directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        (directory / "modules.conf").touch()
        targets = ("/linked.conf", "../../linked.conf", "x.conf", "/d", "../d", ".", str(scratch))
        for name in ("x.conf", "d/y.conf", "http.conf"):
            place = directory / name
            if self._chance.random() < 0.5 and place.parent.exists() and not place.exists():
                place.symlink_to(self._chance.choice(targets))
        if self._chance.random() < 0.2:
            os.mkfifo(directory / "pipe.conf")
        return directory


def read(source: Directory | dict[str, bytes | str]) -> Reading:
    """Read an input within its bounds, and print what was read."""
    before = time.process_time()
    with _few_calls():
        reading = reading_of(source)
    assert time.process_time() - before < SECONDS, "too slow"
    str(reading_json(reading)).encode()
    return reading


@contextmanager
def _few_calls() -> Iterator[None]:
    """Let functions call each other only so deep."""
    frame, depth = sys._getframe(), 0  # noqa: SLF001 - there is no other way to count
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + CALLS)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def check(number: int, seed: int, watch: Watch) -> Reading:
    """Make one input and read it."""
    inputs = Inputs(seed + number)
    if number % 10:
        return read(inputs.files())
    with TemporaryDirectory() as name:
        scratch = Path(name).resolve()
        directory = inputs.on_disk(scratch)
        watch.opened.clear()
        watch.active = True
        try:
            reading = read(Directory(directory))
        finally:
            watch.active = False
        _check_opened(watch.opened, directory, scratch)
        assert all(each.port != 666 for each in reading.listeners), "a file outside was read"
        return reading


def _check_opened(opened: list[str], directory: Path, scratch: Path) -> None:
    linked = str(scratch / "root" / "linked.conf")
    outside = {each for each in opened if not each.startswith(f"{directory}/")} - {linked}
    assert not outside, outside
    assert all(os.path.realpath(each) == each for each in opened), opened


def main() -> None:
    """Read as many inputs as asked for; an assertion or exception names the input that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.asterisk.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    watch = Watch()
    sys.addaudithook(watch)
    began = time.monotonic()
    listeners, invalid, slowest = 0, 0, 0.0
    for number in count() if options.inputs < 0 else range(options.inputs):
        start = time.process_time()
        try:
            reading = check(number, options.seed, watch)
        except BaseException:
            sys.stderr.write(f"input {number} of seed {options.seed}\n")
            raise
        slowest = max(slowest, time.process_time() - start)
        listeners += len(reading.listeners)
        invalid += bool(reading.invalid)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert peak < MEBIBYTES, f"{peak} MiB"
    sys.stdout.write(
        f"{options.inputs:,} inputs in {time.monotonic() - began:.0f} s: {listeners:,} listeners, "
        f"{invalid:,} invalid; slowest {slowest:.2f} s, at most {peak} MiB\n"
    )


if __name__ == "__main__":
    main()
