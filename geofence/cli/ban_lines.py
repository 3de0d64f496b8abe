"""Bans from standard input: one process for a program that bans by the hundred.

Each line is answered by one line: ``ok``; ``ok no-fence`` where it counts once a fence is up; or
``error``, a word for programs and a sentence. ``covering`` is answered by ``yes`` or ``no``. Lines
that wait are carried out together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

from geofence.cli.arguments import parse_lasting, parse_targets
from geofence.errors import BusyError, GeofenceError, UsageError
from geofence.model.bans import BanOrder, UnbanOrder
from geofence.operations.bans import BanRefused, Bans, LastsLongerError, NotBannedError
from geofence.translation import english, tr

_LONGEST_LINE = 1024
"""Bytes."""
_AT_ONCE = 1 << 20
"""Bytes that are read at once."""
_WORDS: tuple[tuple[type[GeofenceError], str], ...] = (
    (BanRefused, "refused"),
    (NotBannedError, "not-banned"),
    (LastsLongerError, "lasts-longer"),
    (UsageError, "usage"),
    (BusyError, "busy"),
)
"""What programs read. The words are stable."""

_Order = BanOrder | UnbanOrder


def serve(bans: Bans, targets: Sequence[str] | None) -> None:
    """Do what each line says until there are no more.

    Raises:
        UsageError: there are targets on the command line as well.
    """
    if targets:
        raise UsageError(tr("--lines takes no addresses on the command line."))
    for lines in _waiting(sys.stdin.fileno()):
        sys.stdout.write("".join(f"{said}\n" for said in answers(bans, lines)))
        sys.stdout.flush()


def _waiting(descriptor: int) -> Iterator[list[bytes]]:
    """Yield lines, as many as there are at a time; what is too long for one is cut."""
    rest = b""
    while data := os.read(descriptor, _AT_ONCE):
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[: _LONGEST_LINE + 1]
        if lines:
            yield lines
    if rest:
        yield [rest]


def answers(bans: Bans, lines: Sequence[bytes]) -> list[str]:
    """Carry out lines in their sequence, and return what to answer to each."""
    read = [_read(bans, line) for line in lines]
    orders = [each for each in read if isinstance(each, BanOrder | UnbanOrder)]
    done = "ok"
    results: Sequence[GeofenceError | None] = ()
    try:
        if orders:
            results, in_kernel = bans.obey(orders)
            done = "ok" if in_kernel else "ok no-fence"
    except GeofenceError as error:
        results = [error] * len(orders)
    waiting = iter(results)
    found = (each if isinstance(each, str) else next(waiting) for each in read)
    return [done if each is None else _said(each) for each in found]


def _read(bans: Bans, line: bytes) -> _Order | str:
    """Return an order, or at once the answer."""
    try:
        return _order(bans, line)
    except GeofenceError as error:
        return _said(error)


def _order(bans: Bans, line: bytes) -> _Order | str:
    verb, *rest = line.decode(errors="replace").split(maxsplit=1)[:2] or [""]
    if len(line) > _LONGEST_LINE or verb not in ("ban", "unban", "covering") or not rest:
        raise UsageError(
            tr(
                "Expected 'ban ADDRESS [TIME [REASON]]', 'unban ADDRESS [TIME]' or 'covering "
                "ADDRESS' on each line."
            )
        )
    target, time, reason = [*rest[0].split(maxsplit=2), "", ""][:3]
    (prefix,) = parse_targets(verb, [target])
    if verb == "covering":
        return "yes" if bans.covers(prefix) else "no"
    lasting = _lasting(time)
    if verb == "ban":
        return BanOrder(prefix, lasting, reason.strip())
    return UnbanOrder(prefix, lasting)


def _lasting(text: str) -> timedelta | None:
    """Return a span of time; programs give seconds without a unit, and ``-`` for no end."""
    if text in ("", "-"):
        return None
    return parse_lasting(f"{text}s" if text.isdecimal() else text)


def _said(error: GeofenceError | str) -> str:
    if isinstance(error, str):
        return error
    word = next((word for kind, word in _WORDS if isinstance(error, kind)), "failed")
    return f"error {word} " + " ".join(english(str(error)).split())
