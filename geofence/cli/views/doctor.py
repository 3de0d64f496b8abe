"""What ``doctor`` found, as text and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from geofence.doctor.findings import Finding, FindingKind, Severity
from geofence.operations.doctor import DoctorReport
from geofence.screen import Screen
from geofence.sentences.doctor import (
    finding_json,
    finding_texts,
    page,
    unchecked_json,
    unchecked_text,
)
from geofence.spelling import printable
from geofence.translation import tr, trn

_MOST_OF_A_KIND = 5
"""Findings of one kind that are shown; all phones may be blocked by one missing country."""
_STYLES = {Severity.WRONG: "bold red", Severity.NOTICE: "yellow"}


def show_doctor(screen: Screen, report: DoctorReport) -> None:
    """Print each finding with its evidence and remedy, and what was not checked."""
    shown, left = _shown(report.findings)
    for finding in shown:
        headline, *lines = _lines(finding)
        screen.say(headline, _STYLES[finding.severity])
        for line in lines:
            screen.say(f"  {line}")
        screen.say("")
    for kind, number in left.items():
        screen.say(
            trn(
                number,
                "and {number} more finding of the kind {kind} ('geofence doctor --json' shows it)",
                "and {number} more findings of the kind {kind} ('geofence doctor --json' shows "
                "them)",
                kind=kind,
            )
        )
    for each in report.unchecked:
        screen.say(printable(unchecked_text(each)), "yellow")
    screen.say(*_verdict(report))


def _shown(found: Iterable[Finding]) -> tuple[list[Finding], Counter[FindingKind]]:
    """Return the first few findings of each kind, and how many more there are."""
    shown: list[Finding] = []
    seen: Counter[FindingKind] = Counter()
    for each in found:
        seen[each.kind] += 1
        if seen[each.kind] <= _MOST_OF_A_KIND:
            shown.append(each)
    return shown, seen - Counter(dict.fromkeys(seen, _MOST_OF_A_KIND))


def _lines(finding: Finding) -> Iterator[str]:
    """Yield the lines on a finding; names of other programs must not act on the terminal."""
    texts = finding_texts(finding)
    wrong = finding.severity is Severity.WRONG
    text = printable(texts.finding)
    # Translators: the finding is a sentence.
    yield tr("Wrong: {finding}", finding=text) if wrong else tr("Notice: {finding}", finding=text)
    yield tr("Evidence: {evidence}", evidence=printable(texts.evidence))
    yield tr("Remedy: {remedy}", remedy=printable(texts.remedy))
    yield tr("More: {page}", page=page(finding.kind))


def _verdict(report: DoctorReport) -> tuple[str, str]:
    wrong, notices = len(report.wrong), len(report.findings) - len(report.wrong)
    if wrong:
        return trn(wrong, "{number} thing is wrong.", "{number} things are wrong."), "bold red"
    if report.unchecked:
        return tr("Nothing wrong was found, but not everything could be checked."), "bold yellow"
    if notices:
        return tr("Nothing is wrong; see the notices above."), "bold green"
    return tr("Nothing is wrong."), "bold green"


def doctor_json(report: DoctorReport) -> dict[str, object]:
    """Return what was found for scripts."""
    return {
        "wrong": len(report.wrong),
        "findings": [finding_json(each) for each in report.findings],
        "unchecked": [unchecked_json(each) for each in report.unchecked],
    }
