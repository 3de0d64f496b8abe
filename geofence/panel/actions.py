"""The actions of the panel: what each would do, and doing it, by the operations of the verbs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from geofence.by_hand.allowing import allowing
from geofence.by_hand.request import Answer as ByHand
from geofence.by_hand.request import Request, Situation
from geofence.by_hand.revoking import revoking
from geofence.cli.arguments import parse_lasting, parse_targets
from geofence.cli.views.plan import show_plan
from geofence.errors import GeofenceError, UsageError
from geofence.model.prefixes import Prefix, PrefixSet, prefix_text
from geofence.operations.allow import allow, revoke, situation
from geofence.operations.bans import Bans
from geofence.operations.commit import Wish
from geofence.operations.confirm import confirm
from geofence.operations.plan import PlanReport, plan
from geofence.operations.refresh import refresh_and_renew
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.panel.protocol import Answer, Question, Verb
from geofence.policy.files import RulesFile
from geofence.policy.owned import OWNED_FILE
from geofence.screen import Screen, Styled, aligned
from geofence.sentences import sentence, sentences
from geofence.translation import tr
from geofence.wording import moment

_REASON = "panel"


class _Planned(NamedTuple):
    """What an action would do."""

    lines: list[str]
    """For people."""
    refusals: list[str]
    """Why it may not."""
    facts: object
    """What it changes, beside what the question says: equal for equal changes, however the words
    for it differ, as ages of lists and numbers of connections do."""
    act: Callable[[], Iterable[str]]
    """Do it."""


class _Lines(Screen):
    """What a view prints, as lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str, style: str = "") -> None:  # noqa: ARG002 - lines have none
        """Keep a line of the result."""
        self.lines += text.splitlines() or [""]

    def note(self, text: str, style: str = "") -> None:  # noqa: ARG002 - as above
        """Keep a line beside the result."""
        self.say(text)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[Styled]]) -> None:
        """Keep a table as aligned lines."""
        plain = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in rows]
        self.lines += aligned(headings, plain)


def answer(site: Site, question: Question) -> Answer:
    """Return what an action would do; do it if the question has the digest of just that plan."""
    try:
        planned = _PLANS[question.verb](site, question.values)
        lines, refusals = planned.lines, planned.refusals
        digest = "" if refusals else _digest(question, planned.facts)
        if not question.plan or refusals:
            return Answer(not refusals, (*lines, *refusals), digest)
        if question.plan != digest:
            changed = tr("Nothing was done: it would do something else by now. Look again.")
            return Answer(ok=False, lines=(changed, "", *lines), plan=digest)
        return Answer(ok=True, lines=tuple(planned.act()))
    except GeofenceError as error:
        return Answer(ok=False, lines=(str(error), *getattr(error, "__notes__", ())))


def _digest(question: Question, facts: object) -> str:
    """Return what stands for a plan: what was asked for, and what it changes."""
    asked = (question.verb.value, sorted(question.values.items()))
    return hashlib.sha256(repr((asked, facts)).encode()).hexdigest()


def _changes(report: PlanReport) -> object:
    """Return what a plan changes in the kernel."""
    held = report.plan
    sets = [(each.key, _held(each.before), _held(each.after)) for each in held.set_changes]
    return report.backend.name, sets, held.rules_wanted, held.observed.rules


def _held(addresses: PrefixSet | None) -> list[tuple[int, int]] | None:
    return None if addresses is None else list(addresses.intervals())


def _allow(site: Site, values: Mapping[str, str]) -> _Planned:
    lasting = parse_lasting(values.get("for") or None)
    until = datetime.now(UTC).replace(microsecond=0) + lasting if lasting else None
    services = (values["service"],) if values.get("service") else ()
    request = Request(_words(values), services=services, until=until, note=tr("by the panel"))
    planned = _rehearsed(site, request, allowing, lambda: _told(allow(site, request)))
    if until:
        planned.lines.insert(0, tr("It ends in {span}.", span=values["for"]))
    return planned


def _revoke(site: Site, values: Mapping[str, str]) -> _Planned:
    request = Request(_words(values))
    return _rehearsed(site, request, revoking, lambda: _told(revoke(site, request)))


