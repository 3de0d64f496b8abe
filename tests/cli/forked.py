"""Geofence in a process of its own that has the libraries loaded already.

It does what ``python -m geofence`` does, without the half second that Python takes to start and
import, which a hundred commands would spend a minute on.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from geofence.lab.privilege import CLONE_NEWNET, call

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.cli.warm"])


def run(network: int, arguments: tuple[str, ...], environment: Mapping[str, str], out: Path) -> int:
    """Run geofence to its end.

    Args:
        network: descriptor of the network namespace.
        arguments: of the command line.
        environment: the whole of it.
        out: a directory for the files ``out`` and ``err``.

    Returns:
        The exit code.
    """
    where = f"/proc/{os.getpid()}/fd/{network}"
    process = _server.Process(target=_geofence, args=(where, arguments, dict(environment), out))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _geofence(
    network: str, arguments: tuple[str, ...], environment: dict[str, str], out: Path
) -> None:
    from geofence.__main__ import main

    descriptor = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    call("setns", descriptor, CLONE_NEWNET)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(environment)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(out / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    sys.argv = ["geofence", *arguments]
    main()
