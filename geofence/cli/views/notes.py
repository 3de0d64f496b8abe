"""Facts of ``status`` beside the fence, as sentences and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from geofence.flows.impact import TouchedSource
from geofence.model.notes import NoteKind
from geofence.model.prefixes import address_text
from geofence.other_rules import Direction, OtherRules, Redirected, Untracked
from geofence.sentences import sentences
from geofence.translation import join, tr, trn

if TYPE_CHECKING:
    from geofence.operations.status import StatusReport

_AS_IT_SHOULD_BE = frozenset({NoteKind.BLOCKLIST_LEFT_OUT})
"""Kinds of notes that tell nothing new, run after run."""
_SHOWN = 3
"""Sources that a sentence names."""


def status_notes(report: StatusReport, *, full: bool = False) -> Iterator[str]:
    """Yield what an operator should know, the gravest first; in full what is as it should be."""
    if report.other_rules:
        yield from _other_rules(report.other_rules)
    if report.traffic and not report.unfenced:
        yield from _traffic(report)
    notes = (each for each in report.notes if full or each.kind not in _AS_IT_SHOULD_BE)
    yield from sentences((*report.stale, *notes))


def whose(sources: Iterable[TouchedSource]) -> str:
    """Return the first few sources, and how many more there are."""
    known = tuple(sources)
    named = ", ".join(str(source) for source in known[:_SHOWN])
    more = len(known) - _SHOWN
    return tr("{named} and {number} more", named=named, number=more) if more > 0 else named


def unnamed_note(sources: tuple[TouchedSource, ...]) -> str:
    """Return what to do about peers that this host contacts and no rule allows."""
    return trn(
        len(sources),
        "This host contacts {number} peer that no rule allows: {sources}. Its calls are dropped "
        "when the connection was silent for some minutes. If it is a trunk, write an exception.",
        "This host contacts {number} peers that no rule allows: {sources}. Their calls are dropped "
        "when the connection was silent for some minutes. If they are trunks, write exceptions.",
        sources=whose(sources),
    )


def other_rules_json(found: OtherRules | None) -> dict[str, object]:
    """Return rules of other programs for scripts; null if they were not read."""
    if found is None:
        return {"untracked": None, "redirected": None}
    return {
        "untracked": [
            {
                "service": each.service,
                "ports": str(each.ports),
                "direction": str(each.direction),
                "families": list(map(str, each.families)),
                "conditional": each.conditional,
                "place": each.place,
            }
            for each in found.untracked
        ],
        "redirected": [
            {
                "service": each.service,
                "named": str(each.named),
                "target": str(each.target),
                "address": each.address,
                "families": list(map(str, each.families)),
                "conditional": each.conditional,
                "place": each.place,
            }
            for each in found.redirected
        ],
    }


def sources_json(sources: Iterable[TouchedSource]) -> list[dict[str, object]]:
    """Return sources and the number of their connections by service."""
    return [
        {"address": address_text(each.family, each.address), "flows": dict(each.services)}
        for each in sources
    ]


def _traffic(report: StatusReport) -> Iterator[str]:
    traffic = report.traffic
    if traffic is None:
        return
    if traffic.unread:
        yield tr("Current connections could not be read: {reason}", reason=traffic.unread)
    if traffic.crowd:
        yield str(traffic.crowd)
    if traffic.outliving:
        yield trn(
            sum(each.flows for each in traffic.outliving),
            "{number} connection goes on, but would be blocked if begun now: {sources}. "
            "'geofence apply --cut' drops it.",
            "{number} connections go on, but would be blocked if begun now: {sources}. "
            "'geofence apply --cut' drops them.",
            sources=whose(traffic.outliving),
        )
    if traffic.unnamed:
        yield unnamed_note(traffic.unnamed)


def _other_rules(found: OtherRules) -> Iterator[str]:
    for untracked in found.untracked:
        yield _untracked(untracked)
    for redirected in found.redirected:
        yield _redirected(redirected)
    if found.unread:
        yield tr(
            "Rules of other programs could not be read with {programs}.",
            programs=", ".join(found.unread),
        )


def _untracked(rule: Untracked) -> str:
    facts = {"place": rule.place, "service": rule.service, "ports": rule.ports}
    rules = {
        (Direction.IN, False): tr(
            "{place} keeps packets to {service} ({ports}) out of connection tracking (NOTRACK).",
            **facts,
        ),
        (Direction.IN, True): tr(
            "{place} keeps some packets to {service} ({ports}) out of connection tracking "
            "(NOTRACK).",
            **facts,
        ),
        (Direction.OUT, False): tr(
            "{place} keeps packets sent from {service} ({ports}) out of connection tracking "
            "(NOTRACK).",
            **facts,
        ),
        (Direction.OUT, True): tr(
            "{place} keeps some packets sent from {service} ({ports}) out of connection tracking "
            "(NOTRACK).",
            **facts,
        ),
    }
    meaning = tr(
        "Replies to this host are dropped unless their source is allowed. Remove that rule."
    )
    return join(" ", (rules[rule.direction, bool(rule.conditional)], meaning))


def _redirected(rule: Redirected) -> str:
    target = f"{rule.address} {rule.target}" if rule.address else str(rule.target)
    facts = {"place": rule.place, "port": rule.named, "target": target, "service": rule.service}
    if rule.conditional:
        what = tr(
            "{place} redirects some packets from {port} to {target}, which is fenced as {service}.",
            **facts,
        )
    else:
        what = tr(
            "{place} redirects packets from {port} to {target}, which is fenced as {service}.",
            **facts,
        )
    return join(" ", (what, tr("If that port is meant for others, do not redirect it.")))
