"""That an Asterisk runs here at all, with the configuration that it is given."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.asterisk.real.asterisk import Asterisk

TRANSPORT = "[udp]\ntype=transport\nbind=0.0.0.0:{port}\n"


@pytest.fixture
def one(start: Callable[[Path], Asterisk], tmp_path: Path) -> Asterisk:
    (configuration := tmp_path / "configuration").mkdir()
    (configuration / "pjsip.conf").write_text(TRANSPORT.format(port=5070))
    return start(configuration)


def test_it_listens_where_its_configuration_says(one: Asterisk) -> None:
    assert "0.0.0.0:5070" in one.sockets("-lun")


def test_its_command_line_answers_those_who_find_it_in_their_path(
    one: Asterisk, tmp_path: Path
) -> None:
    program = one.command(tmp_path)
    done = subprocess.run([program, "-rx", "core show version"], capture_output=True, check=False)
    assert (done.returncode, done.stdout[:9]) == (0, b"Asterisk ")


def test_it_starts_again_with_a_changed_configuration(one: Asterisk) -> None:
    one.stop()
    (one.configuration / "pjsip.conf").write_text(TRANSPORT.format(port=5071))
    one.start()
    assert "0.0.0.0:5071" in one.sockets("-lun")
