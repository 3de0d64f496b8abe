"""``allow``: exceptions enabled or made, and countries allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from geofence.by_hand.countries import with_country
from geofence.by_hand.request import Answer, Request, Situation, end_text, is_longer
from geofence.errors import UsageError
from geofence.merge import blocked
from geofence.model.lists import ListId, ListKind
from geofence.model.notes import Note, NoteKind
from geofence.model.policy import NamedException, Policy
from geofence.model.prefixes import AddressSpace, address_texts
from geofence.policy.mistakes import Mistake
from geofence.policy.naming import Targets, targets
from geofence.policy.owned import Switch
from geofence.policy.references import service_name
from geofence.policy.table_reader import LONGEST_NAME, rule_name
from geofence.spelling import quoted
from geofence.translation import tr
from geofence.wording import moment


def allowing(now: Situation, wish: Request) -> Answer:
    """Return what the file becomes once all that was asked for is allowed.

    Raises:
        UsageError: something that was asked for is unknown or contradicts something else.
    """
    meant = targets(now.policy, wish.words, "allow")
    _check_options(now.policy, meant, wish)
    answer = Answer(now.owned)
    for exception in meant.exceptions:
        answer = _with_named(answer, exception, wish)
    if meant.addresses or meant.hosts:
        answer = _with_addresses(answer, now, meant, wish)
    for code in wish.countries:
        owned, note = with_country(answer.owned, now.others, code, wish)
        answer = replace(answer, owned=owned, notes=(*answer.notes, note))
    return answer


def _check_options(policy: Policy, meant: Targets, wish: Request) -> None:
    known = [each.name for each in policy.services]
    try:
        for service in wish.services:
            service_name(known)(service)
    except Mistake as mistake:
        raise UsageError(tr("--service: {mistake}", mistake=str(mistake))) from mistake
    if wish.services and meant.exceptions:
        raise UsageError(
            tr(
                "--service is for addresses, hosts and countries. The services of the exception "
                "{name} are in its rules.",
                name=meant.exceptions[0].name,
            )
        )
    if wish.name and not (meant.addresses or meant.hosts):
        raise UsageError(
            tr("--name is for addresses and hosts: give one of them, or leave out --name.")
        )


def _with_named(answer: Answer, exception: NamedException, wish: Request) -> Answer:
    """Return the answer with an exception of the rules allowed, or allowed for longer."""
    name, owned = exception.name, answer.owned
    already = exception.enabled and not is_longer(wish.until, exception.until)
    # What the rules allow without an end is enabled again, so that a later edit does not end it.
    if already and (wish.until or name in owned.exceptions):
        return replace(answer, notes=(*answer.notes, _already(name, exception)))
    made = owned.exceptions.get(name)
    if made:
        changed = replace(made, until=wish.until, note=wish.note or made.note)
        owned = owned.with_exception(changed)
    else:
        owned = owned.with_switches({name: _switch(owned.switches.get(name), wish)})
    notes = answer.notes
    if made or wish.until:
        notes = (*notes, _allowed_note(replace(exception, until=wish.until), made=False))
    return replace(answer, owned=owned, notes=notes, enabled=(*answer.enabled, name))


def _switch(before: Switch | None, wish: Request) -> Switch:
    was_revoked = before is not None and (not before.enabled or before.revoked_after)
    return Switch(True, wish.note, wish.until, wish.until is not None and was_revoked)


def _with_addresses(answer: Answer, now: Situation, meant: Targets, wish: Request) -> Answer:
    """Return the answer with one exception for all addresses and hosts."""
    wanted = NamedException(
        wish.name,
        hosts=meant.hosts,
        prefixes=meant.space,
        services=wish.services,
        note=wish.note,
        until=wish.until,
    )
    if wish.name:
        made = _extended(now, wanted)
    else:
        twin = _twin(answer.owned.exceptions.values(), wanted)
        notes, is_new = _covered(now, meant, wanted)
        answer = replace(answer, notes=(*answer.notes, *notes))
        if not is_new:
            return answer
        name = twin.name if twin else _free_name(now.policy, answer, meant)
        made = replace(wanted, name=name, note=wish.note or (twin.note if twin else ""))
    return replace(
        answer,
        owned=answer.owned.with_exception(made),
        notes=(*answer.notes, _allowed_note(made, made=made.name not in now.owned.exceptions)),
        enabled=(*answer.enabled, made.name),
    )


def _twin(exceptions: Iterable[NamedException], wanted: NamedException) -> NamedException | None:
    """Return an exception that was made for the same and can only differ in its end."""
    same = (wanted.prefixes, frozenset(wanted.hosts), frozenset(wanted.services))
    return next(
        (e for e in exceptions if (e.prefixes, frozenset(e.hosts), frozenset(e.services)) == same),
        None,
    )


def _extended(now: Situation, wanted: NamedException) -> NamedException:
    """Return the exception of the wanted name, together with what was made by that name before.

    Raises:
        UsageError: the name cannot be used.
    """
    _require_free(now, wanted.name)
    before = now.owned.exceptions.get(wanted.name)
    if before is None:
        return wanted
    if wanted.services and set(wanted.services) != set(before.services):
        raise UsageError(
            tr(
                "The exception {name} exists already, for {services}. Give another --name.",
                name=before.name,
                services=", ".join(before.services) or tr("all services"),
            )
        )
    prefixes = before.prefixes | wanted.prefixes
    hosts = tuple(dict.fromkeys((*before.hosts, *wanted.hosts)))
    grows = (prefixes, hosts) != (before.prefixes, before.hosts)
    if grows and before.until != wanted.until and not _is_explicitly_longer(wanted, before):
        raise UsageError(_other_end(before))
    until = wanted.until if is_longer(wanted.until, before.until) else before.until
    note = wanted.note or before.note
    return replace(before, prefixes=prefixes, hosts=hosts, note=note, until=until)


def _is_explicitly_longer(wanted: NamedException, before: NamedException) -> bool:
    """Whether an end was asked for that is later; then all of the exception gets it."""
    return wanted.until is not None and is_longer(wanted.until, before.until)


def _other_end(before: NamedException) -> str:
    if before.until is None:
        return tr(
            "The exception {name} has no end, and all its addresses share one. Leave out --for and "
            "--until, or give another --name.",
            name=before.name,
        )
    return tr(
        "The exception {name} ends at {time}, and all its addresses share one end. Give "
        "--until {until} or a later time, or another --name.",
        name=before.name,
        time=moment(before.until),
        until=f"{before.until:%Y-%m-%dT%H:%M:%SZ}",
    )


def _require_free(now: Situation, name: str) -> None:
    """Raise an error if the name is not valid, or if another file's exception or group has it."""
    try:
        rule_name(name)
    except Mistake as mistake:
        raise UsageError(tr("--name: {mistake}", mistake=str(mistake))) from mistake
    for each in now.policy.exceptions:
        if each.name == name and name not in now.owned.exceptions:
            raise UsageError(
                tr(
                    "The exception {name} is defined in {origin}. Give another --name, or edit "
                    "that file.",
                    name=name,
                    origin=now.policy.origins.get(f"exception.{name}"),
                )
            )
        if each.group == name:
            raise UsageError(
                tr("{name} is the name of a group. Give another --name.", name=quoted(name))
            )


