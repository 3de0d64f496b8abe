"""Bans from standard input: one process for a program that bans by the hundred.

Each line is answered by one line: ``ok``, or ``error`` and a sentence.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from geofence.cli.arguments import parse_lasting, parse_targets
from geofence.errors import GeofenceError, UsageError
from geofence.operations.bans import Bans
from geofence.translation import english, tr

_LONGEST_LINE = 1024
"""Characters."""


def serve(bans: Bans, targets: Sequence[str] | None) -> None:
    """Do what each line says until there are no more.

    Raises:
        UsageError: there are targets on the command line as well.
    """
    if targets:
        raise UsageError(tr("--lines takes no addresses on the command line."))
    for line in sys.stdin:
        sys.stdout.write(f"{answer(bans, line.strip())}\n")
        sys.stdout.flush()


def answer(bans: Bans, line: str) -> str:
    """Do what a line says, and return the line to answer."""
    try:
        _obey(bans, line)
    except GeofenceError as error:
        return "error " + " ".join(english(str(error)).split())
    return "ok"


def _obey(bans: Bans, line: str) -> None:
    verb, _, rest = line.partition(" ")
    if len(line) > _LONGEST_LINE or verb not in ("ban", "unban") or not rest:
        raise UsageError(
            tr("Expected 'ban ADDRESS [TIME [REASON]]' or 'unban ADDRESS' on each line.")
        )
    if verb == "unban":
        bans.unban(parse_targets("unban", [rest.strip()]))
        return
    target, time, reason = [*rest.split(maxsplit=2), "", ""][:3]
    bans.ban(parse_targets("ban", [target]), _lasting(time), reason)


def _lasting(text: str) -> timedelta | None:
    """Return a span of time; programs give seconds without a unit."""
    return parse_lasting(f"{text}s" if text.isdigit() else text or None)
