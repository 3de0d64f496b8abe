"""The daemon: daily refreshes, missed ones included, names of exceptions, and checks of the fence.

If told to, it also follows the rules, which a ConfigMap changes in a pod.

APScheduler starts the refreshes, by the wall clock. The checks go by elapsed time, so that no
change of the clock can stop them. Each is the same operation as the command of its name. Every
outcome is a line of the log, in English, and no failure ends the daemon.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn, TextIO

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from geofence import journal
from geofence.asterisk.changes import FilesState, wait_for_change
from geofence.errors import (
    BackendError,
    BusyError,
    ExitCode,
    GeofenceError,
    RulesError,
    StateError,
)
from geofence.host.system_log import Event, log_event
from geofence.model.policy import Policy
from geofence.operations.commit import Wish
from geofence.operations.follow_asterisk import follow_asterisk, watched
from geofence.operations.follow_rules import follow_rules
from geofence.operations.lists import missed_a_day
from geofence.operations.local_networks import follow
from geofence.operations.names import refresh_names, seconds_to_wait
from geofence.operations.refresh import refresh_and_renew
from geofence.operations.repair import reason, repair
from geofence.operations.report import RunReport
from geofence.operations.restore import restore
from geofence.operations.site import Site
from geofence.routing.changes import RouteChanges, route_changes
from geofence.sentences import sentences
from geofence.state.lock import exclusive
from geofence.translation import english
from geofence.wording import plural

WATCH_SECONDS = 30.0
"""How often the kernel is compared with what was applied."""
_LOOKS_BETWEEN = 2
"""Checks of the fence between two lookups of a name at least: a minute by default."""
_SETTLE_SECONDS = 1.0
"""How long to collect changes of addresses and routes before one check of all."""
_IDLE_SHARE = 9
"""The pause after a check, in lengths of it: a full Internet table never stops changing."""
_LONGEST_PAUSE = 1800.0
"""Seconds at most until rules that could not be applied are tried again."""
_LEAVE_SECONDS = 10.0
"""How long to wait at the end for a change that is under way."""
_DAILY = "daily"

_log = logging.getLogger("geofence")

_Signals = SimpleQueue[int]
"""Signals to stop; unlike an event, a handler may put into it at any moment."""


def run(site: Site, watch_seconds: float = WATCH_SECONDS, *, following: bool = False) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then end the process.

    Args:
        site: the installation.
        watch_seconds: how often to compare the kernel with what was applied.
        following: whether to apply the rules whenever they change.

    Raises:
        RulesError: the rules do not load; a running daemon outlives later mistakes in them, and
            one that follows them outlives all.
    """
    _set_up_log()
    _Job("restore", lambda: restore(site))()
    policy = _schedule_of(site, following=following)
    signals = _hear_signals()
    scheduler = _scheduler(site, policy, following=following)
    watch = _Job("watch", lambda: repair(site))
    Thread(target=_follow, args=(site, watch_seconds), daemon=True).start()
    soonest = _LOOKS_BETWEEN * timedelta(seconds=watch_seconds)
    Thread(target=_follow_names, args=(site, soonest), daemon=True).start()
    Thread(target=_follow_asterisk, args=(site, watch_seconds), daemon=True).start()
    if following:
        Thread(target=_follow_rules, args=(site, scheduler, watch_seconds), daemon=True).start()
    _log.info("Refreshing daily at %s, watching every %g s.", policy.daemon_at, watch_seconds)
    while _none_within(watch_seconds, signals):
        watch()
        mind_the_clock(scheduler, policy)
    scheduler.shutdown(wait=False)
    _leave(site)


def _set_up_log() -> None:
    """Log to standard error; if that is the journal, with facts as fields."""
    is_journal = journal.is_connected(os.environ)
    handler = _JournalHandler(sys.stderr) if is_journal else logging.StreamHandler(sys.stderr)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


