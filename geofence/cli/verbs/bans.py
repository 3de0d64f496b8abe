"""Verbs for bans: ban, unban, bans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from geofence.cli import completion
from geofence.cli.commands import ForRoot
from geofence.cli.options import Json
from geofence.cli.root import app
from geofence.screen import Screen, print_json
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.operations.bans import BanChange

PANEL = tr("Bans")

_ADDRESSES = tr("Addresses or prefixes, e.g. 203.0.113.7.")

Targets = Annotated[list[str] | None, typer.Argument(metavar="ADDRESS...", help=_ADDRESSES)]
Banned = Annotated[
    list[str] | None,
    typer.Argument(metavar="ADDRESS...", help=_ADDRESSES, autocompletion=completion.banned),
]
Lines = Annotated[
    bool,
    typer.Option(
        "--lines",
        help=tr("Read 'ban ADDRESS [TIME [REASON]]', 'unban ADDRESS [TIME]' from standard input."),
    ),
]


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Block addresses for a time, in calls that are going on, too.\n\n"
        "Exceptions, local networks and this host's own addresses are never banned. Bans survive a "
        "reboot.\n\n"
        "With --lines, one process takes many, and answers each line with 'ok' or 'error'.\n\n"
        "Example: geofence ban 203.0.113.7 --for 1h --reason scanner"
    ),
)
def ban(  # noqa: PLR0913 - an option each
    context: typer.Context,
    targets: Targets = None,
    *,
    lasting: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="TIME",
            help=tr("How long, e.g. 1h or 7d (default: until it is unbanned)."),
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help=tr("Why, for 'geofence bans'."))
    ] = "",
    lines: Lines = False,
    as_json: Json = False,
) -> None:
    """Block addresses for a time."""
    from geofence.cli.arguments import parse_lasting, parse_targets
    from geofence.operations.bans import Bans

    bans = Bans(context.obj)
    if lines:
        from geofence.cli.ban_lines import serve

        serve(bans, targets)
        return
    prefixes, time = parse_targets("ban", targets), parse_lasting(lasting)
    done = bans.ban(prefixes, time, reason)
    what = " ".join(map(str, prefixes))
    context.obj.log_change(f"ban {what}", f"{what} is banned")
    _show(done, as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr("End bans before their time.\n\nExample: geofence unban 203.0.113.7"),
)
def unban(context: typer.Context, targets: Banned = None, *, as_json: Json = False) -> None:
    """End bans before their time."""
    from geofence.cli.arguments import parse_targets
    from geofence.operations.bans import Bans

    prefixes = parse_targets("unban", targets)
    done = Bans(context.obj).unban(prefixes)
    what = " ".join(map(str, prefixes))
    context.obj.log_change(f"unban {what}", f"{what} is no longer banned")
    _show(done, as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "List what is banned, for how long, why, and what it has sent.\n\n"
        "Example: geofence bans --json"
    ),
)
def bans(context: typer.Context, *, as_json: Json = False) -> None:
    """List what is banned."""
    from geofence.cli.views.bans import bans_json, show_bans
    from geofence.operations.bans import Bans

    found = Bans(context.obj).all()
    if as_json:
        print_json(bans_json(found))
    else:
        show_bans(Screen(), found)


def _show(done: BanChange, *, as_json: bool) -> None:
    from geofence.cli.views.bans import change_json, show_change

    if as_json:
        print_json(change_json(done))
    else:
        show_change(Screen(), done)
