"""The ruleset in the words of iptables: own chains of the mangle table, hooked into PREROUTING.

Rules are written exactly as ``iptables-save`` prints them, so that desired and observed rules
compare as text. Each line begins with the program of its family.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from geofence.errors import BackendError, BackendUnavailable
from geofence.model.plan import Count
from geofence.model.policy import Ports
from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    Action,
    Anything,
    ArrivedBy,
    FencedService,
    Match,
    NotForThisHost,
    OfKnownFlow,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
)

CHAIN = "GEOFENCE"
"""The chain that PREROUTING jumps to; those of services add ``-NAME``."""

_JUMP = f"-A PREROUTING -j {CHAIN}"
_SET_PREFIX = "geofence-"
_SEARCH_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_LEGACY_TABLES = {
    Family.IPV4: Path("/proc/net/ip_tables_names"),
    Family.IPV6: Path("/proc/net/ip6_tables_names"),
}
_TARGETS = {Action.PASS: "RETURN", Action.DROP: "DROP"}
_NOT_FOR_THIS_HOST = {
    Family.IPV4: (
        "-m addrtype --dst-type UNICAST",
        "-m addrtype --dst-type UNICAST --limit-iface-in",
    ),
    # There UNICAST would be what the address looks like, whosever it is (xt_addrtype.c).
    Family.IPV6: (
        "-m addrtype ! --dst-type LOCAL,ANYCAST",
        "-m addrtype ! --dst-type MULTICAST",
        "-m addrtype ! --dst-type LOCAL,ANYCAST --limit-iface-in",
    ),
}
"""By the main table, and by that of the VRF, if any, that the packet came in by: it holds the
addresses of the VRF's interfaces, which the main one knows nothing of."""
_LETS_ALL_PASS = re.compile(r'-A \S+( -m comment --comment ("[^"]*"|\S+))? -j (ACCEPT|RETURN)')
_COUNTED_RULE = re.compile(r"\[(\d+):(\d+)\] (-A .*)")
_PERMISSION = re.compile(
    r"permission denied|operation not permitted|must be root|can't open socket to ipset",
    re.IGNORECASE,
)
_PRIVILEGE = (
    "needs CAP_NET_ADMIN and, for rules with '-m set', CAP_NET_RAW; run geofence as root, for "
    "example with sudo. Its units have the second from geofence-.service.d/ipset.conf."
)


def set_name(key: SetKey) -> str:
    """The kernel name of a set."""
    return _SET_PREFIX + key.name


def set_key(name: str) -> SetKey | None:
    """The inverse of ``set_name``; None for a set that is not geofence's."""
    return SetKey.parse(name.removeprefix(_SET_PREFIX)) if name.startswith(_SET_PREFIX) else None


def require_raw_socket() -> None:
    """See whether iptables could open the socket by which its set match asks for ipset's version.

    Raises:
        BackendUnavailable: CAP_NET_RAW is missing.
    """
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()
    except OSError as error:
        raise BackendUnavailable(f"iptables {_PRIVILEGE}") from error


def rule_lines(ruleset: Ruleset, family: Family) -> tuple[str, ...]:
    """All chains and rules of one family, in the order of ``iptables -S``."""
    return (
        *(f"-N {chain}" for chain in _chains(ruleset)),
        _JUMP,
        *(_enter(ports, service) for service in ruleset.services for ports in service.ports),
        *(
            _rule(service, rule, family)
            for service in sorted(ruleset.services, key=lambda service: service.name)
            for rule in ruleset.rules(service)
        ),
    )


def _chains(ruleset: Ruleset) -> tuple[str, ...]:
    return (CHAIN, *sorted(_chain(service) for service in ruleset.services))


def _chain(service: FencedService) -> str:
    return f"{CHAIN}-{service.name}"


def _enter(ports: Ports, service: FencedService) -> str:
    span = str(ports.first) if ports.first == ports.last else f"{ports.first}:{ports.last}"
    protocol = ports.protocol
    return f"-A {CHAIN} -p {protocol} -m {protocol} --dport {span} -g {_chain(service)}"


