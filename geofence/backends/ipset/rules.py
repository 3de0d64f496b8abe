"""A ruleset as iptables rules: chains of geofence's own in the table mangle.

PREROUTING, INPUT, FORWARD and OUTPUT each jump to one of them. Rules are written exactly as
``iptables-save`` prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from geofence.backends.ipset.rule import IptablesRule, Verdict
from geofence.backends.ipset.shapes import CHAIN, set_name
from geofence.backends.prefilter import from_anywhere
from geofence.backends.prefilter_key import PrefilterKey
from geofence.model.ports import Ports, Protocol
from geofence.model.prefixes import Family
from geofence.model.ruleset import (
    ADMITTED,
    BEGUN,
    NO_BEGINNINGS,
    NOTED_PER_SECOND,
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
    Role,
    Rule,
    Ruleset,
    SetKey,
    SourceIn,
    SourceWithin,
    Stray,
    ToLocal,
)

HOOKS = {
    "PREROUTING": CHAIN,
    "INPUT": f"{CHAIN}.input",
    "FORWARD": f"{CHAIN}.forward",
    "OUTPUT": f"{CHAIN}.output",
}
"""The chain that each chain of the kernel's jumps to."""
JUMPS = {hook: IptablesRule(hook, (), Verdict(chain)) for hook, chain in HOOKS.items()}

_DNAT = f"{CHAIN}.dnat"
_ADMIT = f"{CHAIN}.admit"
"""Marks the packet's flow and passes it on, marked or not: the kernel may keep no labels for it."""
OBSERVED = f"{CHAIN}.observed"
"""Where packets of an observed service go that would be dropped; they pass."""
_RETURN = Verdict("RETURN")
_NOT_KEPT_YET = "-m conntrack ! --ctstatus CONFIRMED"
_TO_THIS_HOST = "-m addrtype --dst-type LOCAL"
_NATED = "-m conntrack --ctstate DNAT --ctdir ORIGINAL"
_OLDER_AND_TRANSLATED = "-m conntrack --ctstate DNAT --ctstatus CONFIRMED"
"""A flow that destination NAT has changed is asked by both of its ports. If it is older than the
mark, that of the first port would answer for the second."""
_DATAGRAM = {Family.IPV4: "0x0>>0x16&0x3c@0x8", Family.IPV6: "0x30"}
"""The first four bytes behind the UDP header, in the words of xt_u32: the length of an IPv4 header
is in its first byte; this host sends IPv6 without extension headers."""
_SYN = "--tcp-flags FIN,SYN,RST,ACK SYN"


Chains = Mapping[str, Sequence[IptablesRule]]
"""The rules of each chain."""


class Compiler:
    """Compiles rulesets, and remembers the last one: a run asks for it several times."""

    def __init__(self, near: Callable[[Ruleset], Container[PrefilterKey]]) -> None:
        """Know nothing yet.

        Args:
            near: returns which prefilters a ruleset has.
        """
        self._near = near
        self._last: tuple[Ruleset, dict[Family, Chains]] | None = None

    def compiled(self, ruleset: Ruleset, family: Family) -> Chains:
        """Return the rules of each chain."""
        if self._last is None or self._last[0] is not ruleset:
            self._last = (ruleset, {})
        known = self._last[1]
        if family not in known:
            known[family] = compiled(ruleset, family, self._near(ruleset))
        return known[family]


def rule_lines(chains: Chains) -> tuple[str, ...]:
    """Return all chains and rules of one family, in the order of ``iptables -S``."""
    names = sorted(chains)
    return (
        *(f"-N {name}" for name in names),
        *map(str, JUMPS.values()),
        *(str(rule) for name in names for rule in chains[name]),
    )


