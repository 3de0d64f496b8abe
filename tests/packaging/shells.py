"""Real shells that complete a command line of geofence: bash, and Debian's zsh and fish."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tools.completion import scripts

TOP = Path(__file__).parents[2]
DOWNLOADED = TOP / ".venv" / "peers-shells"
_SECONDS = 20
"""Until a shell counts as one that does not answer."""

BASH = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_geofence_completion geofence
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
module_path=("$SHELLS"/usr/lib/*/zsh/5.*(N) $module_path)
fpath=("$SHELLS"/usr/share/zsh/functions/{Completion,Completion/*,Misc,Zle}(N) "$SCRIPTS" $fpath)
autoload -Uz compinit && compinit -u -D
PS1='READY> '
LISTMAX=1000
"""
RUN = """
import sys
sys.argv[0] = "geofence"
from geofence.__main__ import main
main()
"""
"""Runs the command as its script would."""
GEOFENCE = f"""\
#!/bin/sh
exec {sys.executable} -c '{RUN}' "$@"
"""


@dataclass(frozen=True)
class Shells:
    """Shells, and a geofence in their PATH that reads rules of its own."""

    place: Path
    environment: dict[str, str]

    @classmethod
    def at(cls, place: Path, rules: Path, **more: str) -> Shells:
        """Set them up in a directory."""
        (place / "bin").mkdir()
        program = place / "bin/geofence"
        program.write_text(GEOFENCE)
        program.chmod(0o755)
        for name, script in scripts().items():
            (place / name).write_text(script)
        environment = {
            "PATH": f"{place / 'bin'}:/usr/bin:/bin",
            "PYTHONPATH": str(TOP),
            "HOME": str(place),
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "GEOFENCE_RULES_DIR": str(rules),
            **more,
        }
        return cls(place, environment)

    def bash(self, *words: str) -> list[str]:
        """Return what bash offers for the last word."""
        said = self._run("bash", "--norc", "-c", BASH, "bash", self._script("geofence"), *words)
        return said.split()

    def fish(self, line: str) -> list[str]:
        """Return what fish offers at the end of a line."""
        script = self._script("geofence.fish")
        command = f"source {script}; complete -C '{line}'"
        said = self._run(str(self._unpacked() / "usr/bin/fish"), "--no-config", "-c", command)
        return [each.split("\t")[0] for each in said.splitlines()]

    def zsh(self, line: str, until: str) -> str:
        """Type a line and a tab into an interactive zsh; all it shows until it shows something."""
        shells = self._unpacked()
        (self.place / ".zshrc").write_text(ZSH)
        master, slave = pty.openpty()
        more = {"ZDOTDIR": str(self.place), "SHELLS": str(shells), "SCRIPTS": str(self.place)}
        with subprocess.Popen(
            [shells / "bin/zsh", "-i"],
            env={**self.environment, **more, "LD_LIBRARY_PATH": _libraries(shells)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            try:
                _read(master, "READY> ")
                os.write(master, f"{line}\t".encode())
                return _read(master, until)
            finally:
                process.kill()
                os.close(master)

    def _script(self, name: str) -> str:
        return str(self.place / name)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env={**self.environment, "LD_LIBRARY_PATH": _libraries(self.place / "unpacked")},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        assert not done.stderr, done.stderr
        return done.stdout

    def _unpacked(self) -> Path:
        target = self.place / "unpacked"
        if not target.is_dir():
            for package in sorted(DOWNLOADED.glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", package, target], check=True)
        return target


def _libraries(shells: Path) -> str:
    found = [*shells.glob("usr/lib/*-linux-gnu*"), *shells.glob("lib/*-linux-gnu*")]
    return ":".join(map(str, found))


def _read(terminal: int, until: str) -> str:
    """Return what a terminal shows until it has shown something, or nothing more comes."""
    shown, deadline = "", time.monotonic() + _SECONDS
    while until not in shown and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown
