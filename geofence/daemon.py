"""The daemon: a refresh each day, a missed one made up for, and an eye on the fence.

APScheduler keeps the times; each job is the same operation as the command of its name. Every
outcome is a line of the log, and no failure ends the daemon.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from geofence.errors import BusyError, GeofenceError
from geofence.operations.boot import restore
from geofence.operations.look import last_refresh
from geofence.operations.notify import told, told_healing
from geofence.operations.report import RunReport
from geofence.operations.run import Wish, refresh, with_notes
from geofence.operations.site import Site

WATCH_SECONDS = 30
"""How often the kernel is compared with what was applied."""

_log = logging.getLogger("geofence")


def run(site: Site) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        RulesError: the rules do not load; a running daemon outlives later mistakes in them.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    policy = site.policy()
    daily = CronTrigger(
        hour=policy.daemon_at.hour,
        minute=policy.daemon_at.minute,
        jitter=int(policy.daemon_jitter.total_seconds()) or None,
    )
    scheduler = BlockingScheduler(job_defaults={"coalesce": True, "misfire_grace_time": None})
    renew = _logged("refresh", lambda: told(site, "refresh", lambda: refresh(site, Wish("daemon"))))
    scheduler.add_job(renew, daily, id="daily")
    watch = IntervalTrigger(seconds=WATCH_SECONDS)
    scheduler.add_job(_logged("watch", lambda: _heal(site)), watch, id="watch")
    if _missed_a_day(site):
        scheduler.add_job(renew, id="missed")
    _stop_on_signals(scheduler)
    _log.info("Refreshing daily at %s, watching every %d s.", policy.daemon_at, WATCH_SECONDS)
    _logged("restore", lambda: restore(site))()
    scheduler.start()


def _heal(site: Site) -> RunReport:
    """Compare the kernel with what was applied; put right, and count, what others changed."""
    report = restore(site)
    return report if report.plan.is_empty else with_notes(report, told_healing(site))


def _missed_a_day(site: Site) -> bool:
    last = last_refresh(site)
    # A moment yet to come says that the clock was set back, and nothing of what was missed.
    return last is None or not timedelta() <= datetime.now(UTC) - last <= timedelta(days=1)


def _logged(name: str, operation: Callable[[], RunReport]) -> Callable[[], None]:
    """The operation as a job: what it did, or why it could not, is logged."""

    def job() -> None:
        try:
            report = operation()
        except BusyError as error:
            _log.info("%s: %s", name, error)
        except GeofenceError as error:
            _log.error("%s: %s", name, error)
        else:
            _log_report(name, report)

    return job


def _log_report(name: str, report: RunReport) -> None:
    for note in report.notes:
        _log.warning("%s: %s", name, note)
    if not report.plan.is_empty:
        sets, rules = len(report.plan.set_changes), len(report.plan.rules_added)
        _log.info("%s: %d sets and %d rules put right; verified.", name, sets, rules)
    elif name == "refresh":
        _log.info("refresh: nothing to change.")


def _stop_on_signals(scheduler: BlockingScheduler) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        scheduler.shutdown(wait=False)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
