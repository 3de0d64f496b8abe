"""Facts beside the fence itself, as sentences: connections, others' rules, edited rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geofence.flows.impact import TouchedSource
from geofence.model.prefixes import address_text
from geofence.operations.report import StatusReport
from geofence.other_rules import Direction, OtherRules, Redirected, Untracked
from geofence.wording import plural

_SHOWN = 3
"""Sources that a sentence names."""


def status_notes(report: StatusReport) -> Iterator[str]:
    """Return what an operator should know, a sentence or two each, the gravest first."""
    if report.other_rules:
        yield from _other_rules(report.other_rules)
    if report.traffic and not report.unfenced:
        yield from _traffic(report)
    yield from report.stale
    yield from report.notes


def whose(sources: Iterable[TouchedSource]) -> str:
    """Return the first few sources, and how many more there are."""
    known = tuple(sources)
    named = ", ".join(str(source) for source in known[:_SHOWN])
    more = len(known) - _SHOWN
    return f"{named} and {more} more" if more > 0 else named


def unnamed_note(sources: tuple[TouchedSource, ...]) -> str:
    """Return what it means that this host contacts peers whom no rule allows, and what to do."""
    one = len(sources) == 1
    return (
        f"This host contacts {plural(len(sources), 'peer')} that no rule allows: {whose(sources)}. "
        f"{'Its' if one else 'Their'} calls are dropped once the connection was silent for some "
        "minutes: if it is a trunk, write an exception for it."
    )


def other_rules_json(found: OtherRules | None) -> dict[str, object]:
    """Return the same for machines; null if they were not looked at."""
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
        yield f"Live connections were not read: {traffic.unread}"
    if traffic.crowd:
        yield str(traffic.crowd)
    if traffic.outliving:
        number = plural(sum(each.flows for each in traffic.outliving), "connection")
        yield (
            f"{number} would be blocked if begun now, and still allowed: "
            f"{whose(traffic.outliving)}. 'geofence apply --cut' ends them."
        )
    if traffic.unnamed:
        yield unnamed_note(traffic.unnamed)


def _other_rules(found: OtherRules) -> Iterator[str]:
    for untracked in found.untracked:
        yield _untracked(untracked)
    for redirected in found.redirected:
        yield _redirected(redirected)
    if found.unread:
        yield f"Rules of other programs could not be read with {', '.join(found.unread)}."


def _untracked(rule: Untracked) -> str:
    what = "sent from" if rule.direction is Direction.OUT else "to"
    perhaps = " some" if rule.conditional else ""
    return (
        f"{rule.place} keeps{perhaps} packets {what} {rule.service} ({rule.ports}) out of "
        "connection tracking (NOTRACK): replies to this host are dropped unless their source is "
        "allowed. Remove that rule."
    )


def _redirected(rule: Redirected) -> str:
    where = f" of {rule.address}" if rule.address else ""
    perhaps = " some" if rule.conditional else ""
    return (
        f"{rule.place} redirects{perhaps} packets from {rule.named} to {rule.target}{where}, which "
        f"is fenced as {rule.service}: if that port is meant for others, do not redirect it."
    )
