"""Whether geofence's units are enabled, or cron does their work, as far as files tell.

Files are read and systemd is not asked, so that containers and other roots can be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

RESTORE = "geofence-restore.service"
RENEWING = ("geofence-refresh.timer", "geofence-daemon.service")
"""Units of which one downloads the lists."""

_DIRECTORIES = ("etc/systemd/system", "run/systemd/system")
_CRON = ("etc/cron.d/*", "etc/crontab", "var/spool/cron/crontabs/*", "etc/rc.local", "etc/init.d/*")
_DAILY = ("etc/cron.daily/*", "etc/cron.weekly/*")
_RESTORES = re.compile(r"^(?!\s*#).*\bgeofence\b.*\s(?:restore|apply|refresh)\b", re.MULTILINE)
_RENEWS = re.compile(
    r"^(?!\s*#).*\bgeofence\b.*\s(?:refresh(?!\s.*--names-only)|daemon)\b", re.MULTILINE
)
_AT_BOOT = re.compile(r"^(?!\s*#)\s*@reboot\b.*", re.MULTILINE)
_LARGEST = 256 * 1024
"""Bytes; what is larger is no table of cron."""


@dataclass(frozen=True, slots=True)
class UnitFiles:
    """What geofence's units and cron's tables say."""

    restores: bool
    """Whether the fence is restored at boot."""
    masked: bool
    """Whether the unit that would restore it is masked."""
    renews: bool
    """Whether the lists are downloaded from time to time."""


def read_units(root: Path) -> UnitFiles:
    """Return what files below a root directory say."""
    texts = tuple(map(_read, _paths(root, _CRON)))
    booting = (line for text in texts for line in _AT_BOOT.findall(text))
    scripts = (
        _read(path) for path in _paths(root, ("etc/rc.local", "etc/init.d/*")) if path.is_file()
    )
    by_cron = any(_RESTORES.search(each) for each in (*booting, *scripts))
    masked = _is_masked(root, RESTORE)
    daily = map(_read, _paths(root, _DAILY))
    return UnitFiles(
        by_cron or (_is_enabled(root, RESTORE) and not masked),
        masked,
        any(_is_enabled(root, unit) and not _is_masked(root, unit) for unit in RENEWING)
        or any(_RENEWS.search(text) for text in (*texts, *daily)),
    )


def _is_enabled(root: Path, unit: str) -> bool:
    """Whether some target or unit of the administrator's pulls it in."""
    links = (
        pulling / unit
        for directory in _DIRECTORIES
        for kind in ("wants", "requires")
        for pulling in (root / directory).glob(f"*.{kind}")
    )
    return any(link.is_symlink() or link.exists() for link in links)


def _is_masked(root: Path, unit: str) -> bool:
    paths = (root / directory / unit for directory in _DIRECTORIES)
    return any(path.is_symlink() and str(path.readlink()) == "/dev/null" for path in paths)


def _paths(root: Path, patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(root.glob(pattern))]


def _read(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not for us to read, or gone
        return ""
