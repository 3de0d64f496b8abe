"""``setup`` from its questions to the fence."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from geofence.cli.arguments import parse_mail, parse_places
from geofence.cli.interview import ask_yes_or_no, interview
from geofence.cli.progress import watching
from geofence.cli.views.run import show_run
from geofence.cli.views.setup import setup_json, show_meaning, show_proposal
from geofence.errors import ExitCode, GuardRefusal, UsageError
from geofence.guards.objection import Guard
from geofence.model.notes import Note, NoteKind
from geofence.operations.commit import Wish
from geofence.operations.confirm import decline
from geofence.operations.following import followed
from geofence.operations.plan import PlanReport
from geofence.operations.report import RunReport
from geofence.operations.site import Site
from geofence.screen import Screen, print_json
from geofence.sentences import sentence
from geofence.setup.answers import (
    Answers,
    Question,
    Topic,
    open_questions,
    previous,
    with_defaults,
)
from geofence.setup.carrying_out import carry_out, draft, keep, planned, take_steps, try_out
from geofence.setup.existing import read_existing
from geofence.setup.look import look
from geofence.setup.machine import Existing, Machine
from geofence.setup.proposal import Proposal, propose
from geofence.setup.report import SetupReport
from geofence.spelling import quoted
from geofence.translation import tr


@dataclass
class Dialogue:
    """One run of ``setup``."""

    site: Site
    accept: Collection[str]
    seconds: int
    """How long a trial lasts."""
    asking: bool
    """Whether somebody answers questions."""
    applying: bool
    """Whether anything is to be changed at all."""
    as_json: bool
    screen: Screen = field(default_factory=Screen)
    _told: tuple[Note, ...] = ()
    """Notes that were printed with the plan."""

    def run(self, answers: Answers, directory: Path | None) -> None:
        """Look, ask, propose, and carry it out.

        Raises:
            GeofenceError: something is wrong, or was refused; nothing was changed.
        """
        existing = read_existing(self.site)
        answers = _checked(answers, existing)
        found = look(self.site, existing, _directory(directory) or _directory_before(existing))
        questions = open_questions(found, existing, answers)
        given = self._answered(questions, answers, existing)
        proposal = propose(found, given, existing)
        report = self._planned(proposal, found)
        if not self.as_json:
            self._show(found, proposal, report)
        done = None
        if self.applying and report and not self._is_done(proposal, report):
            self._refuse_sshd(proposal)
            self._told = report.notes
            done = self._apply(proposal, found)
        if self.as_json:
            print_json(setup_json(SetupReport(found, questions, given, proposal, report, done)))
        if done and done.degraded:
            raise typer.Exit(ExitCode.DEGRADED)

    def _answered(
        self, questions: tuple[Question, ...], answers: Answers, existing: Existing
    ) -> Answers:
        if not self.asking:
            given = with_defaults(answers, questions)
            if self.applying and any(_is_missing(each, given) for each in questions):
                raise UsageError(
                    tr(
                        "Nothing tells from which countries your phones call. Name them: 'geofence "
                        "setup --yes --country JP'."
                    )
                )
            return given
        readers = {
            Topic.COUNTRIES: lambda said: parse_places(said.split(), existing.policy.regions),
            Topic.MAIL: lambda said: parse_mail(said.split()) or (),
        }
        return interview(self.screen, questions, answers, readers)

    def _planned(self, proposal: Proposal, found: Machine) -> PlanReport | None:
        """Return what would change in the kernel; None while no country is known."""
        if not proposal.countries:
            return None
        with watching(self.screen) as watch:
            return planned(self.site, proposal, watch, accept=self.accept, ssh=found.ssh)

    def _show(self, found: Machine, proposal: Proposal, report: PlanReport | None) -> None:
        show_proposal(self.screen, proposal)
        if report is None:
            self.screen.say(tr("No country is known yet: name one with --country."), "bold")
            return
        rules = followed(draft(self.site, proposal), self.accept).policy
        show_meaning(self.screen, found, rules, report)
        if not self.applying:
            self.screen.say(tr("Nothing has been changed."))

    def _refuse_sshd(self, proposal: Proposal) -> None:
        """Raise an error if sshd's own port would be fenced.

        Raises:
            GuardRefusal: it would, and the override is not among those given.
        """
        blocked = [each for each in proposal.notes if each.kind is NoteKind.SETUP_SSHD]
        if blocked and str(Guard.SSH) not in self.accept:
            raise GuardRefusal(sentence(blocked[0]))

    def _is_done(self, proposal: Proposal, report: PlanReport) -> bool:
        if not proposal.is_empty or not report.plan.is_empty:
            return False
        if not self.as_json:
            self.screen.say(
                tr("Nothing to change: rules and fence are as they should be."), "green"
            )
        return True

    def _apply(self, proposal: Proposal, found: Machine) -> RunReport | None:
        wish = Wish("setup", self.accept, found.ssh)
        if not self.asking:
            with watching(self.screen) as watch:
                report = carry_out(self.site, proposal, wish, watch)
            return self._finished(proposal, report)
        if not ask_yes_or_no(tr("Write these rules and apply them?"), default=False):
            self.screen.say(tr("Nothing has been changed."))
            return None
        with watching(self.screen) as watch:
            trial = replace(wish, confirm_seconds=self.seconds)
            report = try_out(self.site, proposal, trial, watch)
        return self._tried(proposal, report)

    def _tried(self, proposal: Proposal, report: RunReport) -> RunReport | None:
        """Ask whether the fence is to stay; without a yes, return to the previous one."""
        show_run(self.screen, report)
        self.screen.say(
            tr(
                "The fence is on trial for {seconds} s, then the previous one returns. Try a call "
                "now.",
                seconds=self.seconds,
            )
        )
        try:
            if not ask_yes_or_no(tr("Does all work, and shall it stay?"), default=False):
                decline(self.site)
                self.screen.say(tr("The previous fence is back. No rules were written."))
                return None
        except BaseException:
            decline(self.site)
            raise
        keep(self.site, proposal, report)
        return self._finished(proposal, report, shown=True)

    def _finished(self, proposal: Proposal, report: RunReport, *, shown: bool = False) -> RunReport:
        """Take the steps that are left, and tell what was done."""
        notes = tuple(take_steps(proposal))
        if not self.as_json:
            for note in (*report.notes, *notes):
                if note not in self._told:
                    self.screen.note(sentence(note), "yellow")
            if not shown:
                show_run(self.screen, report)
            self.screen.say(
                tr("Set up. 'geofence status' shows the fence, 'geofence denied' who was blocked.")
            )
            if "notify" in (proposal.changes or {}):
                self.screen.say(tr("'geofence notify --test' sends a test message."))
        return report.with_notes(notes)


def _checked(answers: Answers, existing: Existing) -> Answers:
    """Return answers whose countries are such.

    Raises:
        UsageError: one is unknown, or a file of the operator's names others.
    """
    if answers.countries is None:
        return answers
    places = parse_places(answers.countries, existing.policy.regions)
    said = existing.says("allow.countries")
    if said and set(places) != set(existing.policy.countries):
        raise UsageError(
            tr(
                "--country: {place} names the countries already and overrides this. Edit it there.",
                place=said,
            )
        )
    return replace(answers, countries=places)


def _is_missing(question: Question, answers: Answers) -> bool:
    return question.topic is Topic.COUNTRIES and not answers.countries


def _directory(given: Path | None) -> Path | None:
    """Return the directory that the operator names.

    Raises:
        UsageError: it is not one.
    """
    if given is not None and not given.is_dir():
        raise UsageError(tr("--asterisk-dir: {path} is not a directory.", path=quoted(str(given))))
    return given


def _directory_before(existing: Existing) -> Path | None:
    said = previous(existing, "asterisk.directory")
    if existing.says("asterisk.directory"):
        said = existing.policy.asterisk.directory
    return Path(said) if isinstance(said, str) else None
