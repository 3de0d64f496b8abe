"""A fence that needs no Python: fenced ports closed to all but exceptions and local networks.

It is loaded by ``nft`` or ``iptables-restore`` where ``geofence restore`` fails at boot, and named
as the fence of the backend that speaks the same language, which therefore takes it for its own and
replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.model.ports import Ports
from geofence.model.prefixes import Family, Prefix
from geofence.model.ruleset import FencedService, Role, Ruleset, SetKey

_NFT_WORD = {Family.IPV4: "ip", Family.IPV6: "ip6"}
_NFT_FOR_OTHERS = "fib daddr type != { local, broadcast, anycast, multicast }"
_FOR_OTHERS = {
    # What is for this host is of the type LOCAL.
    Family.IPV4: "-m addrtype --dst-type UNICAST",
    # There UNICAST would be what the address looks like, whosever it is (xt_addrtype.c).
    Family.IPV6: "-m addrtype ! --dst-type LOCAL,ANYCAST -m addrtype ! --dst-type MULTICAST",
}


def nft_text(ruleset: Ruleset) -> str:
    """Return what ``nft -f`` loads: the table of the backend nftables, in place of any before."""
    lines = [f"    {line}" for line in _nft_rules(ruleset)]
    return "\n".join(
        (
            "table inet geofence",
            "delete table inet geofence",
            "table inet geofence {",
            *_nft_chain("closed", "prerouting", [f"    {_NFT_FOR_OTHERS} return", *lines]),
            *_nft_chain("closed-input", "input", lines),
            "}",
            "",
        )
    )


def _nft_chain(name: str, hook: str, lines: Iterable[str]) -> tuple[str, ...]:
    head = f"    type filter hook {hook} priority mangle; policy accept;"
    return (f"  chain {name} {{", head, *lines, "  }")


def iptables_text(ruleset: Ruleset, family: Family) -> str:
    """Return what ``iptables-restore --noflush`` of a family loads: the backend ipset's chain."""
    rules = tuple(_iptables_rules(ruleset, family))
    return "\n".join(
        (
            "*mangle",
            ":GEOFENCE - [0:0]",
            ":GEOFENCE.input - [0:0]",
            f"-A GEOFENCE {_FOR_OTHERS[family]} -j RETURN",
            *(f"-A {chain} {rule}" for chain in ("GEOFENCE", "GEOFENCE.input") for rule in rules),
            "-I PREROUTING -j GEOFENCE",
            "-I INPUT -j GEOFENCE.input",
            "COMMIT",
            "",
        )
    )


def _nft_rules(ruleset: Ruleset) -> Iterator[str]:
    for interface in ruleset.interfaces:
        yield f'iifname "{interface}" return'
    yield "ct state { established, related } ct direction reply return"
    for interface, prefix in ruleset.local:
        yield f'iifname "{interface}" {_NFT_WORD[prefix.family]} saddr {prefix} return'
    for service in ruleset.services:
        for family in Family:
            sources = ", ".join(map(str, _exceptions(ruleset, service, family)))
            for ports in service.ports if sources else ():
                saddr = f"{_NFT_WORD[family]} saddr {{ {sources} }}"
                yield f"{_nft_ports(ports)} {saddr} return"
        for ports in service.ports:
            yield f"{_nft_ports(ports)} counter drop"


def _nft_ports(ports: Ports) -> str:
    return f"{ports.protocol} dport {ports.first}-{ports.last}"


def _iptables_rules(ruleset: Ruleset, family: Family) -> Iterator[str]:
    for interface in ruleset.interfaces:
        yield f"-i {_iptables_name(interface)} -j RETURN"
    yield "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -j RETURN"
    for interface, prefix in ruleset.local:
        if prefix.family is family:
            yield f"-i {_iptables_name(interface)} -s {prefix} -j RETURN"
    for service in ruleset.services:
        for ports in service.ports:
            match = f"-p {ports.protocol} -m {ports.protocol} --dport {ports.first}:{ports.last}"
            for prefix in _exceptions(ruleset, service, family):
                yield f"{match} -s {prefix} -j RETURN"
            yield f"{match} -j DROP"


def _iptables_name(interface: str) -> str:
    return interface[:-1] + "+" if interface.endswith("*") else interface


def _exceptions(ruleset: Ruleset, service: FencedService, family: Family) -> Iterable[Prefix]:
    held = ruleset.sets.get(SetKey(Role.EXCEPTION, service.name, family))
    return held.prefixes() if held is not None else ()