def compiled(
    ruleset: Ruleset, family: Family, near: Container[PrefilterKey]
) -> dict[str, tuple[IptablesRule, ...]]:
    """Return the rules of each chain.

    Args:
        ruleset: all of them.
        family: of the packets.
        near: which prefilters there are.
    """
    chains = _base_chains(ruleset)
    for service in ruleset.services:
        rules = ruleset.rules(service)
        chains[_chain(service)] = _rules(_chain(service), service, rules, family)
        if (key := PrefilterKey(service.name, family)) in near:
            chains[_chain(service)] = (_leading_away(key, service), *chains[_chain(service)])
            chains[_far_chain(service)] = _turning_away_far(rules, service, family)
        if any(prefix.family is family for _, prefix in ruleset.local):
            local = _local_chain(service)
            chains[local] = _rules(local, service, ruleset.local_rules(), family)
        banned = _ban_chain(service)
        chains[banned] = _rules(banned, service, ruleset.banned_rules(service), family)
        chains[_drop_chain(service)] = _turning_away(service)
        chains[_note_chain(service)] = _noting(service, family)
        out, via = _out(service), _via(service)
        chains[out] = _rules(out, service, ruleset.sending_rules(service), family)
        chains[via] = _rules(via, service, ruleset.forwarded_rules(service), family)
    return chains


def _base_chains(ruleset: Ruleset) -> dict[str, tuple[IptablesRule, ...]]:
    """Return the chains that send a packet to the chain of the service that its port is of.

    Destination NAT gives a packet a second port; one that passes by the port that the sender named
    comes back and is asked about the port it is delivered to.
    """
    served = [(ports, service) for service in ruleset.services for ports in service.ports]
    any_observed = any(service.observe for service in ruleset.services)

    def delivered(chain: str) -> Iterator[IptablesRule]:
        for ports, service in served:
            yield _rule(chain, _goto(_chain(service)), _to(ports))

    def received_rules(chain: str) -> Iterator[IptablesRule]:
        yield _rule(chain, _goto(_DNAT), _NATED)
        for ports, service in served:
            if service.observe:  # counted when it arrived
                yield _rule(chain, _RETURN, _to(ports), _TO_THIS_HOST)
        yield from delivered(chain)

    def sent(chain: str, to: Callable[[FencedService], str]) -> Iterator[IptablesRule]:
        for ports, service in served:
            yield _rule(chain, _goto(to(service)), _from(ports))
        yield _begun_elsewhere(chain)

    prerouting, received, forwarded, output = HOOKS.values()
    mark = f'{_label(ADMITTED)} --set -m comment --comment "mark the connection"'
    named = (_rule(_DNAT, Verdict(_chain(each)), _named(ports)) for ports, each in served)
    return {
        prerouting: tuple(
            _rule(prerouting, _goto(_chain(service)), _to(ports), _TO_THIS_HOST)
            for ports, service in served
        ),
        received: tuple(received_rules(received)),
        forwarded: (_rule(forwarded, _goto(_DNAT), _NATED), *sent(forwarded, _via)),
        output: tuple(sent(output, _out)),
        _DNAT: (*named, *delivered(_DNAT)),
        _ADMIT: (_rule(_ADMIT, _RETURN, _OLDER_AND_TRANSLATED), _rule(_ADMIT, _RETURN, mark)),
        **({OBSERVED: (_rule(OBSERVED, _RETURN),)} if any_observed else {}),
    }


def _rule(chain: str, verdict: Verdict, *conditions: str) -> IptablesRule:
    return IptablesRule.of(chain, conditions, verdict)


def _goto(chain: str) -> Verdict:
    return Verdict(chain, goto=True)


def _begun_elsewhere(chain: str) -> IptablesRule:
    """Mark what begins from another port, too: source NAT may give it a fenced one."""
    return _rule(chain, _RETURN, f"-m conntrack --ctstate NEW {_label(BEGUN)} --set")


def _chain(service: FencedService) -> str:
    return f"{CHAIN}-{service.name}"


def _local_chain(service: FencedService) -> str:
    return f"{CHAIN}.local-{service.name}"


def _ban_chain(service: FencedService) -> str:
    return f"{CHAIN}.ban-{service.name}"


def _far_chain(service: FencedService) -> str:
    return f"{CHAIN}.far-{service.name}"


def _drop_chain(service: FencedService) -> str:
    return f"{CHAIN}.drop-{service.name}"


def _note_chain(service: FencedService) -> str:
    return f"{CHAIN}.note-{service.name}"


def _out(service: FencedService) -> str:
    return f"{CHAIN}.out-{service.name}"


