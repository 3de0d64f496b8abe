"""What the process of the browser may ask the privileged one, and what it is answered. Pure.

Each message is one line of JSON. Whatever does not have exactly this shape is refused: the asking
process may be in somebody else's hands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LONGEST_QUESTION = 4096
"""Bytes of a question."""
LONGEST_ANSWER = 32 << 20
"""Bytes of an answer: ten thousand sources are some megabytes."""
_LONGEST_VALUE = 500


class Verb(StrEnum):
    """All that can be asked."""

    VIEW = "view"
    """What there is to see."""
    METRICS = "metrics"
    """Metrics in Prometheus' text format."""
    ALLOW = "allow"
    """``what`` for ``for`` (empty: without end) to reach ``service`` (empty: all)."""
    REVOKE = "revoke"
    BAN = "ban"
    """``what`` for ``for``, with a ``reason``."""
    UNBAN = "unban"
    CONFIRM = "confirm"
    REFRESH = "refresh"


KEYS: Mapping[Verb, frozenset[str]] = {
    Verb.VIEW: frozenset(),
    Verb.METRICS: frozenset(),
    Verb.ALLOW: frozenset({"what", "for", "service"}),
    Verb.REVOKE: frozenset({"what"}),
    Verb.BAN: frozenset({"what", "for", "reason"}),
    Verb.UNBAN: frozenset({"what"}),
    Verb.CONFIRM: frozenset(),
    Verb.REFRESH: frozenset(),
}
"""The values that belong to each."""
ACTIONS = frozenset(Verb) - {Verb.VIEW, Verb.METRICS}


class ProtocolError(ValueError):
    """A message has another shape; nothing was done."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    verb: Verb
    values: Mapping[str, str] = field(default_factory=dict)
    plan: str = ""
    """Of an action: the digest of the plan that was shown; empty: show it, do nothing."""

    def line(self) -> bytes:
        """Return it as a line."""
        facts = {"verb": self.verb.value, "values": dict(self.values), "plan": self.plan}
        return json.dumps(facts).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    ok: bool
    """Whether it could be answered, or done."""
    lines: tuple[str, ...] = ()
    """What to show: a plan, what was done, or why not."""
    plan: str = ""
    """The digest of the plan; empty where nothing can be done."""
    view: Mapping[str, object] = field(default_factory=dict)
    """To ``VIEW``: what the page is made of."""

    def line(self) -> bytes:
        """Return it as a line."""
        facts = {
            "ok": self.ok,
            "lines": list(self.lines),
            "plan": self.plan,
            "view": dict(self.view),
        }
        return json.dumps(facts, default=str).encode() + b"\n"


def read_question(line: bytes) -> Question:
    """Return the question of a line.

    Raises:
        ProtocolError: it has another shape.
    """
    facts = _object(line)
    if set(facts) != {"verb", "values", "plan"}:
        raise ProtocolError
    name, values, plan = facts["verb"], facts["values"], facts["plan"]
    if name not in tuple(Verb) or not isinstance(plan, str) or not isinstance(values, dict):
        raise ProtocolError
    verb = Verb(str(name))
    found = {key: value for key, value in values.items() if _is_plain(value)}
    if len(found) < len(values) or not set(found) <= KEYS[verb]:
        raise ProtocolError
    return Question(verb, found, plan)


def _is_plain(value: object) -> bool:
    """Whether it is one line of text that people can type."""
    return isinstance(value, str) and len(value) <= _LONGEST_VALUE and value.isprintable()


def read_answer(line: bytes) -> Answer:
    """Return the answer of a line.

    Raises:
        ProtocolError: it has another shape.
    """
    facts = _object(line)
    lines, plan, view = facts.get("lines"), facts.get("plan"), facts.get("view")
    if not isinstance(lines, list) or not isinstance(plan, str) or not isinstance(view, dict):
        raise ProtocolError
    return Answer(bool(facts.get("ok")), tuple(map(str, lines)), plan, view)


def _object(line: bytes) -> dict[str, object]:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError from error
    if not isinstance(facts, dict):
        raise ProtocolError
    return facts
