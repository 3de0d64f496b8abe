"""The verdicts on a prefix, part by part, as text and as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from geofence.cli.views.why import now_row, show_table, then_row, verdicts_json
from geofence.explain import Answer, Explanation
from geofence.geoip.countries import country_name
from geofence.model.prefixes import Family, address_text
from geofence.model.ruleset import Action
from geofence.operations.why_prefix import PrefixPart, PrefixReport
from geofence.screen import Screen
from geofence.sentences import note_json, sentence
from geofence.sentences.reasons import reason_text
from geofence.translation import english, join, tr, trn
from geofence.wording import address_count, addresses

_SHOWN = 3
"""Parts that are shown if not all are asked for."""


def show_prefix(screen: Screen, report: PrefixReport, *, full: bool = False) -> None:
    """Print how much of the prefix each service allows, then the largest parts."""
    family = report.prefix.family
    size = address_count(family, report.prefix.past - report.prefix.network)
    screen.say(f"{report.prefix}: {size}", "bold")
    if len(report.parts) > 1:
        _show_sums(screen, report)
    shown = report.parts if full else report.parts[:_SHOWN]
    for part in shown:
        if len(report.parts) > 1:
            screen.say("")
            screen.say(_heading(part, family), "bold")
        if full or len(report.parts) == 1:
            _show_rows(screen, part)
        else:
            for line in _lines(part):
                screen.say(line)
    left = report.parts[len(shown) :]
    if left:
        screen.say("")
        text = trn(
            len(left),
            "{number} more part with {addresses}; '--full' shows it.",
            "{number} more parts with {addresses}; '--full' shows them.",
            addresses=address_count(family, sum(part.part.addresses for part in left)),
        )
        screen.say(text)
    for note in report.notes:
        screen.note(sentence(note), "yellow")


def _show_sums(screen: Screen, report: PrefixReport) -> None:
    """Print how many addresses each service allows and blocks."""
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for part in report.parts:
        for found, verdict in _verdicts(part):
            blocked = verdict.action is Action.DROP
            service = verdict.service or found.service or "-"
            sums[service, str(found.ports)][blocked] += part.part.addresses
    family = report.prefix.family
    headings = (tr("service"), tr("port"), f">{tr('allowed')}", f">{tr('blocked')}")
    screen.table(
        headings,
        [
            (service, ports, addresses(family, allowed), addresses(family, blocked))
            for (service, ports), (allowed, blocked) in sums.items()
        ],
    )


def _heading(part: PrefixPart, family: Family) -> str:
    first, last = (address_text(family, n) for n in (part.part.first, part.part.past - 1))
    size = address_count(family, part.part.addresses)
    widest = first if first == last else f"{first}-{last}"
    if part.part.ranges > 1:
        widest = tr("{widest} and {number} more ranges", widest=widest, number=part.part.ranges - 1)
    where = [f"{country_name(code)} ({code})" for code in part.told.countries]
    where += [f"AS{number}" for number in part.told.asns]
    return join(", ", (f"{widest}: {size}", *where))


def _lines(part: PrefixPart) -> Iterator[str]:
    """Yield a line for each verdict and reason, with the services that have it."""
    told: dict[str, dict[str, None]] = {}
    for found, verdict in _verdicts(part):
        service = verdict.service or found.service
        if service is None:
            text = tr("not fenced")
        elif verdict.action is Action.DROP:
            text = tr("blocked: {reason}", reason=reason_text(verdict.because))
        elif verdict.observed:
            text = tr("only observed: {reason}", reason=reason_text(verdict.because))
        else:
            text = tr("allowed: {reason}", reason=reason_text(verdict.because))
        told.setdefault(text, {})[service or str(found.ports)] = None
    for text, services in told.items():
        yield f"  {', '.join(services)}: {text}"


def _verdicts(part: PrefixPart) -> Iterator[tuple[Explanation, Explanation | Answer]]:
    """Yield each verdict of the rules with that of the kernel, or twice if there is none."""
    return zip(part.told.explanations, part.told.now or part.told.explanations, strict=True)


def _show_rows(screen: Screen, part: PrefixPart) -> None:
    if part.told.now is None:
        show_table(screen, tr("verdict of the rules"), map(then_row, part.told.explanations))
        return
    rows = (now_row(*pair) for pair in zip(part.told.explanations, part.told.now, strict=True))
    show_table(screen, tr("verdict now"), rows)


def prefix_json(report: PrefixReport) -> dict[str, object]:
    """Return the answer for scripts."""
    family = report.prefix.family
    return {
        "prefix": str(report.prefix),
        "size": report.prefix.past - report.prefix.network,
        "parts": [
            {
                "first": address_text(family, part.part.first),
                "last": address_text(family, part.part.past - 1),
                "number": part.part.addresses,
                "ranges": part.part.ranges,
                "countries": list(part.told.countries),
                "asns": list(part.told.asns),
                "verdicts": verdicts_json(family, part.told.explanations, part.told.now),
            }
            for part in report.parts
        ],
        "notes": [english(sentence(note)) for note in report.notes],
        "note_facts": [note_json(note) for note in report.notes],
    }
