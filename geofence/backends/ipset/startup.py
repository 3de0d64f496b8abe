"""Programs that this host starts at boot, as far as files tell.

Files are read and systemd is not asked: the answer is wanted at boot, in containers, and in units
that may not talk to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from geofence.lean import Path
from geofence.model.frozen import dataclass

_UNIT_DIRECTORIES = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
"""In the order in which one hides the others."""
_ADMIN_DIRECTORY = _UNIT_DIRECTORIES[0]
_RUN_LEVELS = ("S", "2", "3", "4", "5")
_OTHER_SCRIPTS = (
    "etc/rc.local",
    "etc/network/interfaces",
    "etc/network/interfaces.d/*",
    "etc/network/if-pre-up.d/*",
    "etc/network/if-up.d/*",
    "etc/NetworkManager/dispatcher.d/*",
    "etc/NetworkManager/dispatcher.d/pre-up.d/*",
    "etc/networkd-dispatcher/*/*",
)
_EXEC = ("ExecStart", "ExecStartPre", "ExecStartPost", "ExecReload")
_PREFIXES = "-@:+!|"
"""What systemd takes before a command (systemd.service(5))."""
_CONTINUED = "\\\n"
_LARGEST_SCRIPT = 256 * 1024
"""Bytes; what is larger is hardly a script that loads a firewall."""


@dataclass(frozen=True, slots=True)
class StartupProgram:
    """A unit, init script or hook that runs at boot."""

    name: str
    """Of the unit or init script, without ``.service``; or a path."""
    text: str
    """The commands and scripts that it runs, as far as they are text."""


def startup_programs(root: Path) -> Iterator[StartupProgram]:
    """Yield the enabled units, init scripts and hooks of the network below a root directory."""
    units = _enabled_units(root)
    for name in sorted(units):
        yield StartupProgram(name, _unit_text(root, name))
    by_systemd = (root / "run/systemd/system").is_dir()
    for name in sorted(_init_scripts(root) - units):
        if not by_systemd or _file(root, name) is None:
            yield StartupProgram(name, _script(root / "etc/init.d" / name))
    for pattern in _OTHER_SCRIPTS:
        for path in sorted(root.glob(pattern)):
            yield StartupProgram(f"/{path.relative_to(root)}", _script(path, any_text=True))


def unit_settings(root: Path, name: str) -> str | None:
    """Return the text of a service's unit, then of its drop-ins; None if it is missing or masked.

    Args:
        root: the system's root directory.
        name: of the service, without ``.service``.
    """
    path = _unit(root, name)
    if path is None:
        return None
    return "\n".join((_read(path), *map(_read, _drop_ins(root, name))))


def _drop_ins(root: Path, name: str) -> list[Path]:
    """Return a service's drop-ins: its own, those of units named alike, those of all.

    One hides another of the same name further down; so a link to /dev/null takes one away.
    """
    words = name.split("-")
    beginnings = ["-".join(words[:count]) + "-" for count in range(len(words) - 1, 0, -1)]
    kinds = [f"{which}.service.d" for which in (name, *beginnings)]
    found: dict[str, Path] = {}
    for kind in (*kinds, "service.d"):
        for directory in _UNIT_DIRECTORIES:
            for path in sorted((root / directory / kind).glob("*.conf")):
                found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def _enabled_units(root: Path) -> set[str]:
    """Return services that a unit of the administrator's pulls in and that are not masked.

    What only packages' own directories pull in is part of the system and no firewall.
    """
    directory = root / _ADMIN_DIRECTORY
    links = (link for kind in ("wants", "requires") for link in directory.glob(f"*.{kind}/*"))
    names = {link.name.removesuffix(".service") for link in links if link.suffix == ".service"}
    return {name for name in names if _unit(root, name) is not None}


def _unit(root: Path, name: str) -> Path | None:
    """Return the unit's file; None if there is none or it is masked."""
    path = _file(root, name)
    masked = path is not None and path.is_symlink() and str(path.readlink()) == "/dev/null"
    return None if masked else path


def _file(root: Path, name: str) -> Path | None:
    """Return the unit's file, or the link that masks it; it hides an init script."""
    file = f"{name.split('@', maxsplit=1)[0]}@.service" if "@" in name else f"{name}.service"
    paths = (f"{root}/{directory}/{file}" for directory in _UNIT_DIRECTORIES)
    # Asked of some dozens of files at boot, for which pathlib takes three times as long.
    found = (path for path in paths if os.path.isfile(path) or os.path.islink(path))  # noqa: PTH113, PTH114
    return next(map(Path, found), None)


def _unit_text(root: Path, name: str) -> str:
    """Return what a unit runs: its commands, and the scripts named in them."""
    path = _unit(root, name)
    commands = _executed(_read(path)) if path else []
    scripts = (
        _script(root / word.lstrip("/"))
        for command in commands
        for word in _words(command)
        if word.startswith("/")
    )
    return "\n".join((*commands, *scripts))


def _executed(unit: str) -> list[str]:
    """Return the commands of a unit; patterns take longer to compile than to look at each line."""
    lines = (line.partition("=") for line in unit.replace(_CONTINUED, " ").split("\n"))
    commands = (
        text.lstrip().lstrip(_PREFIXES) for name, _, text in lines if name.rstrip() in _EXEC
    )
    return [command for command in commands if command]


def _words(command: str) -> list[str]:
    import shlex

    try:
        return shlex.split(command)
    except ValueError:  # a quote that does not end
        return command.split()


def _init_scripts(root: Path) -> set[str]:
    links = (link for level in _RUN_LEVELS for link in root.glob(f"etc/rc{level}.d/S*"))
    return {_without_rank(link.name) for link in links}


def _without_rank(name: str) -> str:
    """Return the name of a script in a run level: ``S20ferm`` starts ``ferm``."""
    rest = name.removeprefix("S").lstrip("0123456789")
    return name if name == f"S{rest}" else rest


def _script(path: Path, *, any_text: bool = False) -> str:
    """Return the text of a script; empty if it is none."""
    text = _read(path)
    return text if any_text or text.startswith("#!") else ""


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_SCRIPT or not path.is_file():
            return ""
        with path.open("rb") as file:
            head = file.read(4)
            return "" if head == b"\x7fELF" else (head + file.read()).decode(errors="replace")
    except OSError:  # not for us to read, or gone
        return ""
