"""``[asterisk] follow``: the rules with what Asterisk's configuration adds to them.

The reading in force is on disk. What only asks (``status``, ``why``) uses that one; a run that
builds a ruleset reads the configuration anew, and stores the reading once its ruleset is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from geofence.asterisk.derived import Derived, DerivedException, FencedPorts, derive, with_derived
from geofence.asterisk.reader import read_configuration
from geofence.asterisk.reading import Reading, WarningKind
from geofence.errors import AsteriskError, StateError
from geofence.guards.following import Judged, judge_reading, newly_blind
from geofence.guards.objection import Guard
from geofence.model.notes import Note, NoteKind, problem
from geofence.model.policy import Policy
from geofence.model.prefixes import address_texts
from geofence.operations.followed import Followed
from geofence.operations.reading_in_force import own_addresses
from geofence.operations.site import Site

_NO_TRUNKS = (WarningKind.TRUNK_IS_EVERYBODY, WarningKind.TRUNK_IS_THIS_HOST)
"""What the reader takes for no trunk."""


def followed(site: Site, accept: Collection[str] = (), *, everything: bool = False) -> Followed:
    """Return the rules with what Asterisk's configuration adds to them now.

    Args:
        site: the installation.
        accept: overrides.
        everything: whether the notes also tell what was told before.

    Raises:
        RulesError: the rules do not load.
        UsageError: an override has an unknown check.
    """
    rules = site.rules()
    if not rules.asterisk.enabled:
        return Followed(rules)
    own, (before, damage) = own_addresses(), _in_force(site)
    was = Derived() if before is None else derive(before, rules, own)
    try:
        now = read_configuration(Path(rules.asterisk.directory))
    except AsteriskError as error:
        facts = {"message": str(error), "kept": before is not None}
        note = Note(NoteKind.ASTERISK_UNREAD, rules.asterisk.directory, facts)
        return Followed(with_derived(rules, was), (*damage, note), degraded=True)
    judged = judge_reading(before, now, rules, own, accept)
    derived = derive(judged.reading, rules, own)
    notes = (
        *damage,
        *_not_in_force(judged, before, now, rules),
        *_changes(was, derived, rules),
        *_left_out(*((Derived(), derive(now, rules, own)) if everything else (was, derived))),
        *(_unseen(now) if everything else ()),
    )
    degraded = bool(damage or judged.refusals or judged.blind or (before is None and now.invalid))
    return Followed(with_derived(rules, derived), notes, degraded, judged.reading)


def _in_force(site: Site) -> tuple[Reading | None, tuple[Note, ...]]:
    try:
        return site.readings.load(), ()
    except StateError as error:
        return None, (problem(error),)


def _not_in_force(
    judged: Judged, before: Reading | None, now: Reading, rules: Policy
) -> Iterator[Note]:
    """Yield what of the configuration is not in force, and why."""
    directory = rules.asterisk.directory
    blind = judged.blind if before else newly_blind(Reading(), now)
    if blind:
        facts: dict[str, object] = {"files": list(blind), "kept": before is not None}
        yield Note(NoteKind.ASTERISK_INVALID, directory, facts)
    for one in judged.refusals:
        yield Note(
            NoteKind.ASTERISK_REFUSED,
            one.subject,
            {"check": str(one.guard), "message": str(one), "accept": one.accept},
        )
    services = dict.fromkeys(each.service for each in judged.still_fenced)
    for service in services:
        ports = [str(each.ports) for each in judged.still_fenced if each.service == service]
        accept = f"{Guard.UNFENCED}={service}"
        yield Note(NoteKind.ASTERISK_STILL_FENCED, service, {"ports": ports, "accept": accept})


def _changes(was: Derived, now: Derived, rules: Policy) -> Iterator[Note]:
    """Yield what is added to the rules, changed in them and taken out, with its origin."""
    fenced, former = _fenced(now), _fenced(was)
    for each in fenced:
        if each not in former:
            yield _of_ports(NoteKind.ASTERISK_FENCED, each)
    for each in former:
        if not any(held.ports.overlaps(each.ports) for held in now.fenced):
            yield _of_ports(NoteKind.ASTERISK_NOT_FENCED, each)
    ignored = rules.asterisk.ignored
    exceptions, before = (
        {
            each.exception.name: each
            for each in some.exceptions
            if each.exception.name not in ignored
        }
        for some in (now, was)
    )
    for name, trunk in exceptions.items():
        if name not in before:
            yield _of_trunk(NoteKind.ASTERISK_TRUNK_ADDED, trunk)
        elif before[name].exception != trunk.exception:
            yield _of_trunk(NoteKind.ASTERISK_TRUNK_CHANGED, trunk)
    for name, trunk in before.items():
        if name not in exceptions:
            yield _of_trunk(NoteKind.ASTERISK_TRUNK_REMOVED, trunk)


def _fenced(derived: Derived) -> list[FencedPorts]:
    return [each for each in derived.missing if not each.left_out]


def _of_ports(kind: NoteKind, each: FencedPorts) -> Note:
    return Note(kind, each.service, {"ports": str(each.ports), "source": each.source})


def _of_trunk(kind: NoteKind, each: DerivedException) -> Note:
    exception = each.exception
    return Note(
        kind,
        exception.name,
        {
            "sources": list(each.sources),
            "hosts": [*exception.hosts, *exception.srv, *exception.sip],
            "addresses": address_texts(exception.prefixes),
            "services": list(exception.services),
            "remarks": [str(remark) for remark in each.remarks],
        },
    )


def _left_out(was: Derived, now: Derived) -> Iterator[Note]:
    """Yield what does not become a rule; only what is new beside what is known."""
    for each in now.refused:
        if each not in was.refused:
            facts = {"why": str(each.why), "sources": list(each.sources)}
            yield Note(NoteKind.ASTERISK_LEFT_OUT, each.item, facts)


def _unseen(reading: Reading) -> Iterator[Note]:
    for each in reading.warnings:
        if each.kind in _NO_TRUNKS:
            facts = {"kind": str(each.kind), "host": str(each.data.get("host", ""))}
            yield Note(NoteKind.ASTERISK_NOT_A_TRUNK, each.where, facts)
    if reading.unseen:
        places = list(dict.fromkeys(each.where for each in reading.unseen))
        yield Note(NoteKind.ASTERISK_UNSEEN, "", {"places": places})
