"""A parser of ``nft --json list ruleset``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from geofence.errors import BackendError
from geofence.model.policy import Protocol
from geofence.model.prefixes import Family
from geofence.other_rules.facts import (
    ALL,
    Condition,
    Deed,
    Deliver,
    Entry,
    Jump,
    Leave,
    NoTrack,
    OthersRule,
    OthersTable,
    Span,
    Spans,
    Verdict,
)
from geofence.other_rules.port_ranges import complement, within

Json = Any
"""JSON of another program: every value that is taken from it is asked what it is."""

OWN = ("inet", "geofence")

_FAMILIES = {
    "ip": frozenset({Family.IPV4}),
    "ip6": frozenset({Family.IPV6}),
    "inet": frozenset(Family),
    "netdev": frozenset(Family),
}
_HOOKS = {"prerouting", "output"}
_ENTRIES = {"ingress", "prerouting", "input"}
_KINDS = {"filter", "nat"}
_LEAVING = {
    "accept": Verdict.ACCEPT,
    "return": Verdict.RETURN,
    "drop": Verdict.DROP,
    "reject": Verdict.DROP,
    "goto": Verdict.RETURN,
}
_UNDERSTOOD = {
    *_LEAVING,
    *("jump", "notrack", "redirect", "dnat"),
    *("counter", "log", "comment", "mangle"),  # every packet goes on from these
}
_PROTOCOLS = {"udp": Protocol.UDP, "tcp": Protocol.TCP, 17: Protocol.UDP, 6: Protocol.TCP}
_WITHOUT_PORTS = {"icmp", "icmpv6", "igmp", "esp", "ah", "comp", "gre", "sctp", "dccp", "udplite"}
"""Protocols that services do not have."""
_NFPROTO = {"ipv4": Family.IPV4, "ipv6": Family.IPV6}


def parse(text: str) -> tuple[OthersTable, ...]:
    """Return the tables that are not geofence's; what is not understood is left out.

    Raises:
        BackendError: the text is not what ``nft --json`` prints.
    """
    try:
        listed = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError) as error:
        raise BackendError("'nft --json list ruleset' printed no JSON of a ruleset.") from error
    found: dict[tuple[str, str], _Found] = {}
    for entry in listed if isinstance(listed, list) else ():
        for kind, held in _items(entry):
            table = (str(held.get("family")), str(held.get("table")))
            if table != OWN and table[0] in _FAMILIES:
                _note(found.setdefault(table, _Found()), kind, held)
    return tuple(
        OthersTable(
            f"nft {' '.join(table)}",
            each.hooks,
            {name: tuple(rules) for name, rules in each.chains.items()},
            _FAMILIES[table[0]],
            each.entries,
            tuple(each.helpers),
        )
        for table, each in found.items()
        if each.hooks or each.entries or each.helpers
    )


@dataclass
class _Found:
    """What was found of a table so far."""

    hooks: dict[str, str] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    chains: dict[str, list[OthersRule]] = field(default_factory=dict)
    helpers: list[str] = field(default_factory=list)


def _note(found: _Found, kind: str, held: Mapping[str, Json]) -> None:
    name, hook = str(held.get("name")), _word(held.get("hook"))
    if kind == "chain" and _word(held.get("type")) in _KINDS:
        if hook in _HOOKS:
            found.hooks[name] = hook
        if hook in _ENTRIES:
            found.entries[name] = Entry(hook, held.get("policy") == "drop")
    elif kind == "rule":
        chain = str(held.get("chain"))
        found.chains.setdefault(chain, []).extend(_rules(held.get("expr")))
    elif kind == "ct helper" and held.get("type") == "sip":
        found.helpers.append(name)


def iptables_tables(text: str, names: Iterable[str]) -> frozenset[tuple[Family, str]]:
    """Return the tables of some names that iptables may have made, by what nft printed."""
    pairs = (("ip", Family.IPV4), ("ip6", Family.IPV6))
    return frozenset(
        (family, name)
        for word, family in pairs
        for name in names
        if f'"table": {{"family": "{word}", "name": "{name}"' in text
    )


def _items(entry: Json) -> Iterator[tuple[str, Mapping[str, Json]]]:
    if isinstance(entry, dict):
        yield from ((kind, held) for kind, held in entry.items() if isinstance(held, dict))


def _rules(statements: Json) -> Iterator[OthersRule]:
    """Yield what a rule does, statement by statement, until a match that loopback alone meets."""
    condition = Condition()
    for statement in statements if isinstance(statements, list) else ():
        if not isinstance(statement, dict):
            continue
        for kind, held in statement.items():
            if kind == "match":
                narrower = _narrower(condition, held)
                if narrower is None:
                    return
                condition = narrower
            elif kind == "vmap":
                yield from _branches(condition, held)
            else:
                yield from (OthersRule(condition, deed) for deed in _deeds(kind, held))
                if kind not in _UNDERSTOOD:
                    condition = condition.with_further()


def _deeds(kind: str, held: Json) -> Iterator[Deed]:
    if kind == "notrack":
        yield NoTrack()
    elif kind in {"jump", "goto"} and isinstance(held, dict):
        yield Jump(str(held.get("target")))
    elif kind in {"redirect", "dnat"}:
        yield from _deliveries(held if isinstance(held, dict) else {})
    if kind in _LEAVING:
        yield Leave(_LEAVING[kind])


def _branches(condition: Condition, held: Json) -> Iterator[OthersRule]:
    """Yield the rules of a verdict map by destination port; other maps are passed over."""
    if not isinstance(held, dict) or not _is_destination_port(held.get("key")):
        return
    narrowed = _with_payload_protocol(condition, held["key"])
    for port, verdict in _pairs(held.get("data")):
        spans = _spans(port)
        if spans is not None and isinstance(verdict, dict):
            branch = replace(narrowed, destination=within(narrowed.destination, spans))
            for kind, target in verdict.items():
                yield from (OthersRule(branch, deed) for deed in _deeds(kind, target))


def _deliveries(held: Mapping[str, Json]) -> Iterator[Deed]:
    address, port = held.get("addr"), held.get("port")
    mapped = address if isinstance(address, dict) else port
    if isinstance(mapped, dict) and isinstance(mapped.get("map"), dict):
        if _is_destination_port(mapped["map"].get("key")):
            for named, to in _pairs(mapped["map"].get("data")):
                yield from _delivery(_spans(named), *_whither(to, address))
    else:
        spans = _spans(port)
        yield from _delivery(ALL, spans, address) if spans else (Leave(Verdict.ACCEPT),)


def _whither(to: Json, address: Json) -> tuple[Spans | None, Json]:
    """Return ports and address of a map's value: a port, or an address with a port."""
    if isinstance(to, dict) and isinstance(to.get("concat"), list) and len(to["concat"]) == 2:  # noqa: PLR2004
        return _spans(to["concat"][1]), to["concat"][0]
    return _spans(to), address


