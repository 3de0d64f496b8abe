"""Algebra on ranges of ports."""

from __future__ import annotations

from geofence.other_rules.facts import HIGHEST, Span, Spans


def within(some: Spans, others: Spans) -> Spans:
    """Return the ports that are in both."""
    pairs = (
        Span(max(one.first, other.first), min(one.last, other.last))
        for one in some
        for other in others
    )
    return tuple(sorted(pair for pair in pairs if pair.first <= pair.last))


def complement(some: Spans) -> Spans:
    """Return the ports that are in none of the ranges."""
    rest: Spans = (Span(0, HIGHEST),)
    for one in some:
        sides = (Span(0, one.first - 1), Span(one.last + 1, HIGHEST))
        rest = within(rest, tuple(side for side in sides if side.first <= side.last))
    return rest


def without(some: Spans, others: Spans) -> Spans:
    """Return the ports that are in the first and not in the second."""
    return within(some, complement(others))
