"""The verb for the catalogue of providers, push services and blocklists."""

from __future__ import annotations

from typing import Annotated

import typer

from geofence.cli.commands import ForStateReaders
from geofence.cli.options import Json
from geofence.cli.root import app
from geofence.cli.verbs.exceptions import PANEL
from geofence.errors import ExitCode
from geofence.screen import Screen, print_json
from geofence.translation import tr

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="WORD...", help=tr("Parts of names, a host name, or an address.")),
]
Only = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help=tr("Only these: trunk, push or blocklist.")),
]


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "List trunk providers, push services and blocklists that ship, or search them.\n\n"
        "Exit code 1 if nothing fits.\n\n"
        "Examples: geofence catalog --kind trunk. geofence catalog 54.172.60.1."
    ),
)
def catalog(
    context: typer.Context, words: Words = None, *, kind: Only = None, as_json: Json = False
) -> None:
    """List or search the catalogue."""
    from geofence.cli.arguments import parse_choice
    from geofence.cli.views.catalog import catalog_json, show_catalog
    from geofence.operations.catalog import Kind
    from geofence.operations.catalog import catalog as operation

    wanted = Kind(parse_choice(kind, "--kind", list(Kind))) if kind else None
    report = operation(context.obj, tuple(words or ()), wanted)
    if as_json:
        print_json(catalog_json(report))
    else:
        show_catalog(Screen(), report)
    if not report.entries:
        raise typer.Exit(ExitCode.FAILED)
