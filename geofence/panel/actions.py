"""The actions of the panel: what each would do, and doing it, by the operations of the verbs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from geofence.by_hand.allowing import allowing
from geofence.by_hand.request import Answer as ByHand
from geofence.by_hand.request import Request, Situation
from geofence.by_hand.revoking import revoking
from geofence.cli.arguments import parse_lasting, parse_targets
from geofence.cli.views.plan import show_plan
from geofence.errors import GeofenceError, UsageError
from geofence.model.prefixes import Prefix, prefix_text
from geofence.operations.allow import allow, revoke, situation
from geofence.operations.bans import Bans
from geofence.operations.commit import Wish
from geofence.operations.confirm import confirm
from geofence.operations.plan import plan
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

_CLOCKS = re.compile(r"\d+(:\d\d)+|\d+ (s|min|h|d)\b")
"""What differs between two looks at one plan: times and ages."""
_REASON = "panel"


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
        lines, refusals, act = _PLANS[question.verb](site, question.values)
        digest = "" if refusals else _digest(question, lines)
        if not question.plan or refusals:
            return Answer(not refusals, (*lines, *refusals), digest)
        if question.plan != digest:
            changed = tr("Nothing was done: it would do something else by now. Look again.")
            return Answer(ok=False, lines=(changed, "", *lines), plan=digest)
        return Answer(ok=True, lines=tuple(act()))
    except GeofenceError as error:
        return Answer(ok=False, lines=(str(error), *getattr(error, "__notes__", ())))


def _digest(question: Question, lines: Iterable[str]) -> str:
    """Return what stands for a plan: its words without the times in them."""
    text = "\n".join((question.verb, repr(sorted(question.values.items())), *lines))
    return hashlib.sha256(_CLOCKS.sub("", text).encode()).hexdigest()


_Planned = tuple[list[str], list[str], Callable[[], Iterable[str]]]
"""What it would do, why it may not, and doing it."""


def _allow(site: Site, values: Mapping[str, str]) -> _Planned:
    lasting = parse_lasting(values.get("for") or None)
    until = datetime.now(UTC).replace(microsecond=0) + lasting if lasting else None
    services = (values["service"],) if values.get("service") else ()
    request = Request(_words(values), services=services, until=until, note=tr("by the panel"))
    lines, refusals = _rehearsed(site, request, allowing)
    if until:
        lines.insert(0, tr("It ends in {span}.", span=values["for"]))
    return lines, refusals, lambda: _told(allow(site, request))


def _revoke(site: Site, values: Mapping[str, str]) -> _Planned:
    request = Request(_words(values))
    lines, refusals = _rehearsed(site, request, revoking)
    return lines, refusals, lambda: _told(revoke(site, request))


def _words(values: Mapping[str, str]) -> tuple[str, ...]:
    words = tuple(values.get("what", "").split())
    if not words or any(word.startswith("-") for word in words):
        raise UsageError(tr("Name an address, a host name or an exception."))
    return words


def _rehearsed(
    site: Site, request: Request, decide: Callable[[Situation, Request], ByHand]
) -> tuple[list[str], list[str]]:
    """Return what a request by hand would change, with the command line's file as a draft."""
    made = decide(situation(site), request)
    draft = RulesFile(OWNED_FILE, made.owned.text())
    report = plan(replace(site, drafts=(draft,)), offline=True)
    screen = _Lines()
    for note in made.notes:
        screen.say(sentence(note))
    show_plan(screen, report, full=False)
    return screen.lines, [str(each) for each in report.refusals]


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
    return lines, refusals, lambda: _banned(bans, prefixes, lasting, reason)


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

    return lines, refusals, act


def _prefixes(values: Mapping[str, str], verb: str) -> tuple[Prefix, ...]:
    return parse_targets(verb, values.get("what", "").split())


def _confirm(site: Site, _: Mapping[str, str]) -> _Planned:
    pending = site.journal.probation()
    if pending is None:
        return [], [tr("No change waits to be confirmed.")], list

    def act() -> list[str]:
        confirm(site)
        return [tr("The change is kept.")]

    until = moment(pending.deadline)
    return [tr("The change that waits until {time} would be kept.", time=until)], [], act


def _refresh(site: Site, _: Mapping[str, str]) -> _Planned:
    report = plan(site, offline=False)
    screen = _Lines()
    show_plan(screen, report, full=False)
    refusals = [str(each) for each in report.refusals]
    return screen.lines, refusals, lambda: _told(refresh_and_renew(site, Wish("refresh")))


_PLANS: Mapping[Verb, Callable[[Site, Mapping[str, str]], _Planned]] = {
    Verb.ALLOW: _allow,
    Verb.REVOKE: _revoke,
    Verb.BAN: _ban,
    Verb.UNBAN: _unban,
    Verb.CONFIRM: _confirm,
    Verb.REFRESH: _refresh,
}