def _rule(service: FencedService, rule: Rule, family: Family) -> str:
    parts = (
        f"-A {_chain(service)}",
        *_match(rule.match, family),
        f'-m comment --comment "{rule.comment}"',
        f"-j {_TARGETS[rule.action]}",
    )
    return " ".join(parts)


def _match(match: Match, family: Family) -> tuple[str, ...]:
    match match:
        case ArrivedBy(interface):
            return (f"-i {interface[:-1]}+" if interface.endswith("*") else f"-i {interface}",)
        case NotForThisHost():
            return _NOT_FOR_THIS_HOST[family]
        case SourceIn(role, group):
            return (f"-m set --match-set {set_name(SetKey(role, group, family))} src",)
        case OfKnownFlow():
            return ("-m conntrack --ctstate RELATED,ESTABLISHED",)
        case Anything():
            return ()


@dataclass(frozen=True, slots=True)
class Table:
    """What ``iptables-save`` says of one family's mangle table, as far as it is geofence's."""

    chains: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    """Chains, then rules without counters; the jump counts as ours while it is the first rule."""
    misplaced_jumps: tuple[str, ...] = ()
    """Jumps to our chain that other rules stand in front of, or that are there twice."""
    counts: Mapping[str, Count] = field(default_factory=dict)
    """Per service, what its drop rule has counted."""
    hooked: bool = False
    """Whether packets come to our chain."""
    drops: bool = False
    """Whether they come from there to a rule that drops."""


def parse_table(saved: str) -> Table:
    """Find geofence's rules in the output of ``iptables-save -c -t mangle``."""
    chains = tuple(sorted(re.findall(rf"^:({CHAIN}(?:-\S+)?) ", saved, re.MULTILINE)))
    found = [(Count(int(p), int(o)), line) for p, o, line in _COUNTED_RULE.findall(saved)]
    prerouting = [line for _, line in found if line.startswith("-A PREROUTING ")]
    jumps = [at for at, line in enumerate(prerouting) if line.split()[-1] == CHAIN]
    first = (_JUMP,) if prerouting[:1] == [_JUMP] else ()
    others = tuple(
        f"{prerouting[at]}  (rule {at + 1} of PREROUTING)" for at in jumps if at or not first
    )
    own = [(count, line) for count, line in found if line.split()[1] in chains]
    own.sort(key=lambda counted: counted[1].split()[1])  # versions list chains in varying order
    drops = {
        line.split()[1].removeprefix(f"{CHAIN}-"): count
        for count, line in own
        if line.endswith("-j DROP")
    }
    declared = (f"-N {chain}" for chain in chains)
    hooked = _JUMP in _reached(prerouting)
    services = (_reached(_of_chain(name, own)) for name in _gone_to(_of_chain(CHAIN, own)))
    return Table(
        chains,
        (*declared, *first, *(line for _, line in own)),
        others,
        drops,
        hooked,
        hooked and any(line.endswith("-j DROP") for reached in services for line in reached),
    )


def _of_chain(name: str, counted: Iterable[tuple[Count, str]]) -> list[str]:
    return [line for _, line in counted if line.split()[1] == name]


def _gone_to(rules: Iterable[str]) -> set[str]:
    """Chains that packets are sent to."""
    return {line.split()[-1] for line in _reached(rules)}


def _reached(rules: Iterable[str]) -> list[str]:
    """The rules of a chain that packets come to: those before one that lets all pass."""
    return list(takewhile(lambda line: not _LETS_ALL_PASS.fullmatch(line), rules))


def replacement(ruleset: Ruleset, family: Family, table: Table) -> str:
    """Input for ``iptables-restore --noflush`` that puts the ruleset in place of what is there.

    Declared chains are emptied and filled in the same commit; the jump goes to the top of
    PREROUTING unless it is there and alone.
    """
    wanted = _chains(ruleset)
    rules = [line for line in rule_lines(ruleset, family) if line.startswith(f"-A {CHAIN}")]
    stale = [chain for chain in table.chains if chain not in wanted]
    settled = _JUMP in table.rules and not table.misplaced_jumps
    return _commit(
        *(f":{chain} - [0:0]" for chain in (*wanted, *stale)),
        *([] if settled else [*_unhook(table), f"-I PREROUTING -j {CHAIN}"]),
        *rules,
        *(f"-X {chain}" for chain in stale),
    )


