"""Sentences of what ``allow`` and ``revoke`` did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from geofence.model.notes import Note, NoteKind
from geofence.sentences.lists import names, shown
from geofence.translation import tr
from geofence.wording import moment


def _until(note: Note) -> str:
    """Return the end of what is allowed, in UTC and in no other zone; empty for no end."""
    until = note.data.get("until")
    return moment(datetime.fromisoformat(str(until))) if until else ""


def _services(note: Note) -> str:
    return ", ".join(names(note, "services")) or tr("all services")


def _exception_allowed(note: Note) -> str:
    what = shown([*names(note, "addresses"), *names(note, "hosts")])
    if _until(note):
        return tr(
            "Exception {name} allows {what} to reach {services} until {time}.",
            name=note.subject,
            what=what,
            services=_services(note),
            time=_until(note),
        )
    return tr(
        "Exception {name} allows {what} to reach {services}, without an end.",
        name=note.subject,
        what=what,
        services=_services(note),
    )


def _already_allowed(note: Note) -> str:
    what = note.data["what"]
    if not what:
        if _until(note):
            return tr(
                "Exception {name} is allowed until {time} already.",
                name=note.subject,
                time=_until(note),
            )
        return tr("Exception {name} is allowed without an end already.", name=note.subject)
    if _until(note):
        return tr(
            "{what} is allowed until {time} already, by the exception {name}.",
            what=what,
            time=_until(note),
            name=note.subject,
        )
    return tr(
        "{what} is allowed without an end already, by the exception {name}.",
        what=what,
        name=note.subject,
    )


def _allowed_by_country(note: Note) -> str:
    return tr(
        "{what} is allowed as part of {country} ({code}), too.",
        what=note.subject,
        country=_name_of(str(note.data["country"])),
        code=note.data["country"],
    )


def _exception_contains(note: Note) -> str:
    return tr(
        "The exception {name}, which is disabled, contains {what}. Run '{command}' to allow all of "
        "it.",
        name=note.data["exception"],
        what=note.subject,
        command=f"geofence allow {note.data['exception']}",
    )


def _exception_deleted(note: Note) -> str:
    return tr("Exception {name} is deleted.", name=note.subject)


def _exception_smaller(note: Note) -> str:
    return tr(
        "Exception {name} still allows its other addresses; 'geofence exceptions' shows them.",
        name=note.subject,
    )


def _still_allowed(note: Note) -> str:
    return tr(
        "The exception {name} still allows {what} or a part of it. Run '{command}' to disable it.",
        name=note.data["exception"],
        what=note.subject,
        command=f"geofence revoke {note.data['exception']}",
    )


def _name_of(code: str) -> str:
    # Not at the top: restore at boot tells of no country.
    from geofence.geoip.countries import country_name

    return country_name(code)


def _country(note: Note) -> str:
    return f"{_name_of(note.subject)} ({note.subject})"


def _country_allowed(note: Note) -> str:
    if _until(note):
        return tr(
            "{country} is allowed to reach {services} until {time}.",
            country=_country(note),
            services=_services(note),
            time=_until(note),
        )
    return tr(
        "{country} is allowed to reach {services}, without an end.",
        country=_country(note),
        services=_services(note),
    )


def _country_already_allowed(note: Note) -> str:
    if _until(note):
        return tr(
            "{country} is allowed until {time} already.", country=_country(note), time=_until(note)
        )
    return tr("{country} is allowed without an end already.", country=_country(note))


def _country_revoked(note: Note) -> str:
    return tr("{country} is no longer allowed.", country=_country(note))


def _country_not_allowed(note: Note) -> str:
    return tr("{country} is not allowed, so nothing is revoked.", country=_country(note))


BY_HAND_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.EXCEPTION_ALLOWED: _exception_allowed,
    NoteKind.ALREADY_ALLOWED: _already_allowed,
    NoteKind.ALLOWED_BY_COUNTRY: _allowed_by_country,
    NoteKind.EXCEPTION_CONTAINS: _exception_contains,
    NoteKind.EXCEPTION_DELETED: _exception_deleted,
    NoteKind.EXCEPTION_SMALLER: _exception_smaller,
    NoteKind.STILL_ALLOWED: _still_allowed,
    NoteKind.COUNTRY_ALLOWED: _country_allowed,
    NoteKind.COUNTRY_ALREADY_ALLOWED: _country_already_allowed,
    NoteKind.COUNTRY_REVOKED: _country_revoked,
    NoteKind.COUNTRY_NOT_ALLOWED: _country_not_allowed,
}
