"""The verb to try it out: demo."""

from __future__ import annotations

import typer

from geofence.cli.commands import ForAll
from geofence.cli.root import app
from geofence.translation import tr

PANEL = tr("Try it out")


@app.command(
    cls=ForAll,
    rich_help_panel=PANEL,
    help=tr(
        "Show geofence at work on real packets, in a network of its own.\n\n"
        "It does not touch this host's firewall and needs no Internet. It needs root, or a kernel "
        "that lets users create user namespaces.\n\n"
        "Example: geofence demo"
    ),
)
def demo(context: typer.Context) -> None:
    """Show geofence at work in a network of its own."""
    from geofence.demo import run_demo

    raise typer.Exit(run_demo(context.obj.backend))
