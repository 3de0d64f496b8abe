"""The verb that shows who was turned away."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Annotated

import typer

from geofence.cli import completion
from geofence.cli.commands import ForRoot
from geofence.cli.options import Json
from geofence.cli.root import app
from geofence.cli.verbs.daily import PANEL
from geofence.errors import UsageError
from geofence.screen import Screen, print_json
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.operations.denied import Selection
    from geofence.operations.site import Site

_SHOWN = 20
"""Rows, unless a number is given."""

By = Annotated[
    str | None,
    typer.Option("--by", metavar="WHAT", help=tr("Count sources by country or by network.")),
]
Service = Annotated[
    str | None,
    typer.Option(
        "--service",
        metavar="NAME",
        help=tr("Only this service."),
        autocompletion=completion.services,
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help=tr("Only sources that came lately, e.g. 2h.")),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="ROWS", help=tr("How many rows to show; 0: all (default: 20).")
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", help=tr("Print new sources as they come, until Ctrl-C."))
]
Clear = Annotated[bool, typer.Option("--clear", help=tr("Forget all sources that were noted."))]


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Show who was blocked, when, and how often.\n\n"
        "The kernel notes sources for a week. Of services that are only observed, these are the "
        "sources that would be blocked.\n\n"
        "Example: geofence denied --by country --since 2h"
    ),
)
def denied(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    by: By = None,
    service: Service = None,
    since: Since = None,
    limit: Limit = None,
    follow: Follow = False,
    clear: Clear = False,
    as_json: Json = False,
) -> None:
    """Show who was turned away."""
    if not follow:
        gc.disable()  # with 65,536 sources, to look for garbage takes 5 % of the time
    from geofence.cli.arguments import parse_choice, parse_limit, parse_since
    from geofence.operations.denied import GroupedBy, Selection

    _check(by=by, since=since, follow=follow, clear=clear)
    rows = parse_limit(limit, 0 if as_json else _SHOWN)
    grouped = GroupedBy(parse_choice(by, "--by", list(GroupedBy))) if by else None
    asked = Selection(service, parse_since(since), grouped, rows)
    if clear:
        _forget(context.obj, asked, as_json=as_json)
    elif follow:
        from geofence.cli.views.follow import show_new

        show_new(Screen(), context.obj, asked, as_json=as_json)
    else:
        _show(context.obj, asked, as_json=as_json)


def _check(*, by: str | None, since: str | None, follow: bool, clear: bool) -> None:
    given = [("--clear", clear), ("--follow", follow), ("--by", by), ("--since", since)]
    names = [name for name, value in given if value]
    if len(names) > 1 and (clear or follow):
        raise UsageError(
            tr(
                "{one} and {other} exclude each other; use one of them.",
                one=names[0],
                other=names[1],
            )
        )


def _show(site: Site, asked: Selection, *, as_json: bool) -> None:
    from geofence.cli.views.denied import denied_json, show_denied
    from geofence.operations.denied import denied as operation

    report = operation(site, asked)
    if as_json:
        print_json(denied_json(report, asked))
    else:
        show_denied(Screen(), report, asked)


def _forget(site: Site, asked: Selection, *, as_json: bool) -> None:
    from geofence.cli.views.denied import show_forgotten
    from geofence.operations.denied import forget

    number = forget(site, asked.service)
    if as_json:
        print_json({"forgotten": number})
    else:
        show_forgotten(Screen(), number)
