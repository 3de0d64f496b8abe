"""The verb that makes rules for this host: setup."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from geofence.cli.commands import ForRoot
from geofence.cli.completion import countries
from geofence.cli.options import AsteriskDir, Json
from geofence.cli.root import app
from geofence.errors import UsageError
from geofence.translation import tr

PANEL = tr("Set up")


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Make rules for this host, and set up the fence.\n\n"
        "It looks at Asterisk's configuration, at what listens, VPNs and other firewalls. It asks "
        "what it cannot know, shows what it would do, and applies that on trial. Run again, it "
        "proposes what has changed. Files that you wrote stay as they are.\n\n"
        "Example: geofence setup. Without questions: geofence setup --yes --country JP"
    ),
)
def setup(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    country: Annotated[
        list[str] | None,
        typer.Option(
            "--country",
            metavar="CODE",
            autocompletion=countries,
            help=tr("A country your phones call from, or a region such as @nordics; repeatable."),
        ),
    ] = None,
    asterisk_dir: AsteriskDir = None,
    follow: Annotated[
        bool | None,
        typer.Option(
            "--follow/--fixed",
            help=tr("Follow Asterisk's configuration, or write down what it says now."),
        ),
    ] = None,
    vpn: Annotated[
        bool | None,
        typer.Option("--vpn/--no-vpn", help=tr("Never fence what comes by VPNs.")),
    ] = None,
    catalog: Annotated[
        bool | None,
        typer.Option(
            "--catalog/--no-catalog",
            help=tr("Allow the catalogue's entries for the providers of your trunks."),
        ),
    ] = None,
    mail: Annotated[
        list[str] | None,
        typer.Option("--mail", metavar="WHO", help=tr("Who gets a mail on failure; repeatable.")),
    ] = None,
    webhook_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help=tr("A file with the URL that is told of failures.")),
    ] = None,
    no_notify: Annotated[
        bool, typer.Option("--no-notify", help=tr("Ask for no notification."))
    ] = False,
    jail: Annotated[
        bool | None,
        typer.Option("--jail/--no-jail", help=tr("Let fail2ban ban through geofence.")),
    ] = None,
    units: Annotated[
        bool | None,
        typer.Option("--units/--no-units", help=tr("Enable the units of systemd.")),
    ] = None,
    confirm_within: Annotated[
        str,
        typer.Option(metavar="TIME", help=tr("How long a trial lasts, without --yes: 60s, 5m.")),
    ] = "5m",
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="NAME", help=tr("Override one safety check.")),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help=tr("Ask nothing: take the likely answers, and apply."))
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=tr("Show the proposal; change nothing."))
    ] = False,
    as_json: Json = False,
) -> None:
    """Make rules for this host, and set up the fence."""
    from geofence.cli.arguments import parse_mail, parse_seconds, parse_webhook_file
    from geofence.cli.dialogue import Dialogue
    from geofence.setup.answers import Answers

    asking = not (yes or dry_run or as_json)
    if asking and not sys.stdin.isatty():
        raise UsageError(
            tr(
                "'geofence setup' asks questions, and standard input is not a terminal. Answer by "
                "options and --yes; 'geofence setup --dry-run' shows what it would do."
            )
        )
    answers = Answers(
        countries=tuple(country) if country else None,
        follow=follow,
        tunnels=vpn,
        providers=catalog,
        mail=() if no_notify else parse_mail(mail),
        webhook_file=parse_webhook_file(webhook_file),
        fail2ban=jail,
        units=units,
    )
    dialogue = Dialogue(
        context.obj,
        accept or (),
        parse_seconds(confirm_within),
        asking=asking,
        applying=not dry_run and (yes or not as_json),
        as_json=as_json,
    )
    dialogue.run(answers, asterisk_dir)
