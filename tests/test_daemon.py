"""The daemon: it restores, refreshes what is old, heals what others change, and ends when told."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, sleep

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from geofence.daemon import mind_the_clock
from geofence.host.system_log import Event
from geofence.model.policy import Policy
from geofence.state.lock import exclusive
from geofence.state.outcomes import Journal
from tests.cli.machine import ROOT, Done, Gate, Machine, machine
from tests.cli.world import COME, GONE, JAPANESE, LANS, japan_later
from tests.support.list_server import content
from tests.support.name_server import asking

_LONGEST_WAIT = 60.0
HEALED = "watch: repaired 1 set, 0 rules"


class Daemon:
    """A daemon at work, and what it logs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Listen to it."""
        self.process = process
        self.log: list[str] = []
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))

    def until(self, part: str) -> str:
        """Wait for a line with this in it that was not waited for yet."""
        while True:
            try:
                line = self._lines.get(timeout=_LONGEST_WAIT)
            except Empty:
                pytest.fail(f"The daemon did not say {part!r}, but {self.log}")
            self.log.append(line)
            if part in line:
                return line

    def end(self, number: signal.Signals = signal.SIGTERM) -> Done:
        """Tell it to end; sooner than a server that does not answer would let it."""
        self.process.send_signal(number)
        code = self.process.wait(15)
        self._listener.join()
        assert self.process.stdout is not None
        while not self._lines.empty():
            self.log.append(self._lines.get())
        assert "Traceback" not in "\n".join(self.log)
        return Done(code, self.process.stdout.read(), "\n".join(self.log))


@contextmanager
def daemon(where: Machine, *arguments: str) -> Iterator[Daemon]:
    """A daemon that looks at the fence often."""
    process = where.start("daemon", "--watch", "0.2", *arguments)
    started = Daemon(process)
    try:
        yield started
    finally:
        process.kill()
        process.communicate()


def test_on_a_fresh_machine_it_refreshes_at_once(fresh: Machine) -> None:
    gate = Gate(content(japan_later()))
    fresh.serve("JP", gate)
    fresh.join_lan()
    with daemon(fresh) as running:
        running.until("restore: Nothing has been applied on this host yet")
        gate.wait_until_asked()
        assert not fresh.observe().sets
        gate.opened.set()
        running.until("refresh: updated 6 sets, ")
        assert fresh.gets_in(*JAPANESE) == [True, True]
        assert [fresh.trusts(network) for network in LANS] == [True, True]
        assert running.end().code == 0
    assert fresh.ok("status", "--json").json["reason"] == "daemon"


def test_it_restores_and_does_not_download_today_s_lists_again(one: Machine) -> None:
    one.ok("refresh")
    one.clear()
    asked = len(one.server.requests)
    with daemon(one) as running:
        running.until("restore: restored 6 sets, ")
        running.until("Refreshing daily at 03:30:00, watching every 0.2 s.")
        one.break_set()
        running.until(HEALED)
        assert running.end().code == 0
    assert len(one.server.requests) == asked


@pytest.mark.parametrize("span", [timedelta(days=2), timedelta(days=-365)], ids=str)
def test_it_makes_up_for_a_missed_day_and_for_a_clock_that_was_set_back(
    one: Machine, span: timedelta
) -> None:
    one.ok("refresh")
    one.age_lists(span)
    one.serve("JP", japan_later())
    with daemon(one) as running:
        running.until("refresh: updated 1 set, 0 rules")
        assert one.gets_in(GONE, COME) == [False, True]
        assert running.end().code == 0


def test_it_repairs_changes_by_other_programs_and_counts_repairs(fresh: Machine) -> None:
    fresh.ok("refresh")
    with daemon(fresh) as running:
        running.until("watching every")
        for _ in range(2):
            fresh.break_set()
            running.until(HEALED)
            assert fresh.gets_in(*JAPANESE) == [True, True]
        fresh.clear()
        running.until("watch: repaired 6 sets, ")
        assert running.end().code == 0
    told = fresh.ok("status", "--json").json
    assert told["drift"] == []
    assert told["last_run"]["healed"] == 3


def test_it_follows_addresses_and_routes_and_leaves_all_else(fresh: Machine) -> None:
    fresh.ok("refresh")
    asked, made = len(fresh.server.requests), fresh.generations()
    with daemon(fresh, "--watch", "600") as running:
        running.until("watching every")
        fresh.rule("60-edited.toml", "exception.home.enabled = false\n")
        fresh.join_lan()
        running.until("networks: Local networks now allowed: ")
        wait_for(lambda: all(fresh.trusts(network) for network in LANS))
        fresh.tool("ip", "route", "add", "10.0.0.0/8", "via", "192.168.7.1")
        running.until("networks: Local networks now allowed: 10.0.0.0/8@lan.")
        wait_for(lambda: fresh.trusts("10.0.0.0/8"))
        fresh.tool("ip", "link", "delete", "lan")
        running.until("networks: Local networks no longer allowed: ")
        wait_for(lambda: not fresh.trusts("10.0.0.0/8"))
        assert running.end().code == 0
    assert not any("refresh" in line for line in running.log if "Refreshing" not in line)
    assert (len(fresh.server.requests), fresh.generations()) == (asked, made)
    assert fresh.gets_in("45.88.0.7") == [True]
    assert fresh.ok("status", "--json").json["drift"] == []


def test_routes_that_change_nothing_are_followed_in_silence(one: Machine) -> None:
    one.join_lan()
    one.ok("refresh")
    with daemon(one, "--watch", "600") as running:
        running.until("watching every")
        one.tool("ip", "route", "add", "203.0.113.0/24", "via", "192.168.7.1")
        sleep(2.5)
        assert running.end().code == 0
    assert not any(line.startswith("networks:") for line in running.log)


def wait_for(held: Callable[[], bool]) -> None:
    deadline = monotonic() + _LONGEST_WAIT
    while not held():
        assert monotonic() < deadline
        sleep(0.05)


TRUNK = '[exception.trunk]\nhosts = ["sip.provider.net"]\ngrace = "0s"\n'


def test_it_follows_names_when_their_time_to_live_ends_and_downloads_nothing(
    fresh: Machine,
) -> None:
    fresh.rule("60-trunk.toml", TRUNK)
    with asking(fresh) as names:
        names.addresses["sip.provider.net"] = ["45.90.0.1"]
        names.ttl = 1
        fresh.ok("refresh")
        asked, made = len(fresh.server.requests), fresh.generations()
        with daemon(fresh) as running:
            running.until("watching every")
            fresh.rule("61-edited.toml", "exception.home.enabled = false\n")
            names.addresses["sip.provider.net"] = ["45.90.0.2", "2a02:90::1"]
            running.until("names: The addresses of sip.provider.net changed: now also 45.90.0.2")
            running.until("names: updated 4 sets, 0 rules")
            assert fresh.gets_in("45.90.0.1", "45.90.0.2", "2a02:90::1") == [False, True, True]
            names.codes["sip.provider.net"] = "SERVFAIL"
            running.until("names: The list host sip.provider.net could not be renewed")
            del names.codes["sip.provider.net"]
            names.addresses["sip.provider.net"] = ["45.90.0.3"]
            running.until("names: The addresses of sip.provider.net changed: now also 45.90.0.3")
            running.until("names: updated 4 sets, 0 rules")
            assert fresh.gets_in("45.90.0.2", "45.90.0.3", "45.88.0.7") == [False, True, True]
            assert running.end().code == 0
    assert (len(fresh.server.requests), fresh.generations()) == (asked, made)
    assert not any(line.startswith("refresh") for line in running.log)


def test_it_asks_for_no_name_before_its_time_to_live_ends(one: Machine) -> None:
    one.rule("60-trunk.toml", TRUNK)
    with asking(one) as names:
        names.addresses["sip.provider.net"] = ["45.90.0.1"]
        names.ttl = 5
        one.ok("refresh")
        asked, began = len(names.questions), monotonic()
        with daemon(one) as running:
            running.until("watching every")
            wait_for(lambda: len(names.questions) > asked)
            assert 4 < monotonic() - began < 15
            assert running.end().code == 0


def test_while_a_change_waits_to_be_confirmed_it_follows_no_name(one: Machine) -> None:
    one.rule("60-trunk.toml", TRUNK)
    with asking(one) as names:
        names.addresses["sip.provider.net"] = ["45.90.0.1"]
        names.ttl = 1
        one.ok("refresh")
        one.rule("61-edited.toml", "exception.home.enabled = false\n")
        with daemon(one) as running:
            running.until("watching every")
            one.ok("apply", "--confirm-within", "60s")
            names.addresses["sip.provider.net"] = ["45.90.0.2"]
            running.until("names: The last change is pending")
            assert one.gets_in("45.90.0.1", "45.90.0.2") == [True, False]
            one.ok("confirm")
            running.until("names: updated 2 sets")
            assert one.gets_in("45.90.0.1", "45.90.0.2", "45.88.0.7") == [False, True, False]
            assert running.end().code == 0


def test_a_failing_repair_is_recorded_until_it_works(tmp_path: Path) -> None:
    with machine(tmp_path, "ipset") as made:
        made.ok("refresh")
        with daemon(made) as running:
            running.until("watching every")
            made.tool("ipset", "create", "geofence-allow4-x", "hash:ip")
            running.until('watch: The IP set "geofence-allow4-x" is not the one')
            failing = Journal(made.state).outcome()
            made.tool("ipset", "destroy", "geofence-allow4-x")
            made.break_set()
            running.until(HEALED)
            assert made.ok("status", "--json").json["last_run"]["failing"] == ""
            assert running.end().code == 0
    assert failing is not None
    assert failing.failing.startswith('The IP set "geofence-allow4-x"')


def test_mistakes_made_in_the_rules_later_do_not_end_it(one: Machine) -> None:
    one.ok("refresh")
    one.age_lists(timedelta(days=2))
    gate = Gate(content(japan_later()))
    one.serve("JP", gate)
    with daemon(one) as running:
        gate.wait_until_asked()
        one.rule("60-wrong.toml", "[alow]\n")
        gate.opened.set()
        running.until("60-wrong.toml:1: alow: unknown key")
        one.break_set()
        running.until(HEALED)
        assert running.end().code == 0


def test_an_unexpected_exception_is_recorded_and_does_not_end_it(tmp_path: Path) -> None:
    bug, patches = tmp_path / "bug", tmp_path / "patches"
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(STUMBLING.format(bug=str(bug)))
    with machine(tmp_path) as made:
        made.ok("refresh")
        made.environment["PYTHONPATH"] = f"{patches}:{ROOT}"
        bug.touch()
        with daemon(made) as running:
            running.until("restore: An unexpected ZeroDivisionError (geofence/daemon.py:")
            running.until("Traceback")
            running.until("watch: An unexpected ZeroDivisionError (geofence/operations/repair.py:")
            made.environment.clear()
            assert "An unexpected ZeroDivisionError" in failing(made)
            bug.unlink()
            deadline = monotonic() + _LONGEST_WAIT
            while failing(made):
                assert monotonic() < deadline
            running.process.terminate()
            assert running.process.wait(15) == 0


STUMBLING = """
import os
from geofence.operations import restore as boot

