"""fail2ban's jail for geofence: its files copied, tested, and fail2ban restarted with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from geofence.errors import StateError
from geofence.setup.programs import run
from geofence.state.files import state_error, write_atomically
from geofence.translation import tr

DIRECTORY = Path("/etc/fail2ban")
_READABLE = 0o644
_TEST = ("fail2ban-client", "-t")
_RESTART = ("systemctl", "restart", "fail2ban")


def shipped() -> Path:
    """Return the directory of the files: in the checkout, or as installed.

    Beside an installed geofence there may be the package of fail2ban itself, which has that name.
    """
    checkout = Path(__file__).parents[2] / "fail2ban"
    is_ours = (checkout / "jail.d").is_dir()
    return checkout if is_ours else Path(sys.prefix) / "share/geofence/fail2ban"


def is_installed(directory: Path = DIRECTORY) -> bool:
    """Whether all files are there, as this version has them."""
    files = tuple(_files())
    return bool(files) and all(_content(directory / name) == text for name, text in files)


def _files() -> Iterator[tuple[Path, bytes]]:
    """Yield the files, by where they belong, with what is in them."""
    source = shipped()
    for path in sorted(source.rglob("geofence*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(source), path.read_bytes()


def install(directory: Path = DIRECTORY) -> None:
    """Copy the files and restart fail2ban; if it refuses them, the files are as before.

    Raises:
        StateError: a file could not be written, or fail2ban does not take them.
    """
    files = tuple(_files())
    if not files:
        raise StateError(
            tr(
                "geofence was installed without its files for fail2ban: {directory} is not there. "
                "Install geofence again, or copy them from its sources.",
                directory=shipped(),
            )
        )
    before = {directory / name: _content(directory / name) for name, _ in files}
    try:
        for name, text in files:
            _write(directory / name, text)
        run(_TEST)
    except StateError:
        for path, former in before.items():
            _put_back(path, former)
        raise
    run(_RESTART)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, text: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise state_error("made", path.parent, error) from error
    write_atomically(path, text, _READABLE)


def _put_back(path: Path, text: bytes | None) -> None:
    if text is not None:
        write_atomically(path, text, _READABLE)
    else:
        path.unlink(missing_ok=True)