class _JournalHandler(logging.StreamHandler[TextIO]):
    """Lines with priority, job and kind of event as the journal's fields.

    Where the journal does not take them so, they go to standard error with the priority.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines of a record."""
        job, event = getattr(record, "job", ""), getattr(record, "event", None)
        if not log_event(super().format(record), _priority(record), event, job=job):
            super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record for standard error."""
        return journal.with_priority(super().format(record), _priority(record))


def _priority(record: logging.LogRecord) -> int:
    return next((number for level, number in _PRIORITIES if record.levelno >= level), 7)


_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""The priorities of syslog(3) by level of the log, the highest level first."""


def _follow(site: Site, seconds: float) -> NoReturn:
    """Trust local networks where they are, as addresses and routes come and go.

    Without a change it checks as often as the fence is checked: an earlier check may have found the
    lock taken by another run.
    """
    follow_them = _Job("networks", lambda: follow(site))
    while True:
        try:
            with route_changes() as changes:
                while True:
                    _look_at_networks(follow_them, changes)
                    if changes.within(seconds):
                        sleep(_SETTLE_SECONDS)
        except BackendError as error:
            _log.error("networks: %s", english(str(error)))
            sleep(seconds)


def _follow_names(site: Site, soonest: timedelta) -> NoReturn:
    """Resolve the names of exceptions when their time to live ends; no list is downloaded."""
    wish = Wish("daemon", unattended=True)
    follow_them = _Job("names", lambda: refresh_names(site, wish, soonest=soonest))
    while True:
        try:
            seconds = seconds_to_wait(site, soonest)
        except GeofenceError:  # the job tells why
            seconds = soonest.total_seconds()
        sleep(seconds)
        follow_them()


def _follow_asterisk(site: Site, seconds: float) -> NoReturn:
    """Follow Asterisk's configuration as it changes, if the rules say so; they may begin to."""
    follow_it = _Job("asterisk", lambda: follow_asterisk(site, Wish("daemon", unattended=True)))
    known: FilesState = {}
    while True:
        try:
            place = watched(site)
        except GeofenceError:  # other jobs tell why
            place = None
        if place is None:
            known = {}
            sleep(seconds)
            continue
        try:
            state = wait_for_change(*place, known, seconds)
        except OSError as error:
            _log.error("asterisk: %s", error)
            sleep(seconds)
            continue
        if state == known:
            continue
        if follow_it():
            known = state
        else:  # perhaps another run holds the lock
            sleep(seconds)


def _look_at_networks(follow_them: Callable[[], object], changes: RouteChanges) -> None:
    changes.pass_over()
    began = monotonic()
    follow_them()
    sleep(_IDLE_SHARE * (monotonic() - began))


def _follow_rules(site: Site, scheduler: BackgroundScheduler, seconds: float) -> NoReturn:
    """Apply the rules when they change, and at the start; what fails is tried again."""
    follow_them = _Job("rules", lambda: follow_rules(site, Wish("daemon", unattended=True)))
    tried: FilesState = {}
    done, pause = False, seconds
    while True:
        try:
            state = wait_for_change(site.rules_directory, (), tried, pause)
        except OSError as error:
            _log.error("rules: %s", error)
            sleep(seconds)
            continue
        if done and state == tried:
            continue
        pause = min(2 * pause, max(seconds, _LONGEST_PAUSE)) if state == tried else seconds
        tried = state
        done = follow_them()
        if done:
            pause = seconds
            # Changed again, and wrong: the next round tells. Or the daemon ends, and has no job.
            with suppress(GeofenceError, JobLookupError):
                scheduler.reschedule_job(_DAILY, trigger=_daily(site.policy()))


def _schedule_of(site: Site, *, following: bool) -> Policy:
    """Return the rules for the time of the daily refresh; the shipped ones if they do not load.

    Raises:
        RulesError: they do not load, and changes of them would not be seen.
    """
    try:
        return site.policy()
    except RulesError:
        if not following:
            raise
        return site.shipped_policy()


