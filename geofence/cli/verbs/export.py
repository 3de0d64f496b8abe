"""The verb that writes the objects of a cluster's fence."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from geofence.cli.commands import ForStateReaders
from geofence.cli.options import Accept, Json, TargetName
from geofence.cli.root import app
from geofence.cli.verbs.daily import PANEL
from geofence.screen import Screen, print_json
from geofence.translation import tr

To = Annotated[
    str | None,
    typer.Option("--to", metavar="ENGINE", help=tr("networkpolicy, calico or cilium.")),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help=tr("Write a file for each object there.")),
]
Namespace = Annotated[
    str, typer.Option("--namespace", metavar="NAME", help=tr("Where the pods are."))
]
Pods = Annotated[
    list[str] | None,
    typer.Option("--pods", metavar="LABEL", help=tr("Fence pods with this label: app=asterisk.")),
]
Nodes = Annotated[
    list[str] | None,
    typer.Option("--nodes", metavar="LABEL", help=tr("Fence nodes with this label.")),
]
Services = Annotated[
    list[str] | None,
    typer.Option("--service", metavar="NAME", help=tr("Fence this service only.")),
]
CiliumRelease = Annotated[
    str,
    typer.Option(
        "--cilium",
        metavar="X.Y",
        help=tr("The version of Cilium in the cluster, if older than 1.18."),
    ),
]


@app.command(
    cls=ForStateReaders,
    rich_help_panel=PANEL,
    help=tr(
        "Write the objects that fence pods or nodes of a Kubernetes cluster.\n\n"
        "It uses the stored lists; 'geofence refresh' renews them. Without --output it prints one "
        "JSON list, which kubectl reads.\n\n"
        "Example: geofence export --to networkpolicy --namespace pbx --pods app=asterisk "
        "--output fence"
    ),
)
def export(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    to: To = None,
    target: TargetName = None,
    namespace: Namespace = "",
    pods: Pods = None,
    nodes: Nodes = None,
    services: Services = None,
    cilium: CiliumRelease = "",
    output: Output = None,
    accept: Accept = None,
    as_json: Json = False,
) -> None:
    """Write the objects of a cluster's fence."""
    gc.disable()  # with a hundred thousand prefixes, to look for garbage takes a fifth of the time
    from geofence.cli.target_options import parse_wanted
    from geofence.cli.views.export import export_json, show_export, show_notes
    from geofence.operations.export import export as operation
    from geofence.operations.export import write_files
    from geofence.targets.files import file_text, listed

    site, screen = context.obj, Screen()
    engine, selectors = (to, cilium), (pods or (), nodes or ())
    wanted = parse_wanted(engine, target, namespace, selectors, services or ())
    found = operation(site, wanted, accept or ())
    if output is None:
        show_notes(screen, found.notes)
        sys.stdout.write(file_text(listed(found.objects)))
        return
    files = write_files(found, output)
    if as_json:
        print_json(export_json(found, files, output))
    else:
        show_export(screen, found, files, output)
