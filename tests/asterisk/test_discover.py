"""``geofence discover``: tables for people, JSON for scripts, and sentences for all kinds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from geofence.asterisk.reader import read_configuration, reading_of
from geofence.asterisk.reading import WarningKind
from geofence.cli.views.discover import reading_json, show_reading
from geofence.screen import Screen
from geofence.sentences.asterisk import SENTENCES
from tests.asterisk.told import UDP

CORPUS = Path(__file__).parent / "corpus"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "geofence", "discover", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_json_is_what_the_reader_reads() -> None:
    directory = CORPUS / "03-panel-generated-tree"
    done = run("--json", "--asterisk-dir", str(directory))
    printed: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert printed == reading_json(read_configuration(directory))
    expected = json.loads((directory / "expected.json").read_text())
    assert expected.keys() - {"name", "half", "traits", "drawn_from", "must_not"} <= printed.keys()


def test_a_variable_may_name_the_directory() -> None:
    done = run("--json", GEOFENCE_ASTERISK_DIR=str(CORPUS / "01-packaged-samples"))
    assert [each["use"] for each in json.loads(done.stdout)["services"]] == ["iax"]


def test_a_table_names_file_and_section_of_each() -> None:
    done = run("--asterisk-dir", str(CORPUS / "12-objects-that-asterisk-drops"))
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "sip 5060/udp 0.0.0.0 IPv4 pjsip.conf [good]" in lines
    assert "sip (perhaps) 5070/udp 0.0.0.0 IPv4 pjsip.conf [old-words]" in lines
    assert "Local networks: 192.168.1.0/24, 10.20.0.0/16" in lines
    assert "pjsip.conf [id]: endpoint is missing, so Asterisk drops the object." in done.stderr


def test_trunks_that_a_database_may_have_are_not_denied() -> None:
    done = run("--asterisk-dir", str(CORPUS / "09-database-backed"))
    assert "Trunks may be in the database, which cannot be read." in done.stdout
    assert "no trunk" not in done.stdout
    assert "identify comes from a database" in done.stdout


def test_a_refused_file_is_named() -> None:
    done = run("--asterisk-dir", str(CORPUS / "11-file-that-asterisk-refuses"))
    assert "Asterisk refuses pjsip.conf." in done.stdout
    assert "pjsip.conf:6: The included file" in done.stderr


def test_without_asterisk_it_says_so(tmp_path: Path) -> None:
    done = run("--asterisk-dir", str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"geofence: There is no Asterisk configuration in {tmp_path}/none. Give its directory with "
        "'--asterisk-dir'.\n"
    )


def test_everything_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        f"{UDP}external_media_address=pbx.example\n[x]\ntype=identify\nendpoint=x\n"
        "match=192.0.2.0/24,!192.0.2.128/25\nmatch=198.51.100.7:5061\n"
        "[x]\ntype=endpoint\nt38_udptl=yes\nrtp_port_start=2000\nrtp_port_end=2999\n"
    )
    files = {"pjsip.conf": text, "rtp.conf": "[general]\nstunaddr=s.example\nturnaddr=t.example\n"}
    show_reading(Screen(), reading_of(files))
    shown = capsys.readouterr().out
    for part in (
        "192.0.2.0/24 without 192.0.2.128/25",
        "5061",
        "any",
        "2000-2999/udp",
        "udptl (fax)",
        "STUN servers: s.example:3478",
        "TURN servers: t.example:3478",
        "Seen from outside as: pbx.example",
    ):
        assert part in shown


def test_an_empty_configuration_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    files = {"modules.conf": "[modules]\nnoload=res_pjsip.so\nnoload=res_rtp_asterisk.so\n"}
    show_reading(Screen(), reading_of(files))
    shown = capsys.readouterr().out
    assert "Asterisk listens on no port that these files tell." in shown
    assert "There is no trunk in these files." in shown


def test_every_kind_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(WarningKind)
