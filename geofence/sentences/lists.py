"""Sentences of notes on lists, exceptions, the status and the plan."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from geofence.model.notes import Note, NoteKind
from geofence.model.prefixes import Family
from geofence.translation import join, tr, trn
from geofence.wording import address_count, moment

_SHOWN = 5
"""Names or addresses that one sentence shows."""


def names(note: Note, key: str) -> list[str]:
    """Return a list of texts of a note's data."""
    found = note.data[key]
    return [str(each) for each in found] if isinstance(found, list | tuple) else []


def number(note: Note, key: str = "number") -> int:
    """Return a whole number of a note's data."""
    return int(str(note.data[key]))


def shown(texts: Iterable[str], total: int | None = None) -> str:
    """Return the first few texts, and how many more there are."""
    known = list(texts)
    more = (len(known) if total is None else total) - _SHOWN
    named = ", ".join(known[:_SHOWN])
    return tr("{named} and {number} more", named=named, number=more) if more > 0 else named


def _moment(note: Note, key: str = "since") -> str:
    return moment(datetime.fromisoformat(str(note.data[key])))


def _file_not_read(note: Note) -> str:
    path, name = shlex.quote(note.subject), shlex.quote(str(note.data["name"]))
    return tr(
        "{file} is not read, since its name does not end in .toml. If it has rules, run "
        "'mv {path} {name}'. If not, move it elsewhere.",
        file=note.subject,
        path=path,
        name=name,
    )


def _lines_skipped(note: Note) -> str:
    lines = names(note, "lines")
    more = number(note) - len(lines)
    listed = "; ".join(lines)
    if more > 0:
        listed = tr("{named}; and {number} more", named=listed, number=more)
    return trn(
        number(note),
        "{number} line of the list {list} is not valid and was skipped: {lines}.",
        "{number} lines of the list {list} are not valid and were skipped: {lines}.",
        list=note.subject,
        lines=listed,
    )


def _confirmed(note: Note) -> str:
    by = str(note.data["by"])
    how = {
        "override": tr("It was accepted by an override."),
        "country": tr("It was accepted, since the list of another country confirms it."),
        "asn": tr("It was accepted, since the list of another AS number confirms it."),
    }.get(by) or tr("It was accepted, since {mirror} confirms it.", mirror=by)
    return join(" ", (str(note.data["message"]), how))


def _fetched_for_answer(note: Note) -> str:
    return tr(
        "These lists were downloaded for this answer and not stored: {lists}.",
        lists=", ".join(names(note, "lists")),
    )


def _left_out(note: Note) -> str:
    counts = note.data["addresses"]
    known = counts if isinstance(counts, Mapping) else {}
    numbers = ((family, int(known.get(str(family), 0))) for family in Family)
    addresses = join(", ", (address_count(each, count) for each, count in numbers if count))
    facts = {"list": note.subject, "addresses": addresses}
    if note.data["why"] == "special-purpose":
        return tr(
            "Left out of the list {list}: {addresses} of private or other special-purpose space "
            "({blocks}).",
            blocks=shown(names(note, "blocks"), number(note)),
            **facts,
        )
    if note.data["why"] == "local":
        return tr("Left out of the list {list}: {addresses} of networks in [local].", **facts)
    return tr(
        "Not blocked by the list {list}: {addresses} of exceptions, for the services that they are "
        "for.",
        **facts,
    )


def _format_found(note: Note) -> str:
    return tr(
        "The format of the list {list} was recognised by its content: {format}.",
        list=note.subject,
        format=note.data["format"],
    )


def _host_changed(note: Note) -> str:
    added, removed = names(note, "added"), names(note, "removed")
    parts = [tr("now also {addresses}", addresses=shown(added))] if added else []
    parts += [tr("no longer {addresses}", addresses=shown(removed))] if removed else []
    dropped = names(note, "dropped") if "dropped" in note.data else []
    if dropped:
        parts.append(
            tr("no longer given by DNS, but allowed for now, {addresses}", addresses=shown(dropped))
        )
    return tr(
        "The addresses of {host} changed: {changes}.", host=note.subject, changes=join("; ", parts)
    )


