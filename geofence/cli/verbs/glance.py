"""Verbs that show the fence at a glance, to people and to programs that watch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from geofence.cli.commands import ForRoot
from geofence.cli.root import app
from geofence.translation import tr

PANEL = tr("At a glance")


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Print metrics in Prometheus' text format.\n\n"
        "With \\[metrics] textfile in the rules, each run writes them for node_exporter.\n\n"
        "Example: geofence metrics --textfile /var/lib/prometheus/node-exporter/geofence.prom"
    ),
)
def metrics(
    context: typer.Context,
    *,
    file: Annotated[
        str | None,
        typer.Option("--textfile", metavar="FILE", help=tr("Write them into this .prom file.")),
    ] = None,
) -> None:
    """Print metrics in Prometheus' text format."""
    from geofence.cli.arguments import textfile_path
    from geofence.operations.metrics import metrics as operation
    from geofence.operations.metrics import write_textfile

    path: Path | None = None if file is None else textfile_path(file)
    text = operation(context.obj)
    if path is None:
        sys.stdout.write(text.decode())
    else:
        write_textfile(path, text)
