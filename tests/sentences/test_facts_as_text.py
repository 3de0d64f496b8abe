"""Facts as sentences, in one place; other tests compare the facts."""

from __future__ import annotations

import pytest

from geofence.allowed.active_exceptions import Inactive, Obstacle
from geofence.model.notes import Instead, Note, NoteKind
from geofence.model.reasons import Reason, ReasonKind
from geofence.plan.drift import Difference, DriftKind
from geofence.sentences import sentence
from geofence.sentences.drift import difference_text, drift_summary
from geofence.sentences.exceptions import obstacle_text
from geofence.sentences.notes import every_sentence
from geofence.sentences.reasons import reason_text

JP = "country JP"


def test_every_kind_of_note_has_a_sentence() -> None:
    assert every_sentence().keys() == set(NoteKind)


@pytest.mark.parametrize(
    ("note", "text"),
    [
        (
            Note(NoteKind.NOT_APPLIED_YET, "", {"command": "geofence plan"}),
            "The kernel does not hold the rules on disk yet; 'geofence plan' shows the difference.",
        ),
        (
            Note(NoteKind.LISTS_FETCHED_FOR_ANSWER, "", {"lists": [JP, "country AD"]}),
            "These lists were downloaded for this answer and not stored: country JP, country AD.",
        ),
        (
            Note(NoteKind.LIST_MISSING, JP),
            "The list country JP has not been downloaded yet and was treated as empty.",
        ),
        (
            Note(NoteKind.LIST_STALE, JP, {"days": 7, "checked_on": "2026-02-01"}),
            (
                "The list country JP was last confirmed by its source on 2026-02-01, more than 7 "
                "days ago ([lists] max_age)."
            ),
        ),
        (
            Note(NoteKind.LIST_LINES_SKIPPED, JP, {"number": 1, "lines": ["line 2: x"]}),
            "1 line of the list country JP is not valid and was skipped: line 2: x.",
        ),
        (
            Note(NoteKind.MIRRORS_AGREE, "", {"agreeing": 1, "compared": 1}),
            "Lists whose mirrors agree: 1 of 1.",
        ),
        (
            Note(NoteKind.EXCEPTION_UNRESOLVED, "trunk", {"hosts": ["sip.example"]}),
            (
                "Exception trunk does not allow sip.example, which has never resolved. Run "
                "'geofence refresh' when DNS works, or write the addresses into last_known."
            ),
        ),
        (
            Note(NoteKind.LAST_KNOWN_USED, "", {"exceptions": ["trunk"]}),
            (
                "last_known is used for host names that have never resolved (trunk). Run 'geofence "
                "refresh' when DNS works."
            ),
        ),
        (
            Note(NoteKind.HOST_CHANGED, "sip.example", {"added": ["192.0.2.1"], "removed": []}),
            "The addresses of sip.example changed: now also 192.0.2.1.",
        ),
        (
            Note(NoteKind.ALLOWED_BY_INTERFACE, "", {"interfaces": ["wan", "tun*"]}),
            "From a trusted interface (wan, tun*) it is allowed ([local] interfaces).",
        ),
        (
            Note(NoteKind.CONNECTIONS_DROPPED, "", {"number": 3}),
            "3 connections were dropped.",
        ),
        (
            Note(NoteKind.CONNECTIONS_UNBLOCKED, "", {"number": 1}),
            "1 previously dropped connection may reconnect.",
        ),
        (
            Note(NoteKind.FENCE_WAS_DOWN, "", {"families": ["ipv4", "ipv6"]}),
            "The fence was down for IPv4, IPv6: its rules were missing. It is up again.",
        ),
    ],
    ids=lambda value: str(value.kind) if isinstance(value, Note) else "",
)
def test_a_note_is_a_sentence(note: Note, text: str) -> None:
    assert sentence(note) == text


@pytest.mark.parametrize(
    ("instead", "text"),
    [
        (Instead.KEPT, "The fence in the kernel was kept."),
        (Instead.COMPLETED, "kept, and missing rules were added"),
        (Instead.RESTORED, "received no packets any more; its rules were added again"),
        (Instead.OPEN, 'There is NO FENCE for IPv4, IPv6 ([boot] without_ruleset = "open").'),
        (Instead.CLOSED, "Only exceptions and local networks are allowed"),
    ],
)
def test_a_restore_without_a_generation_names_the_present_state(
    instead: Instead, text: str
) -> None:
    data = {"instead": instead.value, "families": ["ipv4", "ipv6"]}
    said = sentence(Note(NoteKind.NO_GENERATION, "/state", data))
    assert text in said
    assert "'geofence refresh'" in said


@pytest.mark.parametrize(
    ("obstacle", "text"),
    [
        (Obstacle.NO_FENCE, "there is no fence"),
        (
            Obstacle.OUTSIDE_PIN,
            "its host names have no address in its 'within'; 'geofence refresh' tries again",
        ),
        (
            Obstacle.UNRESOLVED,
            "a.example, b.example has never resolved; run 'geofence refresh' when DNS works",
        ),
        (Obstacle.NO_SERVICE, "none of its services is fenced"),
        (Obstacle.NOT_APPLIED, "not applied yet; run 'geofence apply'"),
    ],
)
def test_an_inactive_exception_names_its_obstacle(obstacle: Obstacle, text: str) -> None:
    assert obstacle_text(Inactive("x", obstacle, ("a.example", "b.example"))) == text


def test_differences_are_counted_by_kind() -> None:
    content = Difference(DriftKind.SET_CONTENT, "allow4", missing=18)
    rules = (Difference(DriftKind.RULE_MISSING, "a"), Difference(DriftKind.RULE_MISSING, "b"))
    assert difference_text(rules[0]) == "a rule is missing: a"
    assert drift_summary((content, *rules)) == (
        "the set allow4 lacks 18 prefixes and has 0 that it should not have",
        "2 rules are missing",
    )


def test_a_missing_country_list_is_named_in_the_reason() -> None:
    data = {"countries": ["JP", "AD"], "missing": ["AD"], "local": False, "interfaces": []}
    reason = Reason(ReasonKind.NO_COUNTRY, data=data)
    assert reason_text(reason) == "not in an allowed country (JP, AD; list missing: AD)"
