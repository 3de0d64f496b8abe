"""``python -m benchmarks.shield``: what one dropped packet costs with the shield, and without.

As in ``packets``, this namespace is the PBX. All subjects are flooded in turns; each ratio is of
one round, so that what disturbs a round disturbs both of its parts. Needs real root, for BPF.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import packets, report, world
from benchmarks.measure import empty_namespace, usual
from benchmarks.packets import ELSEWHERE, FLOODS, HERE, PACKETS, Sender, received, sending
from benchmarks.subject import world as merged
from geofence.apply import plan_for
from geofence.backends import registry
from geofence.merge import merge
from geofence.model.lists import ListId, ListKind
from geofence.model.prefixes import AddressSpace
from geofence.model.ruleset import Ruleset
from geofence.model.shield import ARMED_SAMPLE
from geofence.operations.shield_counts import read_counts
from geofence.operations.site import shipped_rules
from geofence.policy import load_policy
from geofence.routing.routes import read_local
from geofence.shield import audit, loading, pins, raising
from geofence.shield.attachment import has_tcx
from geofence.shield.decision import tables_of
from geofence.shield.design import design
from geofence.shield.host import read_host
from geofence.shield.obstacles import MARKS
from tests.shield.scene import bpf_directory

_DEVICE, _NETDEV = "discarded at the device", "netdev ingress, policy drop"
_HESTIA = "Hestia's layout: filter INPUT, conntrack, -m set"
_NETDEV_RULES = (
    "table netdev n { chain c { type filter hook ingress device pbx priority 0; policy drop; }; }"
)
Subjects = Mapping[str, Callable[[], None]]


def main() -> None:
    """Measure in a network namespace that nothing else lives in."""
    options = _options()
    if not options.inside:
        again = [sys.executable, "-m", "benchmarks.shield", "--inside", *sys.argv[1:]]
        sys.exit(subprocess.run(["unshare", "--net", *again], check=False).returncode)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with TemporaryDirectory() as scratch, bpf_directory(Path(scratch) / "bpf") as directory:
        print(f"Machine: {report.machine()}, Linux {os.uname().release}.")
        for number in options.sources:
            dropping(options.lists, Path(scratch), options.rounds, number, directory)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shield", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times each subject is flooded [5]")
    parser.add_argument("--lists", type=Path, help="real lists; without, made-up ones")
    parser.add_argument("--sources", type=int, nargs="*", default=[64, 4096], help="attackers")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def dropping(lists: Path | None, scratch: Path, rounds: int, number: int, directory: Path) -> None:
    """Flood each subject in turns from so many sources."""
    place = scratch / str(number)
    place.mkdir()
    known = lists or world.write_made_up(place / "lists")
    policy = load_policy((shipped_rules(),))
    world.write_list(place / "jp", "JP", world.listed(known, "JP"))
    japan = merged(world.list_files(place / "jp"))
    ruleset = merge(policy, {ListId(ListKind.COUNTRY, "JP"): AddressSpace(ipv4=japan)})
    entries = world.ipset_input(place / "jp.ipset", world.listed(place / "jp"))
    sources = place / "sources"
    sources.write_text("\n".join(world.outsiders(number, japan | policy.local.ipv4)))
    subjects = _subjects(ruleset, entries, directory)
    costs: dict[str, list[list[float]]] = {name: [] for name in subjects}
    with sending(sources) as sender:
        sender.send(ELSEWHERE)
        for _ in range(rounds):
            for name, build in subjects.items():
                pins.lower(directory)
                empty_namespace()
                build()
                costs[name].append(_flooded(sender, name, directory, ruleset))
        pins.lower(directory)
        pins.forget(directory)
    _show(costs, number, rounds)


def _subjects(ruleset: Ruleset, entries: Path, directory: Path) -> Subjects:
    def fence(backend: str) -> Callable[[], None]:
        def build() -> None:
            holder = registry.load(backend)
            holder.commit(plan_for(holder, ruleset))

        return build

    def shield(backend: str, *, tcx: bool) -> Callable[[], None]:
        def build() -> None:
            fence(backend)()
            _raise(ruleset, directory, tcx=tcx)

        return build

    on_tcx = {"shield on tcx, before nftables": shield("nftables", tcx=True)} if has_tcx() else {}
    return {
        _DEVICE: lambda: None,
        _NETDEV: lambda: _nft(_NETDEV_RULES),
        _HESTIA: lambda: packets._hestia(entries),  # noqa: SLF001 - the same rules
        "geofence on ipset": fence("ipset"),
        "geofence on nftables": fence("nftables"),
        **on_tcx,
        "shield on clsact, before nftables": shield("nftables", tcx=False),
    }


def _raise(ruleset: Ruleset, directory: Path, *, tcx: bool) -> None:
    made = design(ruleset, {}, (route.prefix for route in read_local() if route.table == 255))
    counts = loading.new_counters(made)
    raising.keep_counters(directory, counts)
    side, tables = loading.kernel_side(), tables_of(made)
    program = loading.load(side, made, tables, counts, sample=ARMED_SAMPLE, mark=MARKS[0])
    audit.place_counters(MARKS[0], before=False)
    ports = [port for port in read_host().ports if port.name == "pbx"]
    raising.put_up(directory, ports, program, counts, tcx=tcx)
    os.close(program)
    os.close(counts)


def _flooded(sender: Sender, name: str, directory: Path, ruleset: Ruleset) -> list[float]:
    """Flood it; fail if a packet took another way than meant."""
    mac = ELSEWHERE if name == _DEVICE else HERE
    sender.send(mac)
    services = tuple(service.name for service in ruleset.services)
    before, dropped = received(), _dropped(directory, services)
    costs = [sender.send(mac) for _ in range(FLOODS)]
    looked_at, let_in = (now - then for now, then in zip(received(), before, strict=True))
    sent = PACKETS * FLOODS
    early = name in (_DEVICE, _NETDEV) or name.startswith("shield")
    wanted = (sent // ARMED_SAMPLE if name.startswith("shield") else 0) if early else sent
    if let_in or abs(looked_at - wanted) > sent // 500 + 100:
        raise SystemExit(f"{name}: {looked_at} of {wanted} packets looked at, {let_in} let in.")
    if name.startswith("shield") and _dropped(directory, services) - dropped < sent * 0.99:
        raise SystemExit(f"{name}: it did not drop the packets.")
    return costs


def _dropped(directory: Path, services: tuple[str, ...]) -> int:
    counts = read_counts(directory, services)
    return sum(each.packets for each in counts.dropped) if counts else 0


def _show(costs: Mapping[str, list[list[float]]], number: int, rounds: int) -> None:
    report.heading(
        "One dropped packet",
        f"400-byte UDP to port 5060 from {number:,} foreign addresses, JP allowed, {rounds} rounds "
        f"of {FLOODS} floods of {PACKETS:,} packets; processor time above that of netdev ingress "
        "drop. Ratios to Hestia's layout are of one round each: median, and from least to most.",
    )
    each = {name: [usual(floods) for floods in found] for name, found in costs.items()}
    floor = each[_NETDEV]
    over = {
        name: [cost - least for cost, least in zip(found, floor, strict=True)]
        for name, found in each.items()
    }
    rows = []
    for name, extra in over.items():
        ratios = sorted(one / other for one, other in zip(extra, over[_HESTIA], strict=True))
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        rows.append((name, f"{median(extra):.0f}", f"{median(ratios):.2f}", spread))
    report.table(("where it is dropped", "extra ns a packet", "ratio", "spread"), rows)


def _nft(rules: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


if __name__ == "__main__":
    main()
