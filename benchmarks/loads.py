"""Policies of different sizes, restored and refreshed, beside what loads the same lists otherwise.

Each process is compared with ``ipset restore`` of the same lists in the same round, pair by pair:
what disturbs the machine for longer than that disturbs both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from benchmarks import report
from benchmarks.geoip_shell import GeoipShell
from benchmarks.geoip_shell import installed as geoip_shell_installed
from benchmarks.installed import installed
from benchmarks.measure import Cost, Subject, empty_namespace, in_turns
from benchmarks.world import SET_FILES, write_scattered
from geofence.backends import registry
from geofence.lists.text import parse_text
from geofence.model.generation import Generation
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family, PrefixSet
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey
from geofence.state.files import ensure_private_directory
from geofence.state.generations import GenerationStore

_EU = ("at be bg hr cy cz dk ee fi fr de gr hu ie it lv lt lu mt nl pl pt ro sk si es se").split()  # noqa: SIM905 - shorter
_V4 = (Family.IPV4,)
POLICIES: Mapping[str, tuple[Sequence[str], Sequence[Family]]] = {
    "JP": (("jp",), _V4),
    "US": (("us",), _V4),
    "EU": (_EU, _V4),
    "world": ((), _V4),
    "world, both families": ((), tuple(Family)),
}
"""Countries, none for all, and families."""

SIZES = (1_000, 10_000, 50_000, 175_195, 400_000, 1_000_000)
"""Prefixes for which growth is looked at."""

_REFERENCE = "ipset restore"


@dataclass(frozen=True, slots=True)
class Load:
    """What a policy lets in: as the lists have it, and merged."""

    name: str
    listed: Mapping[Family, list[str]]
    allowed: Mapping[Family, PrefixSet]

    @classmethod
    def of(cls, name: str, lists: Path) -> Load:
        """Read the lists of a policy below a directory."""
        return cls.read(name, lists, *POLICIES[name])

    @classmethod
    def read(
        cls, name: str, lists: Path, countries: Sequence[str], families: Sequence[Family]
    ) -> Load:
        """Read the lists of countries, none for all, below a directory."""
        listed: dict[Family, list[str]] = {}
        allowed: dict[Family, PrefixSet] = {}
        for family in families:
            places = [lists / code for code in countries] if countries else sorted(lists.iterdir())
            files = [place / SET_FILES[family] for place in places]
            bodies = [file.read_bytes() for file in files if file.exists()]
            parts = [parse_text(body, family).space[family] for body in bodies]
            allowed[family] = PrefixSet.union(family, parts)
            lines = (line for body in bodies for line in body.decode().splitlines())
            listed[family] = [line for line in lines if line and not line.startswith("#")]
        return cls(name, listed, allowed)

    @property
    def ruleset(self) -> Ruleset:
        """One fenced service that lets it in."""
        service = FencedService("sip", (Ports(Protocol.UDP, 5060, 5060),), "")
        empty = {
            SetKey(role, group, family): PrefixSet(family)
            for role, group in ((Role.ALLOW, ""), (Role.EXCEPTION, "sip"))
            for family in Family
        }
        filled = {SetKey(Role.ALLOW, "", each): content for each, content in self.allowed.items()}
        return Ruleset((service,), (), empty | filled)


def loads(lists: Path, scratch: Path, rounds: int, geoip_shell: Path | None = None) -> None:
    """Restore each policy; ratios to ``ipset restore`` of the same lists, pair by pair.

    Args:
        lists: where the countries' lists are.
        scratch: an empty directory.
        rounds: times each subject runs.
        geoip_shell: its checkout, if its update is a subject, too.
    """
    report.heading(
        "Restoring policies of different sizes, as at boot",
        "Whole processes; processor time, and its ratio to that of `ipset restore` in the same "
        f"round: the median of {rounds} rounds, and the middle half of them. "
        + ("" if geoip_shell else "geoip-shell is left out: --geoip-shell names no checkout."),
    )
    with _peer(geoip_shell, lists, scratch) as peer:
        for name, (countries, families) in POLICIES.items():
            load = Load.of(name, lists)
            place = scratch / name.replace(", ", "-").replace(" ", "-")
            place.mkdir()
            subjects = _subjects(load, place, installed(scratch))
            subjects += [peer.update(countries, families)] if peer else []
            costs = in_turns(subjects, rounds, empty_namespace)
            print(f"\n{name}: {sizes(load)}\n")
            _show(costs)


def _peer(
    checkout: Path | None, lists: Path, scratch: Path
) -> AbstractContextManager[GeoipShell | None]:
    if checkout is None:
        return nullcontext()
    return geoip_shell_installed(checkout, lists, scratch)


def growth(scratch: Path, rounds: int) -> None:
    """Restore made-up prefixes, no two of which merge, of more and more."""
    report.heading(
        "Restoring more and more scattered prefixes",
        f"As above, with made-up prefixes of IPv4, no two of which merge; {rounds} rounds.",
    )
    rows = [_growth_row(size, scratch, rounds) for size in SIZES]
    names = [_REFERENCE, *registry.MODULES]
    head = ("prefixes", *(cell for name in names for cell in (name, "ratio")))
    report.table(head, rows)


def _growth_row(size: int, scratch: Path, rounds: int) -> tuple[str, ...]:
    place = scratch / f"growth-{size}"
    lists = write_scattered(place / "lists", size)
    load = Load.of("world", lists)
    wanted = {_REFERENCE, *(f"geofence restore, {name}" for name in registry.MODULES)}
    subjects = [s for s in _subjects(load, place, installed(scratch)) if s.name in wanted]
    costs = in_turns(subjects, rounds, empty_namespace)
    base = costs[_REFERENCE]
    return (f"{size:,}", *(cell for cost in costs.values() for cell in _short(cost, base)))


def _short(cost: Cost, base: Cost) -> tuple[str, str]:
    ratios = cost.ratios_to(base)
    return f"{median(cost.busy) * 1000:.0f} ms", f"{median(ratios):.2f}"


def sizes(load: Load) -> str:
    """Return how many prefixes and intervals a policy has."""
    return "; ".join(
        f"{len(load.listed[family]):,} prefixes of {family.label} in the lists, "
        f"{len(content.bounds) // 2:,} intervals when merged"
        for family, content in load.allowed.items()
    )


def _subjects(load: Load, scratch: Path, program: Path) -> list[Subject]:
    fence = ("iptables-restore", "--noflush")
    entries = ipset_input(scratch / "entries", load)
    return [
        Subject(_REFERENCE, ["ipset", "restore"], entries),
        Subject("nft -f", ["nft", "-f", str(_nft_input(scratch / "nft", load))]),
        Subject(
            "Hestia's layout: ipset restore, iptables-restore",
            ["sh", "-c", f"ipset restore <{entries} && {' '.join(fence)} <{_hestia(scratch)}"],
        ),
        *(
            Subject(f"geofence restore, {name}", [str(program), *restoring(name, scratch, load)])
            for name in registry.MODULES
        ),
    ]


def ipset_input(path: Path, load: Load) -> Path:
    """Write what ``ipset restore`` reads: the lists as they are."""
    lines: list[str] = []
    for family, listed in load.listed.items():
        name, kind = f"world{family.digit}", "inet" if family is Family.IPV4 else "inet6"
        size = max(1024, len(listed) // 4)
        lines.append(f"create {name} hash:net family {kind} hashsize {size} maxelem 1048576")
        lines += (f"add {name} {prefix}" for prefix in listed)
    path.write_text("\n".join([*lines, ""]))
    return path


def _nft_input(path: Path, load: Load) -> Path:
    sets = "\n".join(
        f" set world{family.digit} {{\n  type ipv{family.digit}_addr\n  flags interval\n"
        f"  auto-merge\n  elements = {{ {', '.join(listed)} }}\n }}"
        for family, listed in load.listed.items()
    )
    path.write_text(f"table inet world {{\n{sets}\n}}\n")
    return path


def _hestia(scratch: Path) -> Path:
    """Return the rules of the panel's page (see ``packets``)."""
    accept = "-m set --match-set world4 src -j ACCEPT"
    rules = (
        "*filter",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        f"-A INPUT -p udp -m udp --dport 5060 {accept}",
        f"-A INPUT -p udp -m udp --dport 10000:20000 {accept}",
        f"-A INPUT -p tcp -m tcp --dport 5060:5061 {accept}",
        "COMMIT",
        "",
    )
    path = scratch / "hestia"
    path.write_text("\n".join(rules))
    return path


def restoring(backend: str, scratch: Path, load: Load) -> tuple[str, ...]:
    """``geofence restore`` of a state directory that holds the policy's fence."""
    state, rules = scratch / f"state-{backend}", scratch / "rules.d"
    ensure_private_directory(state)
    generation = Generation(1, datetime.now(UTC), "benchmark", backend, load.ruleset)
    GenerationStore(state).record(generation)
    rules.mkdir(exist_ok=True)
    return ("--rules-dir", str(rules), "--state-dir", str(state), "restore")


def _show(costs: Mapping[str, Cost]) -> None:
    report.table(
        ("process", "processor time", "ratio", "middle half", "peak memory"),
        (tuple(_row(name, cost, costs[_REFERENCE])) for name, cost in costs.items()),
    )


def _row(name: str, cost: Cost, base: Cost) -> Iterator[str]:
    ratios = cost.ratios_to(base)
    low, _, high = quantiles(ratios, method="inclusive")
    yield name
    yield f"{median(cost.busy) * 1000:.0f} ms"
    yield f"{median(ratios):.2f}"
    yield f"{low:.2f} to {high:.2f}"
    yield f"{cost.peak:.0f} MB"