def removal(table: Table) -> str:
    """Input for ``iptables-restore --noflush`` that takes all of geofence's rules away."""
    return _commit(
        *_unhook(table),
        *(f"-F {chain}" for chain in table.chains),
        *(f"-X {chain}" for chain in reversed(table.chains)),
    )


def _unhook(table: Table) -> list[str]:
    first = [_JUMP] if _JUMP in table.rules else []
    others = [line.partition("  (")[0] for line in table.misplaced_jumps]
    return [line.replace("-A ", "-D ", 1) for line in (*first, *others)]


def _commit(*lines: str) -> str:
    return "\n".join(("*mangle", *lines, "COMMIT", ""))


class Tool(NamedTuple):
    """One family's iptables: that of the host, or one flavour of it."""

    family: Family
    flavour: str = ""
    """Empty for whichever the host's ``iptables`` is; ``-nft`` or ``-legacy``."""

    @property
    def name(self) -> str:
        """``iptables``, ``ip6tables-legacy``."""
        return _PROGRAMS[self.family] + self.flavour

    def save(self) -> Table:
        """Read the table."""
        return parse_table(_run([_path(f"{self.name}-save"), "-c", "-t", "mangle"], ""))

    def restore(self, commit: str) -> None:
        """Commit the table in one transaction."""
        _run([_path(f"{self.name}-restore"), "--noflush", "--wait", "10"], commit)

    def labelled(self, lines: Iterable[str]) -> tuple[str, ...]:
        """Rules as a plan shows them, each with its program in front."""
        return tuple(f"{self.name} {line}" for line in lines)


TOOLS = tuple(Tool(family) for family in Family)
"""What holds the fence."""


def other_tools() -> tuple[Tool, ...]:
    """The flavour that the host's ``iptables`` is not, where it can hold rules.

    The flavours are different tables in the kernel. A host whose ``iptables`` was switched from one
    to the other still obeys the rules that the first has left. Reading a legacy table would make
    it, so it is only read where the kernel says that it exists.
    """
    return tuple(tool for family in Family if (tool := _other_tool(family)) is not None)


def _other_tool(family: Family) -> Tool | None:
    nft = "nft" in Path(_path(_PROGRAMS[family])).resolve().name
    tool = Tool(family, "-legacy" if nft else "-nft")
    if shutil.which(f"{tool.name}-save", path=_SEARCH_PATH) is None:
        return None
    return tool if not nft or "mangle" in _legacy_tables(family) else None


def _legacy_tables(family: Family) -> list[str]:
    try:
        return _LEGACY_TABLES[family].read_text(encoding="ascii").split()
    except OSError:  # the kernel has no legacy iptables, or it was never used
        return []


def _path(name: str) -> str:
    """Absolute path of a program.

    Raises:
        BackendUnavailable: it is not installed.
    """
    path = shutil.which(name, path=_SEARCH_PATH)
    if path is None:
        raise BackendUnavailable(
            f"The program '{name}' is missing; install it with 'apt install iptables', "
            'or set backend = "nftables" in the rules.'
        )
    return path


def _run(command: list[str], given: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, no shell, no user text in arguments
            command,
            input=given,
            capture_output=True,
            # Others' comments need not be UTF-8, nor end where a character does.
            encoding="utf-8",
            errors="surrogateescape",
            timeout=60,
            check=False,
            env={"PATH": _SEARCH_PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"'{command[0]}' could not be run: {error}.") from error
    if done.returncode:
        raise _refusal(command[0], " ".join(done.stderr.split()))
    return done.stdout


def _refusal(name: str, said: str) -> BackendError:
    if _PERMISSION.search(said):
        return BackendUnavailable(f"'{name}' {_PRIVILEGE}")
    return BackendError(f"'{name}' refused: {said or 'it gave no reason'}.")
