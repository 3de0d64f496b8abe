"""The verb that looks for faults of the whole host: doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from geofence.cli.commands import ForAll
from geofence.cli.options import AsteriskDir, Json, TargetName
from geofence.cli.root import app
from geofence.cli.verbs.daily import PANEL
from geofence.errors import ExitCode
from geofence.screen import Screen, print_json
from geofence.translation import tr


@app.command(
    cls=ForAll,
    rich_help_panel=PANEL,
    help=tr(
        "Look for what leads to calls without sound, to lost calls or to an open port.\n\n"
        "It changes nothing. Each finding has its evidence, a remedy and a section in "
        "docs/troubleshooting.md.\n\n"
        "Exit code 1: something is wrong. 5: nothing wrong was found, but not everything could be "
        "checked.\n\n"
        "Example: geofence doctor --json, for monitoring."
    ),
)
def doctor(
    context: typer.Context,
    *,
    asterisk_dir: AsteriskDir = None,
    offline: Annotated[
        bool, typer.Option("--offline", help=tr("Ask neither DNS, STUN servers nor clusters."))
    ] = False,
    target: TargetName = None,
    as_json: Json = False,
) -> None:
    """Look for faults."""
    from geofence.cli.views.doctor import doctor_json, show_doctor
    from geofence.operations.doctor import Examined, doctor_of_cluster
    from geofence.operations.doctor import doctor as operation

    if target:
        from geofence.cli import targets

        targets.without({"--offline": offline, "--asterisk-dir": asterisk_dir})
        report = doctor_of_cluster(context.obj, target)
    else:
        report = operation(context.obj, Examined(asterisk_dir, offline=offline))
    if as_json:
        print_json(doctor_json(report))
    else:
        show_doctor(Screen(), report)
    if report.wrong:
        raise typer.Exit(ExitCode.FAILED)
    if report.unchecked:
        raise typer.Exit(ExitCode.DEGRADED)
