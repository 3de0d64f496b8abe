"""Notifications by mail and webhook: they arrive, they say when not, and no URL gets out."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from geofence.operations import mail as mail_module
from tests.cli.machine import Machine
from tests.support.list_server import status
from tests.support.mail_server import MailServer
from tests.support.serving import serving

SECRET = "/services/T0KEN/s3cret"  # noqa: S105 - of a server that lives for a test


@contextmanager
def webhook(where: Machine, code: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """A server that takes what is posted; its URL, and what it got."""
    got: list[Any] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, json.loads(body)))
            self.send_response(code)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with where.host.entered():
        server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}{SECRET}", got


def told(where: Machine, **keys: object) -> None:
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    where.rule("60-notify.toml", f"[notify]\n{lines}\n")


def url_file(where: Machine, url: str, mode: int = 0o600) -> str:
    path = where.directory / "webhook"
    path.write_text(f"{url}\n")
    path.chmod(mode)
    return str(path)


def test_a_test_mail_arrives_at_every_address(one: Machine) -> None:
    told(one, mail=["root", "admin@example.com"])
    with one.host.entered():
        server = MailServer()
        server.__enter__()
    try:
        done = one.ok("notify", "--test")
    finally:
        server.__exit__(None, None, None)
    assert "handed to the MTA" in done.out
    (text,) = server.mails
    mail = message_from_string(text)
    assert mail["Subject"].endswith(": test")
    assert "admin@example.com" in mail["To"]
    assert "Nothing is wrong" in text
    assert sum(line.upper().startswith("RCPT") for line in server.envelopes) == 2
    assert all("@" in line for line in server.envelopes)


def test_a_mail_that_the_mta_refuses_is_told(one: Machine) -> None:
    told(one, mail=["nobody@example.com"])
    with one.host.entered():
        server = MailServer(refuses="550 no such\x07 user")
        server.__enter__()
    try:
        done = one.run("notify", "--test")
    finally:
        server.__exit__(None, None, None)
    assert done.code == 1
    assert "550 no such" in done.out
    assert "\x07" not in done.said


def test_without_a_server_the_program_gets_the_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat > {tmp_path}/mail\n')
    program.chmod(0o755)

    def refused(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(smtplib, "SMTP", refused)
    monkeypatch.setattr(mail_module, "SENDMAIL", program)
    facts = dict.fromkeys(("host", "event", "command", "exit_code", "at", "message"), "x")
    assert mail_module.send_mail(["a@example.com"], facts) == ()
    assert (tmp_path / "arguments").read_text() == "-i -- a@example.com\n"
    assert "To: a@example.com" in (tmp_path / "mail").read_text()
    program.write_text("#!/bin/sh\necho no >&2\nexit 75\n")
    (note,) = mail_module.send_mail(["a@example.com"], facts)
    assert note.data["message"] == "no"


def test_a_webhook_gets_the_facts_and_its_url_is_nowhere(one: Machine) -> None:
    with webhook(one) as (url, got):
        told(one, webhook_file=url_file(one, url))
        done = one.ok("notify", "--test", "--json")
        one.ok("refresh")
        one.serve("JP", status(403))
        failed = one.run("refresh")
    assert failed.code == 5
    assert [facts["event"] for _, facts in got] == ["test", "degraded"]
    path, facts = got[1]
    assert path == SECRET
    assert facts["message"] in facts["text"]
    assert facts["content"] == facts["text"]
    stored = [each.read_bytes() for each in one.state.rglob("*") if each.is_file()]
    assert not any(
        b"s3cret" in each for each in (done.said.encode(), failed.said.encode(), *stored)
    )
    assert done.json["told"][0]["sent"]


@pytest.mark.parametrize("code", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_told_without_its_url(one: Machine, code: int) -> None:
    with webhook(one, code) as (url, got):
        told(one, webhook_file=url_file(one, url))
        done = one.run("notify", "--test")
    assert (done.code, len(got)) == (1, 1)
    assert f"status {code}" in done.out
    assert "s3cret" not in done.said


@pytest.mark.parametrize(
    ("url", "mode", "said"),
    [
        ("https://chat.example/s3cret", 0o644, "can be read by everyone"),
        ("http://chat.example/s3cret", 0o600, "does not have an https URL"),
        ("/etc/passwd-s3cret", 0o600, "does not have an https URL"),
        ("https://user:s3cret@chat.example/", 0o600, "does not have an https URL"),
        ("http://127.0.0.1:9/s3cret", 0o600, "Connection refused"),
        ("s3cret \x1b[31m", 0o600, "does not have an https URL"),
    ],
)
def test_a_file_without_a_proper_url(one: Machine, url: str, mode: int, said: str) -> None:
    told(one, webhook_file=url_file(one, url, mode))
    done = one.run("notify", "--test")
    assert done.code == 1
    assert said in done.out
    assert "s3cret" not in done.said


def test_a_webhook_file_that_is_missing(one: Machine) -> None:
    told(one, webhook_file="/nowhere/webhook")
    done = one.run("notify", "--test")
    assert done.code == 1
    assert "No such file" in done.out


def test_nobody_to_tell(one: Machine) -> None:
    done = one.run("notify", "--test")
    assert done.code == 2
    assert "name nobody to tell" in done.err
    assert one.run("notify").code == 2


@pytest.mark.parametrize("address", ["-oQ/tmp/x", "a b", "a@b\nBcc: c@d", "<a@b>", "@b", ""])
def test_an_address_that_could_be_something_else_is_a_mistake(one: Machine, address: str) -> None:
    told(one, mail=[address])
    done = one.run("notify", "--test")
    assert done.code == 2
    assert "is not a mail address" in done.err
