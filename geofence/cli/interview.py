"""Questions of ``setup`` at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from geofence.errors import UsageError
from geofence.geoip.countries import country_name
from geofence.screen import Screen
from geofence.sentences.setup import evidence_text
from geofence.setup.answers import Answers, Question, Topic, answered
from geofence.spelling import listed, printable
from geofence.translation import tr

_LONGEST = 1_000
"""Characters of an answer."""
_SHOWN = 5
Reader = Callable[[str], tuple[str, ...]]
"""Returns what an answer means, or raises a UsageError."""


def interview(
    screen: Screen, questions: Iterable[Question], answers: Answers, readers: dict[Topic, Reader]
) -> Answers:
    """Ask the questions and return the answers.

    Args:
        screen: where to say what an answer is not.
        questions: those that are open.
        answers: those that were given already.
        readers: for answers that are not yes or no.

    Raises:
        UsageError: the input ended before the last answer.
    """
    for question in questions:
        if isinstance(question.default, bool):
            value: tuple[str, ...] | bool = ask_yes_or_no(_text(question), default=question.default)
        else:
            value = _ask_words(screen, question, readers[question.topic])
        answers = answered(answers, question.topic, value)
    return answers


def _ask_words(screen: Screen, question: Question, read: Reader) -> tuple[str, ...]:
    if question.topic is Topic.COUNTRIES:
        for each in question.likely[:_SHOWN]:
            why = ", ".join(evidence_text(evidence) for evidence in each.evidence)
            screen.say(f"  {each.code}  {country_name(each.code)} ({why})")
    default = " ".join(map(str, question.default if isinstance(question.default, tuple) else ()))
    while True:
        said = _line(f"{_text(question)} [{default}] " if default else f"{_text(question)} ")
        try:
            return read(said or default)
        except UsageError as error:
            screen.note(str(error), "yellow")


def _text(question: Question) -> str:
    about = printable(listed(list(question.about), _SHOWN))
    return {
        Topic.COUNTRIES: tr(
            "From which countries do your phones call? Codes or regions, with blanks between them:"
        ),
        Topic.FOLLOW: tr(
            "Follow Asterisk's configuration in {directory}? Then new trunks and ports need no "
            "rules. Else its services and trunks are written down as they are now.",
            directory=about,
        ),
        Topic.TUNNELS: tr("Trust all that comes by the VPN ({names})?", names=about),
        Topic.PROVIDERS: tr(
            "Trunks or push servers of yours are in the catalogue. Allow them ({names})?",
            names=about,
        ),
        Topic.MAIL: tr("Who gets a mail when something fails (nothing: nobody):"),
        Topic.FAIL2BAN: tr("Let fail2ban ban through geofence (it is restarted)?"),
        Topic.UNITS: tr("Restore the fence at boot and refresh it daily (systemd)?"),
    }[question.topic]


def ask_yes_or_no(text: str, *, default: bool) -> bool:
    """Ask until the answer is yes or no.

    Raises:
        UsageError: the input ended.
    """
    # Translators: choices behind a question; the capital one is taken for an empty answer.
    choices = tr("[Y/n]") if default else tr("[y/N]")
    yes, no = (set(each.split()) for each in (tr("y yes"), tr("n no")))
    while True:
        said = _line(f"{text} {choices} ").lower()
        if not said:
            return default
        if said in yes | {"y", "yes"}:
            return True
        if said in no | {"n", "no"}:
            return False


def _line(prompt: str) -> str:
    """Print a prompt and read a line.

    Raises:
        UsageError: the input ended.
    """
    sys.stdout.write(prompt)
    sys.stdout.flush()
    said = sys.stdin.readline(_LONGEST)
    if not said:
        sys.stdout.write("\n")
        raise UsageError(tr("The input ended before the last answer. Nothing was changed."))
    return said.strip()