well = boot.restore

def restore(site):
    if os.path.exists({bug!r}):
        1 / 0
    return well(site)

boot.restore = restore
"""


def failing(where: Machine) -> str:
    last = Journal(where.state).outcome()
    return last.failing if last else ""


def test_with_wrong_rules_it_restores_and_ends(one: Machine) -> None:
    one.ok("refresh")
    one.clear()
    one.rule("60-wrong.toml", "[alow]\n")
    done = one.run("daemon")
    assert done.code == 2
    assert "60-wrong.toml:1: alow: unknown key" in done.err
    assert one.gets_in(*JAPANESE) == [True, True]


def test_a_lasting_problem_is_logged_once(one: Machine) -> None:
    one.ok("refresh")
    for generation in one.generations():
        generation.unlink()
    with daemon(one) as running:
        running.until("Refreshing daily")
        for _ in range(3):
            with exclusive(one.state, 10):  # in the midst of a look it would be another story
                one.clear()
            running.until("watch: repaired 6 sets, ")
        assert running.end().code == 0
    said = [line for line in running.log if line.startswith("watch: No saved fence found in")]
    assert len(said) == 1


AS_A_UNIT = 'JOURNAL_STREAM=$(stat -Lc %d:%i "/proc/$$/fd/2") exec "$0" "$@"'
JOURNAL = "/run/systemd/journal"
HIDDEN = (
    f"[ ! -d {JOURNAL} ] || mount -t tmpfs none {JOURNAL}; {AS_A_UNIT}",
    f"mkdir -p {JOURNAL} && mount --bind $DIRECTORY {JOURNAL}; {AS_A_UNIT}",
)
"""Without a journal, and with one of the test's own, in a mount namespace of its own."""


