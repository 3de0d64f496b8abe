"""What is built on the hosts of a benchmark: floors, peers, geofence's fence and its shield.

Each function is called in the host's network namespace.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import world
from benchmarks.network import INTERFACE, SIP
from geofence.lists.text import parse_text
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.policy import Policy
from geofence.model.prefixes import AddressSpace, Prefix, PrefixSet
from geofence.model.ruleset import Ruleset
from geofence.model.shield import ARMED_SAMPLE
from geofence.operations.site import shipped_rules
from geofence.policy import load_policy

OURS = Path(__file__).parents[1]
"""This checkout."""
HESTIA = "Hestia's layout: filter INPUT, conntrack, -m set"
_SCRIPT = Path(__file__).with_name("fence.py")
_NETDEV = (
    f"table netdev n {{ chain c {{ type filter hook ingress device {INTERFACE} priority 0; "
    "policy drop; }; }"
)


@dataclass(frozen=True)
class Allowing:
    """What all fences let in: JP, and an exception if there is one."""

    listed: Path
    """A text file of IPv4 prefixes."""
    scratch: Path
    exception: Prefix | None = None

    @cached_property
    def japan(self) -> PrefixSet:
        """The list, merged."""
        return parse_text(self.listed.read_bytes(), world.FAMILY).space[world.FAMILY]

    @cached_property
    def rules(self) -> tuple[Path, ...]:
        """Directories of rules behind those that ship."""
        if self.exception is None:
            return ()
        directory = self.scratch / "rules.d"
        directory.mkdir(exist_ok=True)
        text = f'[exception.friend]\nprefixes = ["{self.exception}"]\nenabled = true\n'
        (directory / "90-friend.toml").write_text(text)
        return (directory,)

    @cached_property
    def policy(self) -> Policy:
        """What the rules say."""
        return load_policy((shipped_rules(), *self.rules))

    @cached_property
    def ruleset(self) -> Ruleset:
        """What geofence's fence holds."""
        return merge(self.policy, {ListId(ListKind.COUNTRY, "JP"): AddressSpace(ipv4=self.japan)})


def netdev_drop() -> None:
    """Drop all at the first hook of netfilter: no fence can do with less of it."""
    subprocess.run(["nft", "-f", "-"], input=_NETDEV, text=True, check=True)


def hestia(allowing: Allowing) -> None:
    """The rules of the panel's page: conntrack first, then a set a port, policy DROP."""
    entries = world.ipset_input(allowing.scratch / "jp.ipset", _lines(allowing.listed))
    with entries.open("rb") as source:
        subprocess.run(["ipset", "restore"], stdin=source, check=True)
    accept = "-m set --match-set world src -j ACCEPT"
    one = allowing.exception
    rules = (
        "*filter",
        ":INPUT DROP [0:0]",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        *([f"-A INPUT -s {one} -p udp -m udp --dport {SIP} -j ACCEPT"] if one else []),
        f"-A INPUT -p udp -m udp --dport {SIP} {accept}",
        f"-A INPUT -p udp -m udp --dport 10000:20000 {accept}",
        f"-A INPUT -p tcp -m tcp --dport 5060:5061 {accept}",
        "COMMIT",
        "",
    )
    subprocess.run(["iptables-restore"], input="\n".join(rules), text=True, check=True)


def geofence(allowing: Allowing, backend: str, checkout: Path = OURS) -> None:
    """The fence of a checkout, in a process of its own."""
    parts = (_SCRIPT, checkout, backend, allowing.listed, *allowing.rules)
    subprocess.run([sys.executable, "-P", *map(str, parts)], check=True)


def shield(allowing: Allowing, bpf_directory: Path, *, tcx: bool) -> None:
    """The armed shield before the fence of this checkout on nftables.

    Args:
        allowing: what is let in.
        bpf_directory: where a BPF file system is mounted.
        tcx: whether to attach it by tcx, not by clsact.
    """
    from geofence.routing.routes import read_local
    from geofence.shield import audit, loading, raising
    from geofence.shield.decision import tables_of
    from geofence.shield.design import design
    from geofence.shield.host import read_host
    from geofence.shield.obstacles import MARKS

    geofence(allowing, "nftables")
    own = (route.prefix for route in read_local() if route.table == 255)
    made = design(allowing.ruleset, {}, own)
    counts = loading.new_counters(made)
    raising.keep_counters(bpf_directory, counts)
    side, tables = loading.kernel_side(), tables_of(made)
    program = loading.load(side, made, tables, counts, sample=ARMED_SAMPLE, mark=MARKS[0])
    audit.place_counters(MARKS[0], before=False)
    ports = [port for port in read_host().ports if port.name == INTERFACE]
    raising.put_up(bpf_directory, ports, program, counts, tcx=tcx)
    os.close(program)
    os.close(counts)


@contextmanager
def bpf_file_system(path: Path) -> Iterator[Path | None]:
    """A BPF file system with nothing in it, and nothing left afterwards; None: it cannot be.

    BPF belongs to the root of the host, not to that of a user namespace.
    """
    path.mkdir()
    mounting = ["mount", "-t", "bpf", "bpf", str(path)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def version(checkout: Path) -> str:
    """What git calls a checkout."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=7"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _lines(listed: Path) -> list[str]:
    return [line for line in listed.read_text().split("\n") if line and not line.startswith("#")]
