"""Other programs that ``setup`` runs: systemctl and fail2ban's."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from geofence.errors import StateError
from geofence.translation import tr

_SECONDS = 60
_SHOWN = 500
"""Characters of what a program said that a message repeats."""


def run(command: Sequence[str]) -> str:
    """Run a program to its end and return what it prints.

    Raises:
        StateError: it could not be run, failed, or took too long.
    """
    named = " ".join(command)
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs and arguments, no shell
            list(command),
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="backslashreplace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StateError(
            tr("'{command}' could not be run: {error}.", command=named, error=error)
        ) from error
    if done.returncode:
        raise StateError(
            tr(
                "'{command}' ended with exit code {code}: {said}",
                command=named,
                code=done.returncode,
                said=_tail(done.stderr or done.stdout),
            )
        )
    return done.stdout


def _tail(said: str) -> str:
    lines = " ".join(said.split())
    return "".join(char if char.isprintable() else "?" for char in lines[-_SHOWN:])