def _delivery(named: Spans | None, target: Spans | None, address: Json) -> Iterator[Deed]:
    if named and target:
        yield Deliver(named, target[0], address if isinstance(address, str) else None)


def _pairs(data: Json) -> Iterator[tuple[Json, Json]]:
    """Yield the elements of an anonymous map; those of a named one are not listed here."""
    held = data.get("set") if isinstance(data, dict) else None
    for pair in held if isinstance(held, list) else ():
        if isinstance(pair, list) and len(pair) == 2:  # noqa: PLR2004
            yield pair[0], pair[1]


def _narrower(  # noqa: PLR0911 - one a kind of match
    condition: Condition, held: Json
) -> Condition | None:
    """Return the condition with one more match; None if only loopback can meet it."""
    if not isinstance(held, dict) or _word(held.get("op")) not in {"==", "!=", "in"}:
        return condition.with_further()
    left, right, negated = held.get("left"), held.get("right"), held["op"] == "!="
    subject = _subject(left)
    if subject in {"iifname", "oifname", "iif", "oif"} and right == "lo":
        return condition if negated else None
    if subject in {"dport", "sport"}:
        return _with_ports(_with_payload_protocol(condition, left), subject, right, negated=negated)
    if subject in {"l4proto", "protocol", "nexthdr"} and not negated:
        named = frozenset(_PROTOCOLS[each] for each in _several(right) if each in _PROTOCOLS)
        return replace(condition, protocols=condition.protocols & named)
    if subject == "nfproto" and not negated:
        families = frozenset(_NFPROTO[each] for each in _several(right) if each in _NFPROTO)
        return replace(condition, families=condition.families & families)
    tracked = _tracked(left)
    if tracked == "state":
        return replace(condition, new=condition.new and ("new" in _several(right)) != negated)
    if tracked == "status":  # translated, seen before: no packet that begins a connection here
        return replace(condition, new=condition.new and negated)
    excluding = negated and subject == "saddr"
    return _of_family(condition, left).with_further(excluding=excluding)


