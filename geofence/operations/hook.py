"""``[notify] command``: the operator's program that is told what happened.

It gets the facts as JSON on its standard input. No shell is involved.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from io import FileIO

from geofence.model.notes import Note, NoteKind

_HOOK_SECONDS = 30
_QUOTED_BYTES = 1_000
"""Of the hook's standard error, from its end."""


def run_hook(hook: tuple[str, ...], facts: Mapping[str, object]) -> tuple[Note, ...]:
    """Run the hook and return what went wrong with it."""
    try:
        ended_with, said = _run_hook(hook, json.dumps(facts))
    except subprocess.TimeoutExpired:
        return (Note(NoteKind.HOOK_STOPPED, hook[0], {"seconds": _HOOK_SECONDS}),)
    except OSError as error:
        return (Note(NoteKind.HOOK_NOT_RUN, hook[0], {"message": str(error)}),)
    if ended_with:
        return (Note(NoteKind.HOOK_FAILED, hook[0], {"exit_code": ended_with, "message": said}),)
    return ()


def _run_hook(hook: tuple[str, ...], facts: str) -> tuple[int, str]:
    """Run the hook; return its exit code and the end of its standard error.

    It reads and writes files in memory, not pipes: a process that it leaves in the background would
    hold a pipe open, and this run would wait for it.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took too long and was stopped.
    """
    with _in_memory("facts") as given, _in_memory("errors") as errors:
        given.write(facts.encode())
        given.seek(0)
        with subprocess.Popen(  # noqa: S603 - the operator's own command, from rules only root writes
            hook,
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        ) as process:
            code = _await(process)
        length = errors.seek(0, os.SEEK_END)
        errors.seek(max(0, length - _QUOTED_BYTES))
        return code, errors.read(_QUOTED_BYTES).decode(errors="replace").strip()


def _await(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end; kill it and its children if it takes too long."""
    try:
        return process.wait(_HOOK_SECONDS)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def _in_memory(name: str) -> FileIO:
    """Return an empty file in memory."""
    return FileIO(os.memfd_create(f"geofence-{name}"), "r+")