def _free_name(policy: Policy, answer: Answer, meant: Targets) -> str:
    """Return a valid name that nothing has, made of the first address or host."""
    taken = {name for each in policy.exceptions for name in (each.name, each.group)}
    taken |= answer.owned.exceptions.keys() | answer.owned.switches.keys()
    first = next(iter((*meant.hosts, *address_texts(meant.space))))
    stem = re.sub(r"[^a-z0-9]+", "-", first.lower()).strip("-")
    if not re.match(r"[a-z]", stem) or not meant.hosts:
        stem = f"ip-{stem}" if not meant.hosts else f"host-{stem}"
    number = 1
    while True:
        ending = f"-{number}" if number > 1 else ""
        name = stem[: LONGEST_NAME - len(ending)].rstrip("-") + ending
        if name not in taken:
            return name
        number += 1


def _covered(
    now: Situation, meant: Targets, wanted: NamedException
) -> tuple[tuple[Note, ...], bool]:
    """Return notes on what is allowed already, and whether anything is left to allow."""
    notes: list[Note] = []
    left = bool([host for host in meant.hosts if not _has_host(now.policy, host, wanted)])
    for host in meant.hosts:
        notes += [_already(e.name, e, host) for e in _has_host(now.policy, host, wanted)[:1]]
    for word, space in meant.addresses.items():
        holding = next(_holding(now.policy, space, wanted), None)
        if holding:
            notes.append(_already(holding.name, holding, word))
            continue
        left = True
        notes += _by_countries(now, word, space, wanted.services)
        notes += _by_others(now.policy, word, space)
    return tuple(notes), left


def _lasting_enough(policy: Policy, wanted: NamedException) -> Iterator[NamedException]:
    """Yield enabled exceptions that reach all wanted services for at least as long."""
    names = wanted.services or tuple(service.name for service in policy.services)
    for each in policy.enabled_exceptions():
        if all(map(each.opens, names)) and not is_longer(wanted.until, each.until):
            yield each


def _has_host(policy: Policy, host: str, wanted: NamedException) -> list[NamedException]:
    return [each for each in _lasting_enough(policy, wanted) if host in each.hosts]


def _holding(
    policy: Policy, space: AddressSpace, wanted: NamedException
) -> Iterator[NamedException]:
    return (each for each in _lasting_enough(policy, wanted) if not space - each.prefixes)


def _by_countries(
    now: Situation, word: str, space: AddressSpace, services: Collection[str]
) -> Iterator[Note]:
    """Yield a note if countries allow all of it to all the services, now."""
    policy = now.policy
    wanted = [s for s in policy.services if not services or s.name in services]
    shared = (
        set.intersection(*(set(policy.service_countries(s)) for s in wanted)) if wanted else set()
    )
    open_now = {
        code: now.lists[name]
        for code in sorted(shared)
        if (name := ListId(ListKind.COUNTRY, code)) in now.lists
    }
    denied = blocked(policy, now.lists)
    for code, held in open_now.items():
        if not space - (held - denied):
            yield Note(NoteKind.ALLOWED_BY_COUNTRY, word, {"country": code})


def _by_others(policy: Policy, word: str, space: AddressSpace) -> Iterator[Note]:
    """Yield a note on an exception that is disabled and contains it."""
    for each in policy.exceptions:
        if not each.enabled and each.until is None and not space - each.written:
            yield Note(NoteKind.EXCEPTION_CONTAINS, word, {"exception": each.name})
            return


def _already(by: str, exception: NamedException, what: str = "") -> Note:
    facts = {"what": what, "until": end_text(exception.until)}
    return Note(NoteKind.ALREADY_ALLOWED, by, facts)


def _allowed_note(exception: NamedException, *, made: bool) -> Note:
    return Note(
        NoteKind.EXCEPTION_ALLOWED,
        exception.name,
        {
            "addresses": address_texts(exception.prefixes),
            "hosts": list(exception.hosts),
            "services": list(exception.services),
            "until": end_text(exception.until),
            "made": made,
        },
    )