def _outside_pin(note: Note) -> str:
    facts = {"name": note.subject, "addresses": shown(names(note, "addresses"))}
    if "feed" in note.data:
        return tr(
            "Exception {name} does not allow {addresses} of its feed, since they are outside its "
            "'within'.",
            **facts,
        )
    return tr(
        "Exception {name} does not allow {addresses} of its host names, since they are outside its "
        "'within'.",
        **facts,
    )


def _switch_undefined(note: Note) -> str:
    facts = {"file": note.data["file"], "name": note.subject}
    if note.data["enabled"]:
        return tr(
            "{file} enables the exception {name}, but no rule defines it. If it has a new name, "
            "run 'geofence allow' with that. If not, run 'geofence revoke {name}'.",
            **facts,
        )
    return tr(
        "{file} disables the exception {name}, but no rule defines it. If it has a new name, run "
        "'geofence revoke' with that. If not, run 'geofence revoke {name}'.",
        **facts,
    )


def _message(note: Note) -> str:
    return str(note.data["message"])


def _plan_without_kernel(note: Note) -> str:
    if note.data["generation"] is None:
        against = tr("The kernel was not read; the plan is for a host without a fence.")
    else:
        against = tr(
            "The kernel was not read; the plan is against generation {number} and does not show "
            "rules.",
            number=note.data["generation"],
        )
    return join(" ", (_message(note), against))


def _membership_drift(note: Note) -> str:
    if note.data["in_kernel"]:
        text = tr(
            "Drift: the kernel's set {set} has {address} and should not.",
            set=note.subject,
            address=note.data["address"],
        )
    else:
        text = tr(
            "Drift: the kernel's set {set} lacks {address}.",
            set=note.subject,
            address=note.data["address"],
        )
    return tr("{first} {second}", first=text, second=tr("'geofence repair' repairs it."))


