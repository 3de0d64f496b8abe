"""The ruleset in the words of iptables: own chains of the mangle table.

PREROUTING, INPUT, FORWARD and OUTPUT each jump to one of them.

Rules are written exactly as ``iptables-save`` prints them, so that desired and observed rules
compare as text. Each line begins with the program of its family.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from geofence.backends.ipset import foreign
from geofence.errors import BackendError, BackendUnavailable
from geofence.model.plan import Count
from geofence.model.policy import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    ADMITTED,
    BEGUN,
    NO_BEGINNINGS,
    SIP_RESPONSE,
    Action,
    Admitted,
    Answering,
    ArrivedBy,
    Beginning,
    Begun,
    DestinationIn,
    ExpectedBy,
    FencedService,
    FromLocal,
    LeavesBy,
    LocalNetwork,
    Match,
    OfKnownFlow,
    Reply,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
    SourceWithin,
    Stray,
    ToLocal,
)

CHAIN = "GEOFENCE"
"""The chain that PREROUTING jumps to; the names of all others begin with it."""
HOOKS = {
    "PREROUTING": CHAIN,
    "INPUT": f"{CHAIN}.input",
    "FORWARD": f"{CHAIN}.forward",
    "OUTPUT": f"{CHAIN}.output",
}
"""The chain that each chain of the kernel's jumps to."""

_DNAT = f"{CHAIN}.dnat"
_ADMIT = f"{CHAIN}.admit"
"""Marks the packet's flow and passes it on, marked or not: the kernel may keep no labels for it."""
_JUMPS = {hook: f"-A {hook} -j {chain}" for hook, chain in HOOKS.items()}
_SET_PREFIX = "geofence-"
_SEARCH_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
_PROGRAMS = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_LEGACY_TABLES = {
    Family.IPV4: Path("/proc/net/ip_tables_names"),
    Family.IPV6: Path("/proc/net/ip6_tables_names"),
}
_TARGETS = {
    Action.PASS: "RETURN",
    Action.BEGIN: "RETURN",
    Action.DROP: "DROP",
}
_TO_THIS_HOST = "-m addrtype --dst-type LOCAL"
_NATED = "-m conntrack --ctstate DNAT --ctdir ORIGINAL"
_DATAGRAM = {Family.IPV4: "0x0>>0x16&0x3c@0x8", Family.IPV6: "0x30"}
"""The first four bytes behind the UDP header, in the words of xt_u32: the length of an IPv4 header
is in its first byte; this host sends IPv6 without extension headers."""
_SYN = "--tcp-flags FIN,SYN,RST,ACK SYN"
_LETS_ALL_PASS = re.compile(r'-A \S+( -m comment --comment ("[^"]*"|\S+))? -j (ACCEPT|RETURN)')
_SERVICE_CHAIN = re.compile(rf"{CHAIN}(?:-|\.local-)(\S+)")
_COUNTED_RULE = re.compile(r"\[(\d+):(\d+)\] (-A .*)")
_PERMISSION = re.compile(
    r"permission denied|operation not permitted|must be root|can't open socket to ipset",
    re.IGNORECASE,
)
_NO_MATCH = re.compile(
    r"(?:Extension|match [^a-z]?)\s?(connlabel|u32|helper|conntrack)\b.*"
    r"(?:not supported|missing|found)"
)
"""What iptables says where the kernel lacks a match, in the words of either flavour."""
_NO_FAMILY = "address family not supported"
"""What the legacy flavour of ip6tables says of EAFNOSUPPORT."""
_BUSY_CHAIN = re.compile(rf"CHAIN_DEL failed.*\bchain ({CHAIN}\S*)")
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
    chains = _chains(ruleset, family)
    names = sorted(chains)
    return (
        *(f"-N {name}" for name in names),
        *_JUMPS.values(),
        *(f"-A {name} {rule}" for name in names for rule in chains[name]),
    )


def _chains(ruleset: Ruleset, family: Family) -> dict[str, tuple[str, ...]]:
    """The rules of each chain."""
    chains = _base_chains(ruleset)
    for service in ruleset.services:
        rules = ruleset.rules(service)
        chains[_chain(service)] = _rules(service, rules, family)
        if any(prefix.family is family for _, prefix in ruleset.local):
            chains[_local_chain(service)] = _rules(service, ruleset.local_rules(), family)
        chains[_out(service)] = _rules(service, ruleset.sending_rules(service), family)
        chains[_via(service)] = _rules(service, ruleset.forwarded_rules(service), family)
    return chains


