"""Verbs that show the fence at a glance, to people and to programs that watch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from geofence.cli.commands import ForRoot
from geofence.cli.options import Json
from geofence.cli.root import app
from geofence.screen import Screen, print_json
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


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Report who was blocked, from where, and how the fence is.\n\n"
        "With --html it writes one file for a browser, with a map. With --mail it sends that to "
        "those that \\[report] in the rules names, as a timer does each week.\n\n"
        "Example: geofence report --html /root/geofence.html --since 30d"
    ),
)
def report(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help=tr("Write the report as one HTML file.")),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help=tr("How far back to count, e.g. 30d."))
    ] = "7d",
    code: Annotated[
        str | None,
        typer.Option("--language", metavar="CODE", help=tr("Write it in this language: en, ja.")),
    ] = None,
    mail: Annotated[
        bool, typer.Option("--mail", help=tr("Send it to those that the rules name."))
    ] = False,
    as_json: Json = False,
) -> None:
    """Report who was blocked, from where, and how the fence is."""
    from datetime import timedelta

    from geofence.cli.arguments import choose_language, parse_since
    from geofence.operations.snapshot import snapshot

    site, lasting = context.obj, parse_since(since) or timedelta()
    if mail:
        from geofence.cli.views.report import finish_mail
        from geofence.report.mail import mail_report

        finish_mail(Screen(), mail_report(site, lasting))
        return
    choose_language(code)
    found = snapshot(site, lasting)
    if as_json:
        from geofence.cli.views.snapshot import snapshot_json

        print_json(snapshot_json(found))
    elif html is None:
        from geofence.report.text import text

        sys.stdout.write(text(found))
    else:
        from geofence.report.page import page
        from geofence.state.files import write_atomically

        write_atomically(html.absolute(), page(found).encode())


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Show the report live in a browser on this host.\n\n"
        "It prints a link that works once. It listens on the loopback only; from elsewhere, tunnel "
        "to it: ssh -L 8437:127.0.0.1:8437 HOST. Without --actions it changes nothing.\n\n"
        "Example: geofence panel --actions"
    ),
)
def panel(
    context: typer.Context,
    *,
    actions: Annotated[
        bool,
        typer.Option("--actions", help=tr("Let it allow, revoke, ban, unban, confirm, refresh.")),
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help=tr("Listen here; 0: anywhere."))
    ] = 8437,
    unix: Annotated[
        Path | None,
        typer.Option("--unix", metavar="PATH", help=tr("Listen on this Unix socket instead.")),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help=tr("How far back to count, e.g. 30d."))
    ] = "7d",
) -> None:
    """Show the report live in a browser on this host."""
    from datetime import timedelta

    from geofence.cli.arguments import parse_since
    from geofence.panel.run import Wish, run

    wish = Wish(port, unix, actions, parse_since(since) or timedelta())
    screen = Screen()

    def told(link: str) -> None:
        screen.note(tr("Open this link; it works once. Ctrl-C ends the panel."))
        screen.say(link)

    run(context.obj, wish, told)
