"""The host's log hears of every change of the fence, by which command and by whom."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geofence.host import system_log
from geofence.host.system_log import Author, log_change
from tests.cli.machine import Machine
from tests.cli.world import japan_later
from tests.support.name_server import asking

_IN_OWN_RUN = """\
mount -t tmpfs none /run
mkdir -p /run/systemd/journal
ln -s "$0" /run/systemd/journal/socket
exec "$@"
"""
"""A shell's script that puts a socket of ours in the place of journald's, for one command."""


class Log:
    """What a log has heard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0)

    def heard(self) -> list[str]:
        """All since it was asked last."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(1 << 16).decode())
            except BlockingIOError:
                return found

    def messages(self) -> list[str]:
        """The lines that people read."""
        lines = (line for each in self.heard() for line in each.splitlines())
        found = (line for line in lines if line.startswith("MESSAGE="))
        elsewhere = " (in a network namespace of its own)"
        return [line.removeprefix("MESSAGE=").removesuffix(elsewhere) for line in found]


@contextmanager
def log(path: Path) -> Iterator[Log]:
    made = Log(path)
    with made.socket:
        yield made


@pytest.fixture
def journal(one: Machine) -> Iterator[Log]:
    """journald's place, as the machine's commands see it."""
    with log(one.directory / "journal") as made:
        script = ("unshare", "--mount", "sh", "-ec", _IN_OWN_RUN, str(made.path))
        one.wrapper = script
        one.environment["SUDO_USER"] = "alice"
        yield made


def who() -> str:
    """Who runs these tests, as the log names them: the kernel knows better than SUDO_USER."""
    return f"{system_log._login() or 'alice'} with sudo"  # noqa: SLF001 - no other way to know


def test_every_change_is_logged_with_its_author(one: Machine, journal: Log) -> None:
    def said(*arguments: str) -> list[str]:
        one.run(*arguments)
        return journal.messages()

    by = f"; by {who()}"
    assert said("refresh") == [f"refresh: generation 1 is in force{by}"]
    assert said("refresh") == []
    assert said("allow", "office") == [f"allow office: generation 2 is in force instead of 1{by}"]
    assert said("rollback", "1") == [f"rollback 1: generation 3 is in force instead of 2{by}"]
    assert said("remove") == [f"remove: the fence (nftables) is removed: there is no fence{by}"]
    assert said("restore") == [f"restore: generation 3 is in force again{by}"]
    assert said("status", "--json") == said("plan") == []
    one.serve("JP", japan_later())
    assert said("refresh", "--accept", "live-sources", "--cut") == [
        f"refresh --accept live-sources --cut: generation 4 is in force instead of 3{by}"
    ]


def test_a_change_of_a_names_addresses_is_logged(one: Machine, journal: Log) -> None:
    name = "sip.provider.net"
    one.rule("60-trunk.toml", f'[exception.trunk]\nhosts = ["{name}"]\ngrace = "0s"\n')
    heard = one.wrapper
    with asking(one) as names:
        one.wrapper = (*heard, *one.wrapper)
        names.addresses[name] = ["45.90.0.1"]
        one.ok("refresh")
        for number, verb in enumerate(("refresh --names-only", "refresh", "allow lab"), 2):
            journal.heard()
            names.addresses[name] = [f"45.90.0.{number}"]
            one.ok(*verb.split())
            changed = f"now also 45.90.0.{number}; no longer 45.90.0.{number - 1}"
            line = f"{verb}: The addresses of {name} changed: {changed}; by {who()}"
            assert line in journal.messages()


def test_confirmations_and_reverts_are_logged(one: Machine, journal: Log) -> None:
    one.ok("refresh")
    one.rule("60.toml", '[blocklist.x]\nprefixes = ["133.1.0.0/16"]\n')
    journal.heard()
    one.ok("apply", "--confirm-within", "60s")
    one.ok("confirm")
    applied, confirmed = journal.messages()
    assert applied.startswith("apply --confirm-within 60s: generation 2 is in force instead of 1; ")
    assert confirmed.startswith("confirm: generation 2 stays in force; by ")

    one.rule("60.toml", '[blocklist.x]\nprefixes = ["133.2.0.0/16"]\n')
    one.ok("apply", "--confirm-within", "5s")
    deadline = time.monotonic() + 60
    returned = journal.messages()[1:]
    while not returned and time.monotonic() < deadline:
        time.sleep(0.2)
        returned = journal.messages()
    [line] = returned
    assert line.startswith(
        "apply --confirm-within: the last change was not confirmed: generation 2 is in force again"
    )


def test_the_demo_leaves_the_hosts_log_alone(one: Machine, journal: Log) -> None:
    assert "a network of their own" in one.run("demo").out
    assert journal.heard() == []


def test_the_facts_are_fields(one: Machine, journal: Log) -> None:
    one.ok("refresh")
    [entry] = journal.heard()
    fields = dict(line.split("=", 1) for line in entry.splitlines())
    assert fields["SYSLOG_IDENTIFIER"] == "geofence"
    assert (fields["PRIORITY"], fields["GEOFENCE_COMMAND"]) == ("5", "refresh")
    assert (fields["GEOFENCE_GENERATION"], fields["GEOFENCE_BY"]) == ("1", who())


def test_without_the_journal_changes_go_to_syslog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_log, "JOURNAL", tmp_path / "none")
    monkeypatch.setattr(system_log, "SYSLOG", tmp_path / "log")
    log_change("allow office", "nobody hears this")
    with log(tmp_path / "log") as syslog:
        log_change("allow office\nx", "generation 2 is in force", 2)
        [line] = syslog.heard()
    assert line.startswith(
        f"<29>geofence[{os.getpid()}]: allow office?x: generation 2 is in force; by "
    )


def test_arguments_that_are_not_utf8_are_logged_with_a_question_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_log, "JOURNAL", tmp_path / "journal")
    with log(tmp_path / "journal") as journal:
        log_change("allow \udcff", "generation 2 is in force", 2)
        assert journal.messages()[0].startswith("allow ?: generation 2 is in force")


def test_a_full_log_socket_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_log, "JOURNAL", tmp_path / "log")
    monkeypatch.setattr(system_log, "SYSLOG", tmp_path / "none")
    with log(tmp_path / "log"):
        begun = time.monotonic()
        for _ in range(2_000):  # more than a socket holds
            log_change("x", "y")
            if time.monotonic() - begun > 0.9:
                break
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        (Author("alice", True, "pts/3", ""), "alice with sudo on pts/3"),
        (Author("alice", False, "", "cron.service"), "alice"),
        (Author("", False, "", "geofence-refresh.service"), "geofence-refresh.service"),
        (Author("", False, "tty1", ""), "root on tty1"),
        (Author("", False, "", ""), "root"),
    ],
)
def test_the_author_is_shown_with_sudo_and_uid(author: Author, shown: str) -> None:
    assert str(author) == shown