def _tracked(left: Json) -> str:
    """Return what of connection tracking is asked for; empty for something else."""
    tracked = left.get("ct") if isinstance(left, dict) else None
    return _word(tracked.get("key")) if isinstance(tracked, dict) else ""


def _of_family(condition: Condition, left: Json) -> Condition:
    """Return the condition for a family or protocol: ``ip saddr`` means IPv4, ``icmp`` none."""
    payload = left.get("payload") if isinstance(left, dict) else None
    protocol = _word(payload.get("protocol")) if isinstance(payload, dict) else ""
    if protocol in _WITHOUT_PORTS:
        return replace(condition, protocols=frozenset())
    meant = _FAMILIES.get(protocol)
    return condition if meant is None else replace(condition, families=condition.families & meant)


def _with_ports(condition: Condition, subject: str, right: Json, *, negated: bool) -> Condition:
    spans = _spans(right)
    if spans is None:
        return condition.with_further()
    spans = complement(spans) if negated else spans
    if subject == "dport":
        return replace(condition, destination=within(condition.destination, spans))
    return replace(condition, source=within(condition.source, spans))


def _with_payload_protocol(condition: Condition, left: Json) -> Condition:
    """Return the condition with a protocol: ``udp dport`` means UDP, ``th dport`` any."""
    protocol = _word(left["payload"].get("protocol"))
    if protocol == "th":
        return condition
    meant = frozenset({_PROTOCOLS[protocol]} if protocol in _PROTOCOLS else ())
    return replace(condition, protocols=condition.protocols & meant)


def _word(value: Json) -> str:
    """Return the value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def _subject(left: Json) -> str:
    """Return the name of what is compared: ``dport``, ``l4proto``, ``iifname``."""
    if not isinstance(left, dict):
        return ""
    payload, meta = left.get("payload"), left.get("meta")
    if isinstance(payload, dict):
        return str(payload.get("field"))
    return str(meta.get("key")) if isinstance(meta, dict) else ""


def _is_destination_port(key: Json) -> bool:
    return _subject(key) == "dport"


def _several(right: Json) -> list[str | int]:
    alone = right if isinstance(right, list) else [right]
    held = right.get("set") if isinstance(right, dict) else alone
    return [each for each in held or () if isinstance(each, str | int)]


def _spans(value: Json) -> Spans | None:
    """Return ports of a number, a range or an anonymous set; None for anything else."""
    held = value.get("set") if isinstance(value, dict) and "set" in value else [value]
    spans = [_span(each) for each in held] if isinstance(held, list) else []
    known = tuple(span for span in spans if span is not None)
    return known if spans and len(known) == len(spans) else None


def _span(value: Json) -> Span | None:
    ends = value.get("range") if isinstance(value, dict) else [value, value]
    if isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int) for end in ends):  # noqa: PLR2004
        return Span(ends[0], ends[1])
    return None
