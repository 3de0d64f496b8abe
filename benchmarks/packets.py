"""What dropped and passed packets cost, by what stands before the host.

Many hosts, each with a fence of its own, are flooded in turns by one process: short floods, in
another order each time, each between two floods of the host that does the least. What a packet
takes is what it is above those two. Ratios are of floods of the same round; a round has its own
flooding process, since where its memory lies is chance that moves all costs by some percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from benchmarks import fences, packet_report, report, world
from benchmarks.fences import Allowing
from benchmarks.floods import (
    COUNT,
    TURNS,
    TURNS_DROPPED,
    WARM,
    WARM_DROPPED,
    Kind,
    Subject,
    build,
    flooded,
)
from benchmarks.network import ASKED, ELSEWHERE, MEDIA, SIP, Network
from geofence.model.prefixes import Prefix, PrefixSet, address_text
from geofence.model.shield import ARMED_SAMPLE
from geofence.shield.attachment import has_tcx

ROUNDS = 30
_DEVICE, _NETDEV, _BARE = "discarded at the device", "netdev ingress, policy drop", "no fence"
_WANTED = {"ipset": 0.85, "nftables": 0.60, "tcx": 0.10, "clsact": 0.15}
"""Ratios of a dropped packet to Hestia's layout."""
_STRANGERS = (64, COUNT)
_PHONES = 64
_HOST_BITS = 6
"""Of the exception: it has as many addresses as there are phones."""
_ANEW = WARM + COUNT
"""Flows that one flood begins."""


class Bench(NamedTuple):
    """What packets are measured with."""

    lists: Path
    scratch: Path
    """An empty directory."""
    rounds: int
    beside: Path | None
    """Another checkout, whose fences are measured as well."""
    bpf: Path | None
    """Where a BPF file system is mounted; None: there is no shield."""


@contextmanager
def bench(lists: Path, scratch: Path, rounds: int, beside: Path | None) -> Iterator[Bench]:
    """What packets are measured with on this machine."""
    with fences.bpf_file_system(scratch / "bpf") as bpf:
        yield Bench(lists, scratch, rounds, beside, bpf)


def dropped(bench: Bench) -> None:
    """Packets of strangers, from few addresses and from many."""
    allowing = _allowing(bench, "dropped")
    inside = allowing.japan | allowing.policy.local.ipv4
    kinds = []
    for number in _STRANGERS:
        flows = [(address, SIP, SIP) for address in world.outsiders(number, inside)]
        name = f"One dropped packet, of {number:,} addresses"
        kinds.append(Kind(name, _written(allowing.scratch / f"strangers-{number}", flows)))
    subjects = {
        _NETDEV: Subject(fences.netdev_drop, looked_at=0),
        _DEVICE: Subject(_nothing, looked_at=0, mac=ELSEWHERE),
        **dict(_fences(bench, allowing)),
    }
    report.heading(
        "Dropped packets",
        f"400-byte UDP to port {SIP} from foreign addresses; JP is allowed. "
        f"{_method(bench, TURNS_DROPPED, WARM_DROPPED)} Extra is what is above a drop at netdev "
        f"ingress. {_no_shield(bench)}",
    )
    _measure(bench, subjects, kinds, _NETDEV)


def passed(bench: Bench) -> None:
    """Packets that get in, for each reason why they may."""
    allowing = _allowing(bench, "passed", excepting=True)
    subjects = {_BARE: Subject(_nothing), **dict(_fences(bench, allowing))}
    report.heading(
        "Passed packets",
        f"400-byte UDP. {_method(bench, TURNS, WARM)} Extra is what is above a host without fence "
        f"or conntrack. {_no_shield(bench)}",
    )
    _measure(bench, subjects, list(_passing(allowing)), _BARE)


