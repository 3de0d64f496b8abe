"""Parallel fetching of lists; one that fails never stops the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from queue import Empty, SimpleQueue

from geofence.errors import ListError, unexpected
from geofence.fetch.backoff import BusyHosts
from geofence.fetch.certificates import Trust
from geofence.fetch.databases import Databases
from geofence.fetch.events import (
    Event,
    Failed,
    FetchReport,
    Finished,
    Outcome,
    Received,
    Retrying,
    Started,
    ignore,
)
from geofence.fetch.http import Client
from geofence.fetch.limits import Limits
from geofence.fetch.mirror import Indexes
from geofence.fetch.records import Ask, Records, RecordType
from geofence.fetch.sources import Tools, renew
from geofence.fetch.threads import start
from geofence.mirror.memory import MirrorMemory
from geofence.model.frozen import dataclass
from geofence.model.lists import AcceptedList, ListId
from geofence.model.policy import Policy
from geofence.translation import tr


@dataclass(frozen=True, slots=True)
class _Crashed:
    """A worker ended by an error that no list caused: a bug of its own, or an interrupt."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class _Run:
    """What the workers of one run share."""

    policy: Policy
    accepted: Mapping[ListId, AcceptedList]
    clock: Callable[[], datetime]
    limits: Limits
    ask: Ask
    jobs: SimpleQueue[ListId]
    events: SimpleQueue[Event | _Crashed]
    stop: threading.Event
    busy: BusyHosts
    trust: Trust
    databases: Databases
    indexes: Indexes


def _ask_system(name: str, wanted: RecordType, seconds: float) -> Records:
    """Ask DNS as this host does; the library is imported for a run with names only."""
    from geofence.fetch.questions import ask_system

    return ask_system(name, wanted, seconds)


def fetch_lists(  # noqa: PLR0913 - two of them only matter to tests
    wanted: Iterable[ListId],
    policy: Policy,
    accepted: Mapping[ListId, AcceptedList],
    clock: Callable[[], datetime],
    on_event: Callable[[Event], None] = ignore,
    *,
    limits: Limits | None = None,
    ask: Ask | None = None,
    busy: Mapping[str, datetime] | None = None,
    mirrors: MirrorMemory | None = None,
) -> FetchReport:
    """Have every list confirmed, or get its new version, from the first source that gives it.

    Nothing is stored: new versions are candidates for the guards to check.

    Args:
        wanted: the lists; repeated ones are fetched once.
        policy: has their sources.
        accepted: the stored versions; their ETags make requests conditional.
        clock: gives the time to write into provenance, UTC.
        on_event: told of events, in the caller's thread.
        limits: of time and size.
        ask: asks DNS; None: as this host does.
        busy: hosts that asked an earlier run for a pause, and until when, UTC.
        mirrors: what earlier runs remember of signed mirrors.
    """
    names = tuple(dict.fromkeys(wanted))
    bounds = limits or Limits()
    run = _Run(
        policy,
        accepted,
        clock,
        bounds,
        ask or _ask_system,
        SimpleQueue(),
        SimpleQueue(),
        threading.Event(),
        BusyHosts(busy),
        Trust(),
        Databases(names, accepted),
        Indexes(policy.mirror_source, mirrors or MirrorMemory()),
    )
    for name in names:
        run.jobs.put(name)
    try:
        _start(run, len(names))
        outcomes = _collect(run, len(names), on_event)
    finally:
        run.stop.set()
    done = {name: outcomes.get(name) or _late(name, run.limits) for name in names}
    return FetchReport(done, run.busy.told, run.indexes.memory)


def _late(name: ListId, limits: Limits) -> Failed:
    return Failed(
        tr(
            "The list {list} was not fetched within the {seconds} seconds of the run.",
            list=name,
            seconds=f"{limits.run:g}",
        )
    )


def _start(run: _Run, lists: int) -> None:
    """Start the workers.

    They are daemon threads and never waited for: a C library's resolver that hangs must not delay
    the end of the process.
    """
    for number in range(min(run.limits.workers, lists)):
        name = f"fetch {number}"
        worker = threading.Thread(target=_Worker(run).work, name=name, daemon=True)
        try:
            start(worker)
        except ListError as error:
            if number == 0:
                raise ListError(tr("No list could be fetched: {reason}", reason=error)) from error
            return  # the running workers take the lists of the others


def _collect(run: _Run, lists: int, on_event: Callable[[Event], None]) -> dict[ListId, Outcome]:
    """Pass events on until all lists are finished or time is up."""
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
    """Fetches lists until none is left, with one HTTP session for all of them."""

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
            on_bytes=self._received,
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

    def _received(self, size: int) -> None:
        if self._wanted is not None:
            self._run.events.put(Received(self._wanted, size))

    def _retrying(self, why: str, seconds: float) -> None:
        if self._wanted is not None:
            self._run.events.put(Retrying(self._wanted, why, seconds))


def _outcome(run: _Run, wanted: ListId, client: Client) -> Outcome:
    tools = Tools(
        client,
        run.clock(),
        run.limits.resolve,
        run.ask,
        run.databases,
        run.indexes,
        run.limits.size,
    )
    try:
        return renew(wanted, run.policy, run.accepted.get(wanted), tools)
    except ListError as error:
        why = str(error)
    except MemoryError:
        why = tr("not enough memory.")
    except Exception as error:  # noqa: BLE001 - what a server sends may trigger a bug of ours or of
        # a library; the only place that catches all, as no server may stop the other lists.
        why = tr(
            "an unexpected {error} occurred; please report this as a bug of geofence.",
            error=unexpected(error),
        )
    return Failed(tr("The list {list} could not be renewed: {reason}", list=wanted, reason=why))
