"""What an Asterisk was asked, and what it answered: from one that runs, or as it was recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.asterisk.real.asterisk import Asterisk
from tests.asterisk.real.hosts import PORTS_OF_ITS_OWN

Transcript = Mapping[str, str]
"""Answers by what was asked."""

RECORDED = Path(__file__).parent / "transcripts"

SOCKETS = "ss"
_ASKED = (
    "core show version",
    "rtp show settings",
    "udptl show config",
    "pjsip show identifies",
    "iax2 show peers",
)
_LISTS = {
    "transport": ("pjsip show transports", r"^Transport:  ([^\s<]+)"),
    "endpoint": ("pjsip list endpoints", r"^ Endpoint:  ([^\s</]+)"),
    "aor": ("pjsip list aors", r"^ {6}Aor:  ([^\s<]+)"),
    "registration": ("pjsip list registrations", r"^ ([^\s</]+)/"),
}
"""For each kind of object: the command that lists them, and where it has their names."""
_KEPT = re.compile(
    r" (bind|protocol|local_net|external_\w+_address|contact|server_uri|outbound_proxy"
    r"|rtp_port_start|rtp_port_end|t38_udptl) +:.*"
)


def release(transcript: Transcript) -> str:
    """Return the release of the Asterisk that answered: ``22``."""
    found = re.match(r"Asterisk (\d+)\.", transcript["core show version"])
    assert found
    return found[1]


def take(asterisk: Asterisk) -> Transcript:
    """Ask an Asterisk for everything."""
    taken = {SOCKETS: _own_sockets(asterisk.sockets("-lntup"))}
    taken |= {command: asterisk.rx(command) for command in _ASKED}
    for kind, (command, pattern) in _LISTS.items():
        taken[command] = asterisk.rx(command)
        for name in re.findall(pattern, taken[command], re.MULTILINE):
            shown = asterisk.rx(f"pjsip show {kind} {name}")
            kept = filter(_KEPT.fullmatch, shown.splitlines())
            taken[f"pjsip show {kind} {name}"] = "\n".join(kept)
    return {command: _trimmed(answer) for command, answer in taken.items()}


def _own_sockets(listed: str) -> str:
    """Return protocol, state and address of Asterisk's sockets, but for the two."""
    rows = [line.split() for line in listed.splitlines() if '"asterisk"' in line]
    return "\n".join(
        sorted(
            f"{row[0]} {row[1]} {row[4]}"
            for row in rows
            if int(row[4].rpartition(":")[2]) not in PORTS_OF_ITS_OWN
        )
    )


def _trimmed(answer: str) -> str:
    """Return an answer without what differs from run to run, and without empty lines."""
    lines = (re.sub(r" +\(exp\. \d+s\)", "", line).rstrip() for line in answer.splitlines())
    return "\n".join(filter(None, lines))


def recorded(name: str) -> Transcript:
    """Return what was recorded of a configuration."""
    text = (RECORDED / f"{name}.txt").read_text(encoding="utf-8")
    return dict(_sections(text))


def record(name: str, transcript: Transcript) -> None:
    """Write a transcript down."""
    RECORDED.mkdir(exist_ok=True)
    text = "\n".join(f"$ {command}\n{answer}\n" for command, answer in transcript.items())
    (RECORDED / f"{name}.txt").write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def _sections(text: str) -> Iterator[tuple[str, str]]:
    for section in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, answer = section.partition("\n")
        yield command, answer.strip("\n")
