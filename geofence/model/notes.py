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

    # lists, exceptions, status
    FILE_NOT_READ = "file-not-read"
    """The file ``subject`` among the rules does not end in .toml; ``name`` would be read."""
    DIRECTORY_NOT_READ = "directory-not-read"
    COPIES_NOT_READ = "copies-not-read"
    LIST_STALE = "list-stale"
    """No source has confirmed ``subject`` since ``checked_on``, longer than ``days`` days."""
    LIST_FROM_THE_FUTURE = "list-from-the-future"
    LIST_UNCHANGING = "list-unchanging"
    """``subject`` is the same since ``since``; lists of its size change within ``days`` days."""
    LIST_REFUSED = "list-refused"
    """Checks have refused new versions of ``subject`` since ``since``."""
    LIST_MISSING = "list-missing"
    """``subject`` has not been downloaded and was treated as empty."""
    LIST_REPEATS = "list-repeats"
    LIST_LINES_SKIPPED = "list-lines-skipped"
    """``number`` lines of ``subject`` are not valid; ``lines`` are the first of them."""
    LIST_WENT_BACK = "list-went-back"
    """``subject`` is a version again that was replaced before, first accepted ``since``."""
    LIST_RETURNED = "list-returned"
    """A check's objection ended, since ``subject`` is a recently accepted version again."""
    LIST_CHANGE_CONFIRMED = "list-change-confirmed"
    """A change of ``subject`` passed; ``by`` names the witness or is ``override``."""
    LISTS_OVERLAP = "lists-overlap"
    LISTS_FETCHED_FOR_ANSWER = "lists-fetched-for-answer"
    BLOCKLIST_LEFT_OUT = "blocklist-left-out"
    """``addresses`` of ``subject``, by family, are not blocked. ``why`` is ``special-purpose`` (of
    ``number`` blocks, the first are ``blocks``), ``local`` or ``exception``."""
    FORMAT_FOUND = "format-found"
    """``subject`` was read as ``format``, which the rules do not give."""
    HOST_CHANGED = "host-changed"
    """The addresses of the name ``subject`` changed: ``added``, ``removed``; those of ``dropped``
    are no longer in the answer of DNS and stay for the grace time."""
    SWITCH_UNDEFINED = "switch-undefined"
    """``file`` enables or disables the exception ``subject``, which no rule defines."""
    EXCEPTION_UNRESOLVED = "exception-unresolved"
    """``hosts`` of the exception ``subject`` have never resolved."""
    LAST_KNOWN_USED = "last-known-used"
    """``last_known`` stands in for host names of ``exceptions``."""
    OUTSIDE_PIN = "outside-pin"
    """Host names of the exception ``subject`` have ``addresses`` outside its ``within``."""
    MIRRORS_NOT_COMPARED = "mirrors-not-compared"
    MIRRORS_DIFFER = "mirrors-differ"
    MIRRORS_AGREE = "mirrors-agree"
    CHECK_REFUSES = "check-refuses"
    """The check ``subject`` would refuse the plan; ``accept`` overrides it."""
    KERNEL_UNREAD = "kernel-unread"
    """The kernel could not be read, so the answer is that of the rules."""
    PLAN_WITHOUT_KERNEL = "plan-without-kernel"
    """The plan is against ``generation``, or against a host without a fence."""
    RULES_CHANGED_BY_OTHERS = "rules-changed-by-others"
    NOT_APPLIED_YET = "not-applied-yet"
    """The kernel does not hold the rules on disk; ``command`` shows the difference."""
    MEMBERSHIP_DRIFT = "membership-drift"
    """The set ``subject`` of a ``backend`` has the ``address`` (``in_kernel``), or lacks it, and
    should not."""
    MEMBERSHIP_UNCLEAR = "membership-unclear"
    """The kernel finds the ``address`` in its set ``subject`` (``in_kernel``), or does not, and
    lists the set otherwise."""
    ALLOWED_BY_INTERFACE = "allowed-by-interface"
    NO_SERVICE_APPLIED = "no-service-applied"
    """The fence in the kernel has no service, but the rules have."""
    NO_SERVICE_ENABLED = "no-service-enabled"

    # Asterisk's configuration
    ASTERISK_UNREAD = "asterisk-unread"
    """The configuration in ``subject`` could not be read; ``kept``: the last reading counts."""
    ASTERISK_INVALID = "asterisk-invalid"
    """``files`` in ``subject`` are refused by Asterisk or cannot be read; ``kept``: for all trunks
    the last reading counts."""
    ASTERISK_REFUSED = "asterisk-refused"
    """The ``check`` refuses a change of ``subject``; ``accept`` overrides it."""
    ASTERISK_STILL_FENCED = "asterisk-still-fenced"
    """``ports`` of the service ``subject`` stay fenced, though the configuration has others now."""
    ASTERISK_FENCED = "asterisk-fenced"
    """The service ``subject`` gains ``ports``, as ``source`` says."""
    ASTERISK_NOT_FENCED = "asterisk-not-fenced"
    """The service ``subject`` loses ``ports``, which ``source`` said."""
    ASTERISK_TRUNK_ADDED = "asterisk-trunk-added"
    """The exception ``subject`` is new: ``hosts`` and ``addresses`` reach ``services``, as
    ``sources`` say. ``remarks``: ``private``, ``subtracted``."""
    ASTERISK_TRUNK_CHANGED = "asterisk-trunk-changed"
    ASTERISK_TRUNK_REMOVED = "asterisk-trunk-removed"
    ASTERISK_LEFT_OUT = "asterisk-left-out"
    """``subject`` in the configuration does not become a rule; ``why`` is one of ``Refused``."""
    ASTERISK_UNSEEN = "asterisk-unseen"
    """The configuration has more than can be seen in files, by ``places``."""
    ASTERISK_WAITS = "asterisk-waits"
    """A change of the configuration waits for a run by hand: the rules were edited, too."""

    # the world index
    ATLAS_NOT_RENEWED = "atlas-not-renewed"
    """It stays as it was; ``message`` is why."""
    ATLAS_INCOMPLETE = "atlas-incomplete"
    """Lists of countries could not be renewed: those of ``kept`` are of before, those of
    ``missing`` were never downloaded; ``message`` is why for the first of them, if it is known."""
    ATLAS_REPLACED = "atlas-replaced"
    """It could not be read and was made anew; ``message`` is why."""

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
    WITHOUT_LABELS = "without-labels"
    """The kernel cannot label connections; the fence holds the next best rules."""
    BANS_DAMAGED = "bans-damaged"
    """``number`` lines of the log of bans ``subject`` could not be read."""
    COUNTS_NOT_KEPT = "counts-not-kept"
    """The counts over time ``subject`` were not continued; ``message`` is why."""
    COUNTS_BEGUN_ANEW = "counts-begun-anew"
    """The same were damaged (``message``), put ``aside`` and begun anew."""
    OBSERVING_BEGINS = "observing-begins"
    """From then on the service ``subject`` is only observed: nothing is dropped."""
    OBSERVING_ENDS = "observing-ends"
    """From then on the service ``subject`` is fenced, not only observed."""
    REPAIRED = "repaired"
    """``rules`` and ``sets`` differed from what was applied."""
    SWITCH_REMOVED = "switch-removed"
    """The command line's rules file enabled or disabled ``subject``, which no rule defines."""
    EXCEPTION_ALLOWED = "exception-allowed"
    """The exception ``subject`` allows ``addresses`` and ``hosts`` to reach ``services`` (empty:
    all) until ``until`` (null: without end); ``made``: it is new."""
    ALREADY_ALLOWED = "already-allowed"
    """The exception ``subject`` allows ``what`` (empty: all of itself) until ``until`` already."""
    ALLOWED_BY_COUNTRY = "allowed-by-country"
    """``subject`` is in the list of ``country``, which is allowed, too."""
    EXCEPTION_CONTAINS = "exception-contains"
    """``exception`` of the rules contains ``subject`` and is disabled."""
    EXCEPTION_DELETED = "exception-deleted"
    """The exception ``subject``, which ``allow`` had made, is gone."""
    EXCEPTION_SMALLER = "exception-smaller"
    """The exception ``subject``, which ``allow`` had made, has some addresses left."""
    STILL_ALLOWED = "still-allowed"
    """``exception`` of the rules allows ``subject`` or a part of it after the revoke."""
    COUNTRY_ALLOWED = "country-allowed"
    """The country ``subject`` may reach ``services`` (empty: all) until ``until``."""
    COUNTRY_ALREADY_ALLOWED = "country-already-allowed"
    COUNTRY_REVOKED = "country-revoked"
    COUNTRY_NOT_ALLOWED = "country-not-allowed"
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
