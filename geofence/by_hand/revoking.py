"""``revoke``: exceptions disabled, deleted or made smaller, and countries revoked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from geofence.by_hand.countries import without_country
from geofence.by_hand.request import Answer, Request, Situation
from geofence.errors import UsageError
from geofence.merge import exception_space
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace
from geofence.policy.naming import targets
from geofence.translation import tr


def revoking(now: Situation, wish: Request) -> Answer:
    """Return what the file becomes once all that was asked for is revoked.

    Raises:
        UsageError: something that was asked for is unknown, or is not allowed by hand.
    """
    gone = _gone(now)
    meant = targets(now.policy, [word for word in wish.words if word not in gone], "revoke")
    answer = Answer(now.owned.without([word for word in wish.words if word in gone]))
    for exception in meant.exceptions:
        answer = _without_named(answer, now, exception)
    for word, space in meant.addresses.items():
        answer = _without_addresses(answer, now, word, space)
    for host in meant.hosts:
        answer = _without_host(answer, now, host)
    for code in wish.countries:
        owned, note = without_country(answer.owned, now.others, code)
        held = now.lists.get(ListId(ListKind.COUNTRY, code), AddressSpace())
        revoked = answer.revoked | held
        answer = replace(answer, owned=owned, notes=(*answer.notes, note), revoked=revoked)
    return answer


def _gone(now: Situation) -> set[str]:
    """Return names in the file that no rule has any more; any change removes their switches."""
    known = {name for each in now.policy.exceptions for name in (each.name, each.group)}
    return {*now.policy.stale_switches, *now.owned.exceptions} - known


def _without_named(answer: Answer, now: Situation, exception: NamedException) -> Answer:
    name = exception.name
    revoked = answer.revoked | exception_space(exception, now.lists) | exception.last_known
    if name in answer.owned.exceptions:
        return replace(
            answer,
            owned=answer.owned.without([name]),
            notes=(*answer.notes, Note(NoteKind.EXCEPTION_DELETED, name)),
            revoked=revoked,
        )
    return replace(
        answer,
        owned=answer.owned.switched([name], False),
        revoked=revoked,
        disabled=(*answer.disabled, name),
    )


def _without_addresses(answer: Answer, now: Situation, word: str, space: AddressSpace) -> Answer:
    """Return the answer with addresses taken out of all exceptions that were made by hand."""
    touched = [each for each in answer.owned.exceptions.values() if each.prefixes & space]
    others = [each for each in now.others.enabled_exceptions() if each.prefixes & space]
    if not touched:
        raise UsageError(_not_by_hand(now.policy, space))
    smaller = [replace(each, prefixes=each.prefixes - space) for each in touched]
    still = tuple(
        Note(NoteKind.STILL_ALLOWED, word, {"exception": each.name}) for each in others[:1]
    )
    answer = _made_smaller(answer, smaller)
    return replace(answer, notes=(*answer.notes, *still), revoked=answer.revoked | space)


def _without_host(answer: Answer, now: Situation, host: str) -> Answer:
    touched = [each for each in answer.owned.exceptions.values() if host in each.hosts]
    if not touched:
        raise UsageError(_host_not_by_hand(now.policy, host))
    smaller = [
        replace(each, hosts=tuple(other for other in each.hosts if other != host))
        for each in touched
    ]
    held = now.lists.get(ListId(ListKind.HOST, host), AddressSpace())
    return replace(_made_smaller(answer, smaller), revoked=answer.revoked | held)


def _made_smaller(answer: Answer, smaller: Iterable[NamedException]) -> Answer:
    """Return the answer with smaller exceptions; one without addresses and hosts is deleted."""
    owned, notes = answer.owned, answer.notes
    for each in smaller:
        if each.prefixes or each.hosts:
            owned = owned.with_exception(each)
            notes = (*notes, Note(NoteKind.EXCEPTION_SMALLER, each.name))
        else:
            owned = owned.without([each.name])
            notes = (*notes, Note(NoteKind.EXCEPTION_DELETED, each.name))
    return replace(answer, owned=owned, notes=notes)


def _not_by_hand(policy: Policy, space: AddressSpace) -> str:
    """Return what to do about addresses that no exception that was made by hand has."""
    holding = [each for each in policy.exceptions if not space - each.written]
    if not holding:
        return tr("No exception contains this address; 'geofence why' shows what allows it.")
    return tr(
        "The exception {name} contains this address: run '{command}'.",
        name=holding[0].name,
        command=f"geofence revoke {holding[0].name}",
    )


def _host_not_by_hand(policy: Policy, host: str) -> str:
    holding = [each.name for each in policy.exceptions if host in each.hosts]
    if not holding:
        return tr("No exception has the host {host}.", host=host)
    return tr(
        "The exception {name} has the host {host}: run '{command}'.",
        name=holding[0],
        host=host,
        command=f"geofence revoke {holding[0]}",
    )
