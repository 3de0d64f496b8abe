"""Both processes of the panel: started, and ended together."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import NoReturn

from geofence.errors import GeofenceError, UsageError
from geofence.operations.site import Site
from geofence.operations.snapshot import snapshot
from geofence.panel.privileged import Peer, in_background, listen
from geofence.panel.protocol import Answer, Question, Verb
from geofence.panel.sessions import Sessions
from geofence.panel.words import words
from geofence.translation import language, tr

USERS = ("geofence-panel", "nobody")
"""Whom the process of the browser becomes: the first of these that there is."""
PORT = 8437
"""Where it listens, if nothing else is asked for."""


_WAITING = 64
"""Connections that may wait."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the panel is to run."""

    port: int = PORT
    """On 127.0.0.1; 0: any that is free."""
    unix: Path | None = None
    """Path of a Unix socket to listen on instead."""
    actions: bool = False
    lasting: timedelta = timedelta(days=7)
    """For how long back it counts."""


def run(site: Site, wish: Wish, told: Callable[[str], None]) -> None:
    """Run the panel until it is interrupted.

    Args:
        site: the installation.
        wish: how.
        told: gets the link, once it works.

    Raises:
        UsageError: the port or the path is taken, or a library is missing.
    """
    _require_libraries()
    user = _user()
    sessions = Sessions()
    # Not the state directory: the other process must be able to come here.
    with tempfile.TemporaryDirectory(prefix="geofence-panel-") as directory:
        Path(directory).chmod(0o711)
        control = Path(directory) / "control"
        server = _server(control, user)
        listener = _listener(wish)
        place = _identity(wish)
        watched, held = os.pipe()
        child = os.fork()
        if child == 0:
            server.close()
            os.close(held)
            _end_with(watched)
            _browse(user, listener, control, sessions, wish)
        os.close(watched)
        signal.signal(signal.SIGTERM, _stop)  # or what is below would be left
        listener_name = _name(listener, wish)
        listener.close()
        in_background(
            server,
            Peer(child, user.pw_uid),
            lambda asked: _answer(site, wish, asked),
            actions=wish.actions,
        )
        told(f"{listener_name}/enter?link={sessions.link}")
        try:
            os.waitpid(child, 0)
        finally:
            server.close()
            os.close(held)
            _end(child)
            if wish.unix is not None and place is not None and _identity(wish) == place:
                wish.unix.unlink(missing_ok=True)


def _require_libraries() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(
            tr(
                "The panel needs {names}. Install them with: pip install 'geofence[panel]'.",
                names=", ".join(missing),
            )
        )


def _user() -> pwd.struct_passwd:
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise UsageError(tr("The panel needs the user nobody, which is not there."))


def _server(control: Path, user: pwd.struct_passwd) -> socket.socket:
    try:
        return listen(control, user.pw_uid)
    except OSError as error:  # such as a longer path than a socket may have (unix(7))
        raise UsageError(
            tr(
                "The panel cannot make its socket {path}: {reason}. Set TMPDIR to another "
                "directory.",
                path=control,
                reason=error.strerror or error,
            )
        ) from error


def _listener(wish: Wish) -> socket.socket:
    if wish.unix is not None:
        listener = socket.socket(socket.AF_UNIX)
        address: str | tuple[str, int] = str(wish.unix)
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        address = ("127.0.0.1", wish.port)
    before = os.umask(0o177)  # a chmod afterwards could be led to another file by a link
    try:
        listener.bind(address)
        listener.listen(_WAITING)
    except OSError as error:
        listener.close()
        raise UsageError(_taken(wish, error.strerror or str(error))) from error
    finally:
        os.umask(before)
    return listener


def _taken(wish: Wish, reason: str) -> str:
    if wish.unix is None:
        return tr(
            "The panel cannot listen on {place}: {reason}. Choose another with --port.",
            place=f"127.0.0.1:{wish.port}",
            reason=reason,
        )
    return tr(
        "The panel cannot listen on {place}: {reason}. Delete what is there, or choose another "
        "path with --unix.",
        place=wish.unix,
        reason=reason,
    )


def _identity(wish: Wish) -> tuple[int, int] | None:
    """Return what tells the socket's file from others; None where there is none."""
    try:
        facts = wish.unix.lstat() if wish.unix else None
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if facts else None


def _name(listener: socket.socket, wish: Wish) -> str:
    if wish.unix is not None:
        return f"unix:{wish.unix}:"
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _hosts(listener: socket.socket, wish: Wish) -> frozenset[str]:
    if wish.unix is not None:
        return frozenset({"localhost"})
    port = listener.getsockname()[1]
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})


def _browse(
    user: pwd.struct_passwd,
    listener: socket.socket,
    control: Path,
    sessions: Sessions,
    wish: Wish,
) -> NoReturn:
    """Serve the browser, in a process of its own that has given up all privilege."""
    code = 1
    try:
        # All of it before the privilege goes: the directory of the libraries may be closed then.
        import uvicorn
        import uvicorn.protocols.http.h11_impl

        from geofence.panel.web import Settings, application

        settings = Settings(
            control, _hosts(listener, wish), words(), language(), wish.actions, sessions
        )
        app = application(settings)
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            access_log=False,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
        )
        config.load()
        _become(user)
        uvicorn.Server(config).run(sockets=[listener])
        code = 0
    except KeyboardInterrupt:
        code = 0
    except BaseException as error:  # noqa: BLE001 - a forked process must not go on as the parent
        sys.stderr.write(f"geofence: the panel ended: {error}\n")
    finally:
        os._exit(code)


def _end_with(pipe: int) -> None:
    """End this process as soon as nobody holds the other end of a pipe, however that came."""

    def wait() -> None:
        os.read(pipe, 1)
        os._exit(0)

    Thread(target=wait, daemon=True).start()


def _become(user: pwd.struct_passwd) -> None:
    """Become a user without privilege, for good."""
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.umask(0o077)
    os.chdir("/")


def _answer(site: Site, wish: Wish, question: Question) -> Answer:
    """Answer a question of the process of the browser."""
    try:
        if question.verb is Verb.VIEW:
            from geofence.panel.view import view

            return Answer(ok=True, view=view(snapshot(site, wish.lasting)))
        if question.verb is Verb.METRICS:
            from geofence.operations.metrics import metrics

            return Answer(ok=True, lines=tuple(metrics(site).decode().splitlines()))
    except GeofenceError as error:
        return Answer(ok=False, lines=(str(error),))
    from geofence.panel.actions import answer

    return answer(site, question)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return