def _scheduler(site: Site, policy: Policy, *, following: bool) -> BackgroundScheduler:
    """Start a scheduler that refreshes daily, and at once if a refresh was missed.

    Where rules are followed, their thread does what was missed, again and again if it fails.
    """
    scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "misfire_grace_time": None})
    wish = Wish("daemon", unattended=True)
    renew = _Job("refresh", lambda: refresh_and_renew(site, wish))
    scheduler.add_job(renew, _daily(policy), id=_DAILY)
    if not following and missed_a_day(site):
        scheduler.add_job(renew, id="missed")
    scheduler.start()
    return scheduler


def _daily(policy: Policy) -> CronTrigger:
    return CronTrigger(
        hour=policy.daemon_at.hour,
        minute=policy.daemon_at.minute,
        jitter=int(policy.daemon_jitter.total_seconds()) or None,
    )


def mind_the_clock(scheduler: BackgroundScheduler, policy: Policy) -> None:
    """Ensure that the next refresh is within two days, also after the clock was set."""
    daily = scheduler.get_job(_DAILY)
    if daily.next_run_time - datetime.now(UTC) > timedelta(days=2):
        scheduler.reschedule_job(_DAILY, trigger=_daily(policy))
    scheduler.wakeup()


def _hear_signals() -> _Signals:
    heard: _Signals = SimpleQueue()

    def stop(number: int, _frame: FrameType | None) -> None:
        heard.put(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return heard


def _none_within(seconds: float, signals: _Signals) -> bool:
    try:
        signals.get(timeout=seconds)
    except Empty:
        return True
    return False


def _leave(site: Site) -> NoReturn:
    """End at once, but wait for a change of kernel or state that is under way.

    A download holds no lock and is not waited for, as it could take minutes.
    """
    with suppress(BusyError, StateError), exclusive(site.state_directory, _LEAVE_SECONDS):
        os._exit(ExitCode.DONE)
    os._exit(ExitCode.DONE)


_VERBS = {"watch": "repaired", "restore": "restored"}
"""How the log calls a change, by job."""


class _Job:
    """An operation as a job that logs what it did; the same failure is logged once."""

    def __init__(self, name: str, operation: Callable[[], RunReport]) -> None:
        """Make a job.

        Args:
            name: the first word of its log lines.
            operation: what to do.
        """
        self._name = name
        self._operation = operation
        self._said: tuple[str, ...] = ()

    def __call__(self) -> bool:
        """Do it; whether it came to its end."""
        try:
            report = self._operation()
        except BusyError as error:
            self._log(logging.INFO, Event.NOTICED, english(str(error)))
        except GeofenceError as error:
            self._warn(logging.ERROR, (str(error), *getattr(error, "__notes__", ())))
        except Exception as error:  # noqa: BLE001 - a bug must not end the checks of the fence
            self._warn(logging.ERROR, (reason(error), *getattr(error, "__notes__", ())), error)
        else:
            self._warn(logging.WARNING, sentences(report.notes))
            self._tell(report)
            return True
        return False

    def _warn(self, level: int, notes: tuple[str, ...], bug: Exception | None = None) -> None:
        """Log what is new since the last time; a bug with its traceback."""
        for note in notes:
            if note not in self._said:
                event = Event.FAILED if level >= logging.ERROR else Event.NOTICED
                self._log(level, event, english(note), bug)
        self._said = notes

    def _tell(self, report: RunReport) -> None:
        if not report.plan.is_empty:
            verb = _VERBS.get(self._name, "updated")
            sets = plural(len(report.plan.content_changes), "set")
            rules = plural(len(report.plan.rules_added), "rule")
            self._log(logging.INFO, Event.CHANGED, f"{verb} {sets}, {rules}")
        elif self._name == "refresh":
            self._log(logging.INFO, Event.WORKED, "nothing to change")

    def _log(self, level: int, event: Event, text: str, bug: Exception | None = None) -> None:
        facts = {"job": self._name, "event": event}
        _log.log(level, "%s: %s", self._name, text, exc_info=bug, extra=facts)
