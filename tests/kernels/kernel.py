"""Another kernel and its modules, from a package of Debian's."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that is unpacked and not installed."""

    package: str
    root: Path
    """Holds ``boot`` and ``lib/modules`` as a system's root does."""
    release: str
    """As ``uname -r`` will say."""

    @property
    def image(self) -> Path:
        """What is booted."""
        return self.root / "boot" / f"vmlinuz-{self.release}"

    def modules(self, *wanted: str) -> list[Path]:
        """Files of modules and of what they depend on, in the order of loading."""
        found: dict[Path, None] = {}
        for name in wanted:
            said = _output(
                *("modprobe", "--show-depends", "--dirname", str(self.root)),
                *("--set-version", self.release, name),
            )
            lines = (line.split() for line in said.splitlines())
            found |= {Path(words[1]): None for words in lines if words[0] == "insmod"}
        return list(found)


def fetched(package: str, place: Path) -> Kernel:
    """Fetch and unpack a package, or the one that a package without content stands for."""
    depends = _output("apt-cache", "depends", "--important", package)
    named = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line]
    actual = named[0] if named else package
    quietly("apt-get", "-q", "download", actual, cwd=place)
    (archive,) = place.glob("*.deb")
    root = place / "kernel"
    quietly("dpkg-deb", "--extract", str(archive), str(root))
    archive.unlink()
    (modules,) = (root / "lib" / "modules").iterdir()
    packed = [str(path) for path in modules.rglob("*.ko.xz")]
    if packed:
        quietly("xz", "--decompress", "--threads=0", *packed)
    quietly("depmod", "--basedir", str(root), modules.name)
    return Kernel(actual, root, modules.name)


def quietly(*command: str, cwd: Path | None = None, given: bytes = b"") -> bytes:
    """Run a program that has nothing to say unless it fails; its output."""
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"'{' '.join(command[:4])} …' failed:\n{done.stderr.decode()}")
    return done.stdout


def _output(*command: str) -> str:
    return quietly(*command).decode()
