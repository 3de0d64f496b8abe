"""Sentences of notes on runs: what was done, and what could not be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Instead, Note, NoteKind
from geofence.model.prefixes import Family
from geofence.sentences.lists import names, number
from geofence.translation import join, tr, trn


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


def _unconfirmed(note: Note) -> str:
    late = tr("The last change was not confirmed in time.")
    if note.data["generation"] is None:
        return late
    return join(" ", (late, tr("The previous fence was restored.")))


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


RUN_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.FENCE_REPLACED: lambda note: tr(
        "The fence of the backend {backend} was removed.", backend=note.subject
    ),
    NoteKind.BLOCK_DELAYED: lambda note: tr(
        "Current peers stay allowed for now; everything else was applied. {check}",
        check=note.data["message"],
    ),
    NoteKind.CONNECTIONS_DROPPED: lambda note: trn(
        number(note), "{number} connection was dropped.", "{number} connections were dropped."
    ),
    NoteKind.CONNECTIONS_NOT_DROPPED: lambda note: tr(
        "Connections could not be dropped: {reason}", reason=note.data["message"]
    ),
    NoteKind.CONNECTIONS_UNBLOCKED: lambda note: trn(
        number(note),
        "{number} previously dropped connection may reconnect.",
        "{number} previously dropped connections may reconnect.",
    ),
    NoteKind.CONNECTIONS_NOT_UNBLOCKED: lambda note: tr(
        "Dropped connections could not be unblocked: {reason}", reason=note.data["message"]
    ),
    NoteKind.CONNECTIONS_FORGOTTEN: lambda note: trn(
        number(note),
        "{number} connection of this host begins anew.",
        "{number} connections of this host begin anew.",
    ),
    NoteKind.CONNECTIONS_NOT_FORGOTTEN: lambda note: tr(
        "Connections from before the fence could not be ended: {reason}",
        reason=note.data["message"],
    ),
    NoteKind.CONNECTIONS_UNREAD: lambda note: tr(
        "Current connections could not be read: {reason}", reason=note.data["message"]
    ),
    NoteKind.NOT_RECORDED: lambda note: tr(
        "The fence is applied but not recorded. A reboot, or the daemon's next check, restores the "
        "previous fence. {reason}",
        reason=note.data["message"],
    ),
    NoteKind.NOTHING_APPLIED: lambda note: tr(
        "Nothing has been applied on this host yet ({directory} has no generation). Nothing was "
        "changed. Run 'geofence refresh' to set up the fence.",
        directory=note.subject,
    ),
    NoteKind.NO_GENERATION: lambda note: tr(
        "No saved fence found in {directory}. {instead} Run 'geofence refresh' now.",
        directory=note.subject,
        instead=_instead(Instead(str(note.data["instead"])), names(note, "families")),
    ),
    NoteKind.WITHOUT_LABELS: lambda _: tr(
        "This kernel cannot label connections (CONFIG_NF_CONNTRACK_LABELS). The fence does "
        "without: a change of lists also ends calls from addresses that are no longer allowed."
    ),
    NoteKind.BANS_DAMAGED: lambda note: trn(
        number(note),
        "{number} line of {file} is damaged; the ban in it is lost.",
        "{number} lines of {file} are damaged; the bans in them are lost.",
        file=note.subject,
    ),
    NoteKind.METRICS_NOT_WRITTEN: lambda note: tr(
        "Metrics were not written: {reason}", reason=note.data["message"]
    ),
    NoteKind.MIRROR_NOT_WRITTEN: lambda note: tr(
        "The lists for other hosts in {directory} were not renewed: {reason}",
        directory=note.subject,
        reason=note.data["message"],
    ),
    NoteKind.MIRROR_WITHHOLDS: lambda note: tr(
        "Not given to other hosts: {lists}. Their URLs have a query, which may be a licence key. "
        "If their terms allow it, write keyed = true into [mirror].",
        lists=", ".join(names(note, "lists")),
    ),
    NoteKind.COUNTS_NOT_KEPT: lambda note: tr(
        "Counts over time were not continued: {reason}", reason=note.data["message"]
    ),
    NoteKind.COUNTS_BEGUN_ANEW: lambda note: tr(
        "{reason} It is now {aside}, and counting begins anew.",
        reason=note.data["message"],
        aside=note.data["aside"],
    ),
    NoteKind.SHIPPED_RULES: lambda note: tr(
        "The rules do not load, so the shipped rules were used: {reason}",
        reason=note.data["message"],
    ),
    NoteKind.UNCONFIRMED: _unconfirmed,
    NoteKind.LOCAL_NETWORKS_KEPT: lambda note: tr(
        "Local networks are allowed as before: {reason}", reason=note.data["message"]
    ),
    NoteKind.LOCAL_NETWORKS_ALLOWED: lambda note: tr(
        "Local networks now allowed: {networks}.", networks=", ".join(names(note, "networks"))
    ),
    NoteKind.LOCAL_NETWORKS_ENDED: lambda note: tr(
        "Local networks no longer allowed: {networks}.",
        networks=", ".join(names(note, "networks")),
    ),
    NoteKind.LOCAL_NETWORKS_AS_RECORDED: lambda note: tr(
        "Local networks are allowed as recorded: {reason}", reason=note.data["message"]
    ),
    NoteKind.ROLLED_BACK: lambda note: tr(
        "Generation {number} is in force again. The next refresh applies the rules and undoes "
        "this. To keep it, change the rules, or stop the nightly run with "
        "'systemctl disable --now geofence-refresh.timer'.",
        number=note.data["generation"],
    ),
    NoteKind.FENCE_WAS_DOWN: _was_down,
    NoteKind.REPAIRED: _repaired,
    NoteKind.SWITCH_REMOVED: lambda note: tr(
        "{file} no longer mentions the exception {name}, which no rule defines.",
        file=note.data["file"],
        name=note.subject,
    ),
    NoteKind.HOOK_STOPPED: lambda note: tr(
        "[notify] command {command} ran longer than {seconds} seconds and was stopped.",
        command=note.subject,
        seconds=note.data["seconds"],
    ),
    NoteKind.HOOK_NOT_RUN: lambda note: tr(
        "[notify] command could not be run: {reason}.", reason=note.data["message"]
    ),
    NoteKind.MAIL_FAILED: lambda note: tr(
        "[notify] mail to {to} could not be sent: {reason}.",
        to=note.subject,
        reason=note.data["message"],
    ),
    NoteKind.WEBHOOK_FAILED: lambda note: tr(
        "[notify] webhook_file {path}: its URL could not be told: {reason}.",
        path=note.subject,
        reason=note.data["message"],
    ),
    NoteKind.HOOK_FAILED: lambda note: tr(
        "[notify] command {command} ended with exit code {code}: {message}",
        command=note.subject,
        code=note.data["exit_code"],
        message=note.data["message"],
    ),
    NoteKind.OBSERVING_BEGINS: lambda note: tr(
        "By these rules {service} is only observed: everybody reaches it, and nothing is dropped. "
        "'geofence denied' shows who would be blocked.",
        service=note.subject,
    ),
    NoteKind.OBSERVING_ENDS: lambda note: tr(
        "By these rules {service} is no longer only observed: what is not allowed is dropped.",
        service=note.subject,
    ),
}
