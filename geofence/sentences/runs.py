"""Sentences of notes on runs: what was done, and what could not be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Instead, Note, NoteKind
from geofence.model.prefixes import Family
from geofence.sentences.lists import names, number
from geofence.translation import join, tr, trn


def _fence_replaced(note: Note) -> str:
    return tr("The fence of the backend {backend} was removed.", backend=note.subject)


def _block_delayed(note: Note) -> str:
    return tr(
        "Current peers stay allowed for now; everything else was applied. {check}",
        check=note.data["message"],
    )


def _dropped(note: Note) -> str:
    return trn(
        number(note), "{number} connection was dropped.", "{number} connections were dropped."
    )


def _not_dropped(note: Note) -> str:
    return tr("Connections could not be dropped: {reason}", reason=note.data["message"])


def _unblocked(note: Note) -> str:
    return trn(
        number(note),
        "{number} previously dropped connection may reconnect.",
        "{number} previously dropped connections may reconnect.",
    )


def _not_unblocked(note: Note) -> str:
    return tr("Dropped connections could not be unblocked: {reason}", reason=note.data["message"])


def _forgotten(note: Note) -> str:
    return trn(
        number(note),
        "{number} connection of this host begins anew.",
        "{number} connections of this host begin anew.",
    )


def _not_forgotten(note: Note) -> str:
    return tr(
        "Connections from before the fence could not be ended: {reason}",
        reason=note.data["message"],
    )


def _unread(note: Note) -> str:
    return tr("Current connections could not be read: {reason}", reason=note.data["message"])


def _not_recorded(note: Note) -> str:
    return tr(
        "The fence is applied but not recorded. A reboot, or the daemon's next check, restores the "
        "previous fence. {reason}",
        reason=note.data["message"],
    )


def _nothing_applied(note: Note) -> str:
    return tr(
        "Nothing has been applied on this host yet ({directory} has no generation). Nothing was "
        "changed. Run 'geofence refresh' to set up the fence.",
        directory=note.subject,
    )


def _no_generation(note: Note) -> str:
    return tr(
        "No saved fence found in {directory}. {instead} Run 'geofence refresh' now.",
        directory=note.subject,
        instead=_instead(Instead(str(note.data["instead"])), names(note, "families")),
    )


def _instead(instead: Instead, families: list[str]) -> str:
    if instead is Instead.OPEN:
        return tr(
            'There is NO FENCE for {families} ([boot] without_ruleset = "open").',
            families=", ".join(Family(family).label for family in families),
        )
    return {
        Instead.KEPT: tr("The fence in the kernel was kept."),
        Instead.COMPLETED: tr("The fence in the kernel was kept, and missing rules were added."),
        Instead.RESTORED: tr(
            "The fence in the kernel received no packets any more; its rules were added again."
        ),
        Instead.CLOSED: tr(
            'Only exceptions and local networks are allowed ([boot] without_ruleset = "closed").'
        ),
    }[instead]


def _bans_damaged(note: Note) -> str:
    return trn(
        number(note),
        "{number} line of {file} is damaged; the ban in it is lost.",
        "{number} lines of {file} are damaged; the bans in them are lost.",
        file=note.subject,
    )


def _shipped_rules(note: Note) -> str:
    return tr(
        "The rules do not load, so the shipped rules were used: {reason}",
        reason=note.data["message"],
    )


def _unconfirmed(note: Note) -> str:
    late = tr("The last change was not confirmed in time.")
    if note.data["generation"] is None:
        return late
    return join(" ", (late, tr("The previous fence was restored.")))


def _local_kept(note: Note) -> str:
    return tr("Local networks are allowed as before: {reason}", reason=note.data["message"])


def _local_allowed(note: Note) -> str:
    return tr(
        "Local networks now allowed: {networks}.", networks=", ".join(names(note, "networks"))
    )


def _local_ended(note: Note) -> str:
    return tr(
        "Local networks no longer allowed: {networks}.",
        networks=", ".join(names(note, "networks")),
    )


def _local_as_recorded(note: Note) -> str:
    return tr("Local networks are allowed as recorded: {reason}", reason=note.data["message"])


def _rolled_back(note: Note) -> str:
    return tr(
        "Generation {number} is in force again. The next refresh applies the rules and undoes "
        "this. To keep it, change the rules, or stop the nightly run with "
        "'systemctl disable --now geofence-refresh.timer'.",
        number=note.data["generation"],
    )


def _was_down(note: Note) -> str:
    families = [Family(family).label for family in names(note, "families")]
    return tr(
        "The fence was down for {families}: its rules were missing. It is up again.",
        families=", ".join(families),
    )


def _repaired(note: Note) -> str:
    rules = trn(number(note, "rules"), "{number} rule", "{number} rules")
    sets = trn(number(note, "sets"), "{number} set", "{number} sets")
    return tr(
        "The fence differed from what was applied ({rules}, {sets}). It is repaired.",
        rules=rules,
        sets=sets,
    )


def _switch_removed(note: Note) -> str:
    return tr(
        "{file} no longer mentions the exception {name}, which no rule defines.",
        file=note.data["file"],
        name=note.subject,
    )


def _hook_stopped(note: Note) -> str:
    return tr(
        "[notify] command {command} ran longer than {seconds} seconds and was stopped.",
        command=note.subject,
        seconds=note.data["seconds"],
    )


def _hook_not_run(note: Note) -> str:
    return tr("[notify] command could not be run: {reason}.", reason=note.data["message"])


def _hook_failed(note: Note) -> str:
    return tr(
        "[notify] command {command} ended with exit code {code}: {message}",
        command=note.subject,
        code=note.data["exit_code"],
        message=note.data["message"],
    )


def _observing_begins(note: Note) -> str:
    return tr(
        "By these rules {service} is only observed: everybody reaches it, and nothing is dropped. "
        "'geofence denied' shows who would be blocked.",
        service=note.subject,
    )


def _observing_ends(note: Note) -> str:
    return tr(
        "By these rules {service} is no longer only observed: what is not allowed is dropped.",
        service=note.subject,
    )


RUN_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.FENCE_REPLACED: _fence_replaced,
    NoteKind.BLOCK_DELAYED: _block_delayed,
    NoteKind.OBSERVING_BEGINS: _observing_begins,
    NoteKind.OBSERVING_ENDS: _observing_ends,
    NoteKind.CONNECTIONS_DROPPED: _dropped,
    NoteKind.CONNECTIONS_NOT_DROPPED: _not_dropped,
    NoteKind.CONNECTIONS_UNBLOCKED: _unblocked,
    NoteKind.CONNECTIONS_NOT_UNBLOCKED: _not_unblocked,
    NoteKind.CONNECTIONS_FORGOTTEN: _forgotten,
    NoteKind.CONNECTIONS_NOT_FORGOTTEN: _not_forgotten,
    NoteKind.CONNECTIONS_UNREAD: _unread,
    NoteKind.NOT_RECORDED: _not_recorded,
    NoteKind.NOTHING_APPLIED: _nothing_applied,
    NoteKind.NO_GENERATION: _no_generation,
    NoteKind.BANS_DAMAGED: _bans_damaged,
    NoteKind.SHIPPED_RULES: _shipped_rules,
    NoteKind.UNCONFIRMED: _unconfirmed,
    NoteKind.LOCAL_NETWORKS_KEPT: _local_kept,
    NoteKind.LOCAL_NETWORKS_ALLOWED: _local_allowed,
    NoteKind.LOCAL_NETWORKS_ENDED: _local_ended,
    NoteKind.LOCAL_NETWORKS_AS_RECORDED: _local_as_recorded,
    NoteKind.ROLLED_BACK: _rolled_back,
    NoteKind.FENCE_WAS_DOWN: _was_down,
    NoteKind.REPAIRED: _repaired,
    NoteKind.SWITCH_REMOVED: _switch_removed,
    NoteKind.HOOK_STOPPED: _hook_stopped,
    NoteKind.HOOK_NOT_RUN: _hook_not_run,
    NoteKind.HOOK_FAILED: _hook_failed,
}
