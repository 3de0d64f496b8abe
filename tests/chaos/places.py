"""File systems of a run's own: too small, read-only, or with other files than the host's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A mount namespace."""

    process: int
    """Whose it is."""

    @property
    def wrapper(self) -> tuple[str, ...]:
        """What has a command run there."""
        return ("nsenter", f"--mount=/proc/{self.process}/ns/mnt", "--")

    def run(self, script: str, *arguments: str | Path) -> bool:
        """Run a shell script there; whether it succeeded."""
        command = [*self.wrapper, "sh", "-ec", script, "sh", *map(str, arguments)]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def fill(self, directory: Path) -> None:
        """Leave no octet free on a file system."""
        assert not self.run('cat /dev/zero > "$1/fill"', directory)

    def fill_inodes(self, directory: Path) -> None:
        """Leave no room for another file."""
        assert not self.run('i=0; while : > "$1/fill$i"; do i=$((i + 1)); done; exit 1', directory)

    def free(self, directory: Path) -> None:
        """Take away what filled it."""
        assert self.run('rm "$1"/fill*', directory)


@contextmanager
def place(script: str, *arguments: str | Path) -> Iterator[Place]:
    """A mount namespace that a shell script has prepared."""
    command = ["unshare", "--mount", "sh", "-ec", f"{script}\necho ready\nexec cat", "sh"]
    with subprocess.Popen(
        [*command, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "ready\n"
        yield Place(keeper.pid)
        assert keeper.stdin is not None
        keeper.stdin.close()


@contextmanager
def small_disk(directory: Path, options: str) -> Iterator[Place]:
    """A place where a directory is a file system of its own, in memory."""
    script = 'mkdir -p "$1" && mount -t tmpfs -o "$2,mode=0755" tmpfs "$1"'
    with place(script, directory, options) as made:
        yield made
