"""The process that keeps the shield: it waits for changes, looks, and says what it did.

It listens to changes of routes and of nftables, so that a fence that another program flushes, or an
address that goes, is seen at once; besides, it looks each second.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from geofence.errors import BackendError, BusyError, GeofenceError
from geofence.host.system_log import Event, log_event
from geofence.model.shield import ShieldRecord, ShieldState, Why
from geofence.netlink.messages import NETLINK_NETFILTER
from geofence.netlink.socket import NetlinkSocket
from geofence.operations.shield_keeper import Keeper
from geofence.operations.site import Site
from geofence.routing.routes import connected
from geofence.sentences.shield import record_text
from geofence.state.files import ensure_private_directory
from geofence.state.shield import LOCK
from geofence.translation import english, tr

LOOK_SECONDS = 1.0
_LOOKS_TAKE = 0.5
"""Seconds, at most: a command that looks whether the shield is kept locks its file so long."""
_ROUTES = 1 << 0 | 1 << 6 | 1 << 10
"""``RTMGRP_LINK``, ``RTMGRP_IPV4_ROUTE``, ``RTMGRP_IPV6_ROUTE``."""
_NFTABLES = 1 << 6
"""``NFNLGRP_NFTABLES``."""
_TABLES_CHAINS_RULES = frozenset(10 << 8 | kind for kind in (0, 2, 3, 5, 6, 8))
"""Notifications of these; of sets there are many, and none matters."""
_TYPE = slice(4, 6)
_ERROR, _WARNING, _INFO = 3, 4, 6
_LOUD = {Why.DISAGREEMENT, Why.LOST_MARKS, Why.KERNEL, Why.RIGHTS, Why.BPFFS}


def run(site: Site, seconds: float = LOOK_SECONDS) -> None:
    """Keep the shield until SIGTERM or SIGINT, then take it down.

    Raises:
        BusyError: another process keeps it.
        BackendError: the kernel does not tell its changes, or the shield cannot be taken down.
    """
    stopped = _hear_signals()
    with _alone(site), connected(_ROUTES) as routes, _nft_changes() as nftables:
        keeper = Keeper(site)
        told: object = None
        changed = True
        while not stopped:
            told = _tell(_looked(keeper, changed=changed), told)
            changed = _wait((routes, nftables), seconds)
        keeper.take_down()


def _looked(keeper: Keeper, *, changed: bool) -> ShieldRecord:
    """Look; a failure is told and tried again."""
    try:
        return keeper.look(changed=changed)
    except GeofenceError as error:
        _log(english(str(error)), _ERROR, Event.FAILED)
        return keeper.record


def _tell(record: ShieldRecord, told: object) -> object:
    """Log the state if it is another than was told; return what is told now."""
    now = (record.state, record.reasons)
    if now != told:
        loud = any(reason.why in _LOUD for reason in record.reasons)
        armed = record.state is ShieldState.ARMED
        event = Event.CHANGED if armed else Event.NOTICED
        _log(english(record_text(record)), _WARNING if loud else _INFO, event)
    return now


def _log(text: str, priority: int, event: Event) -> None:
    if not log_event(text, priority, event, job="shield"):
        sys.stderr.write(f"shield: {text}\n")
        sys.stderr.flush()


def _wait(channels: tuple[NetlinkSocket, NetlinkSocket], seconds: float) -> bool:
    """Wait until something has changed; False if nothing has for so long."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            ready, _, _ = select.select(channels, (), (), left)
        except InterruptedError:
            return False
        found = [_matters(channel) for channel in ready]  # each is emptied
        if any(found):
            return True
        if not ready:
            return False
    return False


def _matters(channel: NetlinkSocket) -> bool:
    """Whether what is received is a change that matters; some may be lost, which is one."""
    found = False
    try:
        for data in channel.pending():
            kind = int.from_bytes(data[_TYPE], sys.byteorder)
            found = found or kind >> 8 == 0 or kind in _TABLES_CHAINS_RULES
    except OSError as error:
        if error.errno != errno.ENOBUFS:
            raise
        return True
    return found


@contextmanager
def _nft_changes() -> Iterator[NetlinkSocket]:
    try:
        with NetlinkSocket(NETLINK_NETFILTER, _NFTABLES) as channel:
            yield channel
    except OSError as error:
        raise BackendError(
            tr("The kernel does not tell changes of nftables: {reason}.", reason=error.strerror)
        ) from error


@contextmanager
def _alone(site: Site) -> Iterator[None]:
    """Hold a lock for as long as the process keeps the shield.

    Raises:
        BusyError: another process does.
    """
    ensure_private_directory(site.state_directory)
    descriptor = os.open(site.state_directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock a file; wait for a command that just looks whether it is locked.

    Raises:
        BusyError: another process holds the lock.
    """
    until = time.monotonic() + _LOOKS_TAKE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise BusyError(
                    tr(
                        "Another process keeps the shield. 'systemctl status geofence-shield' "
                        "shows it."
                    )
                ) from error
        time.sleep(_LOOKS_TAKE / 10)


def _hear_signals() -> list[int]:
    heard: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        heard.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return heard
