"""Another kernel and its modules, from a package of Debian's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SOURCES = """\
Types: deb
URIs: {mirror}
Suites: {release}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
_APT = """\
Dir::Etc::SourceList "{place}/debian.sources";
Dir::Etc::SourceParts "-";
Dir::State::Lists "{place}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{place}/cache";
APT::Sandbox::User "root";
"""


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


def index(release: str, place: Path) -> Mapping[str, str]:
    """Read what packages a release has, beside what apt is set up for; the environment for apt."""
    apt = place / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True)
    mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
    (apt / "debian.sources").write_text(_SOURCES.format(mirror=mirror, release=release))
    (apt / "apt.conf").write_text(_APT.format(place=apt))
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    quietly("apt-get", "-q", "update", environment=environment)
    return environment


def fetched(package: str, place: Path, apt: Mapping[str, str]) -> Kernel:
    """Fetch and unpack a package, or the one that a package without content stands for."""
    depends = quietly("apt-cache", "depends", "--important", package, environment=apt).decode()
    named = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line]
    actual = named[0] if named else package
    quietly("apt-get", "-q", "download", actual, cwd=place, environment=apt)
    (archive,) = place.glob("*.deb")
    root = place / "kernel"
    quietly("dpkg-deb", "--extract", str(archive), str(root))
    archive.unlink()
    if not (root / "lib").exists():  # from Debian 13 on
        (root / "lib").symlink_to("usr/lib")
    (modules,) = (root / "lib" / "modules").iterdir()
    packed = [str(path) for path in modules.rglob("*.ko.xz")]
    if packed:
        quietly("xz", "--decompress", "--threads=0", *packed)
    quietly("depmod", "--basedir", str(root), modules.name)
    return Kernel(actual, root, modules.name)


def quietly(
    *command: str,
    cwd: Path | None = None,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Run a program that has nothing to say unless it fails; its output."""
    done = subprocess.run(
        command, cwd=cwd, input=given, env=environment, capture_output=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"'{' '.join(command[:4])} …' failed:\n{done.stderr.decode()}")
    return done.stdout


def _output(*command: str) -> str:
    return quietly(*command).decode()
