"""Pods on a node: their containers as kubelet and containerd run them, by runc.

What a manifest says counts: command, user, capabilities, seccomp, volumes, limits, probes. So a
test that runs a pod shows what its manifest does. The network is that of the node.
"""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from geofence.lab.host import Host
from tests.node.recipe import Image
from tests.node.seccomp import seccomp
from tests.support.config_map import ConfigMapVolume

_SECONDS = 90.0
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_MASKED = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware")
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_MOUNTS = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},  # noqa: S108
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "ro"]},
)


class Node:
    """A node with a kubelet: volumes, and the runtime."""

    def __init__(self, host: Host, directory: Path, programs: Path) -> None:
        """Prepare it.

        Args:
            host: its network.
            directory: for volumes, hostPaths and the runtime's state.
            programs: where Debian's packages of the runtime were unpacked.
        """
        self.host = host
        self.directory = directory
        self.config_maps: dict[str, Mapping[str, str]] = {}
        self._volumes: dict[str, list[ConfigMapVolume]] = {}
        self._numbers = itertools.count(1)
        self._runc = str(next(programs.glob("usr/*bin/runc")))
        profile = (programs / "usr/share/containers/seccomp.json").read_text("utf-8")
        self._profile = json.loads(profile)

    def change(self, name: str, files: Mapping[str, str]) -> None:
        """Change a ConfigMap; pods that have it as a volume get the new content."""
        self.config_maps[name] = files
        for volume in self._volumes.get(name, ()):
            volume.write(files)

    def host_path(self, path: str) -> Path:
        """Return the place of a path of the node; on the machine it is elsewhere."""
        return self.directory / "root" / path.lstrip("/")

    def start(
        self, pod: Mapping[str, Any], container: Mapping[str, Any], image: Image
    ) -> Container:
        """Start a container of a pod."""
        number = next(self._numbers)
        bundle = self.directory / f"bundle{number}"
        bundle.mkdir()
        uid = str(uuid4())
        volumes = {each["name"]: self._volume(each, uid) for each in pod.get("volumes", ())}
        configuration = self._configuration(pod, container, image, volumes)
        (bundle / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
        runtime = [self._runc, "--root", str(self.directory / "runc")]
        return Container(self.host, runtime, bundle, container, f"geofence-{uid}")

    def _volume(self, volume: Mapping[str, Any], uid: str) -> Path:
        if "configMap" in volume:
            name = volume["configMap"]["name"]
            made = ConfigMapVolume(self.directory / "kubelet", volume["name"], uid)
            made.write(self.config_maps[name])
            self._volumes.setdefault(name, []).append(made)
            return made.path
        path = self.host_path(volume["hostPath"]["path"])
        assert volume["hostPath"]["type"] == "DirectoryOrCreate"
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        return path

    def _configuration(
        self,
        pod: Mapping[str, Any],
        container: Mapping[str, Any],
        image: Image,
        volumes: Mapping[str, Path],
    ) -> dict[str, Any]:
        assert pod["hostNetwork"] is True
        security = {**pod.get("securityContext", {}), **container["securityContext"]}
        assert security["capabilities"]["drop"] == ["ALL"]
        held = [f"CAP_{name}" for name in security["capabilities"].get("add", ())]
        limit = container.get("resources", {}).get("limits", {}).get("memory")
        linux: dict[str, Any] = {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc")],
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
        }
        if security["seccompProfile"]["type"] == "RuntimeDefault":
            linux["seccomp"] = seccomp(self._profile, held)
        if limit:
            linux["resources"] = {"memory": {"limit": int(limit[:-2]) * _UNITS[limit[-2:]]}}
        return {
            "ociVersion": "1.0.2",
            "process": _process(container, image, security, held),
            "root": {"path": str(image.root), "readonly": security["readOnlyRootFilesystem"]},
            "mounts": [*_MOUNTS, *self._etc(), *_mounts(container, volumes)],
            "linux": linux,
        }

    def _etc(self) -> list[dict[str, Any]]:
        """Return the files that the kubelet gives each container."""
        own = self.directory / "etc"
        own.mkdir(exist_ok=True)
        (own / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (own / "hosts").write_text("127.0.0.1 localhost\n")
        return [_bind(own / name, f"/etc/{name}", "rw") for name in ("resolv.conf", "hosts")]


def _process(
    container: Mapping[str, Any], image: Image, security: Mapping[str, Any], held: list[str]
) -> dict[str, Any]:
    environment = dict(image.environment)
    environment |= {each["name"]: each["value"] for each in container.get("env", ())}
    start = container.get("command", image.entrypoint)
    more = container.get("args", () if "command" in container else image.command)
    return {
        "user": {"uid": security["runAsUser"], "gid": security["runAsGroup"]},
        "args": [*start, *more],
        "env": [f"{name}={value}" for name, value in environment.items()],
        "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), held),
        "noNewPrivileges": not security["allowPrivilegeEscalation"],
    }


def _mounts(container: Mapping[str, Any], volumes: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [
        _bind(volumes[each["name"]], each["mountPath"], "ro" if each.get("readOnly") else "rw")
        for each in container.get("volumeMounts", ())
    ]


def _bind(source: Path, destination: str, mode: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "bind",
        "source": str(source),
        "options": ["rbind", "rprivate", mode],
    }


class Container:
    """A container that was started."""

    def __init__(
        self,
        host: Host,
        runtime: Sequence[str],
        bundle: Path,
        container: Mapping[str, Any],
        name: str,
    ) -> None:
        """Start it."""
        self._host = host
        self._runtime = runtime
        self._name = name
        self._container = container
        self._log = bundle / "log"
        self.heard = 0
        with host.entered(), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*runtime, "run", "--bundle", str(bundle), name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    @property
    def log(self) -> str:
        """All that it said."""
        return self._log.read_text("utf-8")

    def execute(self, *command: str) -> tuple[int, str]:
        """Run a program in it; its exit code, and what it said."""
        with self._host.entered():
            done = subprocess.run(
                [*self._runtime, "exec", self._name, *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=self._container["readinessProbe"]["timeoutSeconds"],
            )
        return done.returncode, done.stdout

    def is_ready(self) -> bool:
        """Whether its readiness probe succeeds."""
        return self.execute(*self._container["readinessProbe"]["exec"]["command"])[0] == 0

    def until_ready(self) -> None:
        """Wait for the readiness probe."""
        deadline = time.monotonic() + _SECONDS
        while not self.is_ready():
            assert time.monotonic() < deadline, self.log
            assert self._process.poll() is None, self.log
            time.sleep(0.5)

    def until(self, part: str) -> None:
        """Wait for words in its log that were not waited for yet."""
        deadline = time.monotonic() + _SECONDS
        while part not in self.log[self.heard :]:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)
        self.heard = self.log.index(part, self.heard) + len(part)

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        try:
            return self._process.wait(_SECONDS)
        finally:
            self.close()

    def signalled(self, number: signal.Signals) -> int:
        """Send a signal to its first process, and wait for the end."""
        subprocess.run([*self._runtime, "kill", self._name, number.name], check=True)
        return self.ended()

    def close(self) -> None:
        """Remove what is left of it."""
        command = [*self._runtime, "delete", "--force", self._name]
        subprocess.run(command, check=False, capture_output=True)
        self._process.wait(_SECONDS)