def _words(values: Mapping[str, str]) -> tuple[str, ...]:
    words = tuple(values.get("what", "").split())
    if not words or any(word.startswith("-") for word in words):
        raise UsageError(tr("Name an address, a host name or an exception."))
    return words


def _rehearsed(
    site: Site,
    request: Request,
    decide: Callable[[Situation, Request], ByHand],
    act: Callable[[], Iterable[str]],
) -> _Planned:
    """Return what a request by hand would change, with the command line's file as a draft."""
    made = decide(situation(site), request)
    draft = RulesFile(OWNED_FILE, made.owned.text())
    report = plan(replace(site, drafts=(draft,)), offline=True)
    screen = _Lines()
    for note in made.notes:
        screen.say(sentence(note))
    show_plan(screen, report, full=False)
    facts = _changes(report), [(note.kind.value, note.subject) for note in made.notes]
    return _Planned(screen.lines, [str(each) for each in report.refusals], facts, act)


def _told(report: RunReport) -> list[str]:
    return [*sentences(report.notes), tr("Done.")]


def _ban(site: Site, values: Mapping[str, str]) -> _Planned:
    prefixes, bans = _prefixes(values, "ban"), Bans(site)
    lasting = parse_lasting(values.get("for") or None)
    until = tr("for {span}", span=values["for"]) if lasting else tr("until it is unbanned")
    refusals = [str(why) for each in prefixes if (why := bans.refusal(each))]
    lines = [
        tr("{prefix} would be banned {until}, also in calls.", prefix=prefix_text(p), until=until)
        for p in prefixes
    ]
    reason = values.get("reason") or _REASON
    return _Planned(lines, refusals, (), lambda: _banned(bans, prefixes, lasting, reason))


def _banned(
    bans: Bans, prefixes: Sequence[Prefix], lasting: timedelta | None, reason: str
) -> list[str]:
    done = bans.ban(prefixes, lasting, reason)
    return [tr("{prefix} is banned.", prefix=prefix_text(each.prefix)) for each in done.banned]


def _unban(site: Site, values: Mapping[str, str]) -> _Planned:
    prefixes, bans = _prefixes(values, "unban"), Bans(site)
    known = {each.ban.prefix for each in bans.all()}
    refusals = [
        tr("{prefix} is not banned.", prefix=prefix_text(each))
        for each in prefixes
        if each not in known
    ]
    lines = [tr("The ban of {prefix} would end.", prefix=prefix_text(each)) for each in prefixes]

    def act() -> list[str]:
        return [
            tr("{prefix} is no longer banned.", prefix=prefix_text(each))
            for each in bans.unban(prefixes).unbanned
        ]

    return _Planned(lines, refusals, (), act)


def _prefixes(values: Mapping[str, str], verb: str) -> tuple[Prefix, ...]:
    return parse_targets(verb, values.get("what", "").split())


def _confirm(site: Site, _: Mapping[str, str]) -> _Planned:
    pending = site.journal.probation()
    if pending is None:
        return _Planned([], [tr("No change waits to be confirmed.")], (), list)

    def act() -> list[str]:
        confirm(site)
        return [tr("The change is kept.")]

    until = moment(pending.deadline)
    lines = [tr("The change that waits until {time} would be kept.", time=until)]
    return _Planned(lines, [], pending.token, act)


def _refresh(site: Site, _: Mapping[str, str]) -> _Planned:
    report = plan(site, offline=False)
    screen = _Lines()
    show_plan(screen, report, full=False)
    refusals = [str(each) for each in report.refusals]
    return _Planned(
        screen.lines,
        refusals,
        _changes(report),
        lambda: _told(refresh_and_renew(site, Wish("refresh"))),
    )


_PLANS: Mapping[Verb, Callable[[Site, Mapping[str, str]], _Planned]] = {
    Verb.ALLOW: _allow,
    Verb.REVOKE: _revoke,
    Verb.BAN: _ban,
    Verb.UNBAN: _unban,
    Verb.CONFIRM: _confirm,
    Verb.REFRESH: _refresh,
}
