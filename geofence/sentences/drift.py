"""Sentences about drift: each difference, or their numbers by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from geofence.plan.drift import Difference, DriftKind
from geofence.translation import tr, trn


def difference_text(difference: Difference) -> str:
    """Return one difference as a clause."""
    subject = difference.subject
    return {
        DriftKind.SET_MISSING: tr("the set {name} is missing", name=subject),
        DriftKind.SET_EXTRA: tr("the set {name} should not exist", name=subject),
        DriftKind.SET_CONTENT: tr(
            "the set {name} lacks {missing} prefixes and has {extra} that it should not have",
            name=subject,
            missing=f"{difference.missing:,}",
            extra=f"{difference.extra:,}",
        ),
        DriftKind.RULE_MISSING: tr("a rule is missing: {rule}", rule=subject),
        DriftKind.RULE_EXTRA: tr("a rule should not exist: {rule}", rule=subject),
        DriftKind.RULE_ORDER: tr("the rules are in another order"),
        DriftKind.LEFTOVER: tr("a killed run left {name}", name=subject),
    }[difference.kind]


def drift_summary(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Return a clause for each kind of difference, with its number."""
    known = tuple(differences)
    counts = Counter(each.kind for each in known)
    return tuple(_counted(kind, number, known) for kind, number in counts.items())


def _counted(kind: DriftKind, number: int, known: tuple[Difference, ...]) -> str:
    if number == 1:
        return difference_text(next(each for each in known if each.kind is kind))
    return {
        DriftKind.SET_MISSING: trn(number, "{number} set is missing", "{number} sets are missing"),
        DriftKind.SET_EXTRA: trn(
            number, "{number} set should not exist", "{number} sets should not exist"
        ),
        DriftKind.SET_CONTENT: trn(
            number, "{number} set has other content", "{number} sets have other content"
        ),
        DriftKind.RULE_MISSING: trn(
            number, "{number} rule is missing", "{number} rules are missing"
        ),
        DriftKind.RULE_EXTRA: trn(
            number, "{number} rule should not exist", "{number} rules should not exist"
        ),
        DriftKind.RULE_ORDER: tr("the rules are in another order"),
        DriftKind.LEFTOVER: trn(
            number, "a killed run left {number} object", "a killed run left {number} objects"
        ),
    }[kind]


def difference_json(difference: Difference) -> dict[str, object]:
    """Return a difference for scripts."""
    return {
        "kind": difference.kind.value,
        "subject": difference.subject,
        "prefixes_missing": difference.missing,
        "prefixes_extra": difference.extra,
    }
