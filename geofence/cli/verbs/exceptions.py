"""Verbs for exceptions: allow, revoke, exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from geofence.cli import completion
from geofence.cli.commands import ForRoot, ForStateReaders
from geofence.cli.options import Accept, Json
from geofence.cli.root import app
from geofence.errors import ExitCode, UsageError
from geofence.model.frozen import replace
from geofence.screen import Screen, print_json
from geofence.translation import tr

if TYPE_CHECKING:
    from geofence.by_hand.request import Request
    from geofence.operations.report import RunReport
    from geofence.operations.site import Site

PANEL = tr("Exceptions")

_WHAT = tr("Exceptions, groups, addresses, prefixes, ranges or host names.")
_COUNTRY = tr("A country, e.g. US. May be given more than once.")

WhatToAllow = Annotated[
    list[str] | None,
    typer.Argument(metavar="WHAT...", help=_WHAT, autocompletion=completion.disabled_exceptions),
]
WhatToRevoke = Annotated[
    list[str] | None,
    typer.Argument(metavar="WHAT...", help=_WHAT, autocompletion=completion.enabled_exceptions),
]
CountriesToAllow = Annotated[
    list[str] | None,
    typer.Option("--country", metavar="CODE", help=_COUNTRY, autocompletion=completion.countries),
]
CountriesToRevoke = Annotated[
    list[str] | None,
    typer.Option(
        "--country", metavar="CODE", help=_COUNTRY, autocompletion=completion.allowed_countries
    ),
]


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Allow exceptions, addresses, host names or countries now.\n\n"
        "The choice is stored in 99-command-line.toml beside your rules. What has an end ends by "
        "itself.\n\n"
        "Examples: geofence allow push-as. geofence allow 203.0.113.7 --name hotel --for 8h. "
        "geofence allow --country US."
    ),
)
def allow(  # noqa: PLR0913 - an option each
    context: typer.Context,
    what: WhatToAllow = None,
    *,
    country: CountriesToAllow = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help=tr("Name of the exception that has the addresses and hosts.")
        ),
    ] = None,
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help=tr("How long it is allowed: 30m, 8h, 3d.")),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help=tr("Until when it is allowed: 18:00, or 2026-11-27 18:00.")
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service",
            metavar="NAME",
            help=tr("Only for this service. May be given more than once."),
            autocompletion=completion.services,
        ),
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help=tr("Why it is allowed, in one line."))
    ] = None,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Allow exceptions, addresses, host names or countries."""
    from geofence.by_hand.request import Request
    from geofence.cli.arguments import parse_countries, parse_end, parse_note
    from geofence.operations.allow import allow as operation

    request = Request(
        _words(what, country),
        parse_countries(country or ()),
        name or "",
        tuple(dict.fromkeys(service or ())),
        parse_note(note),
        parse_end(for_, until),
    )
    _run(context, "allow", operation, request, accept, as_json=as_json)


@app.command(
    cls=ForRoot,
    rich_help_panel=PANEL,
    help=tr(
        "Revoke what was allowed, and drop its open connections.\n\n"
        "Examples: geofence revoke push-as. geofence revoke 203.0.113.7. "
        "geofence revoke --country US."
    ),
)
def revoke(
    context: typer.Context,
    what: WhatToRevoke = None,
    *,
    country: CountriesToRevoke = None,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Revoke what was allowed, and drop its connections."""
    from geofence.by_hand.request import Request
    from geofence.cli.arguments import parse_countries
    from geofence.operations.allow import revoke as operation

    request = Request(_words(what, country), parse_countries(country or ()))
    _run(context, "revoke", operation, request, accept, as_json=as_json)


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "List exceptions: what they allow, for which services, and until when.\n\n"
        "With --covering, exit code 0 if an exception or a local network has the address, 1 if "
        "not.\n\n"
        "Example: geofence exceptions --all"
    ),
)
def exceptions(
    context: typer.Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help=tr("Show disabled exceptions, too."))
    ] = False,
    covering: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help=tr("Print what covers this address or prefix; for fail2ban's ignorecommand."),
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=tr("With --covering: only exceptions for this service."),
            autocompletion=completion.services,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List exceptions."""
    if covering is not None:
        _cover(context.obj, covering, service, as_json=as_json)
        return
    if service is not None:
        raise UsageError(tr("--service needs --covering; give both."))
    from geofence.cli.views.exceptions import exceptions_json, show_exceptions
    from geofence.operations.exceptions import exceptions as operation

    report = operation(context.obj)
    if as_json:
        print_json(exceptions_json(report))
    else:
        show_exceptions(Screen(), report, everything=everything)


def _cover(site: Site, address: str, service: str | None, *, as_json: bool) -> None:
    """Print what covers an address, and end with 1 if nothing does."""
    from geofence.cli.arguments import parse_space
    from geofence.operations.covering import covering

    cover = covering(site, parse_space(address), service)
    if as_json:
        print_json(
            {
                "covered": cover is not None,
                "by": cover.kind.value if cover else None,
                "name": cover.name if cover else None,
            }
        )
    elif cover:
        Screen().say(cover.name or cover.kind.value)
    if not cover:
        raise typer.Exit(ExitCode.FAILED)


def _words(what: list[str] | None, country: list[str] | None) -> tuple[str, ...]:
    """Return what was named, each once.

    Raises:
        UsageError: nothing was named.
    """
    if not what and not country:
        raise UsageError(
            tr("Name an exception, an address or a host, or give --country; see --help.")
        )
    return tuple(dict.fromkeys(what or ()))


def _run(  # noqa: PLR0913 - an option each
    context: typer.Context,
    verb: str,
    operation: Callable[..., RunReport],
    request: Request,
    accept: Accept,
    *,
    as_json: bool,
) -> None:
    from geofence.cli.progress import watching
    from geofence.cli.views.run import finish
    from geofence.operations.outcome import told
    from geofence.operations.ssh import ssh_session

    screen, ssh, given = Screen(), ssh_session(), accept or ()
    site = replace(context.obj, rules_required=False)  # the directory is created if missing
    with watching(screen) as watch:
        report = told(site, verb, lambda: operation(site, request, watch, accept=given, ssh=ssh))
    finish(screen, report, as_json=as_json)
