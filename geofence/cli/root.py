"""The command itself, and the options that come before a verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from geofence import __version__
from geofence.cli.commands import Verbs
from geofence.translation import tr

app = typer.Typer(
    name="geofence",
    cls=Verbs,
    help=tr("GeoIP allowlist firewall for SIP and RTP."),
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"geofence {__version__}")
        raise typer.Exit


RulesDir = Annotated[
    Path | None,
    typer.Option(
        envvar="GEOFENCE_RULES_DIR",
        metavar="PATH",
        help=tr("Directory of your rules (default: /etc/geofence/rules.d)."),
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        envvar="GEOFENCE_STATE_DIR",
        metavar="PATH",
        help=tr("Directory of stored lists and generations (default: /var/lib/geofence)."),
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        envvar="GEOFENCE_BACKEND",
        metavar="NAME",
        help=tr("Firewall backend: auto, ipset or nftables (overrides the rules)."),
    ),
]
LockWait = Annotated[
    float,
    typer.Option(
        envvar="GEOFENCE_LOCK_WAIT",
        metavar="SECONDS",
        help=tr("Seconds to wait for another geofence process to finish."),
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        envvar="GEOFENCE_PATIENCE",
        metavar="SECONDS",
        help=tr("Time limit in seconds per list source, retries included."),
    ),
]
Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_print_version,
        is_eager=True,
        help=tr("Print the version and exit."),
    ),
]


@app.callback()
def site_options(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    rules_dir: RulesDir = None,
    state_dir: StateDir = None,
    backend: Backend = None,
    lock_wait: LockWait = 30.0,
    patience: Patience = 120.0,
    _version: Version = False,
) -> None:
    """Take the options of all verbs."""
    from geofence.cli.arguments import backend_choice, parse_wait, state_path
    from geofence.operations.site import RULES_DIRECTORY, STATE_DIRECTORY, Site

    context.obj = Site(
        rules_directory=rules_dir or RULES_DIRECTORY,
        # A misspelt directory would otherwise count as empty, and the shipped rules alone apply.
        rules_required=rules_dir not in (None, RULES_DIRECTORY),
        state_directory=state_path(state_dir or STATE_DIRECTORY),
        backend=backend_choice(backend),
        lock_seconds=parse_wait(lock_wait, "--lock-wait"),
        patience=parse_wait(patience, "--patience"),
    )
