"""The units of systemd: whether they are there, and enabling them."""

from __future__ import annotations

from pathlib import Path

from geofence.setup.programs import run

_RUNNING = Path("/run/systemd/system")
"""Where it is, systemd is the init system (sd_booted(3))."""
_DIRECTORY = Path("/etc/systemd/system")
_WANTED = ("geofence-restore.service", "geofence-refresh.timer")
"""Those that bring all others with them."""
ENABLE = ("systemctl", "enable", "--now", *_WANTED)


def is_running() -> bool:
    """Whether this host runs systemd."""
    return _RUNNING.is_dir()


def are_installed(root: Path = Path("/")) -> bool:
    """Whether the units are there; './bootstrap install' puts them there."""
    return all((_below(root) / name).is_file() for name in _WANTED)


def are_enabled(root: Path = Path("/")) -> bool:
    """Whether they are started at boot."""
    wants = _below(root).glob("*.wants/*")
    return set(_WANTED) <= {each.name for each in wants}


def _below(root: Path) -> Path:
    return root / _DIRECTORY.relative_to("/")


def enable() -> None:
    """Have the fence restored at boot and refreshed daily, from now on.

    Raises:
        StateError: systemd refused.
    """
    run(ENABLE)