def _base_chains(ruleset: Ruleset) -> dict[str, tuple[str, ...]]:
    """Those that send a packet to the chain of the service that its port is of.

    Destination NAT gives a packet a second port; whoever passes by the one that the sender named
    comes back and is asked about the one it is delivered to.
    """
    served = [(ports, service) for service in ruleset.services for ports in service.ports]
    delivered = tuple(f"{_to(ports)} -g {_chain(service)}" for ports, service in served)
    named = (f"{_named(ports)} -j {_chain(service)}" for ports, service in served)
    return {
        CHAIN: tuple(f"{_to(p)} {_TO_THIS_HOST} -g {_chain(service)}" for p, service in served),
        HOOKS["INPUT"]: (f"{_NATED} -g {_DNAT}", *delivered),
        HOOKS["FORWARD"]: (
            f"{_NATED} -g {_DNAT}",
            *(f"{_from(ports)} -g {_via(service)}" for ports, service in served),
            _OTHERS_BEGIN,
        ),
        HOOKS["OUTPUT"]: (
            *(f"{_from(ports)} -g {_out(service)}" for ports, service in served),
            _OTHERS_BEGIN,
        ),
        _DNAT: (*named, *delivered),
        _ADMIT: (f'{_label(ADMITTED)} --set -m comment --comment "mark the connection" -j RETURN',),
    }


def _chain(service: FencedService) -> str:
    return f"{CHAIN}-{service.name}"


def _local_chain(service: FencedService) -> str:
    return f"{CHAIN}.local-{service.name}"


def _out(service: FencedService) -> str:
    return f"{CHAIN}.out-{service.name}"


def _via(service: FencedService) -> str:
    return f"{CHAIN}.via-{service.name}"


def _to(ports: Ports) -> str:
    return f"-p {ports.protocol} -m {ports.protocol} --dport {_span(ports)}"


def _from(ports: Ports) -> str:
    return f"-p {ports.protocol} -m {ports.protocol} --sport {_span(ports)}"


def _named(ports: Ports) -> str:
    """The port that the sender named, before destination NAT."""
    span = _span(ports)
    return f"-m conntrack --ctproto {ports.protocol.number} --ctorigdstport {span}"


def _span(ports: Ports) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}:{ports.last}"


def _rules(service: FencedService, rules: Iterable[Rule], family: Family) -> tuple[str, ...]:
    return tuple(
        f'{each}-m comment --comment "{rule.comment}" {_target(rule.action, service)}'
        for rule in rules
        for each in _matching(rule, family)
    )


def _target(action: Action, service: FencedService) -> str:
    match action:
        case Action.LOCAL:
            return f"-g {_local_chain(service)}"
        case Action.ADMIT:
            return f"-g {_ADMIT}"
    return f"-j {_TARGETS[action]}"


def _matching(rule: Rule, family: Family) -> tuple[str, ...]:
    """What has to be true: nothing where it is about the other family."""
    match rule.match:
        case SourceWithin(prefix) | FromLocal((_, prefix)) | ToLocal((_, prefix)):
            if prefix.family is not family:
                return ()
    matched = _match(rule.match, family)
    text = f"{matched} " if matched else ""
    if rule.action is Action.BEGIN:
        text += f"{_label(BEGUN)} --set "
    return (text,)


def _match(match: Match, family: Family) -> str:  # noqa: PLR0911 - one for each kind
    match match:
        case ArrivedBy(interface):
            return f"-i {_interface(interface)}"
        case LeavesBy(interface):
            return f"-o {_interface(interface)}"
        case SourceIn(role, group):
            return f"-m set --match-set {set_name(SetKey(role, group, family))} src"
        case DestinationIn(role, group):
            return f"-m set --match-set {set_name(SetKey(role, group, family))} dst"
        case SourceWithin(prefix):
            return f"-s {prefix}"
        case FromLocal(LocalNetwork(interface, prefix)):
            return f"-s {prefix} -i {_interface(interface)}"
        case ToLocal(LocalNetwork(interface, prefix)):
            return f"-d {prefix} -o {_interface(interface)}"
    return _match_flow(match, family)


