"""``[notify]``: everybody who is told what happened, by a program, a mail or a webhook.

What each needs is imported only where somebody is told that way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from geofence.errors import ExitCode, UsageError
from geofence.model.frozen import dataclass
from geofence.model.notes import Note
from geofence.operations.site import Site
from geofence.state.outcomes import Ending, RunOutcome
from geofence.translation import tr


class Channel(StrEnum):
    """How somebody is told. The values are stable: they are the keys of ``[notify]``."""

    COMMAND = "command"
    MAIL = "mail"
    WEBHOOK = "webhook_file"


@dataclass(frozen=True, slots=True)
class Sent:
    """One way by which somebody was told."""

    channel: Channel
    to: str
    """The program, the addresses, or the file with the URL."""
    failures: tuple[Note, ...] = ()
    """What went wrong; empty if the message went out."""


def tell(  # noqa: PLR0913 - each is one of the facts
    site: Site,
    command: str,
    outcome: RunOutcome,
    event: str,
    message: str,
    *,
    code: ExitCode = ExitCode.DONE,
) -> tuple[Note, ...]:
    """Tell all that the rules name, and return what went wrong."""
    facts = notify_facts(site, command, outcome, event=event, message=message, code=code)
    return tuple(note for each in _sent(outcome, facts) for note in each.failures)


def send_test(site: Site) -> tuple[Sent, ...]:
    """Tell all that the rules name that this is a test, and return how that went.

    Raises:
        RulesError: the rules do not load.
        UsageError: they name nobody.
    """
    policy = site.policy()
    outcome = RunOutcome(
        "notify",
        Ending.DONE,
        datetime.now(UTC),
        notify_command=policy.notify_command,
        notify_mail=policy.notify_mail,
        notify_webhook_file=policy.notify_webhook_file,
    )
    message = "This is a test of geofence's notifications. Nothing is wrong."
    facts = notify_facts(site, "notify", outcome, event="test", message=message, code=ExitCode.DONE)
    told = tuple(_sent(outcome, facts))
    if not told:
        raise UsageError(
            tr(
                "The rules name nobody to tell. Write [notify] mail, webhook_file or command into "
                "a file of {directory}.",
                directory=site.rules_directory,
            )
        )
    return told


def _sent(outcome: RunOutcome, facts: Mapping[str, object]) -> Iterator[Sent]:
    if outcome.notify_command:
        hook = outcome.notify_command
        from geofence.operations.hook import run_hook

        yield Sent(Channel.COMMAND, hook[0], run_hook(hook, facts))
    if outcome.notify_mail:
        from geofence.operations.mail import send_mail

        to = outcome.notify_mail
        yield Sent(Channel.MAIL, ", ".join(to), send_mail(to, facts))
    if outcome.notify_webhook_file:
        from geofence.operations.webhook import post_facts

        path = outcome.notify_webhook_file
        yield Sent(Channel.WEBHOOK, path, post_facts(path, facts))


def notify_facts(  # noqa: PLR0913 - each is one of the facts
    site: Site, command: str, outcome: RunOutcome, *, event: str, message: str, code: ExitCode
) -> dict[str, object]:
    """Return what the hook is told; ``docs/json.md`` explains the keys."""
    return {
        "event": event,
        "command": command,
        "exit_code": int(code),
        "message": message,
        "healed": outcome.healed,
        "at": datetime.now(UTC).isoformat(),
        "host": os.uname().nodename,
        "state_directory": str(site.state_directory),
    }
