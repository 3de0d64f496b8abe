"""Sentences of notes on what the fence derives from Asterisk's configuration.

What knows that configuration is imported on use: ``restore`` at boot has notes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from geofence.model.notes import Note, NoteKind
from geofence.sentences.lists import names
from geofence.spelling import listed
from geofence.translation import join, tr

_MOST_NAMED = 5
"""Addresses, hosts or sources that a sentence names."""


def _named(note: Note, key: str) -> str:
    return listed(names(note, key), _MOST_NAMED)


def _unread(note: Note) -> str:
    kept = (
        tr("The last reading of it stays in force.")
        if note.data["kept"]
        else tr("Nothing is derived from it.")
    )
    return join(" ", (str(note.data["message"]), kept))


def _invalid(note: Note) -> str:
    what = tr(
        "Asterisk refuses these files of {directory}, or geofence cannot read them: {files}.",
        directory=note.subject,
        files=_named(note, "files"),
    )
    kept = (
        tr("All trunks stay as they were, and all ports stay fenced.")
        if note.data["kept"]
        else tr("What they define is not derived.")
    )
    return join(" ", (what, kept, tr("'geofence discover' shows the reason.")))


def _still_fenced(note: Note) -> str:
    return tr(
        "Asterisk's configuration no longer has {ports}, but other ports of {service}. They stay "
        "fenced. If nothing listens there any more, run 'geofence apply --accept {override}'.",
        ports=_named(note, "ports"),
        service=note.subject,
        override=note.data["accept"],
    )


def _trunk(note: Note) -> str:
    facts = {
        "name": note.subject,
        "whom": listed([*names(note, "hosts"), *names(note, "addresses")], _MOST_NAMED),
        "sources": _named(note, "sources"),
        "services": _named(note, "services"),
    }
    if note.kind is NoteKind.ASTERISK_TRUNK_ADDED:
        text = tr(
            "Asterisk's configuration adds the exception {name}: {whom} to {services} ({sources}).",
            **facts,
        )
    else:
        text = tr(
            "Asterisk's configuration changes the exception {name}: {whom} to {services} "
            "({sources}).",
            **facts,
        )
    if "private" in names(note, "remarks"):
        return join(" ", (text, tr("Some of its addresses are private.")))
    return text


def _not_a_trunk(note: Note) -> str:
    from geofence.asterisk.reading import ReadingWarning, WarningKind
    from geofence.sentences.asterisk import reading_sentence

    kind = WarningKind(str(note.data["kind"]))
    return reading_sentence(ReadingWarning(kind, note.subject, dict(note.data)))


def _why_left_out(note: Note) -> str:
    from geofence.asterisk.additions import Refused

    texts = {
        Refused.EVERYBODY: tr("it is the whole Internet"),
        Refused.LOOPBACK: tr("it is loopback"),
        Refused.OWN: tr("it is this host"),
        Refused.NO_SOURCE: tr("no host has such addresses"),
        Refused.MALFORMED: tr("it is not a valid host name, address or prefix"),
        Refused.NOT_FENCED: tr("nothing that it could reach is fenced"),
        Refused.PRIVILEGED: tr(
            "a port below 1024 may be that of another program; to fence it, write a service"
        ),
        Refused.DISABLED: tr("the rules disable its service"),
        Refused.PUBLIC: tr("it has public addresses; to trust it, write it under [local] prefixes"),
    }
    return texts[Refused(str(note.data["why"]))]


def _left_out(note: Note) -> str:
    sources = names(note, "sources")
    item = f"{note.subject} ({listed(sources, _MOST_NAMED)})" if sources else note.subject
    return tr(
        "{item} in Asterisk's configuration does not become a rule: {why}.",
        item=item,
        why=_why_left_out(note),
    )


FOLLOWING_SENTENCES: Mapping[NoteKind, Callable[[Note], str]] = {
    NoteKind.ASTERISK_UNREAD: _unread,
    NoteKind.ASTERISK_INVALID: _invalid,
    NoteKind.ASTERISK_REFUSED: lambda note: str(note.data["message"]),
    NoteKind.ASTERISK_STILL_FENCED: _still_fenced,
    NoteKind.ASTERISK_FENCED: lambda note: tr(
        "Asterisk's configuration adds {ports} to {service} ({source}).",
        ports=note.data["ports"],
        service=note.subject,
        source=note.data["source"],
    ),
    NoteKind.ASTERISK_NOT_FENCED: lambda note: tr(
        "{ports} of {service} is no longer fenced ({source}).",
        ports=note.data["ports"],
        service=note.subject,
        source=note.data["source"],
    ),
    NoteKind.ASTERISK_TRUNK_ADDED: _trunk,
    NoteKind.ASTERISK_TRUNK_CHANGED: _trunk,
    NoteKind.ASTERISK_TRUNK_REMOVED: lambda note: tr(
        "Asterisk's configuration no longer has the trunk of the exception {name} ({sources}).",
        name=note.subject,
        sources=_named(note, "sources"),
    ),
    NoteKind.ASTERISK_LEFT_OUT: _left_out,
    NoteKind.ASTERISK_NOT_A_TRUNK: _not_a_trunk,
    NoteKind.ASTERISK_UNSEEN: lambda note: tr(
        "Files do not tell all of Asterisk's configuration ({places}); trunks and ports in a "
        "database are not derived. 'geofence discover' shows what is missing.",
        places=_named(note, "places"),
    ),
    NoteKind.ASTERISK_WAITS: lambda _: tr(
        "Asterisk's configuration has changed, and so have the rules, or a rollback is in force. "
        "Run 'geofence apply' to bring in both."
    ),
}