def test_the_journal_gets_priorities(one: Machine) -> None:
    one.ok("refresh")
    one.wrapper = ("unshare", "--mount", "sh", "-c", HIDDEN[0])
    with daemon(one) as running:
        running.until("<6>Refreshing daily")
        one.break_set()
        running.until(f"<6>{HEALED}")
        for generation in one.generations():
            generation.unlink()
        running.until("<4>watch: No saved fence found in")
        assert running.end().code == 0
    assert all(re.match("<[346]>[a-zR]", line) for line in running.log)


def test_the_journal_gets_facts_as_fields(one: Machine, tmp_path: Path) -> None:
    one.ok("refresh")
    one.wrapper = ("unshare", "--mount", "sh", "-c", HIDDEN[1])
    one.environment["DIRECTORY"] = str(tmp_path)
    entries: list[dict[str, str]] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "socket"))
        heard.settimeout(60)

        def until(text: str) -> dict[str, str]:
            while True:
                entry = dict(line.split("=", 1) for line in heard.recv(65536).decode().splitlines())
                entries.append(entry)
                if text in entry["MESSAGE"]:
                    return entry

        with daemon(one) as running:
            until("Refreshing daily")
            one.break_set()
            repaired = until("watch: repaired")
            for generation in one.generations():
                generation.unlink()
            lost = until("watch: No saved fence found in")
            assert running.end().code == 0
    assert repaired["MESSAGE_ID"] == Event.CHANGED
    assert (repaired["PRIORITY"], repaired["GEOFENCE_JOB"]) == ("6", "watch")
    assert (lost["MESSAGE_ID"], lost["PRIORITY"]) == (Event.NOTICED, "4")
    assert {entry["SYSLOG_IDENTIFIER"] for entry in entries} == {"geofence"}
    assert running.log == []