def _match_flow(match: Match, family: Family) -> str:
    match match:
        case Reply():
            return f"-m conntrack --ctdir REPLY {_label(BEGUN)}"
        case Admitted():
            return f"{_label(ADMITTED)} -m conntrack --ctstatus CONFIRMED --ctdir ORIGINAL"
        case ExpectedBy(helper):
            return f"-m helper --helper {helper}"
    return _match_sent(match, family)


def _match_sent(match: Match, family: Family) -> str:  # noqa: PLR0911 - one for each kind
    match match:
        case Answering():
            return "-m conntrack --ctdir REPLY"
        case Begun():
            return _label(BEGUN)
        case Beginning(Protocol.UDP):
            return f'-p udp -m u32 ! --u32 "{_first_bytes(NO_BEGINNINGS, family)}"'
        case Beginning(Protocol.TCP):
            return f"-p tcp -m tcp {_SYN}"
        case OfKnownFlow():
            return "-m conntrack ! --ctstate NEW"
        case Stray(Protocol.UDP):
            return f'-p udp -m u32 --u32 "{_first_bytes((SIP_RESPONSE,), family)}"'
        case Stray(Protocol.TCP):
            return f"-p tcp -m tcp ! {_SYN}"
    return ""


def _first_bytes(words: Iterable[bytes], family: Family) -> str:
    values = ",".join(f"0x{int.from_bytes(word, 'big'):x}" for word in words)
    return f"{_DATAGRAM[family]}={values}"


def _interface(name: str) -> str:
    return f"{name[:-1]}+" if name.endswith("*") else name


def _label(number: int) -> str:
    return f'-m connlabel --label "{number}"'


_OTHERS_BEGIN = f"-m conntrack --ctstate NEW {_label(BEGUN)} --set -j RETURN"
"""What begins from another port is marked, too: source NAT may give it a fenced one."""


@dataclass(frozen=True, slots=True)
class Table:
    """What ``iptables-save`` says of one family's mangle table, as far as it is geofence's."""

    chains: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    """Chains, then rules without counters; a jump counts as ours while it is the first rule."""
    misplaced_jumps: tuple[str, ...] = ()
    """Jumps to our chains that other rules stand in front of, or that are there twice."""
    counts: Mapping[str, Count] = field(default_factory=dict)
    """Per service, what its drop rules have counted."""
    hooked: bool = False
    """Whether packets get to our chain when they arrive or when they are delivered."""
    drops: bool = False
    """Whether they come from there to a rule that drops."""
    complete: bool = False
    """Whether packets get to our chains on every way, those that are sent too."""
    of_others: frozenset[str] = frozenset()
    """Chains named like ours that somebody else made; they are none of the above."""


def parse_table(saved: str) -> Table:
    """Find geofence's rules in the output of ``iptables-save -c -t mangle``."""
    named = re.findall(rf"^:({CHAIN}(?:[-.]\S+)?) ", saved, re.MULTILINE)
    found = [(Count(int(p), int(o)), line) for p, o, line in _COUNTED_RULE.findall(saved)]
    theirs_alone = foreign.of_others(named, HOOKS.values(), _by_chain(found))
    chains = tuple(sorted({*named} - theirs_alone))
    theirs = {hook: _of_chain(hook, found) for hook in HOOKS}
    first = [_JUMPS[hook] for hook, rules in theirs.items() if rules[:1] == [_JUMPS[hook]]]
    own = [(count, line) for count, line in found if line.split()[1] in chains]
    own.sort(key=lambda counted: counted[1].split()[1])  # versions list chains in varying order
    hooked = {hook for hook, rules in theirs.items() if _JUMPS[hook] in _reached(rules)}
    ways = hooked & {"PREROUTING", "INPUT"}
    gone_to = {name for hook in ways for name in _gone_to(_of_chain(HOOKS[hook], own))}
    services = [_reached(_of_chain(name, own)) for name in gone_to]
    return Table(
        chains,
        (*(f"-N {chain}" for chain in chains), *first, *(line for _, line in own)),
        tuple(line for hook, rules in theirs.items() for line in _misplaced(hook, rules)),
        _dropped(own),
        bool(ways),
        any(line.endswith("-j DROP") for reached in services for line in reached),
        hooked == set(HOOKS),
        theirs_alone,
    )


def _by_chain(found: Iterable[tuple[Count, str]]) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for _, line in found:
        rules.setdefault(line.split()[1], []).append(line)
    return rules


