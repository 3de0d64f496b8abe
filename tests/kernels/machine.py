"""An emulated machine that shares this one's disk and keeps nothing."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kernels.kernel import Kernel, quietly

_HERE = Path(__file__).parent
_DISK = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_MEMORY = "6G"
_DIRECTORIES = ("bin", "modules", "proc", "sys", "dev", "below", "memory", "root")


def missing(needed: Mapping[str, str]) -> list[str]:
    """Debian's packages of those programs that are not on this machine."""
    return [package for program, package in needed.items() if shutil.which(program) is None]


@dataclass(frozen=True, slots=True)
class Machine:
    """Boots a kernel for one command."""

    kernel: Kernel
    scratch: Path
    processors: int = 1
    """One is emulated with less: nothing has to be atomic then. Two machines beat one with two."""

    def run(self, command: Sequence[str]) -> int:
        """Run a command where this process is, as root, and show what it prints; its exit code."""
        exchange = self.scratch / "exchange"
        exchange.mkdir()
        (exchange / "run.sh").write_text(
            f"cd {shlex.quote(str(Path.cwd()))}\nexport PATH={shlex.quote(os.environ['PATH'])}\n"
            f"mkdir -p /lib/modules/{self.kernel.release}\n"
            f"mount --bind {self.kernel.root}/lib/modules/{self.kernel.release} "
            f"/lib/modules/{self.kernel.release}\n"
            f"{shlex.join(command)}\n"
        )
        subprocess.run(self._emulator(exchange), stdin=subprocess.DEVNULL, check=True)
        try:
            return int((exchange / "code").read_text())
        except FileNotFoundError:
            sys.exit("The machine ended before the command did.")

    def _emulator(self, exchange: Path) -> list[str]:
        shared = "security_model=none,multidevs=remap"
        return [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", str(self.processors), "-m", _MEMORY, "-no-reboot"),
            *("-display", "none", "-vga", "none", "-nic", "none", "-serial", "stdio"),
            *("-virtfs", f"local,path=/,mount_tag=disk,readonly=on,{shared}"),
            *("-virtfs", f"local,path={exchange},mount_tag=exchange,{shared}"),
            *("-kernel", str(self.kernel.image), "-initrd", str(self._initramfs())),
            *("-append", "console=ttyS0 quiet loglevel=3 panic=-1"),
        ]

    def _initramfs(self) -> Path:
        """What boots: busybox, the modules that the disk takes, and a script."""
        tree = self.scratch / "initramfs"
        for name in _DIRECTORIES:
            (tree / name).mkdir(parents=True)
        shutil.copy(_HERE / "init.sh", tree / "init")
        (tree / "init").chmod(0o755)
        shutil.copy(_HERE / "guest.sh", tree)
        shutil.copy(shutil.which("busybox") or "", tree / "bin")
        modules = self.kernel.modules(*_DISK)
        for module in modules:
            shutil.copy(module, tree / "modules")
        (tree / "modules" / "order").write_text("".join(f"{each.name}\n" for each in modules))
        names = b"".join(b"%s\n" % bytes(path.relative_to(tree)) for path in tree.rglob("*"))
        image = self.scratch / "initramfs.img"
        image.write_bytes(quietly("busybox", "cpio", "-o", "-H", "newc", cwd=tree, given=names))
        return image