def _via(service: FencedService) -> str:
    return f"{CHAIN}.via-{service.name}"


def _to(ports: Ports) -> str:
    return f"-p {ports.protocol} -m {ports.protocol} --dport {_span(ports)}"


def _from(ports: Ports) -> str:
    return f"-p {ports.protocol} -m {ports.protocol} --sport {_span(ports)}"


def _named(ports: Ports) -> str:
    """Return a condition on the port that the sender named, before destination NAT."""
    span = _span(ports)
    return f"-m conntrack --ctproto {ports.protocol.number} --ctorigdstport {span}"


def _span(ports: Ports) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}:{ports.last}"


def _rules(
    chain: str, service: FencedService, rules: Iterable[Rule], family: Family
) -> tuple[IptablesRule, ...]:
    return tuple(
        _rule(chain, _verdict(rule.action, service), each, f'-m comment --comment "{rule.comment}"')
        for rule in rules
        for each in _matching(rule, family)
    )


def _leading_away(key: PrefilterKey, service: FencedService) -> IptablesRule:
    """Lead away who begins a flow and is in no network near an allowed address.

    Whether conntrack keeps the flow is asked first: packets of known flows are done with the rule.
    """
    far = f"-m set ! --match-set {set_name(key)} src"
    return _rule(_chain(service), _goto(_far_chain(service)), _NOT_KEPT_YET, far)


def _turning_away_far(
    rules: tuple[Rule, ...], service: FencedService, family: Family
) -> tuple[IptablesRule, ...]:
    """Turn away who begins a flow from far, but for what may pass from anywhere."""
    chain = _far_chain(service)
    passing = _rules(chain, service, from_anywhere(rules), family)
    return (*passing, _rule(chain, _goto(_drop_chain(service))))


def _turning_away(service: FencedService) -> tuple[IptablesRule, ...]:
    """Note the source of a packet and drop it; of a flood, only a sample is noted.

    Packets of a flood come to all of these rules. To match a comment takes as long as to compare.
    """
    chain = _drop_chain(service)
    limit = f"-m limit --limit {NOTED_PER_SECOND}/sec --limit-burst {NOTED_PER_SECOND}"
    return (
        _rule(chain, Verdict(_note_chain(service)), limit),
        _rule(chain, _dropping(service)),
    )


def _noting(service: FencedService, family: Family) -> tuple[IptablesRule, ...]:
    """Note a source, but for a banned one from far, which has not been asked for before.

    One that is noted is found, which counts, and not added again, which would begin its counts
    anew.
    """
    chain = _note_chain(service)
    denied, seen = (
        set_name(SetKey(role, service.name, family)) for role in (Role.DENIED, Role.SEEN)
    )
    banned = set_name(SetKey(Role.BAN, "", family))
    return (
        _rule(chain, _RETURN, f"-m set --match-set {banned} src"),
        _rule(chain, Verdict("SET", options=("--add-set", seen, "src", "--exist"))),
        _rule(chain, _RETURN, f"-m set --match-set {denied} src"),
        _rule(chain, Verdict("SET", options=("--add-set", denied, "src"))),
    )


def _dropping(service: FencedService) -> Verdict:
    return _goto(OBSERVED) if service.observe else Verdict("DROP")


def _verdict(action: Action, service: FencedService) -> Verdict:
    match action:
        case Action.BANNED:
            return _goto(_ban_chain(service))
        case Action.TURN_AWAY:
            return _goto(_drop_chain(service))
        case Action.LOCAL:
            return _goto(_local_chain(service))
        case Action.ADMIT:
            return _goto(_ADMIT)
        case Action.DROP:
            return _dropping(service)
    return _RETURN


def _matching(rule: Rule, family: Family) -> tuple[str, ...]:
    """Return the conditions of a rule; nothing where it is about the other family."""
    match rule.match:
        case SourceWithin(prefix) | FromLocal((_, prefix)) | ToLocal((_, prefix)):
            if prefix.family is not family:
                return ()
    mark = f"{_label(BEGUN)} --set" if rule.action is Action.BEGIN else ""
    return (f"{_match(rule.match, family)} {mark}",)


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
