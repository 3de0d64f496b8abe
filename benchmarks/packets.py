"""What one dropped attack packet costs the host, by where and how it is dropped.

This namespace is the PBX; a process in a second one floods it over a veth pair (see ``flood``).
Every figure is above that of frames for another MAC address, which the kernel discards as soon as
it looks at them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import report, world
from benchmarks.measure import empty_namespace, usual
from benchmarks.subject import world as merged
from geofence.apply import plan_for
from geofence.backends import registry
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, PrefixSet
from geofence.operations.site import shipped_rules
from geofence.policy import load_policy

PACKETS = 25_000
"""Sent in one flood."""
FLOODS = 8
"""A round and fence, after one that warms the caches."""

SOURCES = 4_096
HOST = "198.51.100.1"
HERE, ELSEWHERE = "02:00:00:00:00:02", "02:00:00:00:00:03"
"""MAC addresses: of this namespace, and of nobody."""
_DEVICE = "discarded at the device"
_HESTIA = "Hestia's layout: filter INPUT, conntrack, -m set"


class Sender:
    """The flooding process in its own namespace."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, mac: str, which: int = 0) -> float:
        """Nanoseconds of processor time a frame, sender's and receiver's work together.

        Args:
            mac: where to.
            which: of the files of sources.
        """
        assert self._process.stdin  # noqa: S101 - for the type checker; it is a pipe
        assert self._process.stdout  # noqa: S101 - for the type checker; it is a pipe
        self._process.stdin.write(f"{mac} {PACKETS} {which}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()) / PACKETS


def dropping(lists: Path, scratch: Path, rounds: int) -> None:
    """The fences in turns, each flooded several times a round."""
    report.heading(
        "One dropped packet",
        f"400-byte UDP to port 5060 from {SOURCES:,} random foreign addresses, "
        f"JP allowed, {rounds * FLOODS} floods of {PACKETS:,} packets; processor time above that "
        "of frames that are discarded at the device.",
    )
    policy = load_policy((shipped_rules(),))
    world.write_list(scratch / "jp", "JP", world.listed(lists, "JP"))
    japan = merged(world.list_files(scratch / "jp"))
    fences = _fences(policy, japan, scratch)
    sources = scratch / "sources"
    sources.write_text("\n".join(world.outsiders(SOURCES, japan | policy.local.ipv4)))
    costs: dict[str, list[float]] = {name: [] for name in fences}
    with sending(sources) as sender:
        sender.send(ELSEWHERE)
        for _ in range(rounds):
            for name, build in fences.items():
                empty_namespace()
                build()
                costs[name] += _round(sender, name)
    empty_namespace()
    _show(costs)


def _show(costs: Mapping[str, list[float]]) -> None:
    found = {name: usual(each) for name, each in costs.items()}
    floor = found.pop(_DEVICE)
    extra = {name: cost - floor for name, cost in found.items()}
    print(f"Discarded at the device: {floor:.0f} ns a packet, sending included.\n")
    report.table(
        ("where it is dropped", "extra ns a packet", "ratio"),
        ((name, f"{cost:.0f}", f"{cost / extra[_HESTIA]:.2f}") for name, cost in extra.items()),
    )


def _round(sender: Sender, name: str) -> list[float]:
    """Floods against the fence that stands; fails if a packet took another way than meant."""
    mac = ELSEWHERE if name == _DEVICE else HERE
    sender.send(mac)
    before = received()
    costs = [sender.send(mac) for _ in range(FLOODS)]
    looked_at, let_in = (now - then for now, then in zip(received(), before, strict=True))
    wanted = 0 if name == _DEVICE else PACKETS * FLOODS
    if let_in or abs(looked_at - wanted) > wanted // 1000 + 100:
        raise SystemExit(f"{name}: {looked_at} of {wanted} packets looked at, {let_in} let in.")
    return costs


def received() -> tuple[int, int]:
    """Packets that IP has looked at, and those it delivered, in this namespace (RFC 4293)."""
    counters = Path("/proc/net/snmp").read_text()
    names, values = (line.split() for line in counters.splitlines() if line.startswith("Ip:"))
    counted = dict(zip(names, values, strict=True))
    return int(counted["InReceives"]), int(counted["InDelivers"])


def _fences(policy: Policy, japan: PrefixSet, scratch: Path) -> dict[str, Callable[[], None]]:
    entries = world.ipset_input(scratch / "jp.ipset", world.listed(scratch / "jp"))
    ruleset = merge(policy, {ListId(ListKind.COUNTRY, "JP"): AddressSpace(ipv4=japan)})

    def geofence(backend: str) -> Callable[[], None]:
        def build() -> None:
            holder = registry.load(backend)
            holder.commit(plan_for(holder, ruleset))

        return build

    return {
        _DEVICE: lambda: None,
        _HESTIA: lambda: _hestia(entries),
        "geofence on ipset": geofence("ipset"),
        "geofence on nftables": geofence("nftables"),
    }


def _hestia(entries: Path) -> None:
    """The rules of the panel's page: conntrack first, then a set a port, policy DROP."""
    with entries.open("rb") as source:
        subprocess.run(["ipset", "restore"], stdin=source, check=True)
    accept = "-m set --match-set world src -j ACCEPT"
    rules = (
        "*filter",
        ":INPUT DROP [0:0]",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        f"-A INPUT -p udp -m udp --dport 5060 {accept}",
        f"-A INPUT -p udp -m udp --dport 10000:20000 {accept}",
        f"-A INPUT -p tcp -m tcp --dport 5060:5061 {accept}",
        "COMMIT",
        "",
    )
    subprocess.run(["iptables-restore"], input="\n".join(rules), text=True, check=True)


@contextmanager
def sending(*sources: Path) -> Iterator[Sender]:
    """Two namespaces, a pair of interfaces, and the flooding process in the second."""
    flood = [sys.executable, "-m", "benchmarks.flood", "out", HOST, "5060", *map(str, sources)]
    waiting = ["sh", "-c", 'read go && exec "$@"', "sh", *flood]
    process = subprocess.Popen(
        ["unshare", "--net", *waiting],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    try:
        _wire(process.pid)
        assert process.stdin  # noqa: S101 - for the type checker; it is a pipe
        assert process.stdout  # noqa: S101 - for the type checker; it is a pipe
        process.stdin.write("go\n")
        if process.stdout.readline() != "ready\n":
            raise SystemExit("The flooding process did not start.")
        yield Sender(process)
    finally:
        process.kill()
        process.wait()


def _wire(pid: int) -> None:
    peer = ["peer", "name", "out", "netns", str(pid)]
    inside = ["nsenter", "--target", str(pid), "--net"]
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", "pbx", "address", HERE, "type", "veth", *peer],
        ["ip", "address", "add", f"{HOST}/24", "dev", "pbx"],
        ["ip", "link", "set", "pbx", "up"],
        [*inside, "ip", "link", "set", "out", "up"],
        ["ip", "route", "add", "default", "dev", "pbx"],  # else foreign sources are martians
    ):
        subprocess.run(command, check=True)
