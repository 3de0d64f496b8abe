"""Several lists at once, each on its own: one that fails never stops the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue

from geofence.errors import ListError, unexpected
from geofence.fetch.backoff import BusyHosts
from geofence.fetch.certificates import Trust
from geofence.fetch.dns import Lookup, system_lookup
from geofence.fetch.events import (
    Event,
    Failed,
    FetchReport,
    Finished,
    Outcome,
    Received,
    Retrying,
    Started,
)
from geofence.fetch.http import Client
from geofence.fetch.limits import Limits
from geofence.fetch.sources import Tools, renew
from geofence.fetch.threads import start
from geofence.model.lists import AcceptedList, ListId
from geofence.model.policy import Policy


@dataclass(frozen=True, slots=True)
class _Crashed:
    """A worker met what is no list's: a bug of its own, or an interrupt."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class _Run:
    """What the workers of one run share."""

    policy: Policy
    accepted: Mapping[ListId, AcceptedList]
    clock: Callable[[], datetime]
    limits: Limits
    lookup: Lookup
    jobs: SimpleQueue[ListId]
    events: SimpleQueue[Event | _Crashed]
    stop: threading.Event
    busy: BusyHosts
    trust: Trust


def _ignore(_event: Event) -> None:
    """Nobody wants to know."""


def fetch_lists(  # noqa: PLR0913 - two of them only matter to tests
    wanted: Iterable[ListId],
    policy: Policy,
    accepted: Mapping[ListId, AcceptedList],
    clock: Callable[[], datetime],
    on_event: Callable[[Event], None] = _ignore,
    *,
    limits: Limits | None = None,
    lookup: Lookup = system_lookup,
    busy: Mapping[str, datetime] | None = None,
) -> FetchReport:
    """Have every list confirmed, or get its new version, from the first source that gives it.

    Nothing is stored: new versions are candidates that await the guards.

    Args:
        wanted: the lists; repeated ones are fetched once.
        policy: names their sources.
        accepted: the versions at hand; their ETags make requests conditional.
        clock: gives the time to write into provenance, UTC.
        on_event: told what goes on, in the caller's thread.
        limits: how long and how much to put up with.
        lookup: whom to ask for the addresses of host names.
        busy: hosts that asked an earlier run to be left alone, and until when, UTC.
    """
    names = tuple(dict.fromkeys(wanted))
    run = _Run(
        policy,
        accepted,
        clock,
        limits or Limits(),
        lookup,
        SimpleQueue(),
        SimpleQueue(),
        threading.Event(),
        BusyHosts(busy),
        Trust(),
    )
    for name in names:
        run.jobs.put(name)
    try:
        _start(run, len(names))
        outcomes = _collect(run, len(names), on_event)
    finally:
        run.stop.set()
    late = f"was not there when the run's {run.limits.run:g} seconds were over."
    done = {n: outcomes.get(n) or Failed(f"The list {n} {late}") for n in names}
    return FetchReport(done, run.busy.told)


def _start(run: _Run, lists: int) -> None:
    """Start the workers.

    They are daemon threads and never waited for: what the C library's resolver holds up must not
    hold up the end of the process.
    """
    for number in range(min(run.limits.workers, lists)):
        name = f"fetch {number}"
        worker = threading.Thread(target=_Worker(run).work, name=name, daemon=True)
        try:
            start(worker)
        except ListError as error:
            if number == 0:
                raise ListError(f"No list could be asked for: {error}") from error
            return  # those that run do the others' work


def _collect(run: _Run, lists: int, on_event: Callable[[Event], None]) -> dict[ListId, Outcome]:
    """Pass events on until all lists are done with or time is up."""
    outcomes: dict[ListId, Outcome] = {}
    deadline = time.monotonic() + run.limits.run
    while len(outcomes) < lists:
        try:
            event = run.events.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            break
        if isinstance(event, _Crashed):
            raise event.error
        if isinstance(event, Finished):
            outcomes[event.id] = event.outcome
        on_event(event)
    return outcomes


class _Worker:
    """Takes lists until none is left, with one HTTP session for all of them."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._wanted: ListId | None = None

    def work(self) -> None:
        """Run in a thread of its own."""
        run = self._run
        client = Client(
            run.limits,
            run.stop,
            busy=run.busy,
            trust=run.trust,
            on_octets=self._received,
            on_retry=self._retrying,
        )
        try:
            with client:
                while not run.stop.is_set():
                    self._next(client)
        except Empty:
            return
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            run.events.put(_Crashed(error))

    def _next(self, client: Client) -> None:
        """Fetch one list.

        Raises:
            Empty: none is left.
        """
        run = self._run
        self._wanted = wanted = run.jobs.get_nowait()
        run.events.put(Started(wanted))
        run.events.put(Finished(wanted, _outcome(run, wanted, client)))

    def _received(self, octets: int) -> None:
        if self._wanted is not None:
            self._run.events.put(Received(self._wanted, octets))

    def _retrying(self, why: str, seconds: float) -> None:
        if self._wanted is not None:
            self._run.events.put(Retrying(self._wanted, why, seconds))


def _outcome(run: _Run, wanted: ListId, client: Client) -> Outcome:
    tools = Tools(client, run.clock(), run.limits.resolve, run.lookup)
    try:
        return renew(wanted, run.policy, run.accepted.get(wanted), tools)
    except ListError as error:
        return Failed(f"The list {wanted} could not be renewed: {error}")
    except MemoryError:
        return Failed(f"The list {wanted} could not be renewed: there is not enough memory for it.")
    except Exception as error:  # noqa: BLE001 - what a server sends may meet a bug of ours, or of a
        # library; the one place that takes any, as no server may stop the other lists.
        why = f"an unexpected {unexpected(error)} ended it; please report that as a bug of geofence"
        return Failed(f"The list {wanted} could not be renewed: {why}.")