def test_a_terminal_and_a_file_get_no_priorities(one: Machine) -> None:
    one.ok("refresh")
    with daemon(one) as running:
        assert running.until("Refreshing daily").startswith("Refreshing")
        assert running.end().code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_though_a_server_never_answers(
    one: Machine, number: signal.Signals
) -> None:
    one.ok("refresh")
    one.age_lists(timedelta(days=2))
    fence = one.fence()
    gate = Gate(content(japan_later()))
    one.serve("JP", gate)
    with daemon(one) as running:
        gate.wait_until_asked()
        assert running.end(number).code == 0
    assert one.fence() == fence
    gate.opened.set()


def _scheduled(moment: datetime) -> datetime:
    """When the daily refresh is due after a look at the clock."""
    scheduler = BackgroundScheduler()
    scheduler.add_job(lambda: None, "date", run_date=moment, id="daily")
    scheduler.start(paused=True)
    try:
        mind_the_clock(scheduler, Policy())
        due: datetime = scheduler.get_job("daily").next_run_time
        return due
    finally:
        scheduler.shutdown()


def test_a_clock_that_was_set_back_does_not_put_off_the_refresh() -> None:
    now = datetime.now(UTC)
    assert _scheduled(now + timedelta(days=365)) < now + timedelta(days=2)


def test_a_refresh_that_is_due_tomorrow_stays_due_tomorrow() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert _scheduled(tomorrow) == tomorrow