def _misplaced(hook: str, rules: list[str]) -> Iterator[str]:
    """Jumps to our chain from one of the kernel's that are not its first rule alone."""
    jumps = [at for at, line in enumerate(rules) if line.split()[-1] == HOOKS[hook]]
    right = rules[:1] == [_JUMPS[hook]]
    for at in jumps:
        if at or not right:
            yield f"{rules[at]}  (rule {at + 1} of {hook})"


def _dropped(own: Iterable[tuple[Count, str]]) -> dict[str, Count]:
    """By service, what the rules counted that drop what comes in."""
    dropped: dict[str, Count] = {}
    for count, line in own:
        name = _SERVICE_CHAIN.fullmatch(line.split()[1])
        if name and line.endswith("-j DROP"):
            before = dropped.get(name[1], Count(0, 0))
            dropped[name[1]] = Count(before.packets + count.packets, before.octets + count.octets)
    return dropped


def _of_chain(name: str, counted: Iterable[tuple[Count, str]]) -> list[str]:
    return [line for _, line in counted if line.split()[1] == name]


def _gone_to(rules: Iterable[str]) -> set[str]:
    """Chains that packets are sent to."""
    return {line.split()[-1] for line in _reached(rules)}


def _reached(rules: Iterable[str]) -> list[str]:
    """The rules of a chain that packets come to: those before one that ends it for all."""
    return list(takewhile(lambda line: not _LETS_ALL_PASS.fullmatch(line), rules))


def replacement(ruleset: Ruleset, family: Family, table: Table) -> str:
    """Input for ``iptables-restore --noflush`` that puts the ruleset in place of what is there.

    Declared chains are emptied and filled in the same commit; each jump goes to the top of its
    chain of the kernel's unless it is there and alone.
    """
    chains = _chains(ruleset, family)
    _require_free(chains, table, family)
    stale = [chain for chain in table.chains if chain not in chains]
    settled = not table.misplaced_jumps and all(jump in table.rules for jump in _JUMPS.values())
    hooking = [line.replace("-A ", "-I ", 1) for line in _JUMPS.values()]
    return _commit(
        *(f":{chain} - [0:0]" for chain in (*sorted(chains), *stale)),
        *([] if settled else [*_unhook(table), *hooking]),
        *(f"-A {name} {rule}" for name, rules in chains.items() for rule in rules),
        *(f"-X {chain}" for chain in stale),
    )


def _require_free(wanted: Iterable[str], table: Table, family: Family) -> None:
    for name in wanted:
        if name in table.of_others:
            raise BackendError(
                f"The chain {name} in {_PROGRAMS[family]}' table mangle is another program's, and "
                "geofence needs the name: give the service another name in the rules, or rename "
                f"the chain with '{_PROGRAMS[family]} -t mangle -E {name} NEW-NAME'."
            )


def removal(table: Table) -> str:
    """Input for ``iptables-restore --noflush`` that takes all of geofence's rules away."""
    return _commit(
        *_unhook(table),
        *(f"-F {chain}" for chain in table.chains),
        *(f"-X {chain}" for chain in reversed(table.chains)),
    )


def _unhook(table: Table) -> list[str]:
    first = [jump for jump in _JUMPS.values() if jump in table.rules]
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


def lacks(match: str) -> str:
    """Return what to do where the kernel lacks a match."""
    return (
        f"This kernel lacks the iptables match '{match}' (xt_{match}). Load it with "
        f"'modprobe xt_{match}', or set "
        'backend = "nftables" in the rules.'
    )


def _refusal(name: str, said: str) -> BackendError:
    if _PERMISSION.search(said):
        return BackendUnavailable(f"'{name}' {_PRIVILEGE}")
    missing = _NO_MATCH.search(said)
    if missing:
        return BackendUnavailable(lacks(missing[1]))
    if _NO_FAMILY in said.lower():
        return BackendUnavailable(
            f"'{name}' cannot work, for the kernel was booted without IPv6 (ipv6.disable=1); set "
            'backend = "nftables" in the rules, which needs none.'
        )
    busy = _BUSY_CHAIN.search(said)
    if busy:
        listing = Path(name).name.replace("restore", "save")
        return BackendError(
            f"'{name}' refused: a rule of another program leads to the chain {busy[1]}, which is "
            f"to go. Find it with '{listing} -t mangle', delete it, and try again."
        )
    return BackendError(f"'{name}' refused: {said or 'it gave no reason'}.")
