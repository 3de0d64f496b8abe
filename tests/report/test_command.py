"""``geofence report``."""

from __future__ import annotations

import email
import json
from datetime import UTC, datetime
from email.policy import default
from pathlib import Path

from tests.chaos.ground import Ground
from tests.support.mail_server import MailServer


def test_it_writes_one_file(visited: Ground, directory: Path) -> None:
    file = directory / "report.html"
    done = visited.machine.ok("report", "--html", str(file), "--since", "30d")
    assert done.out == ""
    assert file.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert file.stat().st_mode & 0o777 == 0o600


def test_it_prints_text_or_json(visited: Ground) -> None:
    assert "Germany (DE)" in visited.machine.ok("report").out
    told = json.loads(visited.machine.ok("report", "--json").out)
    assert told["health"] == "well"
    assert told["countries"][0] == {
        "country": "DE",
        "packets": 700,
        "sources": 1,
        "allowed": False,
    }
    since = datetime.fromisoformat(told["since"])
    assert 6 < (datetime.now(UTC) - since).days < 8


def test_it_is_mailed_to_those_that_the_rules_name(visited: Ground) -> None:
    machine = visited.machine
    file = machine.rule("64-report.toml", '[report]\nmail = ["pbx@example.org"]\nlanguage = "ja"\n')
    with visited.lab.pbx.entered():
        server = MailServer()
        server.__enter__()
    try:
        machine.ok("report", "--mail")
    finally:
        server.__exit__(None, None, None)
        file.unlink()
    mail = email.message_from_string(server.mails[0], policy=default)
    parts = [part.get_content_type() for part in mail.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    assert mail["To"] == "pbx@example.org"
    page = mail.get_body(("html",))
    assert page is not None
    assert 'lang="ja"' in page.get_content()


def test_without_anybody_to_mail_to_it_says_so(visited: Ground) -> None:
    done = visited.machine.run("report", "--mail")
    assert done.code == 2
    assert "[report]" in done.err


def test_without_an_mta_it_fails_and_says_so(visited: Ground) -> None:
    file = visited.machine.rule("64-report.toml", '[report]\nmail = ["pbx@example.org"]\n')
    done = visited.machine.run("report", "--mail")
    file.unlink()
    assert done.code == 1
    assert "pbx@example.org" in done.err


def test_another_language_is_refused(visited: Ground) -> None:
    done = visited.machine.run("report", "--language", "tlh")
    assert done.code == 2
    assert "en" in done.err
    assert "ja" in done.err


def test_a_file_that_cannot_be_written_is_told(visited: Ground) -> None:
    done = visited.machine.run("report", "--html", "/nowhere/report.html")
    assert done.code == 1
    assert "/nowhere/report.html" in done.err