def _passing(allowing: Allowing) -> Iterator[Kind]:
    scratch, japan = allowing.scratch, allowing.japan
    phones = list(world.insiders(_PHONES, japan))
    assert allowing.exception  # noqa: S101 - for the type checker
    excepted = [address_text(world.FAMILY, allowing.exception.network + i) for i in range(_PHONES)]
    asked = tuple(world.outsiders(_PHONES, japan | allowing.policy.local.ipv4))
    for name, sources in (
        ("First packet of a phone in an allowed country", phones),
        ("First packet of an exception", excepted),
    ):
        flows = [(sources[i % _PHONES], 1024 + i // _PHONES, SIP) for i in range(_ANEW)]
        yield Kind(name, _written(scratch / name, flows), passes=True, anew=True)
    known = [(address, SIP, SIP) for address in phones]
    name = f"Packet of a known flow of a phone, of {_PHONES}"
    known_file = _written(scratch / "known", known)
    yield Kind(name, known_file, passes=True, answered=tuple(phones))
    replies = [(address, ASKED, MEDIA) for address in asked]
    name = f"Reply to this host, of {_PHONES} flows"
    yield Kind(name, _written(scratch / "replies", replies), passes=True, asked=asked)


def _measure(
    bench: Bench, subjects: Mapping[str, Subject], kinds: Sequence[Kind], floor: str
) -> None:
    with Network([kind.file for kind in kinds]) as network:
        build(network, subjects)
        found = flooded(network, subjects, kinds, floor, bench.rounds)
    packet_report.show(subjects, kinds, found, fences.HESTIA, other_floor=_DEVICE)
    if bench.beside:
        names = {each: _names(each, bench.beside) for each in ("ipset", "nftables")}
        packet_report.show_beside(kinds, found, names)


def _fences(bench: Bench, allowing: Allowing) -> Iterator[tuple[str, Subject]]:
    yield fences.HESTIA, Subject(partial(fences.hestia, allowing))
    for backend in ("ipset", "nftables"):
        ours = partial(fences.geofence, allowing, backend)
        name, before = _names(backend, bench.beside)
        yield name, Subject(ours, wanted=_WANTED[backend])
        if bench.beside:
            yield before, Subject(partial(ours, bench.beside))
    if bench.bpf:
        for how in ("tcx", "clsact") if has_tcx() else ("clsact",):
            raised = partial(fences.shield, allowing, bench.bpf, tcx=how == "tcx")
            name = f"shield on {how}, before nftables"
            yield name, Subject(raised, 1 / ARMED_SAMPLE, wanted=_WANTED[how])


def _names(backend: str, beside: Path | None) -> tuple[str, str]:
    before = f"{fences.version(beside)} on {backend}" if beside else ""
    return f"geofence on {backend}", before


def _allowing(bench: Bench, name: str, *, excepting: bool = False) -> Allowing:
    scratch = bench.scratch / name
    world.write_list(scratch / "jp", "JP", world.listed(bench.lists, "JP"))
    (listed,) = world.list_files(scratch / "jp")
    allowing = Allowing(listed, scratch)
    return Allowing(listed, scratch, _foreign(allowing.japan)) if excepting else allowing


def _foreign(japan: PrefixSet) -> Prefix:
    """A prefix with none of its addresses in JP, in a network that has some."""
    length = world.FAMILY.bits - _HOST_BITS
    around = (Prefix(world.FAMILY, past, length) for _, past in japan.intervals())
    return next(p for p in around if not PrefixSet.of(world.FAMILY, (p,)) & japan)


def _written(path: Path, flows: Sequence[tuple[str, int, int]]) -> Path:
    """Write packets of these flows, in turn, at least as many as are measured in one flood."""
    many = islice(cycle(flows), max(len(flows), COUNT))
    path.write_text("".join(f"{address} {here} {there}\n" for address, here, there in many))
    return path


def _nothing() -> None:
    """Leave the host without a fence."""


def _method(bench: Bench, turns: int, warm: int) -> str:
    return (
        f"{bench.rounds} rounds, floods a round and host: {turns}, of {COUNT:,} packets after "
        f"{warm:,}; processor time."
    )


def _no_shield(bench: Bench) -> str:
    return "" if bench.bpf else "The shield is left out: BPF needs the rights of real root."
