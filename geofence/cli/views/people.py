"""Whom a plan would cut off, as the running Asterisk knows them, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from geofence.operations.people import CutCall, CutContact, People
from geofence.screen import Screen
from geofence.spelling import printable
from geofence.translation import english, tr, trn
from geofence.wording import span

_SHOWN = 5
"""Contacts and calls that a line names."""
_MOST_JSON = 1_000
"""Contacts and calls that JSON lists; all are counted."""


def show_people(screen: Screen, people: People | None) -> None:
    """Print the contacts and calls that would be cut off; nothing where none would."""
    if people is None:
        return
    if people.unread:
        screen.note(
            tr("Registered phones and calls are not known: {reason}", reason=people.unread),
            "yellow",
        )
        return
    if people.cut_contacts:
        screen.say(
            "  "
            + trn(
                len(people.cut_contacts),
                "Of {all} contacts at Asterisk, {number} would be blocked: {names}",
                "Of {all} contacts at Asterisk, {number} would be blocked: {names}",
                all=f"{people.contacts:,}",
                names=_listed(map(_contact, people.cut_contacts), len(people.cut_contacts)),
            ),
            "yellow",
        )
    if people.cut_calls:
        screen.say(
            "  "
            + trn(
                len(people.cut_calls),
                "{number} side of a call in progress is among them (it goes on without --cut): "
                "{names}",
                "{number} sides of calls in progress are among them (they go on without --cut): "
                "{names}",
                names=_listed(map(_call, people.cut_calls), len(people.cut_calls)),
            ),
            "yellow",
        )


def people_json(people: People | None) -> dict[str, object] | None:
    """Return the same for scripts; null where no Asterisk can be asked."""
    if people is None:
        return None
    return {
        "contacts": people.contacts,
        "channels": people.calls,
        "blocked_contacts": len(people.cut_contacts),
        "blocked_channels": len(people.cut_calls),
        "contact_facts": [_contact_json(each) for each in people.cut_contacts[:_MOST_JSON]],
        "channel_facts": [_call_json(each) for each in people.cut_calls[:_MOST_JSON]],
        "unread": english(people.unread) or None,
    }


def _listed(names: Iterable[str], number: int) -> str:
    shown = [name for name, _ in zip(names, range(_SHOWN), strict=False)]
    named = ", ".join(shown)
    more = number - len(shown)
    return tr("{named} and {number} more", named=named, number=more) if more else named


def _contact(cut: CutContact) -> str:
    return f"{printable(cut.contact.name)} ({cut.contact.address}: {', '.join(cut.services)})"


def _call(cut: CutCall) -> str:
    lasts = span(timedelta(seconds=cut.call.seconds))
    return f"{printable(cut.call.endpoint)} ({cut.address}, {lasts})"


def _contact_json(cut: CutContact) -> dict[str, object]:
    return {
        "name": cut.contact.name,
        "endpoint": cut.contact.endpoint,
        "address": str(cut.contact.address),
        "services": list(cut.services),
    }


def _call_json(cut: CutCall) -> dict[str, object]:
    return {
        "channel": cut.call.channel,
        "endpoint": cut.call.endpoint,
        "address": str(cut.address),
        "seconds": cut.call.seconds,
        "call": cut.call.call or None,
    }