LIST_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.FILE_NOT_READ: _file_not_read,
    NoteKind.DIRECTORY_NOT_READ: lambda note: tr(
        "{path} is a directory, and geofence reads nothing in it. Rules are files that end in "
        ".toml beside it.",
        path=note.subject,
    ),
    NoteKind.COPIES_NOT_READ: lambda note: tr(
        "These files look like backup copies and are not read: {files}.",
        files=", ".join(names(note, "paths")),
    ),
    NoteKind.LIST_STALE: lambda note: trn(
        number(note, "days"),
        "The list {list} was last confirmed by its source on {date}, more than {number} day ago "
        "([lists] max_age).",
        "The list {list} was last confirmed by its source on {date}, more than {number} days ago "
        "([lists] max_age).",
        list=note.subject,
        date=note.data["checked_on"],
    ),
    NoteKind.LIST_FROM_THE_FUTURE: lambda note: tr(
        "The list {list} was last confirmed by its source on {date}, which is in the future. Check "
        "the clock of this host with 'timedatectl'.",
        list=note.subject,
        date=note.data["checked_on"],
    ),
    NoteKind.LIST_UNCHANGING: lambda note: tr(
        "The list {list} has not changed since {time}, although its source was asked. Lists of "
        "its size change within {days} days. Its publisher may have stopped; check "
        "[source.country] urls.",
        list=note.subject,
        time=_moment(note),
        days=note.data["days"],
    ),
    NoteKind.LIST_REFUSED: lambda note: tr(
        "New versions of the list {list} have been refused since {date}. The stored version stays "
        "in use. 'geofence refresh' shows the reason.",
        list=note.subject,
        date=note.data["since"],
    ),
    NoteKind.LIST_MISSING: lambda note: tr(
        "The list {list} has not been downloaded yet and was treated as empty.", list=note.subject
    ),
    NoteKind.LIST_REPEATS: lambda note: tr(
        "The list {list} has some addresses more than once, which is harmless.", list=note.subject
    ),
    NoteKind.LIST_LINES_SKIPPED: _lines_skipped,
    NoteKind.LIST_WENT_BACK: lambda note: tr(
        "The list {list} went back to an earlier version, first accepted {time}. Its source may "
        "serve an old copy. 'geofence refresh --compare-mirrors' compares all sources.",
        list=note.subject,
        time=_moment(note),
    ),
    NoteKind.LIST_RETURNED: lambda note: tr(
        "The list {list} is a recently accepted version again.", list=note.subject
    ),
    NoteKind.LIST_CHANGE_CONFIRMED: _confirmed,
    NoteKind.LISTS_OVERLAP: lambda note: tr("{overlap}.", overlap=note.data["message"]),
    NoteKind.LISTS_FETCHED_FOR_ANSWER: _fetched_for_answer,
    NoteKind.BLOCKLIST_LEFT_OUT: _left_out,
    NoteKind.FORMAT_FOUND: _format_found,
    NoteKind.HOST_CHANGED: _host_changed,
    NoteKind.SWITCH_UNDEFINED: _switch_undefined,
    NoteKind.EXCEPTION_UNRESOLVED: lambda note: tr(
        "Exception {name} does not allow {hosts}, which has never resolved. Run 'geofence refresh' "
        "when DNS works, or write the addresses into last_known.",
        name=note.subject,
        hosts=", ".join(names(note, "hosts")),
    ),
    NoteKind.LAST_KNOWN_USED: lambda note: tr(
        "last_known is used for host names that have never resolved ({exceptions}). Run 'geofence "
        "refresh' when DNS works.",
        exceptions=", ".join(names(note, "exceptions")),
    ),
    NoteKind.OUTSIDE_PIN: _outside_pin,
    NoteKind.MIRRORS_NOT_COMPARED: lambda _note: tr(
        "No list has several mirrors in the rules, so none can be compared."
    ),
    NoteKind.MIRRORS_DIFFER: lambda note: tr(
        "The mirrors of the list {list} differ: {copies}.",
        list=note.subject,
        copies=note.data["message"],
    ),
    NoteKind.MIRRORS_AGREE: lambda note: tr(
        "Lists whose mirrors agree: {agreeing} of {compared}.",
        agreeing=note.data["agreeing"],
        compared=note.data["compared"],
    ),
    NoteKind.CHECK_REFUSES: _message,
    NoteKind.KERNEL_UNREAD: lambda note: tr(
        "The kernel could not be read, so this is what the rules say: {reason}",
        reason=note.data["message"],
    ),
    NoteKind.PLAN_WITHOUT_KERNEL: _plan_without_kernel,
    NoteKind.RULES_CHANGED_BY_OTHERS: lambda _note: tr(
        "Other programs have changed geofence's rules in the kernel, so the answer for now is not "
        "certain. 'geofence apply' repairs them."
    ),
    NoteKind.NOT_APPLIED_YET: lambda note: tr(
        "The kernel does not hold the rules on disk yet; '{command}' shows the difference.",
        command=note.data["command"],
    ),
    NoteKind.MEMBERSHIP_DRIFT: _membership_drift,
    NoteKind.MEMBERSHIP_UNCLEAR: lambda note: tr(
        "The kernel lists its set {set} otherwise than it finds {address} there, so the answer for "
        "now is not certain. Ask again.",
        set=note.subject,
        address=note.data["address"],
    ),
    NoteKind.ALLOWED_BY_INTERFACE: lambda note: tr(
        "From a trusted interface ({interfaces}) it is allowed ([local] interfaces).",
        interfaces=", ".join(names(note, "interfaces")),
    ),
    NoteKind.NO_SERVICE_APPLIED: lambda _note: tr(
        "No service is fenced. Run 'geofence refresh' to fence the services of the rules."
    ),
    NoteKind.NO_SERVICE_ENABLED: lambda _note: tr(
        "No service is fenced: the rules enable none ([service.NAME])."
    ),
}
