"""Docker as it runs: a daemon, and a PBX in a container whose ports are published."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from geofence.lab.host import Host
from geofence.lab.network import Lab
from geofence.lab.observer import Observer
from geofence.lab.probes import Transport
from tests.coexistence.field import OPEN_RTP, OPEN_SIP, Target
from tests.coexistence.machine import Machine

PACKAGES = ("containerd", "docker.io", "runc")

PUBLISHED = ("5060:5060/udp", "5060:5060/tcp", "10000:10000/udp", "20000:20000/udp")
PUBLISHED_OTHERWISE = ("7000:5060/udp",)
"""Fenced is the port that the Internet sees, and the one it leads to."""
MARKED = ("9999:9/udp",)
"""The lab's markers have to reach the container."""

INSIDE: list[Target] = [*OPEN_SIP, *OPEN_RTP, (Transport.UDP, 7000)]
"""What leads to the container."""
OUTSIDE: list[Target] = [(Transport.TCP, 22), (Transport.ICMP, 0), (Transport.TCP, 5061)]
"""What does not."""

DAEMON = (
    "dockerd --storage-driver vfs --userland-proxy=false"
    " --experimental --ipv6 --ip6tables --fixed-cidr-v6 fd00:17::/64"
)
IMAGE = """\
cd /
tar --create --dereference $(ldd bin/sleep | grep -o '/[^ ]*') bin/sleep 2>/dev/null |
    docker import - pbx
"""
"""Needs no registry: a program of this machine's that does nothing, and its libraries."""


def set_up(lab: Lab, machine: Machine) -> None:
    """Put Docker, and a container of its, where the lab had its own container."""
    lab.pbx.run("ip", "link", "delete", "docker0")
    start(machine)
    machine.run("sh", "-c", IMAGE)
    ports = [f"--publish={port}" for port in (*PUBLISHED, *PUBLISHED_OTHERWISE, *MARKED)]
    machine.run("docker", "run", "--detach", "--name=pbx", *ports, "pbx", "/bin/sleep", "infinity")


def start(machine: Machine) -> None:
    machine.start("dockerd", DAEMON)
    machine.until("docker info")


def restart(machine: Machine) -> None:
    """The container ends with the daemon, and is started with it."""
    machine.stop("dockerd")
    start(machine)
    machine.do("docker start pbx")


@contextmanager
def observed(lab: Lab, machine: Machine) -> Iterator[None]:
    """Let the lab look into the container that runs now."""
    pid = machine.do("docker inspect --format {{.State.Pid}} pbx").strip()
    with _Container(machine, pid) as container, Observer(container) as observer:
        former, lab.observers["container"] = lab.observers["container"], observer
        try:
            yield
        finally:
            lab.observers["container"] = former


class _Container(Host):
    """A network namespace that Docker has made."""

    def __init__(self, machine: Machine, pid: str) -> None:
        self.name = "container"
        self.fd = os.open(machine.outside(f"/proc/{pid}/ns/net"), os.O_RDONLY | os.O_CLOEXEC)
