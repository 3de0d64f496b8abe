"""The units of systemd: whether they are there, and enabling them."""

from __future__ import annotations

from pathlib import Path

from geofence.setup.programs import run

_RUNNING = Path("/run/systemd/system")
"""Where it is, systemd is the init system (sd_booted(3))."""
_ADMIN = "etc/systemd/system"
_DIRECTORIES = (_ADMIN, "usr/lib/systemd/system", "lib/systemd/system")
"""Where './bootstrap install' and the package put units."""
_WANTED = ("geofence-restore.service", "geofence-refresh.timer")
"""Those that bring all others with them."""
ENABLE = ("systemctl", "enable", "--now", *_WANTED)


def is_running() -> bool:
    """Whether this host runs systemd."""
    return _RUNNING.is_dir()


def are_installed(root: Path = Path("/")) -> bool:
    """Whether the units are there."""
    return all(
        any((root / directory / name).is_file() for directory in _DIRECTORIES) for name in _WANTED
    )


def are_enabled(root: Path = Path("/")) -> bool:
    """Whether they are started at boot."""
    wants = (root / _ADMIN).glob("*.wants/*")
    return set(_WANTED) <= {each.name for each in wants}


def enable() -> None:
    """Have the fence restored at boot and refreshed daily, from now on.

    Raises:
        StateError: systemd refused.
    """
    run(ENABLE)
