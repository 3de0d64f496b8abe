"""Notes: facts that a report tells beside its main subject.

A note is not text. ``geofence.sentences`` turns it into a sentence for people; JSON carries both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NoteKind(StrEnum):
    """What a note tells. The values are stable: scripts read them."""

    PROBLEM = "problem"
    """Something failed; ``data["message"]`` is the error's own sentence."""

    # runs
    FENCE_REPLACED = "fence-replaced"
    """The fence of the backend ``subject`` was removed once another was up."""
    BLOCK_DELAYED = "block-delayed"
    """Addresses that a check protects stay allowed; ``message`` is the check's."""
    CONNECTIONS_DROPPED = "connections-dropped"
    """``number`` connections were dropped."""
    CONNECTIONS_NOT_DROPPED = "connections-not-dropped"
    CONNECTIONS_UNBLOCKED = "connections-unblocked"
    """``number`` connections that were dropped before may reconnect."""
    CONNECTIONS_NOT_UNBLOCKED = "connections-not-unblocked"
    CONNECTIONS_FORGOTTEN = "connections-forgotten"
    """``number`` connections of this host begin anew."""
    CONNECTIONS_NOT_FORGOTTEN = "connections-not-forgotten"
    CONNECTIONS_UNREAD = "connections-unread"
    NOT_RECORDED = "not-recorded"
    """The fence is applied, and no generation could be recorded for it."""
    NOTHING_APPLIED = "nothing-applied"
    """Nothing was ever applied here; ``subject`` is the state directory."""
    NO_GENERATION = "no-generation"
    """No saved fence can be read; ``instead`` tells what holds now (see ``Instead``)."""
    SHIPPED_RULES = "shipped-rules"
    """The rules do not load, and the shipped ones were used."""
    UNCONFIRMED = "unconfirmed"
    """What was applied was not confirmed in time; ``generation`` is in force again, if any."""
    LOCAL_NETWORKS_KEPT = "local-networks-kept"
    """Local networks could not be renewed."""
    LOCAL_NETWORKS_ALLOWED = "local-networks-allowed"
    LOCAL_NETWORKS_ENDED = "local-networks-ended"
    LOCAL_NETWORKS_AS_RECORDED = "local-networks-as-recorded"
    """A rollback could not tell today's local networks, and used the recorded ones."""
    ROLLED_BACK = "rolled-back"
    FENCE_WAS_DOWN = "fence-was-down"
    """Packets of ``families`` entered no fence; they do again."""
    REPAIRED = "repaired"
    """``rules`` and ``sets`` differed from what was applied."""
    SWITCH_REMOVED = "switch-removed"
    """The command line's rules file enabled or disabled ``subject``, which no rule defines."""
    HOOK_STOPPED = "hook-stopped"
    """``[notify] command`` took longer than ``seconds``."""
    HOOK_NOT_RUN = "hook-not-run"
    HOOK_FAILED = "hook-failed"
    """``[notify] command`` ended with ``exit_code`` and said ``message``."""


class Instead(StrEnum):
    """What holds where no saved fence can be read."""

    KEPT = "kept"
    """The fence in the kernel was left as it is."""
    COMPLETED = "completed"
    """Missing rules of the fence in the kernel were added around its sets."""
    RESTORED = "restored"
    """The fence in the kernel no longer received packets; its rules were added again."""
    OPEN = "open"
    """There is no fence for ``families``, as ``[boot] without_ruleset`` says."""
    CLOSED = "closed"
    """Only exceptions and local networks are allowed, as ``[boot] without_ruleset`` says."""


@dataclass(frozen=True, slots=True)
class Note:
    """One fact."""

    kind: NoteKind
    subject: str = ""
    """What it is about: a list, an exception, a file, a service; empty for the whole fence."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Values by name, as JSON has them: texts, numbers, lists of these."""


def problem(error: Exception | str, subject: str = "") -> Note:
    """Return the note that an error was passed over."""
    return Note(NoteKind.PROBLEM, subject, {"message": str(error)})
