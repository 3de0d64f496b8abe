"""An Asterisk's configuration beside a machine of the tests."""

from __future__ import annotations

from pathlib import Path

from tests.cli.machine import Machine
from tests.setup.found import RTP

PJSIP = """\
[udp]
type=transport
protocol=udp
bind=0.0.0.0:5066

[south]
type=identify
match=45.9.0.0/24
endpoint=south
"""
FOREIGN_TRUNK = "45.9.0.7"
FOREIGN = "45.9.1.1"
JAPANESE = "133.1.2.3"


def configured(where: Machine, pjsip: str = PJSIP) -> Path:
    """Write the configuration; its directory."""
    directory = where.directory / "asterisk"
    directory.mkdir(exist_ok=True)
    (directory / "pjsip.conf").write_text(pjsip)
    (directory / "rtp.conf").write_text(RTP)
    return directory


def setup_file(where: Machine) -> Path:
    return where.rules / "00-setup.toml"
