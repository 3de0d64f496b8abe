"""A machine's Asterisk, as far as its configuration goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.machine import Machine

TRANSPORT = "[udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0:{port}\n"
NORTH = "[north]\ntype=identify\nendpoint=north\nmatch={match}\n[north]\ntype=endpoint\n"
RTP = "[general]\nrtpstart={first}\nrtpend={last}\n"


@dataclass
class Pbx:
    """Files of a configuration that the machine's rules follow."""

    machine: Machine
    more: str = ""
    """Other keys of ``[asterisk]``."""
    directory: Path = field(init=False)

    def __post_init__(self) -> None:
        """Write an Asterisk with SIP on 5070, RTP on 30000-30100 and a trunk; follow it."""
        self.directory = self.machine.directory / "etc-asterisk"
        self.directory.mkdir()
        self.listen(5070)
        self.write("rtp.conf", RTP.format(first=30000, last=30100))
        self.follow()

    def follow(self, more: str = "") -> None:
        self.machine.rule(
            "40-follow.toml",
            f'[asterisk]\nfollow = true\ndirectory = "{self.directory}"\n{more}\n',
        )

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text, encoding="utf-8")

    def listen(self, port: int, match: str = "198.18.7.0/24") -> None:
        """Listen for SIP on a port, with one trunk."""
        self.write("pjsip.conf", TRANSPORT.format(port=port) + NORTH.format(match=match))
