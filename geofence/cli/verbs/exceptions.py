"""Verbs for exceptions: allow, revoke."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from geofence.cli.commands import ForRoot
from geofence.cli.options import Accept, Json
from geofence.cli.root import app
from geofence.screen import Screen
from geofence.translation import tr

PANEL = tr("Exceptions")

Names = Annotated[
    list[str],
    typer.Argument(metavar="NAME…", help=tr("Exceptions or groups, e.g. push-as or bria.")),
]


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Enable an exception and apply it now.\n\n"
        "The choice is stored in 99-command-line.toml beside your rules.\n\n"
        "Example: geofence allow push-as, or geofence allow bria for its whole group."
    ),
)
def allow(
    context: typer.Context, names: Names, *, accept: Accept = None, as_json: Json = False
) -> None:
    """Enable an exception and apply it."""
    _switch(context, names, accept, enabled=True, as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Disable an exception and drop its open connections.\n\nExample: geofence revoke push-as"
    ),
)
def revoke(
    context: typer.Context, names: Names, *, accept: Accept = None, as_json: Json = False
) -> None:
    """Disable an exception and drop its connections."""
    _switch(context, names, accept, enabled=False, as_json=as_json)


def _switch(
    context: typer.Context, names: list[str], accept: Accept, *, enabled: bool, as_json: bool
) -> None:
    from geofence.cli.progress import watching
    from geofence.cli.views.run import finish
    from geofence.operations.allow import switch
    from geofence.operations.outcome import told
    from geofence.operations.ssh import ssh_session

    screen, ssh, given = Screen(), ssh_session(), accept or ()
    site = replace(context.obj, rules_required=False)  # the directory is created if missing
    verb = "allow" if enabled else "revoke"
    with watching(screen) as watch:
        report = told(
            site,
            verb,
            lambda: switch(site, tuple(names), watch, enabled=enabled, accept=given, ssh=ssh),
        )
    finish(screen, report, as_json=as_json)
