"""Sentences about Asterisk's configuration: what cannot be seen, and what is unusual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from geofence.asterisk.reading import ReadingWarning, WarningKind
from geofence.sentences.asterisk_objects import OBJECT_SENTENCES
from geofence.sentences.asterisk_trunks import TRUNK_SENTENCES
from geofence.translation import english, tr


def _realtime(warning: ReadingWarning) -> str:
    if not warning.data.get("table"):
        return tr("{what} comes from a database, so it cannot be read.", what=warning.data["what"])
    return tr(
        "{what} comes from a database ({table}), so it cannot be read.",
        what=warning.data["what"],
        table=warning.data["table"],
    )


def _exec(warning: ReadingWarning) -> str:
    return tr(
        "Asterisk may read the output of {command}. geofence never runs it, so something may be "
        "missing.",
        command=warning.data["command"],
    )


def _placeholder(warning: ReadingWarning) -> str:
    return tr(
        "{option} is {value}, which another program fills in. Its value cannot be read here.",
        option=warning.data["option"],
        value=warning.data["value"],
    )


def _name_to_resolve(warning: ReadingWarning) -> str:
    return tr(
        "{option} is the host name {value}, so its addresses are not known here.",
        option=warning.data["option"],
        value=warning.data["value"],
    )


def _outside(warning: ReadingWarning) -> str:
    return tr(
        "{path} is outside the configuration directory and was not read.",
        path=warning.data["path"],
    )


def _unreadable(warning: ReadingWarning) -> str:
    return tr(
        "{path} cannot be read by this user. Run the command as root.", path=warning.data["path"]
    )


def _file_invalid(_: ReadingWarning) -> str:
    return tr(
        "The file is not valid, so Asterisk loads nothing from it. A running Asterisk keeps what "
        "it loaded before."
    )


def _chan_sip_only(_: ReadingWarning) -> str:
    return tr(
        "Only chan_sip is configured, which geofence does not read. Asterisk 21 and later do not "
        "have it; use chan_pjsip."
    )


def _include_missing(warning: ReadingWarning) -> str:
    return tr("The included file {path} does not exist.", path=warning.data["path"])


def _cut_at_error(_: ReadingWarning) -> str:
    return tr("What follows in this included file does not count.")


def _syntax(warning: ReadingWarning) -> str:  # noqa: PLR0911 - one for each error
    name = warning.data.get("name", "")
    match warning.data["error"]:
        case "no-bracket":
            return tr('Syntax error: the "]" is missing.')
        case "no-parenthesis":
            return tr('Syntax error: the ")" is missing.')
        case "no-base":
            return tr('The template "{name}" does not exist.', name=name)
        case "no-addition":
            return tr('There is no section "{name}" to add to.', name=name)
        case "escape":
            return tr("Syntax error: nothing follows the backslash.")
        case "comments":
            return tr("Too many block comments are open within each other.")
        case _:
            return tr("Syntax error: the line belongs to no section.")


def _include_cycle(_: ReadingWarning) -> str:
    return tr("Files include each other, or are nested too deeply. Asterisk crashes on that.")


def _too_large(_: ReadingWarning) -> str:
    return tr("The configuration is larger than geofence reads.")


def _line_too_long(_: ReadingWarning) -> str:
    return tr("The line is longer than 8,190 bytes. Asterisk ignores it.")


def _comment_open(_: ReadingWarning) -> str:
    return tr("A block comment has no end, so the rest of the file does not count.")


SENTENCES: Mapping[WarningKind, Callable[[ReadingWarning], str]] = {
    WarningKind.REALTIME: _realtime,
    WarningKind.EXEC: _exec,
    WarningKind.PLACEHOLDER: _placeholder,
    WarningKind.NAME_TO_RESOLVE: _name_to_resolve,
    WarningKind.OUTSIDE: _outside,
    WarningKind.UNREADABLE: _unreadable,
    WarningKind.FILE_INVALID: _file_invalid,
    WarningKind.CHAN_SIP_ONLY: _chan_sip_only,
    WarningKind.INCLUDE_MISSING: _include_missing,
    WarningKind.CUT_AT_ERROR: _cut_at_error,
    WarningKind.SYNTAX: _syntax,
    WarningKind.INCLUDE_CYCLE: _include_cycle,
    WarningKind.TOO_LARGE: _too_large,
    WarningKind.LINE_TOO_LONG: _line_too_long,
    WarningKind.COMMENT_OPEN: _comment_open,
    **OBJECT_SENTENCES,
    **TRUNK_SENTENCES,
}


def reading_sentence(warning: ReadingWarning) -> str:
    """Return what a reader reports, behind where it is: ``pjsip.conf [udp]: …``."""
    return f"{warning.where}: {SENTENCES[warning.kind](warning)}"


def reading_warning_json(warning: ReadingWarning) -> dict[str, object]:
    """Return the same for scripts: its facts, and its sentence in English."""
    return {
        "kind": warning.kind.value,
        "where": warning.where,
        "data": cast("dict[str, object]", dict(warning.data)),
        "text": english(reading_sentence(warning)),
    }
